"""RTCP (RFC 3550 section 6): reports, feedback and SDES.

Each writer returns one RTCP packet; their concatenation is a compound packet. It starts
with a report and contains an SDES packet with a CNAME (section 6.1), except where
``rtcp-rsize`` was negotiated (RFC 5506).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

_SR = 200
_RR = 201
_SDES = 202
_BYE = 203
RTPFB = 205  # RFC 4585 section 6.2
PSFB = 206  # RFC 4585 section 6.3

_NACK = 1
_PLI = 1
_FIR = 4  # RFC 5104 section 4.3.1
_APPLICATION = 15  # RFC 4585 section 6.4

_CNAME = 1
_PADDING = 0x20
_COUNT = 0x1F

# Report blocks in one packet: the count has 5 bits (section 6.4.1).
MAX_BLOCKS = 31


_LOST_MIN = -(1 << 23)
_LOST_MAX = (1 << 23) - 1

_HEADER = Struct("!BBH")
_SENDER = Struct("!BBHI")
_FEEDBACK = Struct("!BBHII")
_BLOCK = Struct("!IIIIII")
_SENDER_REPORT = Struct("!IQIII")
_NACK_ITEM = Struct("!HH")
_FIR_ITEM = Struct("!IB3x")
_REMB = Struct("!4sI")


# Packets of a compound packet that are read, at most: browsers send up to eight.
MAX_PACKETS = 16


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """A report block on one source (RFC 3550 section 6.4.1).

    Attributes:
        ssrc: the source.
        fraction_lost: packets lost since the previous report, in 1/256.
        packets_lost: packets lost so far.
        highest_sequence: the extended highest sequence number, 32 bits.
        jitter: in timestamp units.
        last_report: the middle 32 bits of the last sender report's NTP timestamp; 0
            without one.
        delay: time since that report, in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int
    packets_lost: int
    highest_sequence: int
    jitter: int
    last_report: int
    delay: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """The sender information of a sender report (RFC 3550 section 6.4.1).

    Attributes:
        ssrc: the source.
        ntp_timestamp: 64 bits, in 2**-32 s.
        rtp_timestamp: the same moment in the source's RTP clock.
        packets: packets sent so far.
        octets: payload octets sent so far.
    """

    ssrc: int
    ntp_timestamp: int
    rtp_timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Bye:
    """Sources that have ended (RFC 3550 section 6.6)."""

    ssrcs: tuple[int, ...]


def write_sender_report(report: SenderReport) -> bytes:
    """Write a sender report without report blocks (RFC 3550 section 6.4.1)."""
    return _HEADER.pack(0x80, _SR, 6) + _SENDER_REPORT.pack(
        report.ssrc,
        report.ntp_timestamp,
        report.rtp_timestamp & 0xFFFFFFFF,
        report.packets & 0xFFFFFFFF,
        report.octets & 0xFFFFFFFF,
    )


def write_receiver_report(sender_ssrc: int, blocks: Sequence[ReportBlock]) -> bytes:
    """Write receiver reports (RFC 3550 section 6.4.2), each with at most 31 blocks.

    Args:
        sender_ssrc: our own SSRC.
        blocks: may be empty.
    """
    report = bytearray()
    for start in range(0, max(len(blocks), 1), MAX_BLOCKS):
        part = blocks[start : start + MAX_BLOCKS]
        report += _SENDER.pack(0x80 | len(part), _RR, 1 + 6 * len(part), sender_ssrc)
        for block in part:
            lost = min(max(block.packets_lost, _LOST_MIN), _LOST_MAX) & 0xFFFFFF
            report += _BLOCK.pack(
                block.ssrc,
                block.fraction_lost << 24 | lost,
                block.highest_sequence,
                block.jitter,
                block.last_report,
                block.delay,
            )
    return bytes(report)


def write_sdes(ssrc: int, cname: str) -> bytes:
    """Write an SDES packet with a CNAME of at most 255 octets (section 6.5.1)."""
    name = cname.encode()
    items = bytes((_CNAME, len(name))) + name
    # One to four zero octets end the items and fill the last word.
    items += bytes(4 - len(items) % 4)
    return _SENDER.pack(0x81, _SDES, 1 + len(items) // 4, ssrc) + items


def write_nack(sender_ssrc: int, media_ssrc: int, sequences: Iterable[int]) -> bytes:
    """Write a generic NACK for lost packets (RFC 4585 section 6.2.1).

    Args:
        sender_ssrc: our own SSRC.
        media_ssrc: the source of the lost packets.
        sequences: their sequence numbers (16 bits), at least one, in the order of
            sending; they may wrap.
    """
    items = bytearray()
    first: int | None = None
    following = 0
    for sequence in sequences:
        if first is not None:
            distance = (sequence - first) & 0xFFFF
            if 1 <= distance <= 16:
                following |= 1 << (distance - 1)
                continue
            items += _NACK_ITEM.pack(first, following)
        first, following = sequence, 0
    assert first is not None
    items += _NACK_ITEM.pack(first, following)
    return write_feedback(RTPFB, _NACK, sender_ssrc, media_ssrc, items)


def write_pli(sender_ssrc: int, media_ssrc: int) -> bytes:
    """Write a picture loss indication, a key frame request (RFC 4585 section 6.3.1)."""
    return write_feedback(PSFB, _PLI, sender_ssrc, media_ssrc, b"")


def write_fir(sender_ssrc: int, media_ssrc: int, request: int) -> bytes:
    """Write a full intra request, a key frame request (RFC 5104 section 4.3.1).

    Args:
        sender_ssrc: our own SSRC.
        media_ssrc: the source to send the key frame.
        request: the command sequence number, modulo 256: one more for each new request.
    """
    item = _FIR_ITEM.pack(media_ssrc, request & 0xFF)
    return write_feedback(PSFB, _FIR, sender_ssrc, 0, item)


def write_remb(sender_ssrc: int, bitrate: int, ssrcs: Sequence[int]) -> bytes:
    """Write a REMB message (draft-alvestrand-rmcat-remb-03 section 2.2).

    Args:
        sender_ssrc: our own SSRC.
        bitrate: the limit for all the sources together, in bit/s; it is rounded down
            to 18 significant bits.
        ssrcs: the sources, at most 255.
    """
    exponent = max(bitrate.bit_length() - 18, 0)
    item = _REMB.pack(
        b"REMB", len(ssrcs) << 24 | exponent << 18 | bitrate >> exponent
    ) + b"".join(ssrc.to_bytes(4) for ssrc in ssrcs)
    return write_feedback(PSFB, _APPLICATION, sender_ssrc, 0, item)


def write_feedback(
    packet_type: int,
    message_type: int,
    sender_ssrc: int,
    media_ssrc: int,
    information: bytes | bytearray,
) -> bytes:
    """Write a feedback message (RFC 4585 section 6.1).

    Args:
        packet_type: 205 or 206.
        message_type: FMT, 5 bits.
        sender_ssrc: our own SSRC.
        media_ssrc: the source that it is about, or 0.
        information: the FCI. It is padded to whole words; a packet with padding must
            be the last one of its compound packet (RFC 3550 section 6.4.1).
    """
    padding = -len(information) % 4
    first = 0x80 | message_type
    if padding:
        first |= _PADDING
        information = information + bytes(padding - 1) + bytes((padding,))
    words = 2 + len(information) // 4
    return (
        _FEEDBACK.pack(first, packet_type, words, sender_ssrc, media_ssrc) + information
    )


def parse_rtcp(data: bytes) -> list[SenderReport | Bye]:
    """Parse sender reports and BYEs from a media sender's RTCP.

    Args:
        data: a compound or reduced-size packet (RFC 5506).

    Returns:
        The sender reports and BYEs in order, up to the first malformed packet.
    """
    packets: list[SenderReport | Bye] = []
    for count, packet_type, body in split_rtcp(data):
        if packet_type == _SR:
            if len(body) < _SENDER_REPORT.size:
                break
            packets.append(SenderReport(*_SENDER_REPORT.unpack_from(body)))
        elif packet_type == _BYE:
            if len(body) < 4 * count:
                break
            ssrcs = (body[4 * n : 4 * n + 4] for n in range(count))
            packets.append(Bye(tuple(int.from_bytes(ssrc) for ssrc in ssrcs)))
    return packets


def split_rtcp(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Split a compound packet into its packets, up to the first malformed one.

    Those after the first ``MAX_PACKETS`` are left out.

    Returns:
        For each: the count or FMT (5 bits), the packet type, and the octets after the
        first four, without padding.
    """
    position = 0
    for _ in range(MAX_PACKETS):
        if position + _HEADER.size > len(data):
            return
        first, packet_type, words = _HEADER.unpack_from(data, position)
        start = position + _HEADER.size
        position = end = start + 4 * words
        if first >> 6 != 2 or end > len(data):
            return
        if first & _PADDING:
            padding = data[end - 1]
            end -= padding
            if padding == 0 or end < start:
                return
        yield first & _COUNT, packet_type, data[start:end]
