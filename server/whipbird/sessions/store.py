"""The store that holds the sessions of a server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from typing import Protocol

from ..net.reach import Reach
from ..net.shard import Shard
from ..rtc import Certificate, DataChannel, Peer, PeerOptions, Port
from ..rtp.history import GopBudget, GopLimits
from ..sdp.offer import Offer
from ..sdp.role import VIEWER, Role
from ..streams import (
    BROADCAST,
    Audiences,
    LayerChoice,
    Replacement,
    Seat,
    Stream,
    Streams,
    Viewer,
)
from .admission import Admission, OtherSessions, SessionLimits
from .end_reason import EndReason
from .session import Session, SessionState, Unavailable, new_id, short_id
from .stats import SessionKind, SessionsStats
from .supply import Supply
from .tally import Tally
from .watchable import NothingToWatch, Watchable

_REPLACED = {
    Replacement.SAME_ENCODER: EndReason.PUBLISHED_AGAIN,
    Replacement.TAKEOVER: EndReason.TAKEN_OVER,
    Replacement.SILENT: EndReason.SILENT,
}


class SessionObserver(Protocol):
    """An observer of sessions. Its methods return quickly and never raise."""

    def session_connected(self, session: Session) -> None:
        """Called once when a session is connected."""

    def session_ended(self, session: Session) -> None:
        """Called when a session that was connected has ended."""


class SessionStore:
    """Opens, finds and ends the sessions of a server.

    Args:
        port: what the datagrams of all sessions go through; open before the first.
        setup_timeout: seconds within which a session must be connected.
        echo_buffer: octets that may be held for one session.
        ice_lite: whether sessions only answer connectivity checks.
        reach: the addresses that sessions check by themselves.
        limits: how many there may be at a time.
        takeover: whether any new publisher takes a stream over, by its name (see
            ``Streams``).
        wait_for_publisher: whether a stream may be watched before it is published.
        chat: whether a stream has a chat.
        gop_limits: how much is kept for new viewers.
        shard: which worker this is; None if there are no others.

    Attributes:
        streams: the published streams.
        audiences: their viewers.
        observers: called when sessions are connected, and when they end.
        supply: gets streams from other servers; None if nothing does.
        opened: sessions opened so far.
    """

    def __init__(
        self,
        port: Port,
        *,
        setup_timeout: float,
        echo_buffer: int,
        ice_lite: bool = False,
        reach: Reach | None = None,
        limits: SessionLimits | None = None,
        takeover: Callable[[str], bool] = lambda _: False,
        wait_for_publisher: Callable[[str], bool] = lambda _: True,
        chat: Callable[[str], bool] = lambda _: False,
        gop_limits: GopLimits | None = None,
        shard: Shard | None = None,
    ) -> None:
        self._shard = shard
        self._setup_timeout = setup_timeout
        self._admission = Admission(limits or SessionLimits())
        self._options = PeerOptions(
            certificate=Certificate.generate(),
            port=port,
            limit=echo_buffer,
            ice_lite=ice_lite,
            reach=reach or Reach(),
        )
        self.observers: list[SessionObserver] = []
        self.supply: Supply | None = None
        self.streams = Streams(takeover=takeover)
        native = port.native
        self.audiences = Audiences(
            GopBudget(gop_limits),
            chat,
            None if native is None else native.fan_out,
            None if native is None else native.send_reports,
        )
        self.streams.observers.append(self.audiences)
        self.streams.relay_observers.append(self.audiences)
        self._watchable = Watchable(self.streams, self.audiences)
        self._wait_for_publisher = wait_for_publisher
        self._viewers: dict[Session, Viewer] = {}
        self._sessions: dict[str, Session] = {}
        self._ending: set[Session] = set()
        self._tally = Tally()
        self._is_shutting_down = False
        # Set when no session is open any more.
        self._has_ended = asyncio.Event()
        self.opened = 0

    def configure(
        self,
        *,
        setup_timeout: float,
        limits: SessionLimits,
        takeover: Callable[[str], bool],
        wait_for_publisher: Callable[[str], bool],
        chat: Callable[[str], bool],
        gop_limits: GopLimits,
    ) -> None:
        """Change what new sessions and viewers get; open ones go on."""
        self._setup_timeout = setup_timeout
        self._admission.limits = limits
        self.streams.takeover = takeover
        self._wait_for_publisher = wait_for_publisher
        self.audiences.chats.is_on = chat
        self.audiences.gop_budget.limits = gop_limits

    async def publish(
        self, stream: str, offer: Offer, client: str
    ) -> tuple[Session, str]:
        """Open a session for a publisher, or for a client with only data channels.

        Returns:
            The session and the SDP answer.

        Raises:
            Full: when a maximum number of sessions is reached (see ``Admission``).
            StreamTaken: when the offer has media, and the stream has another
                publisher, which stays.
            Unavailable: when the server is shutting down, or the session did not open
                within the setup timeout.
        """
        # A client with only data channels publishes nothing.
        replaces = offer.has_media and await self.streams.make_way(
            stream, offer.fingerprints
        )
        session = self._new_session(stream, offer, client, replaces=replaces)
        async with _or_refused(session):
            answer = await session.open(offer)
            if offer.has_media:
                self.streams.publish(
                    Stream(
                        stream,
                        session.peer,
                        lambda why: session.end_soon(_REPLACED[why]),
                        offer.fingerprints,
                        short_id(session.id),
                        client=client,
                    )
                )
                session.echo.on_message = partial(self._broadcast, stream)
                self._seat(session)
        self.opened += 1
        return session, answer

    async def watch(
        self,
        stream: str,
        offer: Offer,
        client: str,
        *,
        rid: str | None = None,
        path: tuple[str, ...] = (),
    ) -> tuple[Session, str]:
        """Open a session for a viewer.

        Args:
            rid: the chosen layer; None for the best for the viewer's network.
            path: the servers for which it is, if it is one; see ``Supply``.

        Returns:
            The session and the SDP answer.

        Raises:
            Full, Unavailable: see ``publish``.
            NothingToWatch: when the stream has no publisher, and viewers may not wait.
            NoSuchLayer: when the published stream has no such layer.
            WrongCodecs: when the viewer cannot decode the published media.
            StreamLoop: when the stream would come from a server in the path.
        """
        demand = None if self.supply is None else self.supply.demand(stream, path)
        try:
            if demand is not None:
                await demand.ready()
            session, offer = self._new_viewer(stream, offer, client, rid)
        except BaseException:
            if demand is not None:
                demand.release()
            raise
        session.demand = demand
        async with _or_refused(session):
            answer = await session.open(offer)
            viewer = Viewer(
                session.peer, LayerChoice(rid=rid), video_line=offer.line("video")
            )
            session.on_connected = partial(self.audiences.join, stream, viewer)
            self._viewers[session] = session.viewer = viewer
            self._seat(session)
            if self.streams.get(stream) is not None:
                # Else the time that it waits for a publisher would be setup time.
                viewer.egress.on_media = session.media_began
        self.opened += 1
        return session, answer

    def _new_viewer(
        self, stream: str, offer: Offer, client: str, rid: str | None
    ) -> tuple[Session, Offer]:
        """Make the session of a viewer.

        Returns:
            The session, and what of the offer it can answer.
        """
        if self.streams.get(stream) is None and not self._wait_for_publisher(stream):
            raise NothingToWatch
        self._watchable.check_layer(stream, rid)
        offer = self._watchable.fitting(stream, offer)
        return self._new_session(stream, offer, client), offer

    def viewer(self, session: Session) -> Viewer:
        """The viewer of an open session for a viewer."""
        return self._viewers[session]

    def choose_layer(self, session: Session, choice: LayerChoice) -> None:
        """Change a viewer's choice; the new layer starts at its next key frame.

        Raises:
            NoSuchLayer: when the published stream has no such layer; the choice is
                not changed.
        """
        self._watchable.check_layer(session.stream, choice.rid)
        viewer = self._viewers[session]
        viewer.choice = choice
        self.audiences.update_viewer(session.stream, viewer)

    def _broadcast(
        self, stream: str, channel: DataChannel, protocol: int, data: bytes
    ) -> None:
        """Pass a publisher's message to the viewers, if on the broadcast channel."""
        if channel.label == BROADCAST:
            self.audiences.broadcast(stream, protocol, data)

    def _seat(self, session: Session) -> None:
        """Let a session into the chat of its stream as soon as it opens the channel."""
        session.seat = Seat(
            session.peer,
            self.audiences.chats,
            session.stream,
            is_publisher=session.kind is SessionKind.PUBLISHER,
        )
        session.echo.take = session.seat.take

    def _new_session(
        self, stream: str, offer: Offer, client: str, *, replaces: bool = False
    ) -> Session:
        """Make a session, if there is room for it.

        Args:
            replaces: whether another one ends for it.
        """
        if self._is_shutting_down:
            raise Unavailable
        make_room = self._admission.check(client, replaces=replaces)
        session = Session(
            new_id(self._shard),
            stream,
            Peer(self._options),
            role=offer.role,
            kind=_kind_of(offer),
            client=client,
            setup_timeout=self._setup_timeout,
            on_step=self._tally.setup.observe,
            on_open=self._connected,
            on_end=self._forget,
            on_gone=self._gone,
        )
        make_room()
        self._sessions[session.id] = session
        self._tally.opened(session)
        self._has_ended.clear()
        self._admission.add(session)
        return session

    def count_with(self, others: OtherSessions) -> None:
        """Let the sessions of other workers count for the limits, and these for theirs.

        To be called before the first session.
        """
        self._admission.others = others

    def _connected(self, session: Session) -> None:
        self._admission.changed(session)
        self.streams.connected(session.stream, session.peer)
        for observer in self.observers:
            observer.session_connected(session)

    def _gone(self, session: Session) -> None:
        self._ending.discard(session)
        self._tally.gone(session)
        self._admission.remove(session)

    def get(self, role: Role, stream: str, session_id: str) -> Session | None:
        """Find an open session."""
        session = self._sessions.get(session_id)
        if session is None or (session.role, session.stream) != (role, stream):
            return None
        return session

    @property
    def open_sessions(self) -> int:
        """The number of open sessions."""
        return len(self._sessions)

    def count(self) -> Counter[SessionState]:
        """The number of open sessions in each state."""
        return Counter(session.state for session in self._sessions.values())

    @property
    def messages_echoed(self) -> int:
        """Messages echoed so far."""
        return self._tally.counts.messages + sum(
            session.echo.messages for session in self._all
        )

    # What operators see and do

    @property
    def stats(self) -> SessionsStats:
        """A snapshot of all sessions together."""
        return self._tally.stats(
            self._sessions.values(), self._ending, self._admission.refused
        )

    def newest(
        self, offset: int, limit: int, words: Iterable[str] = ()
    ) -> tuple[list[Session], int]:
        """A page of the open sessions, the newest first, and how many there are.

        Args:
            words: only sessions that have all of them count (see ``Session.has``).
        """
        wanted = [word.casefold() for word in words]
        if not wanted:
            sessions = reversed(self._sessions.values())
            return list(islice(sessions, offset, offset + limit)), len(self._sessions)
        found = [s for s in reversed(self._sessions.values()) if s.has(wanted)]
        return found[offset : offset + limit], len(found)

    def find(self, public_id: str) -> Session | None:
        """Find an open session by the part of its id that may be shown."""
        found = (s for s in self._sessions.values() if short_id(s.id) == public_id)
        return next(found, None)

    def publisher_of(self, stream: str) -> Session | None:
        """The session that publishes a stream; None if there is none."""
        published = self.streams.get(stream)
        if published is None:
            return None
        peers = (s for s in self._sessions.values() if s.peer is published.source)
        return next(peers, None)

    @property
    def certificate(self) -> Certificate:
        """The DTLS certificate of all sessions."""
        return self._options.certificate

    @property
    def is_accepting(self) -> bool:
        """Whether new sessions are accepted, if there is room for them."""
        return not self._is_shutting_down

    async def drain(self) -> None:
        """Refuse new sessions, and wait until the open ones have ended."""
        self._is_shutting_down = True
        if self._sessions:
            await self._has_ended.wait()

    async def close(self) -> None:
        """End all sessions, and refuse new ones."""
        self._is_shutting_down = True
        await asyncio.gather(*(s.end(EndReason.SHUTDOWN) for s in self._all))

    @property
    def _all(self) -> list[Session]:
        """The sessions whose peers are not closed yet: something may still come."""
        return [*self._sessions.values(), *self._ending]

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        self.streams.leave(session.stream, session.peer, str(session.reason))
        viewer = self._viewers.pop(session, None)
        if viewer is not None:
            self.audiences.leave(session.stream, viewer)
        if session.seat is not None:
            session.seat.leave()
        if session.demand is not None:
            session.demand.release()
        if session.was_connected:
            for observer in self.observers:
                observer.session_ended(session)
        self._ending.add(session)
        self._tally.ended(session)
        if not self._sessions:
            self._has_ended.set()


def _kind_of(offer: Offer) -> SessionKind:
    if offer.role is VIEWER:
        return SessionKind.VIEWER
    return SessionKind.PUBLISHER if offer.has_media else SessionKind.DATA


@asynccontextmanager
async def _or_refused(session: Session) -> AsyncIterator[None]:
    """End the session if opening it fails or is cancelled: its client has gone."""
    try:
        yield
    except asyncio.CancelledError:
        await session.end(EndReason.NOT_DELIVERED)
        raise
    except BaseException:
        await session.end(EndReason.REFUSED)
        raise
