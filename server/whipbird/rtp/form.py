"""What of a packet is the same for all viewers that have negotiated the same."""

from collections.abc import Mapping

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

    def write(self, packet: RtpPacket, now: float) -> tuple[int, bytes]:
        """The first octet of the header, and what follows the fixed header.

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
        if not elements:
            return _VERSION_2, packet.payload
        return _VERSION_2 | _EXTENSION, write_extensions(elements) + packet.payload
