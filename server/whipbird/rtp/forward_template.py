"""The part of a forwarded packet shared by viewers with the same extension map."""

from collections.abc import Mapping
from typing import NamedTuple

from . import extensions
from .extensions import read_extensions, write_extensions
from .packet import RtpPacket

# Header extensions that are forwarded as they are: they describe the media.
_FORWARDED = (
    extensions.AUDIO_LEVEL,
    extensions.VIDEO_ORIENTATION,
    extensions.PLAYOUT_DELAY,
    extensions.DEPENDENCY_DESCRIPTOR,
)

_VERSION_2 = 0x80
_EXTENSION = 0x10

# abs-send-time (draft-alvestrand-rmcat-remb): seconds as 6.18 bits fixed point.
_SEND_TIME_UNITS = 1 << 18
_SEND_TIME_MASK = 0xFFFFFF


ExtensionMap = Mapping[str, int]
"""Negotiated RTP header extensions: URI -> identifier (RFC 8285 section 5)."""


class ForwardedPacket(NamedTuple):
    """A packet for several viewers: all fields that are the same for them.

    Attributes:
        first: the first octet of the RTP header.
        marker: the marker bit, in its place in the second octet (0x80 or 0).
        sequence, timestamp: those of the feed's packet.
        body: all octets after the fixed header: the header extension, if ``first``
            has the X bit, and the payload.
    """

    first: int
    marker: int
    sequence: int
    timestamp: int
    body: bytes

    @property
    def payload_offset(self) -> int:
        """The offset of the payload in the body."""
        if not self.first & _EXTENSION:
            return 0
        return 4 + 4 * int.from_bytes(self.body[2:4])


# The offset of the send time's value in the body: it is the first element, of the
# one-byte or of the two-byte form (RFC 8285 sections 4.2 and 4.3).
_ONE_BYTE_FORM = 0xBE
_AFTER_ONE_BYTE, _AFTER_TWO_BYTES = 5, 6


class ForwardTemplate:
    """Makes forwarded packets for viewers with the same extension map.

    Args:
        publisher: the publisher's extension map.
        viewer: the viewers' extension map.
    """

    __slots__ = ("_send_time", "_wanted")

    def __init__(self, publisher: ExtensionMap, viewer: ExtensionMap) -> None:
        # The publisher's identifier -> the viewer's.
        self._wanted = {
            publisher[uri]: viewer[uri]
            for uri in _FORWARDED
            if uri in publisher and uri in viewer
        }
        self._send_time = viewer.get(extensions.ABS_SEND_TIME, 0)

    def apply(self, packet: RtpPacket, now: float) -> ForwardedPacket:
        """Make the forwarded packet for a publisher's packet.

        Without abs-send-time among the viewers' extensions, the result is the same
        whenever it is called.

        Args:
            packet: the publisher's packet.
            now: the time to write as abs-send-time, in seconds.
        """
        elements: list[tuple[int, bytes]] = []
        if self._send_time:
            elements.append((self._send_time, _send_time(now)))
        if self._wanted and packet.data[0] & _EXTENSION:
            found = read_extensions(packet, self._wanted)
            elements += [
                (self._wanted[identifier], v) for identifier, v in found.items()
            ]
        first, body = _VERSION_2, packet.payload
        if elements:
            first |= _EXTENSION
            body = write_extensions(elements) + body
        return ForwardedPacket(
            first, packet.marker << 7, packet.sequence, packet.timestamp, body
        )

    def delayed(self, packet: ForwardedPacket, now: float) -> ForwardedPacket:
        """A forwarded packet as it is to be sent at a later time."""
        if not self._send_time:
            return packet
        body = packet.body
        is_short = body[0] == _ONE_BYTE_FORM
        start = _AFTER_ONE_BYTE if is_short else _AFTER_TWO_BYTES
        return packet._replace(body=body[:start] + _send_time(now) + body[start + 3 :])


def _send_time(now: float) -> bytes:
    return (int(now * _SEND_TIME_UNITS) & _SEND_TIME_MASK).to_bytes(3)
