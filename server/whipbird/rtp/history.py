"""The newest packets of a source: for retransmission, and for viewers to start with."""

from .packet import RtpPacket

# Packets kept: about four seconds at 2.5 Mb/s. It divides 65536.
SIZE = 1024
# The longest GOP that a viewer can start with, in packets.
MAX_GOP = 768


class PacketHistory:
    """Keeps the newest packets of a source, which are added in sequence order."""

    __slots__ = ("_gop_start", "_newest", "_packets")

    def __init__(self) -> None:
        self._packets: list[RtpPacket | None] = [None] * SIZE
        self._newest = -1
        self._gop_start = -1

    def add(self, packet: RtpPacket, *, is_key_frame: bool = False) -> None:
        """Keep a packet; it replaces the oldest one.

        Args:
            packet: the next packet of the source.
            is_key_frame: whether it starts a key frame.
        """
        sequence = packet.sequence
        self._packets[sequence % SIZE] = packet
        self._newest = sequence
        if is_key_frame:
            self._gop_start = sequence

    def get(self, sequence: int) -> RtpPacket | None:
        """The packet with this sequence number (16 bits); None if it is not kept."""
        packet = self._packets[sequence % SIZE]
        return packet if packet is not None and packet.sequence == sequence else None

    def current_gop(self) -> list[RtpPacket]:
        """The packets since the last key frame (a GOP); none if more than MAX_GOP."""
        if self._gop_start < 0:
            return []
        count = self.count(self._gop_start)
        if count > MAX_GOP:
            # It only gets longer, and sequence numbers wrap.
            self._gop_start = -1
            return []
        return self.packets(self._gop_start, count)

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
