"""The store that holds the sessions of a server."""

import asyncio
from collections import Counter
from functools import partial

from ..rtc import Certificate, HostAddresses, Peer, PeerOptions
from ..sdp.offer import Offer
from ..streams import Stream, Streams, StreamTaken
from .session import EndReason, Session, SessionState, Unavailable


class Full(Unavailable):
    """There are as many sessions as there may be.

    Attributes:
        limit: how many these are.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"there are {limit} sessions")
        self.limit = limit


class SessionStore:
    """Opens sessions, finds them, and ends them all at last.

    Args:
        setup_timeout: seconds within which a session must be connected.
        echo_buffer: octets that may be held for one session.
        loopback: offer loopback addresses even when there are others.
        max_sessions: how many there may be at a time; None for any number.
        takeover: whether a new publisher takes a stream over from the one there is.

    Attributes:
        streams: what is published.
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
    ) -> None:
        self._setup_timeout = setup_timeout
        self._max_sessions = max_sessions
        self._options = PeerOptions(
            certificate=Certificate.generateCertificate(),
            addresses=HostAddresses(loopback=loopback),
            limit=echo_buffer,
        )
        self.streams = Streams(takeover=takeover)
        self._sessions: dict[str, Session] = {}
        self._ending: set[Session] = set()
        self._echoed_by_ended = 0
        self._is_shutting_down = False
        self.opened = 0

    async def open(self, stream: str, offer: Offer, client: str) -> tuple[Session, str]:
        """Open a session for an offer.

        Returns:
            The session and the SDP answer.

        Raises:
            Full: when there are as many as there may be. One that is ending counts
                until nothing of it is left.
            StreamTaken: when there is media in it, and another publishes the stream.
            Unavailable: when the server is about to stop, or too busy to open it
                within the setup timeout.
        """
        if self._is_shutting_down:
            raise Unavailable
        held = len(self._sessions) + len(self._ending)
        if self._max_sessions is not None and held >= self._max_sessions:
            raise Full(self._max_sessions)
        # Who only has data channels publishes nothing.
        if offer.has_media and not self.streams.is_free(stream):
            raise StreamTaken
        session = Session(
            stream,
            Peer(self._options),
            client=client,
            setup_timeout=self._setup_timeout,
            on_end=self._forget,
            on_gone=self._ending.discard,
        )
        self._sessions[session.id] = session
        try:
            answer = await session.open(offer)
            if offer.has_media:
                end = partial(session.end_soon, EndReason.TAKEN_OVER)
                self.streams.publish(Stream(stream, session.peer, end))
        except BaseException:
            await session.end(EndReason.REFUSED)
            raise
        self.opened += 1
        return session, answer

    def get(self, stream: str, session_id: str) -> Session | None:
        """Find a session that has not ended."""
        session = self._sessions.get(session_id)
        return session if session and session.stream == stream else None

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
        self._ending.add(session)
        self._echoed_by_ended += session.echo.messages
