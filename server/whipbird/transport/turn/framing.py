"""Channel data, and messages on a TCP connection (RFC 8656 sections 12.4 and 3.1)."""

from collections.abc import Iterator
from struct import Struct

from ..stun import HEADER_SIZE, StunError

# The first two bits of channel data are 01 (RFC 8656 section 12.4).
_CHANNELS = range(0x40, 0x50)
_AFTER_STUN = 0x40

_HEADER = Struct("!HH")


def is_channel_data(data: bytes) -> bool:
    """Whether a message begins as channel data does."""
    return len(data) >= _HEADER.size and data[0] in _CHANNELS


def write_channel_data(channel: int, data: bytes, *, padded: bool) -> bytes:
    """Write channel data.

    Args:
        padded: to a multiple of 4 octets, as on a TCP connection.
    """
    padding = bytes(-len(data) % 4) if padded else b""
    return _HEADER.pack(channel, len(data)) + data + padding


def read_channel_data(data: bytes) -> tuple[int, bytes] | None:
    """Read channel data.

    Returns:
        The channel, and the data in it; None when it is cut.
    """
    channel, length = _HEADER.unpack_from(data)
    end = _HEADER.size + length
    return (channel, data[_HEADER.size : end]) if end <= len(data) else None


class TurnDeframer:
    """Finds the messages in the octets of a TCP connection, as they come.

    At most the beginning of one message is kept: 64 KiB.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take octets, and give the messages that are complete.

        Raises:
            StunError: at octets that begin no message; nothing behind them can be read.
        """
        waiting = self._waiting
        waiting += data
        position = 0
        while len(waiting) - position >= _HEADER.size:
            _, length = _HEADER.unpack_from(waiting, position)
            first = waiting[position]
            if first in _CHANNELS:
                size = _HEADER.size + length
                end = position + size + -size % 4
            elif first < _AFTER_STUN:
                size = HEADER_SIZE + length
                end = position + size
            else:
                raise StunError("neither a STUN message nor channel data")
            if end > len(waiting):
                break
            yield bytes(waiting[position : position + size])
            position = end
        del waiting[:position]
