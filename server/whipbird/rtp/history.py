"""The last packets of a source: to be sent again, and for viewers to begin with."""

from .packet import RtpPacket

# Packets: about four seconds of 2.5 Mb/s. 65536 is a multiple of it.
SIZE = 1024
# Packets that a viewer is given at once: a key frame and all that came after it.
MAX_GROUP = 768


class PacketHistory:
    """Keeps the last packets of a source, to be added in the order of their numbers."""

    __slots__ = ("_group_start", "_newest", "_packets")

    def __init__(self) -> None:
        self._packets: list[RtpPacket | None] = [None] * SIZE
        self._newest = -1
        self._group_start = -1

    def add(self, packet: RtpPacket, *, is_key_frame: bool = False) -> None:
        """Keep a packet, in the place of an older one.

        Args:
            packet: the next one of the source.
            is_key_frame: whether a key frame begins with it.
        """
        sequence = packet.sequence
        self._packets[sequence % SIZE] = packet
        self._newest = sequence
        if is_key_frame:
            self._group_start = sequence

    def get(self, sequence: int) -> RtpPacket | None:
        """The packet of a number of 16 bits, if it is still known."""
        packet = self._packets[sequence % SIZE]
        return packet if packet is not None and packet.sequence == sequence else None

    def group(self) -> list[RtpPacket]:
        """All packets from the last key frame on; none when these are too many."""
        if self._group_start < 0:
            return []
        count = self.count(self._group_start)
        if count > MAX_GROUP:
            # It will not get any shorter, and numbers wrap.
            self._group_start = -1
            return []
        return self.packets(self._group_start, count)

    def count(self, sequence: int) -> int:
        """How many numbers there are from one of 16 bits up to the newest."""
        return ((self._newest - sequence) & 0xFFFF) + 1

    def packets(self, sequence: int, count: int) -> list[RtpPacket]:
        """Those of so many numbers, from one of 16 bits on, that are known."""
        found = (self.get((sequence + n) & 0xFFFF) for n in range(count))
        return [packet for packet in found if packet is not None]
