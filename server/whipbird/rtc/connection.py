"""A peer's transport on the process's UDP port."""

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ..media.transport import FanOut
from ..native import Native, Socket
from ..net import Dispatcher
from ..net.backlog import Backlog
from ..net.dispatcher import PREFIX_LENGTH
from ..rtp.rewriter import Rewriter, Rewriting
from ..transport.certificate import Certificate
from ..transport.ice import LocalCandidate
from ..transport.packet_buffer import PacketBuffer
from ..transport.path import Path
from ..transport.peer_sinks import ChannelEvents, ConnectionEvents, TransportState
from ..transport.peer_transport import PeerTransport
from ..transport.sctp import DataChannel

logger = logging.getLogger(__name__)

_RANDOM = random.SystemRandom()


class Port(Protocol):
    """The UDP port of a process, or one of a virtual network."""

    @property
    def dispatcher(self) -> Dispatcher:
        """Finds the session of each datagram, and wakes the sessions that are due."""

    @property
    def now(self) -> float:
        """The time, in seconds of a monotonic clock."""

    @property
    def all_backlog(self) -> Backlog:
        """The datagrams for all destinations that wait for the network."""

    def candidates(self) -> tuple[LocalCandidate, ...]:
        """The candidates of a new ICE session.

        Raises:
            ConnectionError: when there is none.
        """

    def send(self, datagram: bytes, path: Path) -> None:
        """Send a datagram."""

    def send_batch(self, datagrams: Sequence[bytes | memoryview], path: Path) -> None:
        """Send datagrams to one destination."""

    @property
    def native(self) -> Native | None:
        """The compiled packet path, if it is used."""

    def compiled_socket(self, path: Path) -> Socket | None:
        """The socket of a path, for the compiled packet path; None if it has none."""

    def is_congested(self, path: Path) -> bool:
        """Whether much waits for a destination that the network has not taken yet."""

    def flush_soon(self) -> None:
        """Flush the touched sessions: at once, or when this turn ends."""


class Connection:
    """One peer's transport, attached to a port from ``__init__`` to its end.

    Args:
        port: the UDP port that its datagrams use.
        events: called with the events.
        controlling, ice_lite, limit: see ``PeerTransport``.

    Attributes:
        transport: the transport itself.
        log_fields: of which session it is, for the log.
    """

    __slots__ = (
        "_all_backlog",
        "_attached",
        "_dispatcher",
        "_events",
        "_overheard",
        "_port",
        "_prefix",
        "_ufrags",
        "buffered_amount_changed",
        "channel_changed",
        "channel_opened",
        "channels_closed",
        "compiled_socket",
        "log_fields",
        "message_received",
        "path_selected",
        "restart_ended",
        "send",
        "send_batch",
        "send_rtcp",
        "send_rtp",
        "send_rtp_batch",
        "transport",
    )

    # Set by ``route_channels``.
    message_received: Callable[[DataChannel, int, bytes], None]
    channel_opened: Callable[[DataChannel], None]
    channel_changed: Callable[[DataChannel], None]
    buffered_amount_changed: Callable[[DataChannel, int], None]

    def __init__(
        self,
        port: Port,
        certificate: Certificate,
        events: ConnectionEvents,
        *,
        controlling: bool,
        ice_lite: bool = False,
        limit: int | None = None,
    ) -> None:
        self.log_fields: Mapping[str, str] = {}
        self._port = port
        self._all_backlog = port.all_backlog
        self._events = events
        self._dispatcher = port.dispatcher
        self._prefix = _new_prefix(self._dispatcher)
        self._ufrags: tuple[str, ...] = ()
        self._overheard: tuple[str, ...] = ()
        # One call less for each packet.
        self.send = port.send
        self.send_batch = port.send_batch
        self.compiled_socket = port.compiled_socket
        self.transport = PeerTransport(
            self,
            certificate,
            controlling=controlling,
            ice_lite=ice_lite,
            limit=limit,
            transaction_prefix=self._prefix,
            ufrag_mark=self._dispatcher.mark,
            # Who makes the offer does not send to addresses that a stranger names.
            all_probes=None if controlling else self._dispatcher.probes,
            native=port.native,
        )
        self._dispatcher.attach(self.transport, self._prefix)
        self._attached = True
        self.send_rtp = self.transport.send_rtp
        self.send_rtcp = self.transport.send_rtcp
        self.send_rtp_batch: Callable[[PacketBuffer], None] = (
            self.transport.send_rtp_batch
        )
        self.path_selected = events.path_selected
        self.restart_ended = events.restart_ended
        self.channels_closed = events.channels_closed

    @property
    def state(self) -> TransportState:
        """How far the connection has come."""
        return self.transport.state

    @property
    def rtp_routes(self) -> dict[int, Callable[[bytes], None]]:
        """Payload type -> function that takes its RTP packets, decrypted."""
        return self.transport.rtp_routes

    @property
    def fan_out(self) -> FanOut | None:
        """Sends streams of ``make_rewriter``; None without the compiled packet path."""
        native = self._port.native
        return None if native is None else native.fan_out

    def make_rewriter(self, ssrc: int, *, sequence: int, timestamp: int) -> Rewriting:
        """Make what writes one RTP stream to the peer (see ``Rewriting``)."""
        native, outlet = self._port.native, self.transport.outlet
        if native is None or outlet is None:
            return Rewriter(ssrc, sequence=sequence, timestamp=timestamp)
        return native.rewriter(
            ssrc, sequence=sequence, timestamp=timestamp, outlet=outlet
        )

    @property
    def is_congested(self) -> bool:
        """Whether much waits for the peer that the network has not taken yet."""
        if not self._all_backlog.octets:
            return False
        path = self.transport.ice.selected
        return path is not None and self._port.is_congested(path)

    @property
    def round_trip(self) -> float | None:
        """Seconds of the newest answered connectivity check; None before one."""
        return self.transport.ice.rtt

    def route_rtcp(self, take: Callable[[bytes], None]) -> None:
        """Hand RTCP packets, decrypted, to a function."""
        self.transport.rtcp_route = take

    def route_channels(self, channels: ChannelEvents) -> None:
        """Set who gets the events of data channels; before the connection is made."""
        self.message_received = channels.message_received
        self.channel_opened = channels.channel_opened
        self.channel_changed = channels.channel_changed
        self.buffered_amount_changed = channels.buffered_amount_changed

    def changed(self) -> None:
        """Update the timer: a call may have changed the deadline."""
        self._dispatcher.arm(self.transport)

    def flush_soon(self) -> None:
        """Send what is queued: at once, or when this turn of the event loop ends."""
        if self._attached:
            self._dispatcher.touch(self.transport)
            self._port.flush_soon()

    def count_unread(self, octets: int) -> None:
        """Count messages that wait for their reader (see ``Association``)."""
        association = self.transport.sctp
        if association is not None:
            association.count_unread(octets)
            if octets < 0:
                self.flush_soon()

    def check_consent(self) -> None:
        """Send a check on the path in use at once (RFC 7675)."""
        self.transport.ice.check_consent(self._port.now)
        self.changed()

    def overhear(self, ufrag: str) -> None:
        """Pass STUN requests to another ufrag to ``transport.on_stun``, too."""
        self._overheard += (ufrag,)
        self._dispatcher.route_ufrags(self.transport, (), (ufrag,))

    def end_channels(self) -> None:
        """End the SCTP association, and keep the connection."""
        self.transport.end_channels(self._port.now)
        self.changed()

    def vanish(self) -> None:
        """Stop sending and receiving, without telling the peer."""
        self._detach()
        self.transport.abandon()

    def close(self) -> None:
        """End the connection."""
        if self._attached:
            try:
                self.transport.close(self._port.now)
            finally:
                self._detach()

    def _detach(self) -> None:
        if not self._attached:
            return
        self._attached = False
        ufrags = self._ufrags + self._overheard
        self._dispatcher.route_ufrags(self.transport, ufrags, ())
        for path in self.transport.verified:
            self._dispatcher.forget_path(self.transport, path)
        self._dispatcher.detach(self.transport, self._prefix)

    # PeerSinks; the other methods of it are attributes

    def path_verified(self, path: Path) -> None:
        self._dispatcher.route_path(self.transport, path, self._port.now)

    def path_forgotten(self, path: Path) -> None:
        self._dispatcher.forget_path(self.transport, path)

    def ufrags_changed(self, ufrags: tuple[str, ...]) -> None:
        old, self._ufrags = self._ufrags, ufrags
        self._dispatcher.route_ufrags(self.transport, old, ufrags)

    def state_changed(self, state: TransportState) -> None:
        if state in (TransportState.CLOSED, TransportState.FAILED):
            self._detach()
        self._events.state_changed(state)

    def failed(self, error: Exception) -> None:
        """Log a fault of ours. The session has ended."""
        self._dispatcher.faults.report(logger, error, self.log_fields)


def _new_prefix(dispatcher: Dispatcher) -> bytes:
    """A random prefix that no other session has."""
    mark = dispatcher.mark
    while True:
        prefix = mark + _RANDOM.randbytes(PREFIX_LENGTH - len(mark))
        if not dispatcher.has_prefix(prefix):
            return prefix
