"""RTP packets (RFC 3550 section 5.1)."""

from struct import Struct

HEADER_LENGTH = 12
HEADER = Struct("!BBHII")

# Octets of a payload that is made here, at most. With IPv6, UDP, SRTP and header
# extensions it is within 1,280 octets, which every path carries (RFC 8200 section 5).
MAX_PAYLOAD = 1150

_VERSION = 0xC0
_VERSION_2 = 0x80
_PADDING = 0x20
_EXTENSION = 0x10
_CSRC_COUNT = 0x0F

# Bound once: they are called for every packet.
_unpack = HEADER.unpack_from
_new = object.__new__


class RtpPacket:
    """A received packet and the offsets of its parts. Made by :meth:`parse`.

    Attributes:
        data: the whole packet, decrypted.
        payload_type: 7 bits.
        marker: whether the marker bit is set.
        sequence: the sequence number, 16 bits.
        timestamp: 32 bits, in units of the codec's clock.
        ssrc: the source, 32 bits.
        payload_offset: the offset of the payload in ``data``; the header extension,
            if there is one, ends here.
        payload_end: the offset of its end; the rest is padding.
        is_random_access_point: whether a decoder can start at this packet. This and
            ``has_picture`` are set by ``media``, where packets are in order.
        has_picture: whether there is a part of a picture, or sound, in it.
    """

    __slots__ = (
        "data",
        "has_picture",
        "is_random_access_point",
        "marker",
        "payload_end",
        "payload_offset",
        "payload_type",
        "sequence",
        "ssrc",
        "timestamp",
    )

    data: bytes
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload_offset: int
    payload_end: int
    is_random_access_point: bool
    has_picture: bool

    @staticmethod
    def parse(data: bytes) -> "RtpPacket | None":
        """Parse one packet.

        Returns:
            The packet, or None if it is malformed: not version 2, or with CSRCs, a
            header extension or padding beyond its end.
        """
        end = len(data)
        if end < HEADER_LENGTH:
            return None
        first, second, sequence, timestamp, ssrc = _unpack(data)
        offset = HEADER_LENGTH
        if first != _VERSION_2:
            if first & _VERSION != _VERSION_2:
                return None
            offset += 4 * (first & _CSRC_COUNT)
            if first & _EXTENSION:
                offset += 4
                if offset > end:
                    return None
                offset += 4 * (data[offset - 2] << 8 | data[offset - 1])
            if first & _PADDING:
                padding = data[-1]
                if padding == 0:
                    return None
                end -= padding
            if offset > end:
                return None
        packet = _new(RtpPacket)
        packet.data = data
        packet.payload_type = second & 0x7F
        packet.marker = second > 0x7F
        packet.sequence = sequence
        packet.timestamp = timestamp
        packet.ssrc = ssrc
        packet.payload_offset = offset
        packet.payload_end = end
        packet.is_random_access_point = packet.has_picture = False
        return packet

    def sibling(self, payload: bytes) -> "RtpPacket":
        """A packet of the same frame with another payload, without extensions."""
        header = HEADER.pack(
            _VERSION_2, self.payload_type, self.sequence, self.timestamp, self.ssrc
        )
        packet = RtpPacket.parse(header + payload)
        assert packet is not None
        return packet

    def moved(self, ticks: int) -> "RtpPacket":
        """The same packet with another timestamp: so many ticks later."""
        packet = _new(RtpPacket)
        for name in RtpPacket.__slots__:
            setattr(packet, name, getattr(self, name))
        packet.timestamp = (self.timestamp + ticks) & 0xFFFFFFFF
        return packet

    @property
    def payload(self) -> bytes:
        """The RTP payload; empty in packets that have only padding."""
        return self.data[self.payload_offset : self.payload_end]

    def __repr__(self) -> str:
        return (
            f"RtpPacket(payload_type={self.payload_type}, marker={self.marker}, "
            f"sequence={self.sequence}, timestamp={self.timestamp}, "
            f"ssrc={self.ssrc:#010x}, {self.payload_end - self.payload_offset} octets)"
        )
