"""What two workers say to each other of one stream: frames on a connection (no I/O).

All of it comes from a worker of this server: nobody else can open the local socket.
"""

import enum
import json
from collections.abc import Iterator
from struct import Struct
from typing import Any

from ..rtp.packet import HEADER, HEADER_LENGTH, RtpPacket

# The length of the body, and the kind.
_START = Struct("!IB")

_LENGTH = Struct("!H")
# The SCTP payload protocol identifier of a publisher's message.
_PROTOCOL = Struct("!I")
# The number of a member of the chat, and whether its request is text.
_MEMBER = Struct("!I?")

_MARKER = 0x80


class Kind(enum.IntEnum):
    """What a frame has."""

    # A JSON object.
    CONTROL = 0
    # RTP packets of any tracks, each behind its length.
    PACKETS = 1
    # An RTCP packet.
    RTCP = 2
    # A publisher's message for all viewers.
    MESSAGE = 3
    # A viewer's request to the chat.
    CHAT = 4


_KINDS = {int(kind): kind for kind in Kind}


def write(kind: Kind, body: bytes | bytearray) -> bytes:
    """A frame."""
    return _START.pack(len(body), kind) + body


def write_control(content: dict[str, Any]) -> bytes:
    """A frame with a JSON object."""
    return write(Kind.CONTROL, json.dumps(content).encode())


class Frames:
    """Finds the frames in the octets of a connection, as they come."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """Take octets, and give the frames that are complete."""
        waiting = self._waiting
        waiting += data
        position, end = 0, len(waiting)
        while end - position >= _START.size:
            length, kind = _START.unpack_from(waiting, position)
            begin = position + _START.size
            if begin + length > end:
                break
            position = begin + length
            yield _KINDS[kind], bytes(waiting[begin:position])
        del waiting[:position]


def add_packet(body: bytearray, packet: RtpPacket, ssrc: int) -> None:
    """Add a packet to the body of a frame, as a packet of another source.

    Its sequence number, timestamp and marker are those that ``Encoding`` gives it; the
    octets behind them are those that came.
    """
    data = packet.data
    second = packet.payload_type | (_MARKER if packet.marker else 0)
    body += _LENGTH.pack(len(data))
    body += HEADER.pack(data[0], second, packet.sequence, packet.timestamp, ssrc)
    body += data[HEADER_LENGTH:]


def read_packets(body: bytes) -> Iterator[bytes]:
    """The packets in the body of a frame."""
    position, end = 0, len(body)
    while position < end:
        begin = position + _LENGTH.size
        position = begin + _LENGTH.unpack_from(body, position)[0]
        yield body[begin:position]


def write_message(protocol: int, data: bytes) -> bytes:
    """A frame with a publisher's message."""
    return write(Kind.MESSAGE, _PROTOCOL.pack(protocol) + data)


def read_message(body: bytes) -> tuple[int, bytes]:
    """The protocol and the octets of a publisher's message."""
    return _PROTOCOL.unpack_from(body)[0], body[_PROTOCOL.size :]


def write_chat(member: int, data: bytes, *, is_text: bool) -> bytes:
    """A frame with a request to the chat."""
    return write(Kind.CHAT, _MEMBER.pack(member, is_text) + data)


def read_chat(body: bytes) -> tuple[int, bytes, bool]:
    """The number of the member, its request, and whether this is text."""
    member, is_text = _MEMBER.unpack_from(body)
    return member, body[_MEMBER.size :], is_text
