"""One RTP source: an SSRC from which an encoding comes, perhaps one after another."""

from array import array
from collections.abc import Callable, Sequence
from typing import Protocol

from ..rtp.codecs import payload_format
from ..rtp.missing import (
    IN_ORDER,
    NO_REQUESTS,
    PICTURES,
    SOUND,
    SOUND_PERHAPS,
    RequestPolicy,
)
from ..rtp.packet import RtpPacket
from ..rtp.reception import Reception
from ..rtp.reorder import ReorderBuffer
from ..rtp.source_clock import difference
from ..sdp.codecs import Codec, fmtp_parameters
from .framing import Framing

# Packets whose timestamps are kept, to tell a duplicate from a packet of a source that
# has restarted its numbers; more than ``MAX_MISORDER``.
_STAMPS = 4096
_STAMPS_MASK = _STAMPS - 1

# Packets out of order that must follow each other, to be those of a restarted source
# (RFC 3550 appendix A.1); and sequence numbers that may be missing between two.
MIN_RUN = 2
MAX_RUN_GAP = 16
# Packets that wait for that decision, at most.
MAX_RUN = 1024
# Seconds without a packet in order after which what looks like duplicates is new; and
# how many it must be, since packets may be retransmitted twice before a pause.
RUN_TIME = 0.3
MIN_DUPLICATES = 8

# Seconds. Timestamps that step further than this beyond the time of arrival, or as far
# back, are those of a clock that was set: pictures in decoding order go back by less,
# and queues of the network delay by less.
MAX_CLOCK_STEP = 2.0


class SourceSink(Protocol):
    """What a source calls."""

    def take(self, source: "Source", packet: RtpPacket) -> None:
        """Take a packet: in order, and described by ``Framing``."""

    def send_feedback_soon(self) -> None:
        """Send RTCP feedback soon: packets are missing."""


def _request_policy(codec: Codec) -> RequestPolicy:
    """How missing packets of a codec are requested, as negotiated."""
    is_negotiated = "nack" in codec.feedback
    if payload_format(codec.name) is not None:
        return PICTURES if is_negotiated else NO_REQUESTS
    # Browsers retransmit sound although they do not offer it.
    return SOUND if is_negotiated else SOUND_PERHAPS


class Source:
    """The packets of one SSRC: put in order, described, and numbered without jumps.

    A source that restarts its sequence numbers or sets its clock goes on without a gap
    in what it delivers.

    Args:
        ssrc: the SSRC.
        codec: the codec of its first packet.
        sink: called with the packets.
        now: the time, in seconds of the caller's clock.
        in_order: whether its packets can be neither late nor sent again.

    Attributes:
        codec: the codec of the last packet.
        reception: the reception state.
        last_packet_at: when the last packet arrived.
        clock_rate: the RTP clock rate of the codec, in Hz.
        timestamp_shift: to be added to its timestamps, to get those that it delivers.
        restarts: how often its sequence numbers have restarted.
        ends_frame: whether the newest packet has the marker bit.
    """

    def __init__(
        self,
        ssrc: int,
        codec: Codec,
        sink: SourceSink,
        now: float,
        *,
        in_order: bool = False,
    ) -> None:
        self.ssrc = ssrc
        policy = IN_ORDER if in_order else _request_policy(codec)
        self.reception = Reception(ssrc, codec.clock_rate, policy)
        self.last_packet_at = now
        self.timestamp_shift = 0
        self.restarts = 0
        self.ends_frame = True
        self._sink = sink
        self._reorder: ReorderBuffer[RtpPacket] = ReorderBuffer()
        # Bound once: it is called for every packet.
        self._take = sink.take
        # The timestamps of the last packets, by sequence number.
        self._stamps = array("I", bytes(4 * _STAMPS))
        # Packets out of order that follow each other, and since when they come.
        self._run: list[tuple[RtpPacket, Codec]] = []
        self._run_since = 0.0
        # The sequence number that was delivered last; what to add to others.
        self._last = -1
        self._sequence_shift = 0
        # The timestamp of the last frame as it came, and when.
        self._timestamp: int | None = None
        self._timestamp_at = 0.0
        self._set_codec(codec)

    def _set_codec(self, codec: Codec) -> None:
        self.codec = codec
        self.clock_rate = codec.clock_rate
        video = payload_format(codec.name)
        self._framing: Framing | None = None
        self._describe: Callable[[RtpPacket], None] = self._describe_sound
        if video is not None:
            offered = video.offered_parameter_sets(fmtp_parameters(codec.fmtp))
            self._framing = Framing(video, offered, self._deliver)
            self._describe = self._framing.push

    @property
    def completed(self) -> int:
        """Key frames that lacked parameter sets, since its codec changed."""
        return self._framing.completed if self._framing is not None else 0

    # Packets

    def receive(self, packet: RtpPacket, codec: Codec, now: float) -> None:
        """Take a packet of the RTP stream itself, not of its RTX stream."""
        sequence = self.reception.received(packet, now)
        if sequence is None:
            self._suspect(packet, codec, now)
            return
        if self._run:
            self._run.clear()
        self.last_packet_at = now
        self.ends_frame = packet.marker
        self._stamps[sequence & _STAMPS_MASK] = packet.timestamp
        if codec is not self.codec:
            self._set_codec(codec)
        reorder = self._reorder
        if sequence == reorder.next and not reorder.waiting:
            # The usual case.
            reorder.next = sequence + 1
            self._describe(packet)
        else:
            self._push(sequence, packet, now)

    def receive_retransmission(self, packet: RtpPacket, now: float) -> None:
        """Take a retransmission received over RTX, unwrapped (RFC 4588)."""
        sequence = self.reception.received(packet, now, recovered=True)
        if sequence is not None:
            if sequence == self.reception.newest:
                self.ends_frame = packet.marker
            self._push(sequence, packet, now)

    def request_ahead(self, count: int, now: float, rtt: float) -> list[int]:
        """See ``MissingPackets.request_ahead``."""
        reception = self.reception
        return reception.missing.request_ahead(reception.newest, count, now, rtt)

    def restore(
        self, packets: Sequence[RtpPacket], following: RtpPacket, now: float
    ) -> None:
        """Take packets that are missing right before one in which they were, too.

        RFC 2198 has no sequence numbers. They are known where as many numbers are
        missing as frames: else there is padding among them, or a pause.

        Args:
            packets: the newest frames before that packet, in the order of sending,
                without a pause.
            following: the packet in which they were; it has not been received yet.
        """
        lost = self._lost_before(following.sequence)
        if not lost or not packets:
            return
        newest = (following.sequence - lost - 1) & _STAMPS_MASK
        elapsed = difference(following.timestamp, self._stamps[newest])
        step = difference(following.timestamp, packets[-1].timestamp)
        if abs(elapsed - (lost + 1) * step) >= step // 2:
            return
        for packet in packets[-lost:]:
            sequence = self.reception.received(packet, now, recovered=True)
            if sequence is not None:
                self._stamps[sequence & _STAMPS_MASK] = packet.timestamp
                self._push(sequence, packet, now)

    def _lost_before(self, sequence: int) -> int:
        """How many numbers are missing right before one (16 bits), if only a few."""
        if self._last < 0:
            return 0
        for count in range(MAX_RUN_GAP):
            if self.reception.is_late((sequence - 1 - count) & 0xFFFF):
                return count
        return 0

    def release(self, now: float) -> None:
        """Deliver the packets that were held back for lost ones long enough."""
        for ready in self._reorder.release(now, self.reception.awaited):
            self._describe(ready)

    def move(self, sequences: int, ticks: int) -> None:
        """Add to the sequence numbers and timestamps that will be delivered."""
        self._sequence_shift += sequences
        self.timestamp_shift += ticks
        if self._last >= 0:
            self._last = (self._last + sequences) & 0xFFFF

    def _push(self, sequence: int, packet: RtpPacket, now: float) -> None:
        if self._last < 0:
            # The first packet of all.
            self._last = (packet.sequence - 1) & 0xFFFF
        for ready in self._reorder.push(sequence, packet, now):
            self._describe(ready)
        if self.reception.missing:
            self._sink.send_feedback_soon()
        elif self._reorder.waiting:
            # Nothing that is missing may still come.
            self.release(now)

    def _describe_sound(self, packet: RtpPacket) -> None:
        packet.is_random_access_point = True
        packet.has_picture = packet.payload_offset < packet.payload_end
        self._deliver(packet)

    def _deliver(self, packet: RtpPacket) -> None:
        """Number a packet, and pass it on."""
        if packet.timestamp != self._timestamp:
            self._check_clock(packet.timestamp)
        sequence = packet.sequence
        if sequence < 0:
            # Parameter sets that were put in.
            self._sequence_shift += 1
            sequence = packet.sequence = (self._last + 1) & 0xFFFF
        elif self._sequence_shift:
            sequence += self._sequence_shift
            sequence = packet.sequence = sequence & 0xFFFF
        if self.timestamp_shift:
            packet.timestamp = (packet.timestamp + self.timestamp_shift) & 0xFFFFFFFF
        self._last = sequence
        self._take(self, packet)

    def _check_clock(self, timestamp: int) -> None:
        """Take out a jump of the source's clock."""
        now, before = self.last_packet_at, self._timestamp
        if before is not None:
            step = difference(timestamp, before) / self.clock_rate
            elapsed = now - self._timestamp_at
            if step > elapsed + MAX_CLOCK_STEP or step < -MAX_CLOCK_STEP:
                ticks = max(round(elapsed * self.clock_rate), 1)
                self.timestamp_shift += ticks - (timestamp - before)
                # What it has said of its clock before is no longer true.
                self.reception.clock.restart()
        self._timestamp, self._timestamp_at = timestamp, now

    # Restarts

    def _suspect(self, packet: RtpPacket, codec: Codec, now: float) -> None:
        """Keep a packet out of order: the source may have restarted its numbers."""
        run = self._run
        if run:
            step = (packet.sequence - run[-1][0].sequence) & 0xFFFF
            if not 0 < step <= MAX_RUN_GAP:
                run.clear()
        if not run:
            self._run_since = now
        run.append((packet, codec))
        if len(run) < MIN_RUN:
            return
        if (
            all(self._is_new(suspect) for suspect, _ in run[:MIN_RUN])
            or (len(run) >= MIN_DUPLICATES and now - self._run_since >= RUN_TIME)
            or len(run) == MAX_RUN
        ):
            self._restart(now)

    def _is_new(self, packet: RtpPacket) -> bool:
        """Whether a packet out of order can be neither late nor a duplicate."""
        if not self.reception.is_late(packet.sequence):
            return True
        return difference(packet.timestamp, self._timestamp or 0) > 0 and (
            self._stamps[packet.sequence & _STAMPS_MASK] != packet.timestamp
        )

    def _restart(self, now: float) -> None:
        """Go on with the packets that follow each other, without a gap."""
        for ready in self._reorder.flush():
            self._describe(ready)
        if self._framing is not None:
            self._framing.flush()
        run, self._run = self._run, []
        first = run[0][0].sequence
        self.restarts += 1
        self.reception.restart(first)
        self._sequence_shift = (self._last + 1 - first) & 0xFFFF
        for packet, codec in run:
            self.receive(packet, codec, now)
