"""Datagrams as frames on a TCP connection (RFC 4571), without I/O."""

from collections.abc import Iterator
from struct import Struct

# Octets of a frame's datagram. Peers keep to the MTU of UDP paths over TCP, too; a
# record of the DTLS handshake may be a little larger.
MAX_FRAME = 2048

_LENGTH = Struct("!H")
_HEADER = _LENGTH.size

pack_length = _LENGTH.pack
"""Makes the header of a frame: the length of the datagram (RFC 4571 section 2)."""


class FrameError(Exception):
    """A frame is larger than any that ICE, DTLS or SRTP need."""


class Deframer:
    """Finds the frames in the octets of a connection, as they come.

    At most the beginning of one frame is kept.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """Take octets, and give the datagrams of the frames that are complete.

        Raises:
            FrameError: at a frame above ``MAX_FRAME``; nothing behind it can be read.
        """
        waiting = self._waiting
        waiting += data
        position, end = 0, len(waiting)
        while end - position >= _HEADER:
            length = _LENGTH.unpack_from(waiting, position)[0]
            if length > MAX_FRAME:
                raise FrameError(f"a frame of {length} octets")
            begin = position + _HEADER
            if begin + length > end:
                break
            position = begin + length
            yield bytes(waiting[begin:position])
        del waiting[:position]


def first_frame(octets: bytes) -> bytes | None:
    """The datagram of the first frame of a connection; None while it is incomplete."""
    if len(octets) < _HEADER:
        return None
    end = _HEADER + _LENGTH.unpack_from(octets)[0]
    return octets[_HEADER:end] if end <= len(octets) else None
