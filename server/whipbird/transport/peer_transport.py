"""Everything between a peer's datagrams and its messages and media, without I/O."""

import math
import random
from collections.abc import Callable, Sequence

from ..native import Native
from ..sdp.transport import Fingerprint, IceCredentials
from .budget import Budget
from .certificate import Certificate
from .dtls import DtlsState, DtlsTransport
from .ice import IceTransport
from .packet_buffer import PacketBuffer
from .path import Path
from .peer_sinks import EndCause, PeerSinks, TransportState
from .sctp import Association, DataChannel
from .srtp import RTCP_TYPES, CompiledOutbound, SrtpError, SrtpTransport

_SYSTEM_RANDOM = random.SystemRandom()


# RTCP packets of a peer that are handled: per second, and at once. A browser that loses
# a fifth of a stream sends some 200 per second.
RTCP_RATE = 400
RTCP_BURST = 800

# STUN messages to addresses that have not shown to be the peer's: per second, and at
# once. Whoever makes a session chooses them, and may name those of others.
PROBE_RATE = 4
PROBE_BURST = 40

# Looking them up in the class costs more than comparing them.
_CONNECTED = TransportState.CONNECTED
_ENDED = (TransportState.CLOSED, TransportState.FAILED)
_DTLS_CONNECTED = DtlsState.CONNECTED


class PeerTransport:
    """ICE, DTLS, SRTP and SCTP of one peer.

    Args:
        sinks: what is called.
        certificate: this side's DTLS certificate.
        controlling: whether this side nominates; the offerer does.
        ice_lite: whether this side only answers connectivity checks.
        limit: octets that the data channels may hold (see ``Association``).
        transaction_prefix: the first octets of its STUN transaction ids: they tell the
            responses of sessions apart that share a port.
        ufrag_mark: what its ufrags begin with (see ``IceTransport``).
        all_probes: what all sessions together may send to addresses that have not shown
            to be their peers'.
        rng: for credentials, tags and numbers.

    Attributes:
        ice, dtls: the parts below.
        sctp: the association; None before ``connect`` and where none is negotiated.
        srtp: the contexts for media; None before the connection.
        state: how far the connection has come.
        end: why it has ended; None while it has not, and after ``close``.
        end_detail: details of ``end``, in words.
        verified: the paths on which the peer has shown to be.
        rtp_routes: payload type -> function that takes its RTP packets, decrypted. In
            a bundle payload types are unique (RFC 9143 section 9.1).
        rtcp_route: function that takes RTCP packets, decrypted.
        on_stun: called with every STUN datagram, before ICE handles it.
        dropped: datagrams that were not authentic, of no known kind, or too many.
        probes_withheld: STUN messages that were not sent: there were too many already
            to addresses that have not shown to be the peer's.
        rtcp_refused: RTCP packets that were more than a peer may send; ``dropped``
            counts them too.
        bytes_received, packets_received: of DTLS and SRTP.
        outlet: where the compiled packet path sends; None without it.
    """

    __slots__ = (
        "_aimed_at",
        "_all_probes",
        "_bytes_sent",
        "_carries_media",
        "_heard_on",
        "_limit",
        "_native",
        "_now",
        "_outgoing",
        "_packets_sent",
        "_probes",
        "_received_at",
        "_rng",
        "_rtcp_budget",
        "_send",
        "_send_batch",
        "_sinks",
        "buffered_amount_changed",
        "bytes_received",
        "channel_changed",
        "channel_opened",
        "dropped",
        "dtls",
        "dtls_data",
        "end",
        "end_detail",
        "ice",
        "message_received",
        "on_stun",
        "outlet",
        "packets_received",
        "probes_withheld",
        "rtcp_refused",
        "rtcp_route",
        "rtp_routes",
        "sctp",
        "srtp",
        "state",
        "verified",
    )

    # The sinks' own, from ``associate`` on: one call less for each message.
    dtls_data: Callable[[bytes, float], None]
    message_received: Callable[[DataChannel, int, bytes], None]
    channel_opened: Callable[[DataChannel], None]
    channel_changed: Callable[[DataChannel], None]
    buffered_amount_changed: Callable[[DataChannel, int], None]

    def __init__(
        self,
        sinks: PeerSinks,
        certificate: Certificate,
        *,
        controlling: bool,
        ice_lite: bool = False,
        limit: int | None = None,
        transaction_prefix: bytes = b"",
        ufrag_mark: bytes = b"",
        all_probes: Budget | None = None,
        native: Native | None = None,
        rng: random.Random = _SYSTEM_RANDOM,
    ) -> None:
        self._sinks = sinks
        self._limit = limit
        self._rng = rng
        self.ice = IceTransport(
            self,
            controlling=controlling,
            lite=ice_lite,
            rng=rng,
            transaction_prefix=transaction_prefix,
            ufrag_mark=ufrag_mark,
        )
        self.dtls = DtlsTransport(self, certificate)
        self.sctp: Association | None = None
        self.srtp: SrtpTransport | None = None
        self.state = TransportState.NEW
        self.end: EndCause | None = None
        self.end_detail = ""
        self.rtp_routes: dict[int, Callable[[bytes], None]] = {}
        self.rtcp_route: Callable[[bytes], None] | None = None
        self._rtcp_budget = Budget(RTCP_RATE, RTCP_BURST)
        self._probes = Budget(PROBE_RATE, PROBE_BURST)
        self._all_probes = all_probes
        self.verified: set[Path] = set()
        self.on_stun: Callable[[bytes, Path], None] | None = None
        self.dropped = self.probes_withheld = self.rtcp_refused = 0
        self.bytes_received = self.packets_received = 0
        # Those that the compiled packet path sends are counted there.
        self._bytes_sent = self._packets_sent = 0
        self._native = native
        self.outlet = None if native is None else native.outlet()
        self._aimed_at: Path | None = None
        # When DTLS or SRTP was last received.
        self._received_at = -math.inf
        self._carries_media = False
        self._now = 0.0
        self._outgoing: list[bytes] = []
        # Where the handshake is answered before a path is selected.
        self._heard_on: Path | None = None
        self._send, self._send_batch = sinks.send, sinks.send_batch
        self.dtls_data = _drop

    # Setting up

    def configure(
        self,
        *,
        is_dtls_client: bool,
        fingerprints: Sequence[Fingerprint],
        carries_media: bool,
    ) -> None:
        """Set what was negotiated for DTLS and media.

        Args:
            carries_media: whether SRTP keys are needed.
        """
        self._carries_media = carries_media
        self.dtls.configure(is_client=is_dtls_client, fingerprints=fingerprints)

    def associate(
        self, *, local_port: int, remote_port: int, max_message_size: int
    ) -> Association:
        """Add data channels; after ``configure``, and before ``connect``.

        Args:
            max_message_size: octets that the peer takes; 0 for any number.
        """
        sinks = self._sinks
        self.message_received = sinks.message_received
        self.channel_opened = sinks.channel_opened
        self.channel_changed = sinks.channel_changed
        self.buffered_amount_changed = sinks.buffered_amount_changed
        self.sctp = Association(
            self,
            is_dtls_client=self.dtls.is_client,
            local_port=local_port,
            remote_port=remote_port,
            limit=self._limit,
            max_message_size=max_message_size,
            rng=self._rng,
        )
        self.dtls_data = self.sctp.receive
        return self.sctp

    def connect(
        self, remote: IceCredentials, now: float, *, remote_lite: bool = False
    ) -> None:
        """Begin to connect, once the peer's side is known."""
        self._now = now
        self._change(TransportState.CONNECTING)
        if not self.dtls.is_client:
            # A ClientHello may come on a path before it is the selected one.
            self.dtls.start(now, self.ice.rtt)
        self.ice.start(remote, now, remote_lite=remote_lite)

    # Datagrams and time

    def receive(self, datagram: bytes, path: Path, now: float) -> bool:
        """Take a datagram.

        STUN and the DTLS handshake are answered at once, everything else by ``flush``.

        Returns:
            Whether it was this peer's: authentic, as far as can be told.
        """
        if not datagram:
            return False
        self._now = now
        first = datagram[0]
        if first < 4:
            if self.on_stun is not None:
                self.on_stun(datagram, path)
            taken = self.ice.receive(datagram, path, now)
            self._aim()
            return taken
        if 127 < first < 192:
            taken = self._receive_srtp(datagram)
        elif 19 < first < 64:
            self._heard_on = path
            taken = self.dtls.receive(datagram, now)
        else:
            taken = False
        if taken:
            self.packets_received += 1
            self.bytes_received += len(datagram)
            self._received_at = now
        else:
            self.dropped += 1
        return taken

    def flush(self, now: float) -> None:
        """Send what has accumulated in the data channels.

        To be called after datagrams were received or messages were queued, once for
        all of them.
        """
        sctp = self.sctp
        if sctp is None or self.state is not _CONNECTED:
            return
        self._now = now
        sctp.flush(now)
        if self._outgoing:
            self._send_outgoing()

    @property
    def deadline(self) -> float:
        """When ``handle_timeout`` is due; infinite when nothing is waited for."""
        if self.state is not _CONNECTED and self.state in _ENDED:
            return math.inf
        sctp = self.sctp
        if sctp is None:
            return min(self.ice.deadline, self.dtls.deadline)
        return min(self.ice.deadline, self.dtls.deadline, sctp.deadline)

    @property
    def heard_at(self) -> float:
        """When something authentic was last received; minus infinity before."""
        return max(self._received_at, self.ice.heard_at)

    @property
    def awaits_handshake(self) -> bool:
        """Whether the peer is still to begin or complete a DTLS handshake."""
        state = self.state
        return (
            state is not _CONNECTED and not self.dtls.is_client and state not in _ENDED
        )

    def shakes_hands_on(self, path: Path) -> bool:
        """Whether this side has begun a DTLS handshake on a path."""
        dtls = self.dtls
        begun = dtls.is_client and dtls.state is DtlsState.CONNECTING
        return begun and self.ice.selected == path

    def handle_timeout(self, now: float) -> None:
        """Do what has become due."""
        self._now = now
        if now >= self.ice.deadline:
            self.ice.handle_timeout(now)
            self._aim()
        if now >= self.dtls.deadline:
            self.dtls.handle_timeout(now)
        sctp = self.sctp
        if sctp is not None and now >= sctp.deadline:
            sctp.handle_timeout(now)
            if self._outgoing:
                self._send_outgoing()

    def path_closed(self, path: Path, now: float) -> None:
        """Take note that the TCP connection of a path has ended."""
        self._now = now
        self.ice.path_closed(path, now)

    def close(self, now: float) -> None:
        """End the connection: SCTP ABORT, close_notify, and no more checks."""
        if self.state in _ENDED:
            return
        self._now = now
        if self.sctp is not None:
            self.sctp.abort(now)
        # Its close_notify leaves with the ABORT.
        self.dtls.close()
        if self._outgoing:
            self._send_outgoing()
        self.ice.close()
        self._change(TransportState.CLOSED)

    def end_channels(self, now: float) -> None:
        """End the SCTP association (ABORT); the connection stays."""
        self._now = now
        if self.sctp is not None:
            self.sctp.abort(now)
            if self._outgoing:
                self._send_outgoing()

    def abandon(self) -> None:
        """End without telling the peer or the sinks."""
        self.ice.close()
        self.state = TransportState.CLOSED
        self._aim()

    def fail(self, error: Exception) -> None:
        """End the session: a method of it has raised an exception, which is our fault.

        Any part of it may be what is broken; the others are closed all the same.
        """
        ended = self.state in _ENDED
        self._sinks.failed(error)
        if ended:
            return
        self.end, self.end_detail = EndCause.INTERNAL_ERROR, repr(error)
        sctp = self.sctp
        if sctp is not None:
            self._attempt(lambda: sctp.abort(self._now))
            self._outgoing.clear()
        self._attempt(self.dtls.close)
        self._attempt(self.ice.close)
        self._change(TransportState.FAILED)

    def _attempt(self, close: Callable[[], None]) -> None:
        try:
            close()
        except Exception as error:
            self._sinks.failed(error)

    # Media

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send an RTP packet.

        Raises:
            ConnectionError: when there is no connection, or it is not for media.
        """
        self._send_now(self._media_context().protect_rtp(packet))

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send an RTCP packet, compound or not.

        Raises:
            ConnectionError: as above.
        """
        self._send_now(self._media_context().protect_rtcp(packet))

    def send_rtp_batch(self, batch: PacketBuffer) -> None:
        """Encrypt and send the RTP packets of a buffer.

        Raises:
            ConnectionError: as above.
        """
        srtp = self.srtp
        if srtp is None or self.state is not _CONNECTED:
            raise ConnectionError("there is no connection for media")
        srtp.protect_batch(batch)
        path = self.ice.selected
        if path is not None:
            self._send_batch(batch.packets(), path)
            self._bytes_sent += sum(batch.lengths)
            self._packets_sent += len(batch.lengths)

    @property
    def bytes_sent(self) -> int:
        """Octets of DTLS and SRTP."""
        outlet = self.outlet
        return self._bytes_sent + (0 if outlet is None else outlet.octets)

    @property
    def packets_sent(self) -> int:
        """Datagrams of DTLS and SRTP."""
        outlet = self.outlet
        return self._packets_sent + (0 if outlet is None else outlet.packets)

    def _aim(self) -> None:
        """Let the compiled packet path send on the path in use, if it can."""
        outlet = self.outlet
        if outlet is None:
            return
        path = self.ice.selected if self.state is _CONNECTED else None
        if path is self._aimed_at:
            return
        self._aimed_at = path
        outlet.clear()
        if path is None or self.srtp is None:
            return
        socket, outbound = self._sinks.compiled_socket(path), self.srtp.outbound
        if socket is not None and isinstance(outbound, CompiledOutbound):
            host, port = path.remote[:2]
            outlet.aim(outbound.sender, socket, (host, port))

    # IceSinks

    @property
    def media_sender_heard_at(self) -> float:
        return self.peer_heard_at if self.rtp_routes else -math.inf

    @property
    def peer_heard_at(self) -> float:
        return self.heard_at if self.state is _CONNECTED else -math.inf

    def send_datagram(self, data: bytes, path: Path) -> None:
        if path in self.verified or self._may_probe():
            self._sinks.send(data, path)
        else:
            self.probes_withheld += 1

    def _may_probe(self) -> bool:
        others = self._all_probes
        return self._probes.take(self._now) and (
            others is None or others.take(self._now)
        )

    def path_verified(self, path: Path) -> None:
        self.verified.add(path)
        self._sinks.path_verified(path)

    def path_forgotten(self, path: Path) -> None:
        self.verified.discard(path)
        self._sinks.path_forgotten(path)

    def ufrags_changed(self, ufrags: tuple[str, ...]) -> None:
        self._sinks.ufrags_changed(ufrags)

    def path_selected(self, path: Path) -> None:
        self._sinks.path_selected(path)
        self._aim()
        if self.sctp is not None:
            self.sctp.path_changed(self._now)
        if self.dtls.is_client:
            self.dtls.start(self._now, self.ice.rtt)

    def ice_failed(self) -> None:
        self._end(EndCause.ICE_FAILED, "no pair of candidates works")

    def consent_expired(self) -> None:
        self._end(EndCause.CONSENT_EXPIRED, "the peer does not answer any more")

    def restart_ended(self, succeeded: bool) -> None:
        self._sinks.restart_ended(succeeded)

    # DtlsSinks

    def send_record(self, datagram: bytes) -> None:
        path = self.ice.selected or self._heard_on
        if self.awaits_handshake and self._heard_on is not None:
            # Where the client shakes hands; it may not have nominated a path yet.
            path = self._heard_on
        if path is not None and self._outgoing:
            # What was encrypted before goes before, with the same call.
            self._outgoing.append(datagram)
            self._send_outgoing()
        elif path is not None:
            self._send_on(path, datagram)

    def dtls_connected(self) -> None:
        if self._carries_media:
            self.srtp = self.dtls.srtp(self._native)
            if self.srtp is None:
                self._end(EndCause.DTLS_FAILED, "the peer has no SRTP profile of ours")
                return
        self._change(TransportState.CONNECTED)
        if self.sctp is not None:
            if (rtt := self.ice.rtt) is not None:
                self.sctp.set_rtt(rtt)
            self.sctp.start(self._now)
            if self._outgoing:
                self._send_outgoing()

    def dtls_closed(self) -> None:
        self._end(EndCause.CLOSED_BY_PEER, "")

    def dtls_failed(self, reason: str) -> None:
        self._end(EndCause.DTLS_FAILED, reason)

    # AssociationSinks

    def send_packet(self, packet: bytes) -> None:
        if self.dtls.state is _DTLS_CONNECTED:
            try:
                self._outgoing.append(self.dtls.send(packet))
            except ConnectionError:
                # DTLS is broken, and has ended the connection.
                return

    def association_closed(self, reason: str) -> None:
        self.end_detail = reason
        self._sinks.channels_closed()

    # Private

    def _receive_srtp(self, datagram: bytes) -> bool:
        srtp = self.srtp
        if srtp is None or len(datagram) < 2:
            return False
        try:
            # RFC 5761 section 4
            if datagram[1] in RTCP_TYPES:
                if not self._rtcp_budget.take(self._now):
                    self.rtcp_refused += 1
                    return False
                packet, route = srtp.unprotect_rtcp(datagram), self.rtcp_route
            else:
                route = self.rtp_routes.get(datagram[1] & 0x7F)
                if route is None:
                    return False
                packet = srtp.unprotect_rtp(datagram)
        except SrtpError:
            return False
        if route is not None:
            route(packet)
        return True

    def _media_context(self) -> SrtpTransport:
        if self.srtp is None or self.state is not _CONNECTED:
            raise ConnectionError("there is no connection for media")
        return self.srtp

    def _send_now(self, datagram: bytes) -> None:
        path = self.ice.selected
        # None after consent has expired; an ICE restart may bring another path.
        if path is not None:
            self._send_on(path, datagram)

    def _send_on(self, path: Path, datagram: bytes) -> None:
        self._send(datagram, path)
        self._bytes_sent += len(datagram)
        self._packets_sent += 1

    def _send_outgoing(self) -> None:
        datagrams, self._outgoing = self._outgoing, []
        path = self.ice.selected
        if path is None:
            return
        if len(datagrams) == 1:
            self._send_on(path, datagrams[0])
        else:
            self._send_batch(datagrams, path)
            self._bytes_sent += sum(map(len, datagrams))
            self._packets_sent += len(datagrams)

    def _change(self, state: TransportState) -> None:
        if state is not self.state:
            self.state = state
            self._aim()
            self._sinks.state_changed(state)

    def _end(self, cause: EndCause, detail: str) -> None:
        """End the connection because of the peer or the network."""
        if self.state in _ENDED:
            return
        self.end, self.end_detail = cause, detail
        graceful = cause is EndCause.CLOSED_BY_PEER
        self.dtls.close()
        self.ice.close()
        if self.sctp is not None:
            self.sctp.abort(self._now)
            self._outgoing.clear()
        self._change(TransportState.CLOSED if graceful else TransportState.FAILED)


def _drop(_data: bytes, _now: float) -> None:
    """Ignore application data: no data channels are negotiated."""
