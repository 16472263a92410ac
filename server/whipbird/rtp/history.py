"""The newest packets of a source: for retransmission, and for viewers to start with."""

from dataclasses import dataclass

from .packet import RtpPacket
from .source_clock import difference

# Packets that are always kept: about four seconds at 2.5 Mb/s.
SIZE = 1024
# The longest GOP that is kept, in packets. Both are powers of two, and the sequence
# numbers of kept packets are less than half of all numbers apart.
MAX_GOP = 16_384

# Octets that are taken from the budget at a time.
_SHARE = 256 * 1024


@dataclass(frozen=True, slots=True)
class GopLimits:
    """How much is kept of a GOP, for viewers to start with.

    A viewer that comes while more than that has passed since the last key frame waits
    for the next one.

    Attributes:
        octets: of one encoding.
        seconds: of one encoding.
        total: octets of all encodings together.
    """

    octets: int = 16 * 1024 * 1024
    seconds: float = 60.0
    total: int = 256 * 1024 * 1024


class GopBudget:
    """The octets of the GOPs that all encodings keep.

    Args:
        limits: the limits.

    Attributes:
        octets: octets that are taken now.
        given_up: GOPs that were too long to be kept.
    """

    def __init__(self, limits: GopLimits | None = None) -> None:
        self.limits = limits or GopLimits()
        self.octets = self.given_up = 0

    def take(self, octets: int) -> bool:
        """Take octets; return whether there are as many."""
        if self.octets + octets > self.limits.total:
            return False
        self.octets += octets
        return True

    def give(self, octets: int) -> None:
        """Give octets back."""
        self.octets -= octets


class PacketHistory:
    """Keeps the newest packets of a source, which are added in sequence order.

    Args:
        budget: the octets for its GOP.
        clock_rate: ticks per second of the packets' timestamps.
    """

    __slots__ = (
        "_budget",
        "_gop_start",
        "_gop_timestamp",
        "_mask",
        "_max_ticks",
        "_newest",
        "_octets",
        "_packets",
        "_taken",
    )

    def __init__(self, budget: GopBudget, clock_rate: int) -> None:
        self._budget = budget
        self._max_ticks = round(budget.limits.seconds * clock_rate)
        self._packets: list[RtpPacket | None] = [None] * SIZE
        self._mask = SIZE - 1
        self._newest = -1
        # The sequence number and timestamp of the last key frame, and the octets since;
        # -1 while the GOP is not kept.
        self._gop_start = -1
        self._gop_timestamp = 0
        self._octets = self._taken = 0

    @property
    def size(self) -> int:
        """Sequence numbers whose packets are kept, up to the newest one."""
        return self._mask + 1

    def add(self, packet: RtpPacket, *, is_key_frame: bool = False) -> None:
        """Keep a packet; it replaces the oldest one.

        Args:
            packet: the next packet of the source.
            is_key_frame: whether it starts a key frame.
        """
        sequence = packet.sequence
        self._newest = sequence
        if is_key_frame:
            self._end_gop()
            self._gop_start, self._gop_timestamp = sequence, packet.timestamp
        if self._gop_start >= 0:
            self._octets += len(packet.data)
            if self._octets > self._taken:
                self._take(packet.timestamp)
            start = self._gop_start
            if start >= 0 and (sequence - start) & 0xFFFF > self._mask:
                self._grow()
        self._packets[sequence & self._mask] = packet

    def close(self) -> None:
        """Keep nothing more, and give the budget back."""
        self._end_gop()

    def get(self, sequence: int) -> RtpPacket | None:
        """The packet with this sequence number (16 bits); None if it is not kept."""
        packet = self._packets[sequence & self._mask]
        return packet if packet is not None and packet.sequence == sequence else None

    def current_gop(self) -> list[RtpPacket]:
        """The packets since the last key frame (a GOP); none if it is too long."""
        if self._gop_start < 0:
            return []
        return self.packets(self._gop_start, self.count(self._gop_start))

    def count(self, sequence: int) -> int:
        """How many sequence numbers there are from this one (16 bits) to the newest."""
        return ((self._newest - sequence) & 0xFFFF) + 1

    def packets(self, sequence: int, count: int) -> list[RtpPacket]:
        """The kept packets among ``count`` sequence numbers from ``sequence``.

        Args:
            sequence: 16 bits; the numbers wrap.
        """
        found = (self.get((sequence + n) & 0xFFFF) for n in range(count))
        return [packet for packet in found if packet is not None]

    def _take(self, timestamp: int) -> None:
        """Take more of the budget, or give up the GOP."""
        limits = self._budget.limits
        is_long = difference(timestamp, self._gop_timestamp) > self._max_ticks
        if is_long or self._octets > limits.octets or not self._budget.take(_SHARE):
            self._give_up()
        else:
            self._taken += _SHARE

    def _give_up(self) -> None:
        self._budget.given_up += 1
        self._end_gop()

    def _end_gop(self) -> None:
        """Keep the last packets only."""
        self._budget.give(self._taken)
        self._octets = self._taken = 0
        self._gop_start = -1
        if self._mask >= SIZE:
            self._resize(SIZE)

    def _grow(self) -> None:
        """Make room for a longer GOP."""
        if self._mask + 1 < MAX_GOP:
            self._resize(2 * (self._mask + 1))
        else:
            self._give_up()

    def _resize(self, size: int) -> None:
        before, mask = self._packets, self._mask
        self._packets, self._mask = [None] * size, size - 1
        for sequence in range(self._newest - min(size, mask + 1), self._newest):
            packet = before[sequence & mask]
            if packet is not None and packet.sequence == sequence & 0xFFFF:
                self._packets[sequence & self._mask] = packet
