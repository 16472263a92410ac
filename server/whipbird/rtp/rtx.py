"""RTX: retransmission in an RTP stream of its own (RFC 4588)."""

from .packet import HEADER, HEADER_LENGTH, RtpPacket

_SEQUENCE_LENGTH = 2  # the original sequence number, before the original payload
_PADDING = 0x20
_MARKER = 0x80


class RtxStream:
    """Writes the packets of an RTX stream (section 4).

    Args:
        ssrc: its SSRC.
        sequence: its first sequence number; it should be random.
    """

    __slots__ = ("_sequence", "_ssrc")

    def __init__(self, ssrc: int, sequence: int) -> None:
        self._ssrc = ssrc
        self._sequence = sequence

    def wrap(
        self, data: bytes | bytearray, payload_offset: int, payload_type: int
    ) -> bytes:
        """Write the RTX packet for a packet.

        Args:
            data: the packet.
            payload_offset: where its payload begins.
            payload_type: that of the RTX packet.
        """
        first, second, sequence, timestamp, _ = HEADER.unpack_from(data)
        header = HEADER.pack(
            first,
            second & _MARKER | payload_type,
            self._sequence,
            timestamp,
            self._ssrc,
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        # The original sequence number precedes the payload.
        return b"".join(
            (
                header,
                data[HEADER_LENGTH:payload_offset],
                sequence.to_bytes(2),
                data[payload_offset:],
            )
        )


def unwrap(packet: RtpPacket, payload_type: int, ssrc: int) -> RtpPacket | None:
    """Restore the original packet from an RTX packet (section 4).

    CSRCs and header extensions are copied from the RTX packet, so the transport-wide
    sequence number is that of the retransmission, and ``repaired-rid`` appears in
    place of ``rid``. Padding is removed.

    Args:
        packet: the RTX packet.
        payload_type: the original payload type, from ``apt``.
        ssrc: the original SSRC.

    Returns:
        The original packet, or None if there is none in it: senders probe the path
        with RTX packets that have only padding.
    """
    data = packet.data
    offset = packet.payload_offset
    start = offset + _SEQUENCE_LENGTH
    if start > packet.payload_end:
        return None
    header = HEADER.pack(
        data[0] & ~_PADDING,
        packet.marker << 7 | payload_type,
        data[offset] << 8 | data[offset + 1],
        packet.timestamp,
        ssrc,
    )
    return RtpPacket.parse(
        header + data[HEADER_LENGTH:offset] + data[start : packet.payload_end]
    )
