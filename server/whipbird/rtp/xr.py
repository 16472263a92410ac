"""RTCP extended reports by which a media receiver learns the round trip (RFC 3611).

A receiver sends its time (section 4.4); the sender answers how long ago that was when
it answered (section 4.5). The receiver computes the round trip, as a sender does from
report blocks (RFC 3550 section 6.4.1).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

from .rtcp import split_rtcp

XR = 207  # RFC 3611 section 2

_REFERENCE_TIME = 4
_DELAY_SINCE = 5

_HEADER = Struct("!BBHI")
_BLOCK_HEADER = Struct("!BxH")
_REFERENCE_TIME_BLOCK = Struct("!Q")
_DELAY_SINCE_BLOCK = Struct("!III")


@dataclass(frozen=True, slots=True)
class ReferenceTime:
    """A Receiver Reference Time report block (RFC 3611 section 4.4).

    Attributes:
        ssrc: the receiver, which is the sender of the block.
        ntp_timestamp: its time, 64 bits, in 2**-32 s.
    """

    ssrc: int
    ntp_timestamp: int


@dataclass(frozen=True, slots=True)
class DelaySince:
    """A DLRR sub-block: the answer to a reference time (RFC 3611 section 4.5).

    Attributes:
        ssrc: the receiver that has sent the reference time.
        last_rr: the middle 32 bits of that reference time; 0 without one.
        delay: time from its arrival to this answer, in 1/65536 s; 0 without one.
    """

    ssrc: int
    last_rr: int
    delay: int


def parse_xr(data: bytes) -> list[ReferenceTime | DelaySince]:
    """Parse the reference times and the answers to them.

    Args:
        data: a compound or reduced-size RTCP packet (RFC 5506).

    Returns:
        Both kinds of blocks in order. Other blocks are skipped; an extended report is
        read up to its first malformed block.
    """
    return [
        block
        for _, packet_type, body in split_rtcp(data)
        if packet_type == XR
        for block in parse_xr_blocks(body)
    ]


def parse_xr_blocks(body: bytes) -> Iterator[ReferenceTime | DelaySince]:
    """Parse the report blocks of one extended report.

    Args:
        body: the packet from its SSRC on.
    """
    ssrc, position = int.from_bytes(body[:4]), 4
    while position + _BLOCK_HEADER.size <= len(body):
        block_type, words = _BLOCK_HEADER.unpack_from(body, position)
        start = position + _BLOCK_HEADER.size
        position = start + 4 * words
        if position > len(body):
            return
        if block_type == _REFERENCE_TIME and 4 * words == _REFERENCE_TIME_BLOCK.size:
            yield ReferenceTime(ssrc, *_REFERENCE_TIME_BLOCK.unpack_from(body, start))
        elif block_type == _DELAY_SINCE:
            end = position - _DELAY_SINCE_BLOCK.size + 1
            for at in range(start, end, _DELAY_SINCE_BLOCK.size):
                yield DelaySince(*_DELAY_SINCE_BLOCK.unpack_from(body, at))


def write_reference_time(ssrc: int, ntp: int) -> bytes:
    """Write an extended report with a reference time (RFC 3611 section 4.4).

    Args:
        ssrc: our own SSRC.
        ntp: the NTP timestamp, 64 bits, in 2**-32 s.
    """
    return _write(ssrc, _REFERENCE_TIME, _REFERENCE_TIME_BLOCK.pack(ntp))


def write_delay_since(ssrc: int, blocks: Sequence[DelaySince]) -> bytes:
    """Write an extended report that answers reference times (RFC 3611 section 4.5).

    Args:
        ssrc: our own SSRC.
        blocks: one for each receiver.
    """
    return _write(
        ssrc,
        _DELAY_SINCE,
        b"".join(
            _DELAY_SINCE_BLOCK.pack(block.ssrc, block.last_rr, block.delay)
            for block in blocks
        ),
    )


def _write(ssrc: int, block_type: int, contents: bytes) -> bytes:
    words = len(contents) // 4
    return (
        _HEADER.pack(0x80, XR, 2 + words, ssrc)
        + _BLOCK_HEADER.pack(block_type, words)
        + contents
    )
