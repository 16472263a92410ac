"""A WHIP or WHEP session, from the POST that opens it to its end."""

import asyncio
import base64
import enum
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable

from ..echo import Echo
from ..net.shard import Shard
from ..rtc import DataChannel, Peer
from ..sdp.answer import ice_attributes, media_line
from ..sdp.errors import UnacceptableSdp
from ..sdp.fragment import Fragment, write_fragment
from ..sdp.offer import Offer
from ..sdp.role import Role
from ..sdp.transport import IceCredentials
from ..streams import Seat, Viewer
from .end_reason import END_REASONS, TRANSPORT_REASONS, EndReason
from .setup import Setup, SetupStep
from .stats import (
    SessionCounts,
    SessionKind,
    SessionStats,
    counts_of,
    loss_of,
    round_trip_of,
)
from .supply import Demand

logger = logging.getLogger(__name__)

# Seconds that closing a peer may take.
CLOSE_TIMEOUT = 5.0

# Octets of randomness in a session's id: whoever knows it may end the session.
ID_OCTETS = 24
# Characters of the id that are logged: enough to tell sessions apart.
LOGGED_ID_LENGTH = 8
_ID = re.compile(rf"[A-Za-z0-9_-]{{{ID_OCTETS * 4 // 3}}}")

# Earlier ICE sessions that are remembered, to recognize late requests.
REMEMBERED_ICE_SESSIONS = 8


class SessionState(enum.StrEnum):
    """The state of a session."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"


class Unavailable(Exception):  # noqa: N818 - a state, not a fault
    """No session can be opened now."""


class OutdatedIce(Exception):  # noqa: N818 - said of a request, not of us
    """The request is about an earlier ICE session, which a restart has replaced."""


class Session:
    """A client's session.

    Args:
        session_id: its unguessable id in URLs (see ``new_id``).
        stream: the name of its stream.
        peer: our end of the connection.
        role: the role of the client: publisher or viewer.
        kind: what the session is for.
        client: the client's address in the POST, for the log.
        setup_timeout: seconds within which it must be connected.
        on_step: called with each step of its setup, and the seconds that it took.
        on_open: called with the session once, when it is connected.
        on_end: called with the session as soon as it ends.
        on_gone: called with the session when its peer is closed.

    Attributes:
        id: see above.
        owner: the name of the grant with which it was opened: only this may change it.
        may_prompt: whether that grant permits to prompt language models.
        etag: the strong entity tag of its ICE session (RFC 9725 section 4.3.1).
        unused_ice: see ``Offer``.
        patching: a lock for PATCH requests, held while the precondition is checked
            and the request is executed.
        on_connected: called once, when it is connected.
        state: its state.
        reason: why it has ended; None while it has not.
        setup: how long the steps of its setup took.
        viewer: what it watches with; None if it does not.
        seat: its seat in the chat of its stream; None if it has only data channels.
        demand: its wish for a stream that may come from another server; None if none
            does.
    """

    __slots__ = (
        "_address",
        "_deadline",
        "_earlier_ice",
        "_ended",
        "_ending",
        "_ice",
        "_log",
        "_on_end",
        "_on_gone",
        "_on_open",
        "_opened",
        "_section",
        "_was_connected",
        "client",
        "demand",
        "echo",
        "etag",
        "id",
        "kind",
        "may_prompt",
        "on_connected",
        "owner",
        "patching",
        "peer",
        "reason",
        "role",
        "seat",
        "setup",
        "state",
        "stream",
        "unused_ice",
        "viewer",
    )

    def __init__(
        self,
        session_id: str,
        stream: str,
        peer: Peer,
        *,
        role: Role,
        kind: SessionKind,
        client: str,
        setup_timeout: float,
        on_step: Callable[[SetupStep, float], None],
        on_open: Callable[["Session"], None],
        on_end: Callable[["Session"], None],
        on_gone: Callable[["Session"], None],
    ) -> None:
        self.id = session_id
        self.owner = ""
        self.may_prompt = False
        self.stream = stream
        self.role = role
        self.kind = kind
        self.peer = peer
        self.client = client
        self.echo = Echo(peer)
        self.setup = Setup(on_step)
        self.viewer: Viewer | None = None
        self.seat: Seat | None = None
        self.demand: Demand | None = None
        self.etag = _new_etag()
        self.unused_ice: frozenset[IceCredentials] = frozenset()
        self.patching = asyncio.Lock()
        self.state = SessionState.NEW
        self.on_connected: Callable[[], None] | None = None
        self.reason: EndReason | None = None
        self._ice: IceCredentials | None = None
        self._earlier_ice: list[IceCredentials] = []
        # The m-line, mid and BUNDLE group of the answer, for fragments.
        self._section: tuple[str, str | None, tuple[str, ...]] = ("", None, ())
        self._address: tuple[str, int] | None = None
        self._on_open = on_open
        self._on_end = on_end
        self._on_gone = on_gone
        self._opened = time.monotonic()
        self._was_connected = False
        fields = {
            "session": short_id(self.id),
            "kind": str(kind),
            "stream": stream,
            "client": client,
        }
        self._log = logging.LoggerAdapter(logger, fields)
        peer.connection.log_fields = fields
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        self._ending: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = loop.call_later(
            setup_timeout, self.end_soon, EndReason.SETUP_TIMEOUT
        )

    async def open(self, offer: Offer) -> str:
        """Answer the offer, and start to connect.

        Returns:
            The SDP answer.

        Raises:
            Unavailable: when the session ends meanwhile, or no address is there.
        """
        self._ice = offer.ice
        self.unused_ice = offer.unused_ice
        self._section = media_line(offer.tagged), offer.tagged.mid, offer.bundle
        self.peer.on_state = self._peer_state_changed
        if not offer.has_media:
            self.peer.on_channels_closed = self._channels_closed
            self.peer.on_channel = self._channel_opened
        try:
            answer = await self.peer.answer(offer, self.stream)
        except ConnectionError as error:
            self._log.error("Session %s not opened: %s", short_id(self.id), error)
            raise Unavailable from None
        except Exception:
            if self.reason is not None:
                raise Unavailable from None
            raise
        if self.reason is not None:
            raise Unavailable
        self.setup.reached(SetupStep.POST)
        for track in self.peer.tracks:
            track.on_encodings_changed.append(self.media_began)
        self._log.info(
            "Session %s opened: stream=%s client=%s",
            short_id(self.id),
            self.stream,
            self.client,
        )
        return answer

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return time.monotonic() - self._opened

    @property
    def was_connected(self) -> bool:
        """Whether it is or was connected."""
        return self._was_connected

    @property
    def counts(self) -> SessionCounts:
        """What went through it."""
        return counts_of(self.peer, self.echo, self.viewer, self.seat)

    @property
    def stats(self) -> SessionStats:
        """A snapshot."""
        return SessionStats(
            id=short_id(self.id),
            kind=self.kind,
            stream=self.stream,
            state=str(self.state),
            age=self.age,
            client=self.client,
            address=self.peer.peer_address,
            candidate_type=self.peer.candidate_type,
            round_trip=round_trip_of(self.peer),
            loss=loss_of(self.peer),
            setup=dict(self.setup.seconds),
            counts=self.counts,
            chat_name=self.seat.member.name if self.seat is not None else None,
        )

    def has(self, words: Iterable[str]) -> bool:
        """Whether each of the words, casefolded, is a part of what it is known by.

        That is what operators see: the id as logged, kind, stream, state, the addresses
        of the client, and the name in the chat.
        """
        address = self.peer.peer_address
        texts = (
            short_id(self.id),
            self.kind,
            self.stream,
            self.state,
            self.client,
            "" if address is None else address[0],
            "" if self.seat is None else self.seat.member.name or "",
        )
        # No word has a line break in it.
        known = "\n".join(texts).casefold()
        return all(word in known for word in words)

    def is_restart(self, fragment: Fragment) -> bool:
        """Whether a fragment asks for an ICE restart: its credentials are new."""
        return fragment.ice not in (None, self._ice)

    async def patch(self, fragment: Fragment) -> str | None:
        """Add the client's new candidates; restart ICE if the credentials are new.

        Candidates of other ICE sessions are ignored.

        Returns:
            The fragment for the response to an ICE restart; None without a restart.

        Raises:
            OutdatedIce: when the credentials are those of an earlier ICE session.
            UnacceptableSdp: when only one of ufrag and password is new.
            Unavailable: when the restart fails; the session continues.
        """
        self.peer.note_signalling()
        ice = fragment.ice or self._ice
        assert ice is not None
        answer = None if ice == self._ice else await self._restart(ice)
        self.peer.add_candidates(
            c for c in fragment.candidates if c.ufrag in (None, ice.ufrag)
        )
        return answer

    async def _restart(self, ice: IceCredentials) -> str:
        """Restart ICE (RFC 9725 section 4.3.3).

        The old ICE session is used until the new one is connected, and stays in use if
        the new one never connects.
        """
        current = self._ice
        assert current is not None
        if ice in self._earlier_ice:
            raise OutdatedIce
        if ice.ufrag == current.ufrag or ice.pwd == current.pwd:
            raise UnacceptableSdp(
                "Half an ICE restart",
                "An ICE restart must change both the username fragment and password.",
                section="RFC 8839 section 4.4.1.1.1",
            )
        try:
            local = await self.peer.restart_ice()
        except ConnectionError:
            raise Unavailable from None
        self.peer.accept_restart(ice, ())
        self._earlier_ice.append(current)
        del self._earlier_ice[:-REMEMBERED_ICE_SESSIONS]
        self._ice = ice
        self.etag = _new_etag()
        self._log.info("Session %s restarts ICE", short_id(self.id))
        line, mid, bundle = self._section
        return write_fragment(
            line,
            mid,
            local.ice,
            local.candidates,
            bundle=bundle,
            ice_attributes=ice_attributes(local.lite),
        )

    async def end(self, reason: EndReason) -> None:
        """End the session, and wait until its peer is closed.

        If it has ended already, its reason stays.
        """
        if self.reason is None and self.peer.closes_at_once:
            # A task for it would cost more than it does.
            self._begin_to_end(reason, "")
            await self._close_peer()
            return
        self.end_soon(reason)
        await asyncio.shield(self._ended)

    def end_soon(self, reason: EndReason, detail: str = "") -> None:
        """End the session without waiting.

        Args:
            detail: more about the reason, for the log.
        """
        if self.reason is None:
            self._begin_to_end(reason, detail)
            self._ending = asyncio.create_task(self._close_peer())

    def _begin_to_end(self, reason: EndReason, detail: str) -> None:
        """Do all but close the peer."""
        self.reason = reason
        self.state = SessionState.CLOSED
        self._stop_waiting()
        self._on_end(self)
        address = self.peer.peer_address or self._address
        if reason in TRANSPORT_REASONS:
            detail = self.peer.end_detail
        self._log.info(
            "Session %s ended: stream=%s client=%s peer=%s reason=%r%s "
            "duration=%.3fs messages=%d",
            short_id(self.id),
            self.stream,
            self.client,
            _host_and_port(address) if address else "-",
            str(reason),
            f" ({detail})" if detail else "",
            self.age,
            self.echo.messages,
        )

    async def _close_peer(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self.peer.close()
        except TimeoutError:
            self._log.warning(
                "Session %s: closing the peer timed out", short_id(self.id)
            )
        except Exception:
            self._log.exception(
                "Session %s: closing the peer failed", short_id(self.id)
            )
        finally:
            self._ended.set_result(None)
            self._on_gone(self)

    def _peer_state_changed(self) -> None:
        if self.peer.iceConnectionState == "completed":
            self.setup.reached(SetupStep.ICE)
        match self.peer.connectionState:
            case "connecting" if self.state is SessionState.NEW:
                self.state = SessionState.CONNECTING
            case "connected" if self.state is not SessionState.CLOSED:
                self.state = SessionState.CONNECTED
                self._address = self.peer.peer_address
                self._stop_waiting()
                self.setup.reached(SetupStep.DTLS)
                if self.on_connected is not None:
                    self.on_connected()
                    self.on_connected = None
                if not self._was_connected:
                    self._was_connected = True
                    self._log.debug("Session %s connected", short_id(self.id))
                    self._on_open(self)
            case "failed" | "closed":
                self.end_soon(END_REASONS.get(self.peer.end, EndReason.CONSENT_LOST))

    def _stop_waiting(self) -> None:
        """Let the setup take no time any more."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _channel_opened(self, _channel: DataChannel) -> None:
        self.setup.reached(SetupStep.CHANNEL)

    def media_began(self) -> None:
        """Note that the first packet has come from, or gone to, the client."""
        self.setup.reached(SetupStep.MEDIA)

    def _channels_closed(self) -> None:
        self.end_soon(EndReason.CHANNELS_CLOSED)


def _host_and_port(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def short_id(session_id: str) -> str:
    """The part of a session's id that may be shown in logs."""
    return session_id[:LOGGED_ID_LENGTH]


def new_id(shard: Shard | None) -> str:
    """An id for a session; with several workers it tells which one has it."""
    octets = secrets.token_bytes(ID_OCTETS)
    if shard is not None:
        octets = shard.mark_id(octets)
    return base64.urlsafe_b64encode(octets).decode()


def may_be_id(text: str) -> bool:
    """Whether a text has the form of a session's id."""
    return _ID.fullmatch(text) is not None


def _new_etag() -> str:
    """A new, unique strong entity tag (RFC 9110 section 8.8.3)."""
    return f'"{secrets.token_hex(8)}"'
