"""Report blocks: what a receiver says of a source (RFC 3550 section 6.4.1)."""

from collections.abc import Iterator
from struct import Struct

from .rtcp import ReportBlock, split_rtcp

# Packet type -> octets before the blocks: the SSRC, and a sender's own information.
_BEFORE = {200: 24, 201: 4}

_BLOCK = Struct("!IB3sIIII")


def parse_report_blocks(data: bytes) -> Iterator[ReportBlock]:
    """The blocks of all sender and receiver reports.

    Args:
        data: a compound packet, or one of reduced size (RFC 5506).

    Returns:
        The blocks, in order; less those that are cut off.
    """
    for count, packet_type, body in split_rtcp(data):
        start = _BEFORE.get(packet_type, len(body))
        end = min(start + count * _BLOCK.size, len(body))
        for position in range(start, end - _BLOCK.size + 1, _BLOCK.size):
            ssrc, fraction, lost, *numbers = _BLOCK.unpack_from(body, position)
            total = int.from_bytes(lost, signed=True)
            yield ReportBlock(ssrc, fraction, total, *numbers)
