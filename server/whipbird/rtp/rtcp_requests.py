"""Parses a media receiver's RTCP: reports and feedback (RFC 3550, RFC 4585)."""

from dataclasses import dataclass
from struct import Struct

from .rtcp import PSFB, RTPFB, split_rtcp
from .xr import XR, ReferenceTime, parse_xr_blocks

_SR = 200
_RR = 201
_NACK = 1
_PLI = 1
_FIR = 4
_APPLICATION = 15

# Octets before the report blocks: the SSRC of the packet, and sender information.
_BLOCKS = {_SR: 24, _RR: 4}
_BLOCK = Struct("!IB3sI4xII")
_BLOCK_LENGTH = 24
_FEEDBACK_LENGTH = 8  # the two SSRCs
_NACK_ITEM = Struct("!HH")
_FIR_ITEM_LENGTH = 8
_REMB_LENGTH = 8


# Sequence numbers that are read of all NACKs in a datagram: libwebrtc keeps 1,000
# missing ones.
MAX_LOST = 1000


@dataclass(frozen=True, slots=True)
class Reported:
    """A receiver's report block on a source (RFC 3550 section 6.4.1).

    Attributes:
        ssrc: the source.
        fraction_lost: packets lost since the previous report, 0 to 1.
        packets_lost: packets lost so far; negative with duplicates.
        highest_sequence: the extended highest sequence number, 32 bits.
        last_report: the middle 32 bits of the last sender report's NTP timestamp; 0
            without one.
        delay: time since that report, in 1/65536 s.
    """

    ssrc: int
    fraction_lost: float
    packets_lost: int
    highest_sequence: int
    last_report: int
    delay: int


@dataclass(frozen=True, slots=True)
class Nack:
    """A request to retransmit packets of a source (RFC 4585 section 6.2.1)."""

    ssrc: int
    sequences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyFrameRequest:
    """A key frame request for a source: PLI or FIR (RFC 4585, RFC 5104)."""

    ssrc: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """The receiver's bandwidth estimate, bit/s (draft-alvestrand-rmcat-remb-03)."""

    bitrate: int


Request = Reported | Nack | KeyFrameRequest | Estimate | ReferenceTime


def parse_requests(data: bytes) -> list[Request]:
    """Parse reports and requests from a media receiver's RTCP.

    Args:
        data: a compound or reduced-size packet (RFC 5506).

    Returns:
        The reports and requests in order; malformed and unknown packets are skipped.
    """
    requests: list[Request] = []
    room = MAX_LOST
    for count, packet_type, body in split_rtcp(data):
        if packet_type in _BLOCKS:
            requests += _reported(body[_BLOCKS[packet_type] :], count)
        elif packet_type == XR:
            blocks = parse_xr_blocks(body)
            requests += [block for block in blocks if isinstance(block, ReferenceTime)]
        elif len(body) < _FEEDBACK_LENGTH:
            continue
        elif packet_type == RTPFB and count == _NACK:
            lost = _lost(body[_FEEDBACK_LENGTH:], room)
            room -= len(lost)
            requests.append(Nack(_ssrc(body, 4), lost))
        elif packet_type == PSFB and count == _PLI:
            requests.append(KeyFrameRequest(_ssrc(body, 4)))
        elif packet_type == PSFB and count == _FIR:
            end = len(body) - _FIR_ITEM_LENGTH + 1
            starts = range(_FEEDBACK_LENGTH, end, _FIR_ITEM_LENGTH)
            requests += [KeyFrameRequest(_ssrc(body, start)) for start in starts]
        elif packet_type == PSFB and count == _APPLICATION:
            requests += _estimate(body[_FEEDBACK_LENGTH:])
    return requests


def _reported(blocks: bytes, count: int) -> list[Request]:
    found: list[Request] = []
    for start in range(0, count * _BLOCK_LENGTH, _BLOCK_LENGTH):
        if start + _BLOCK_LENGTH > len(blocks):
            break
        ssrc, fraction, lost, *numbers = _BLOCK.unpack_from(blocks, start)
        total = int.from_bytes(lost, signed=True)
        found.append(Reported(ssrc, fraction / 256, total, *numbers))
    return found


def _lost(items: bytes, room: int) -> tuple[int, ...]:
    """The sequence numbers of a NACK, ``room`` of them at most."""
    sequences: list[int] = []
    for start in range(0, len(items) - 3, 4):
        if len(sequences) >= room:
            break
        first, following = _NACK_ITEM.unpack_from(items, start)
        sequences.append(first)
        sequences += [
            (first + 1 + bit) & 0xFFFF for bit in range(16) if following >> bit & 1
        ]
    return tuple(sequences[:room])


def _estimate(item: bytes) -> list[Request]:
    if len(item) < _REMB_LENGTH or item[:4] != b"REMB":
        return []
    exponent, mantissa = item[5] >> 2, (item[5] & 3) << 16 | item[6] << 8 | item[7]
    return [Estimate(mantissa << exponent)]


def _ssrc(body: bytes, start: int) -> int:
    return int.from_bytes(body[start : start + 4])
