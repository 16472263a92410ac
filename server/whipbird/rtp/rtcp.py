"""RTCP (RFC 3550 section 6): what a receiver writes, and what it reads.

Each writer gives one RTCP packet; a compound packet is their concatenation. It begins
with a receiver report, and an SDES packet with CNAME is in it (section 6.1), except
where ``rtcp-rsize`` was negotiated (RFC 5506).
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

# The count of 5 bits, and so of the blocks in one packet (section 6.4.1).
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


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What is said of one source (RFC 3550 section 6.4.1).

    Attributes:
        ssrc: the source.
        fraction_lost: since the report before, in 1/256.
        packets_lost: since the beginning.
        highest_sequence: extended, 32 bits.
        jitter: in units of the timestamp.
        last_report: the middle 32 bits of the last sender report's NTP timestamp; 0
            when none has come.
        delay: since that report, in 1/65536 s.
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
    """What a source says of itself (RFC 3550 section 6.4.1).

    Attributes:
        ssrc: the source.
        ntp_timestamp: 64 bits, in 2**-32 s.
        rtp_timestamp: the same moment in the units of the source's packets.
        packets: how many it has sent.
        octets: how many octets of payload.
    """

    ssrc: int
    ntp_timestamp: int
    rtp_timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Bye:
    """The end of sources (RFC 3550 section 6.6)."""

    ssrcs: tuple[int, ...]


def write_sender_report(report: SenderReport) -> bytes:
    """A sender report without report blocks (RFC 3550 section 6.4.1)."""
    return _HEADER.pack(0x80, _SR, 6) + _SENDER_REPORT.pack(
        report.ssrc,
        report.ntp_timestamp,
        report.rtp_timestamp & 0xFFFFFFFF,
        report.packets & 0xFFFFFFFF,
        report.octets & 0xFFFFFFFF,
    )


def write_receiver_report(sender_ssrc: int, blocks: Sequence[ReportBlock]) -> bytes:
    """A receiver report (RFC 3550 section 6.4.2).

    Args:
        sender_ssrc: our own.
        blocks: may be empty. More than 31 take further reports, which follow.
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
    """The canonical name of a source (RFC 3550 section 6.5.1), at most 255 octets."""
    name = cname.encode()
    items = bytes((_CNAME, len(name))) + name
    # At least one zero octet ends the items, and zeros fill the last word.
    items += bytes(4 - len(items) % 4)
    return _SENDER.pack(0x81, _SDES, 1 + len(items) // 4, ssrc) + items


def write_nack(sender_ssrc: int, media_ssrc: int, sequences: Iterable[int]) -> bytes:
    """Ask for lost packets (generic NACK, RFC 4585 section 6.2.1).

    Args:
        sender_ssrc: our own.
        media_ssrc: the source of the lost packets.
        sequences: their sequence numbers, 16 bits, in the order of sending; they may
            wrap. There is at least one.
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
    """Ask for a key frame (picture loss indication, RFC 4585 section 6.3.1)."""
    return write_feedback(PSFB, _PLI, sender_ssrc, media_ssrc, b"")


def write_fir(sender_ssrc: int, media_ssrc: int, request: int) -> bytes:
    """Ask for a key frame (full intra request, RFC 5104 section 4.3.1).

    Args:
        sender_ssrc: our own.
        media_ssrc: the source that shall send it.
        request: a number, modulo 256, that is the same when a request is repeated and
            one more in a new one.
    """
    item = _FIR_ITEM.pack(media_ssrc, request & 0xFF)
    return write_feedback(PSFB, _FIR, sender_ssrc, 0, item)


def write_remb(sender_ssrc: int, bitrate: int, ssrcs: Sequence[int]) -> bytes:
    """Limit the bitrate (draft-alvestrand-rmcat-remb-03 section 2.2).

    Args:
        sender_ssrc: our own.
        bitrate: of all the sources together, in bit/s; written with 18 significant
            bits, rounded down.
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
    """A feedback message (RFC 4585 section 6.1).

    Args:
        packet_type: 205 or 206.
        message_type: FMT, 5 bits.
        sender_ssrc: our own.
        media_ssrc: the source it is about, or 0.
        information: FCI. What it lacks to whole words is filled up with padding: such
            a packet is the last one of a compound packet (RFC 3550 section 6.4.1).
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
    """What who sends media says of itself.

    Args:
        data: a compound packet, or one of reduced size (RFC 5506).

    Returns:
        The sender reports and goodbyes in it, in order; nothing after one that is
        malformed.
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
    """The packets of a compound packet.

    Returns:
        The count or format of 5 bits, the packet type, and what follows the first four
        octets, without padding. Nothing is read after a packet that is malformed.
    """
    position = 0
    while position + _HEADER.size <= len(data):
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
