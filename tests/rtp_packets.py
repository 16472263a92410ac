"""RTP packets for tests, written as RFC 3550 section 5.1 draws them."""

from collections.abc import Sequence
from struct import pack

from whipbird.rtp.packet import RtpPacket


def write_rtp(
    sequence: int = 1,
    timestamp: int = 0,
    ssrc: int = 0x11223344,
    payload: bytes = b"payload",
    *,
    payload_type: int = 96,
    marker: bool = False,
    csrcs: Sequence[int] = (),
    extension: tuple[int, bytes] | None = None,
    padding: int = 0,
) -> bytes:
    """One packet.

    Args:
        extension: the profile, and whole words.
        padding: how many octets, the last of which holds their number.
    """
    first = 0x80 | len(csrcs)
    data = b"".join(pack("!I", csrc) for csrc in csrcs)
    if extension is not None:
        first |= 0x10
        profile, words = extension
        assert len(words) % 4 == 0
        data += pack("!HH", profile, len(words) // 4) + words
    data += payload
    if padding:
        first |= 0x20
        data += bytes(padding - 1) + bytes((padding,))
    second = marker << 7 | payload_type
    return pack("!BBHII", first, second, sequence & 0xFFFF, timestamp, ssrc) + data


def rtp_packet(
    sequence: int = 1,
    timestamp: int = 0,
    ssrc: int = 0x11223344,
    payload: bytes = b"payload",
) -> RtpPacket:
    """One packet without anything special, parsed."""
    packet = RtpPacket.parse(write_rtp(sequence, timestamp, ssrc, payload))
    assert packet is not None
    return packet
