"""Retransmissions as a stream of their own (RFC 4588)."""

from .packet import HEADER, HEADER_LENGTH, RtpPacket

_SEQUENCE_LENGTH = 2  # the original sequence number, before the original payload
_PADDING = 0x20


def unwrap(packet: RtpPacket, payload_type: int, ssrc: int) -> RtpPacket | None:
    """The packet that was sent again (section 4).

    CSRCs and header extensions stay as they are in the retransmission, so a transport
    sequence number is the retransmission's and ``repaired-rid`` stands for ``rid``.
    Padding is left out.

    Args:
        packet: of the RTX stream.
        payload_type: the original one, from ``apt``.
        ssrc: the original source.

    Returns:
        The original packet, or None when there is none in it: senders probe a path
        with RTX packets of padding only.
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
