"""Inputs of several parts: each has an action, a length of two octets, and octets."""

from collections.abc import Iterable, Iterator

# Of one input, at most: what costs more is another test's matter.
MAX_RECORDS = 64


def split(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The actions of an input, each with its octets; the last may be cut short."""
    position = count = 0
    while position + 3 <= len(data) and count < MAX_RECORDS:
        length = int.from_bytes(data[position + 1 : position + 3])
        start = position + 3
        yield data[position], data[start : start + length]
        position = start + length
        count += 1


def join(records: Iterable[tuple[int, bytes]]) -> bytes:
    """The opposite of ``split``."""
    return b"".join(
        bytes([action]) + len(octets).to_bytes(2) + octets for action, octets in records
    )
