"""What of a packet is the same for all viewers that have negotiated the same."""

from collections.abc import Mapping
from typing import NamedTuple

from . import extensions
from .extensions import read_extensions, write_extensions
from .packet import RtpPacket

# What a publisher says of its packets that holds for whoever gets them.
_PASSED_ON = (
    extensions.AUDIO_LEVEL,
    extensions.VIDEO_ORIENTATION,
    extensions.PLAYOUT_DELAY,
    extensions.DEPENDENCY_DESCRIPTOR,
)

_VERSION_2 = 0x80
_EXTENSION = 0x10

# draft-alvestrand-rmcat-remb: seconds as 6.18 bits.
_SEND_TIME_UNITS = 1 << 18
_SEND_TIME_MASK = 0xFFFFFF


Identifiers = Mapping[str, int]
"""Of header extensions: URI -> identifier, as negotiated (RFC 8285 section 5)."""


class FormedPacket(NamedTuple):
    """A packet for many viewers: all that does not differ between them.

    Attributes:
        first: the first octet of the header.
        marker: its second octet, less the payload type.
        sequence, timestamp: the publisher's.
        body: what follows the fixed header: the extension, if the first octet says
            that there is one, and the payload.
    """

    first: int
    marker: int
    sequence: int
    timestamp: int
    body: bytes

    @property
    def payload_offset(self) -> int:
        """Where the payload begins in the body."""
        if not self.first & _EXTENSION:
            return 0
        return 4 + 4 * int.from_bytes(self.body[2:4])


class Form:
    """How packets look to viewers that have the same header extensions.

    The work for a packet is done once for all of them.

    Args:
        publisher, viewer: the identifiers of the two sides.
    """

    __slots__ = ("_send_time", "_wanted")

    def __init__(self, publisher: Identifiers, viewer: Identifiers) -> None:
        # The publisher's identifier -> the viewer's.
        self._wanted = {
            publisher[uri]: viewer[uri]
            for uri in _PASSED_ON
            if uri in publisher and uri in viewer
        }
        self._send_time = viewer.get(extensions.ABS_SEND_TIME, 0)

    def write(self, packet: RtpPacket, now: float) -> FormedPacket:
        """What the viewers are sent for a packet.

        Without the extension for the time of sending, the same packet always gives
        the same octets.

        Args:
            packet: the publisher's.
            now: the time that the viewers are told as that of sending, in seconds.
        """
        elements: list[tuple[int, bytes]] = []
        if self._send_time:
            units = int(now * _SEND_TIME_UNITS) & _SEND_TIME_MASK
            elements.append((self._send_time, units.to_bytes(3)))
        if self._wanted and packet.data[0] & _EXTENSION:
            found = read_extensions(packet, self._wanted)
            elements += [
                (self._wanted[identifier], v) for identifier, v in found.items()
            ]
        first, body = _VERSION_2, packet.payload
        if elements:
            first |= _EXTENSION
            body = write_extensions(elements) + body
        return FormedPacket(
            first, packet.marker << 7, packet.sequence, packet.timestamp, body
        )
