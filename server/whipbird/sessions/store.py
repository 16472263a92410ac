"""The store that holds the sessions of a server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from ..rtc import Certificate, DataChannel, HostAddresses, Peer, PeerOptions
from ..sdp.codecs import Codec, best_match
from ..sdp.offer import Offer
from ..sdp.role import Role
from ..streams import (
    BROADCAST,
    Audiences,
    LayerChoice,
    Stream,
    Streams,
    StreamTaken,
    Viewer,
)
from .session import EndReason, Session, SessionState, Unavailable


class Full(Unavailable):
    """There are as many sessions as there may be.

    Attributes:
        limit: how many these are.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"there are {limit} sessions")
        self.limit = limit


class NothingToWatch(Exception):  # noqa: N818 - a state, not a fault
    """Nobody publishes the stream."""


class WrongCodecs(Exception):  # noqa: N818 - said of an offer, not of us
    """A viewer cannot decode the audio, or the video, that is published.

    Attributes:
        kind: which of them.
        sent: what is published.
    """

    def __init__(self, kind: str, sent: tuple[Codec, ...]) -> None:
        super().__init__(kind, sent)
        self.kind = kind
        self.sent = sent


class NoSuchLayer(Exception):  # noqa: N818 - said of a request, not of us
    """What is published has no layer of that name.

    Its text says which it has.

    Args:
        rids: their names.
    """

    def __init__(self, rids: tuple[str, ...]) -> None:
        super().__init__(
            f"The layers of the stream are {', '.join(rids)}."
            if rids
            else "The stream has but one layer, without a name."
        )


class SessionStore:
    """Opens sessions, finds them, and ends them all at last.

    Args:
        setup_timeout: seconds within which a session must be connected.
        echo_buffer: octets that may be held for one session.
        loopback: offer loopback addresses even when there are others.
        max_sessions: how many there may be at a time; None for any number.
        takeover: whether a new publisher takes a stream over from the one there is.
        wait_for_publisher: whether a stream may be watched before it is published.

    Attributes:
        streams: what is published.
        audiences: who watches it.
        opened: how many sessions were opened since the start.
    """

    def __init__(
        self,
        *,
        setup_timeout: float,
        echo_buffer: int,
        loopback: bool = False,
        max_sessions: int | None = None,
        takeover: bool = False,
        wait_for_publisher: bool = True,
    ) -> None:
        self._setup_timeout = setup_timeout
        self._max_sessions = max_sessions
        self._options = PeerOptions(
            certificate=Certificate.generateCertificate(),
            addresses=HostAddresses(loopback=loopback),
            limit=echo_buffer,
        )
        self.streams = Streams(takeover=takeover)
        self.audiences = Audiences()
        self.streams.observers.append(self.audiences)
        self._wait_for_publisher = wait_for_publisher
        self._viewers: dict[Session, Viewer] = {}
        self._sessions: dict[str, Session] = {}
        self._ending: set[Session] = set()
        self._echoed_by_ended = 0
        self._is_shutting_down = False
        self.opened = 0

    async def publish(
        self, stream: str, offer: Offer, client: str
    ) -> tuple[Session, str]:
        """Open a session for somebody who publishes, or has messages echoed.

        Returns:
            The session and the SDP answer.

        Raises:
            Full: when there are as many as there may be. One that is ending counts
                until nothing of it is left.
            StreamTaken: when there is media in it, and another publishes the stream.
            Unavailable: when the server is about to stop, or too busy to open it
                within the setup timeout.
        """
        self._check_room()
        # Who only has data channels publishes nothing.
        if offer.has_media and not self.streams.is_free(stream):
            raise StreamTaken
        session = self._new_session(stream, offer, client)
        async with _or_refused(session):
            answer = await session.open(offer)
            if offer.has_media:
                end = partial(session.end_soon, EndReason.TAKEN_OVER)
                self.streams.publish(Stream(stream, session.peer, end))
                session.echo.on_message = partial(self._broadcast, stream)
        self.opened += 1
        return session, answer

    async def watch(
        self, stream: str, offer: Offer, client: str, *, rid: str | None = None
    ) -> tuple[Session, str]:
        """Open a session for somebody who watches.

        Args:
            rid: the layer that is wanted; None for the best that can be taken.

        Returns:
            The session and the SDP answer.

        Raises:
            Full, Unavailable: as above.
            NothingToWatch: when nobody publishes the stream, and that is not waited
                for.
            NoSuchLayer: when the stream is published, without the layer.
            WrongCodecs: when the viewer cannot decode what is published.
        """
        self._check_room()
        if self.streams.get(stream) is None and not self._wait_for_publisher:
            raise NothingToWatch
        self._check_layer(stream, rid)
        for media in offer.media:
            sent = self.audiences.codecs(stream, media.kind)
            if sent and not any(best_match(codec, media.codecs) for codec in sent):
                raise WrongCodecs(media.kind, sent)
        session = self._new_session(stream, offer, client)
        async with _or_refused(session):
            answer = await session.open(offer)
            lines = [media.kind for media in offer.media]
            viewer = Viewer(
                session.peer,
                LayerChoice(rid=rid),
                video_line=lines.index("video") if "video" in lines else None,
            )
            session.on_connected = partial(self.audiences.join, stream, viewer)
            self._viewers[session] = viewer
        self.opened += 1
        return session, answer

    def viewer(self, session: Session) -> Viewer:
        """Who watches in a session that was opened for that, and has not ended."""
        return self._viewers[session]

    def choose_layer(self, session: Session, choice: LayerChoice) -> None:
        """Send a viewer another layer, from that one's next key frame on.

        Raises:
            NoSuchLayer: as above. It goes on with what it has.
        """
        self._check_layer(session.stream, choice.rid)
        viewer = self._viewers[session]
        viewer.choice = choice
        self.audiences.update_viewer(session.stream, viewer)

    def _check_layer(self, stream: str, rid: str | None) -> None:
        published = self.streams.get(stream)
        if published is not None and rid is not None and rid not in published.rids:
            raise NoSuchLayer(published.rids)

    def _broadcast(
        self, stream: str, channel: DataChannel, protocol: int, data: bytes
    ) -> None:
        """Let the viewers have what a publisher says to them."""
        if channel.label == BROADCAST:
            self.audiences.broadcast(stream, protocol, data)

    def _check_room(self) -> None:
        if self._is_shutting_down:
            raise Unavailable
        held = len(self._sessions) + len(self._ending)
        if self._max_sessions is not None and held >= self._max_sessions:
            raise Full(self._max_sessions)

    def _new_session(self, stream: str, offer: Offer, client: str) -> Session:
        session = Session(
            stream,
            Peer(self._options),
            role=offer.role,
            client=client,
            setup_timeout=self._setup_timeout,
            on_end=self._forget,
            on_gone=self._ending.discard,
        )
        self._sessions[session.id] = session
        return session

    def get(self, role: Role, stream: str, session_id: str) -> Session | None:
        """Find a session that has not ended."""
        session = self._sessions.get(session_id)
        if session is None or (session.role, session.stream) != (role, stream):
            return None
        return session

    def count(self) -> Counter[SessionState]:
        """How many sessions there are in each state."""
        return Counter(session.state for session in self._sessions.values())

    @property
    def messages_echoed(self) -> int:
        """How many messages were sent back since the start."""
        return self._echoed_by_ended + sum(
            session.echo.messages for session in self._sessions.values()
        )

    async def close(self) -> None:
        """End all sessions, and open no more."""
        self._is_shutting_down = True
        sessions = [*self._sessions.values(), *self._ending]
        await asyncio.gather(*(s.end(EndReason.SHUTDOWN) for s in sessions))

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        self.streams.leave(session.stream, session.peer)
        viewer = self._viewers.pop(session, None)
        if viewer is not None:
            self.audiences.leave(session.stream, viewer)
        self._ending.add(session)
        self._echoed_by_ended += session.echo.messages


@asynccontextmanager
async def _or_refused(session: Session) -> AsyncIterator[None]:
    """End a session that could not be opened, or was not waited for."""
    try:
        yield
    except BaseException:
        await session.end(EndReason.REFUSED)
        raise
