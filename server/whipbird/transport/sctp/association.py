"""An SCTP association over DTLS (RFC 9260, RFC 8261), put together of its parts."""

import random
from collections.abc import Mapping

from .channel import ChannelOptions, ChannelState, DataChannel
from .chunks import ABORT, SctpError, write_chunk
from .congestion import MAX_RETRANSMISSIONS
from .handshake import TRANSFER, AssociationState, Outcome
from .outbound import OutboundChunk
from .parts import assemble
from .receiver import Receiver
from .sinks import AssociationSinks

_ESTABLISHED = AssociationState.ESTABLISHED
_OPEN = ChannelState.OPEN
_system_random = random.SystemRandom()


class Association:
    """An SCTP association, and its data channels.

    It does no I/O: packets that come are handed to ``receive``, what is to be sent goes
    to ``sinks.send_packet`` when ``flush`` is called, after any other call into it.

    Args:
        sinks: takes what comes out.
        is_dtls_client: this side was the client of the DTLS handshake, and opens even
            streams (RFC 8832 section 6).
        local_port: the SCTP port of this side.
        remote_port: the SCTP port of the peer.
        limit: octets that may be held for this peer (see ``Inbound``).
        max_message_size: octets of a message that the peer takes; 0 for any.
        rng: a source of tags, TSNs and keys.

    Attributes:
        max_message_size: as above.
        malformed: packets that broke the protocol; the rest of each was dropped.
        packets_received: packets that came.
    """

    __slots__ = (
        "_acknowledger",
        "_handshake",
        "_inbound",
        "_packets",
        "_parts",
        "_receiver",
        "_recovery",
        "_resets",
        "_sender",
        "_sinks",
        "malformed",
        "max_message_size",
        "packets_received",
    )

    def __init__(
        self,
        sinks: AssociationSinks,
        *,
        is_dtls_client: bool,
        local_port: int = 5000,
        remote_port: int = 5000,
        limit: int | None = None,
        max_message_size: int = 0,
        rng: random.Random = _system_random,
    ) -> None:
        self._sinks = sinks
        self.max_message_size = max_message_size
        self.malformed = 0
        self.packets_received = 0
        parts = assemble(sinks, is_dtls_client, (local_port, remote_port), limit, rng)
        self._parts = parts
        self._receiver = Receiver(parts, self._end)
        self._packets = parts.packets
        self._handshake = parts.handshake
        self._recovery = parts.recovery
        self._sender = parts.sender
        self._resets = parts.resets
        self._inbound = parts.inbound
        self._acknowledger = parts.inbound.acknowledger

    @property
    def state(self) -> AssociationState:
        """The state of the association; CLOSED also before it is started."""
        return self._handshake.state

    @property
    def channels_refused(self) -> int:
        """Channels of the peer that were more than it may open."""
        return self._parts.table.refused

    @property
    def reset_requests_refused(self) -> int:
        """Requests of the peer to reset streams that were more than it may send."""
        return self._receiver.requests_refused

    @property
    def channels(self) -> Mapping[int, DataChannel]:
        """The channels that are not closed, by stream."""
        return self._parts.table.channels

    @property
    def held(self) -> int:
        """Octets of memory, about, that are held for the peer to take."""
        return self._sender.held

    @property
    def packets_sent(self) -> int:
        """Packets that were sent."""
        return self._packets.sent

    @property
    def retransmitted(self) -> int:
        """Chunks that were retransmitted."""
        return self._recovery.retransmitted

    @property
    def deadline(self) -> float:
        """When ``handle_timeout`` is to be called; ``math.inf`` for never."""
        return min(
            self._recovery.deadline,
            self._acknowledger.deadline,
            self._resets.deadline,
            self._handshake.deadline,
        )

    def set_rtt(self, rtt: float) -> None:
        """Take a round-trip time measured by others, for the first timeouts.

        Args:
            rtt: seconds.
        """
        self._recovery.round_trip.seed(rtt)
        self._handshake.rto = self._recovery.round_trip.timeout

    def path_changed(self, now: float) -> None:
        """Note that packets go another way: what is lost need not wait for long."""
        self._recovery.path_changed(now)

    def start(self, now: float) -> None:
        """Begin the association; both ends do (RFC 8841 section 9.3)."""
        if not self._receiver.is_over:
            self._handshake.start(now)
            self._packets.write(b"", False, ())

    def receive(self, packet: bytes, now: float) -> None:
        """Handle a packet, decrypted. Nothing is sent; ``flush`` is to be called."""
        receiver, acknowledger = self._receiver, self._acknowledger
        if receiver.is_over:
            return
        self.packets_received += 1
        try:
            receiver.receive(packet, now)
        except SctpError:
            self.malformed += 1
        if acknowledger.needed:
            acknowledger.packet_received(now)
        if self._resets.deferred is not None:
            receiver.perform_reset()
        if self._inbound.is_flooded:
            self._end("the peer sent a message larger than it may", with_abort=True)

    def flush(self, now: float) -> None:
        """Send all that may be sent now, in as few packets as possible."""
        state = self._handshake.state
        packets = self._packets
        if state is not _ESTABLISHED and state not in TRANSFER:
            packets.write(b"", False, ())
            return
        sender, recovery = self._sender, self._recovery
        chunks = sender.collect(now)
        if recovery.board.forward_is_due:
            packets.add_control(recovery.write_forward_tsn(now))
        if self._resets.pending:
            self._request_resets(now)
        self._write(chunks)
        if sender.has_left:
            for channel, delta in sender.take_left().items():
                self._sinks.buffered_amount_changed(channel, delta)
        if state is not _ESTABLISHED and sender.is_idle and recovery.board.is_idle:
            self._acknowledger.sent(0)
            self._handshake.acknowledge_shutdown(now)
            packets.write(b"", False, ())

    def _request_resets(self, now: float) -> None:
        board, resets = self._recovery.board, self._resets
        rto = self._recovery.round_trip.timeout
        resets.acknowledged(board.acknowledged, now, rto)
        resets.request(board.next_tsn, now, rto)

    def _write(self, chunks: list[OutboundChunk]) -> None:
        """Send chunks, with an acknowledgement if there is one."""
        acknowledger = self._acknowledger
        low = self._inbound.window // 4
        sack = b""
        window = 0
        if acknowledger.needed or acknowledger.announced < low:
            window = max(self._inbound.free_window, 0)
            if acknowledger.announced < low < window // 2:
                # The peer waits for the window to open.
                acknowledger.needed = acknowledger.at_once = True
            if acknowledger.needed:
                sack = acknowledger.write(window)
        if self._packets.write(sack, acknowledger.is_due, chunks) and sack:
            acknowledger.sent(window)

    def handle_timeout(self, now: float) -> None:
        """Handle the timers that are due, and flush."""
        recovery, resets = self._recovery, self._resets
        if self._handshake.handle_timeout(now) is Outcome.CLOSED:
            self._end("the peer did not answer")
        recovery.handle_timeout(now)
        resets.handle_timeout(now, recovery.round_trip.timeout)
        if max(recovery.failures, resets.failures) > MAX_RETRANSMISSIONS:
            self._end("the peer did not acknowledge", with_abort=True)
        if now >= self._acknowledger.deadline:
            self._acknowledger.at_once = True
        self.flush(now)

    def count_unread(self, octets: int) -> None:
        """Count messages that were delivered and wait for their reader.

        They close the receive window, so the peer has to wait; ``flush`` tells it when
        there is room again.

        Args:
            octets: octets of memory, about; below zero when the reader takes them.
        """
        self._inbound.count_unread(octets)

    @property
    def room(self) -> int:
        """Octets that may still be held for the peer: its messages, and ours to it."""
        return max(self._inbound.free_window, 0)

    def open_channel(self, options: ChannelOptions) -> DataChannel:
        """Open a channel, now or as soon as the association is established.

        Raises:
            ValueError: when the options cannot be (see ``ChannelTable.open``), or the
                association is over.
        """
        if self._receiver.is_over:
            raise ValueError("the association is over")
        return self._parts.table.open(options)

    def close_channel(self, channel: DataChannel) -> None:
        """Close a channel, after the messages that were sent on it."""
        self._parts.table.close(channel)

    def send(self, channel: DataChannel, protocol: int, data: bytes) -> bool:
        """Queue a message; ``flush`` sends it.

        Args:
            protocol: its payload protocol id.
            data: its octets, one at least: an empty message has an id of its own, and
                an octet that means nothing (RFC 8831 section 6.6).

        Returns:
            Whether it was queued: not when the channel is not open, nor when the
            message is larger than the peer takes.

        Raises:
            ValueError: when there are no octets.
        """
        largest = self.max_message_size
        if (
            channel.state is not _OPEN
            or (largest and len(data) > largest)
            or self._handshake.state is not _ESTABLISHED
        ):
            return False
        if not data:
            raise ValueError("a message of no octets")
        self._sender.push(channel, protocol, data)
        return True

    def abort(self, now: float) -> None:
        """End the association, and tell the peer."""
        self._end("", with_abort=True)
        self._packets.write(b"", False, ())

    def _end(self, reason: str, *, with_abort: bool = False) -> None:
        """End the association.

        Args:
            reason: what the layer above is told; nothing, when it knows.
            with_abort: tell the peer, with the next ``flush``.
        """
        if self._receiver.is_over:
            return
        self._receiver.is_over = True
        peer = self._handshake.peer
        if with_abort and peer is not None:
            self._packets.add_packet(peer.tag, write_chunk(ABORT))
        self._packets.clear()
        self._handshake.close()
        self._parts.forget()
        if reason:
            self._sinks.association_closed(reason)
