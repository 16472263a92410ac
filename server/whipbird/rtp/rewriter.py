"""Makes one RTP stream of the packets of changing sources (RFC 7667 section 3.7)."""

from collections.abc import Sequence

from .forward_template import ForwardedPacket
from .history import MAX_GOP
from .packet import HEADER, HEADER_LENGTH

_pack_into = HEADER.pack_into

# Kept packets are played 2 ** this times as fast until the viewer is live.
_CATCH_UP_SHIFT = 5

# A name, for mypy: the slots are the subclass's.
_NONE: tuple[str, ...] = ()


class Rewriting:
    """Rewrites the packets of changing sources as one RTP stream.

    A subclass has the attributes: ``Rewriter``, or one whose attributes are in memory
    that the compiled packet path uses, too.

    Sequence numbers and timestamps continue from one source to the next, so that a
    decoder notices only a key frame. A packet missing from a source is missing from
    the stream too.

    Args:
        ssrc: the SSRC of the stream.
        sequence, timestamp: its first ones; they should be random (RFC 3550
            section 5.1).

    Attributes:
        payload_type, clock_rate: those of the current source.
        packets, octets: packets written, and octets of their payloads and extensions;
            for sender reports.
        last: the last packet that was written.
    """

    __slots__ = _NONE

    ssrc: int
    payload_type: int
    clock_rate: int
    packets: int
    octets: int
    last: ForwardedPacket | None
    _last_sequence: int
    _last_timestamp: int
    _last_at: float | None
    _live: tuple[int, int] | None
    _sequence_offset: int
    _timestamp_offset: int
    _since: int

    def __init__(self, ssrc: int, *, sequence: int, timestamp: int) -> None:
        self.ssrc = ssrc
        self.payload_type = 0
        self.clock_rate = 0
        self.packets = 0
        self.octets = 0
        self.last = None
        self._last_sequence = (sequence - 1) & 0xFFFF
        self._last_timestamp = timestamp
        self._last_at: float | None = None
        self._sequence_offset = 0
        self._timestamp_offset = 0
        # Sequence number and timestamp of the last packet whose timestamp is moved;
        # None once it is too old to be retransmitted.
        self._live: tuple[int, int] | None = None
        # Sequence numbers of the stream since the switch to the current source.
        self._since = 0

    def switch(
        self,
        sequence: int,
        timestamp: int,
        *,
        live: tuple[int, int],
        payload_type: int,
        clock_rate: int,
        now: float,
    ) -> None:
        """Continue with another source.

        The viewer starts with kept packets, which are older than the newest one. Their
        timestamps are moved close to that of the newest, so that the viewer plays them
        quickly and is then live.

        Args:
            sequence, timestamp: those of the first packet that will be written.
            live: sequence number and timestamp of the newest packet of the source.
            payload_type: the payload type in the stream.
            clock_rate: the RTP clock rate of the source, in Hz.
            now: the time, in seconds.
        """
        self.payload_type = payload_type
        self.clock_rate = clock_rate
        step = 0
        if self._last_at is not None:
            # The time since the last packet, and at least one tick: it is a new frame.
            step = max(round((now - self._last_at) * clock_rate), 1)
        self._live = live
        self._timestamp_offset = (
            self._last_timestamp + step - self.catch_up_timestamp(sequence, timestamp)
        ) & 0xFFFFFFFF
        self.resume(sequence)

    def resume(self, sequence: int) -> None:
        """Continue with the same source after packets that are not forwarded.

        Args:
            sequence: that of the next packet that will be written.
        """
        self._sequence_offset = (self._last_sequence + 1 - sequence) & 0xFFFF
        self._since = 0

    def write(
        self,
        packets: Sequence[ForwardedPacket],
        slots: Sequence[memoryview],
        now: float,
    ) -> list[int]:
        """Write packets of the current source.

        Args:
            packets: the next packets; their timestamps are already moved by
                ``catch_up_timestamp``.
            slots: where to write each packet; enough, and large enough.
            now: the time, in seconds.

        Returns:
            The lengths of the packets, in octets.
        """
        # Local names: this runs for every packet of every viewer.
        pack_into, header = _pack_into, HEADER_LENGTH
        payload_type, ssrc = self.payload_type, self.ssrc
        sequence_offset = self._sequence_offset
        timestamp_offset = self._timestamp_offset
        lengths = []
        for (first, marker, sequence, timestamp, body), slot in zip(
            packets, slots, strict=False
        ):
            end = header + len(body)
            pack_into(
                slot,
                0,
                first,
                marker | payload_type,
                (sequence + sequence_offset) & 0xFFFF,
                (timestamp + timestamp_offset) & 0xFFFFFFFF,
                ssrc,
            )
            slot[header:end] = body
            lengths.append(end)
        newest = (packets[-1].sequence + sequence_offset) & 0xFFFF
        self._since += (newest - self._last_sequence) & 0xFFFF
        if self._live is not None:
            age = (packets[-1].sequence - self._live[0]) & 0xFFFF
            if MAX_GOP < age < 0x8000:
                # Nothing before it is kept any more.
                self._live = None
        self._last_sequence = newest
        self._last_timestamp = (packets[-1].timestamp + timestamp_offset) & 0xFFFFFFFF
        self._last_at = now
        self.last = packets[-1]
        self.packets += len(lengths)
        self.octets += sum(lengths) - header * len(lengths)
        return lengths

    @property
    def last_sequence(self) -> int:
        """The sequence number of the last packet in the stream."""
        return self._last_sequence

    def write_as(
        self,
        payload_type: int,
        packets: Sequence[ForwardedPacket],
        slots: Sequence[memoryview],
        now: float,
    ) -> list[int]:
        """Write packets with another payload type than that of the current source."""
        own, self.payload_type = self.payload_type, payload_type
        lengths = self.write(packets, slots, now)
        self.payload_type = own
        return lengths

    @property
    def continued(self) -> int:
        """Sequence numbers since the switch to the source, or since it was resumed."""
        return self._since

    def age(self, sequence: int) -> int:
        """How many sequence numbers of the stream came after this one (16 bits)."""
        return (self._last_sequence - sequence) & 0xFFFF

    def write_again(self, packet: ForwardedPacket, payload_type: int) -> bytearray:
        """Write a packet of the current source once more, with the same octets.

        Args:
            packet: it was written already; its timestamp is moved likewise.
            payload_type: the one that it was written with.
        """
        data = bytearray(HEADER_LENGTH) + packet.body
        _pack_into(
            data,
            0,
            packet.first,
            packet.marker | payload_type,
            self.sequence_of(packet.sequence),
            self.timestamp_of(packet.timestamp),
            self.ssrc,
        )
        return data

    def original(self, sequence: int) -> int | None:
        """The source's sequence number of a packet that was written.

        Args:
            sequence: the packet's sequence number in the stream.

        Returns:
            None if it was a packet of another source.
        """
        if self.age(sequence) >= self._since:
            return None
        return (sequence - self._sequence_offset) & 0xFFFF

    def catch_up(self, packet: ForwardedPacket) -> ForwardedPacket:
        """Move a kept packet's timestamp close to that of the newest packet."""
        timestamp = self.catch_up_timestamp(packet.sequence, packet.timestamp)
        return packet._replace(timestamp=timestamp)

    def catch_up_timestamp(self, sequence: int, timestamp: int) -> int:
        """The timestamp of a packet of the source, moved if the packet is not live."""
        if self._live is None:
            return timestamp
        number, live = self._live
        age = (live - timestamp) & 0xFFFFFFFF
        if (number - sequence) & 0x8000 or age >> 31:
            return timestamp
        return (live - (age >> _CATCH_UP_SHIFT)) & 0xFFFFFFFF

    def sequence_of(self, sequence: int) -> int:
        """The sequence number in the stream for one of the current source."""
        return (sequence + self._sequence_offset) & 0xFFFF

    def timestamp_of(self, timestamp: int) -> int:
        """The timestamp in the stream for one of the current source."""
        return (timestamp + self._timestamp_offset) & 0xFFFFFFFF


class Rewriter(Rewriting):
    """A ``Rewriting`` whose attributes are Python's."""

    __slots__ = (
        "_last_at",
        "_last_sequence",
        "_last_timestamp",
        "_live",
        "_sequence_offset",
        "_since",
        "_timestamp_offset",
        "clock_rate",
        "last",
        "octets",
        "packets",
        "payload_type",
        "ssrc",
    )
