"""Continuous frame numbers of VP8 and VP9 across changing sources."""

from collections.abc import Callable

from .codecs import FrameNumbers, Payload, payload_format
from .codecs.parameters import no_frame_numbers

_LONG = 0x7FFF


class Renumbering:
    """Continues the frame numbers when the source changes.

    Receivers order frames by these numbers. If the numbers jump to those of a new
    source whose key frame has to be retransmitted, receivers drop its frames as old.

    Attributes:
        is_needed: whether ``apply`` changes anything.
    """

    __slots__ = ("_find", "_shifts", "is_needed")

    def __init__(self) -> None:
        self._find: Callable[[Payload, int], FrameNumbers] = no_frame_numbers
        self._shifts: tuple[int, ...] = ()
        self.is_needed = False

    def switch(self, codec: str, first: Payload, before: Payload) -> None:
        """Continue with another source.

        Args:
            codec: its encoding name, in lower case.
            first: its first payload, as received.
            before: the last payload sent, as received; empty if there is none.
        """
        video = payload_format(codec)
        find = no_frame_numbers if video is None else video.frame_numbers
        # Numbers need not continue from one codec to another.
        last = self._find(before, 0) if find is self._find else ()
        shifts = []
        for index, number in enumerate(find(first, 0)):
            sent = last[index] if last else None
            if number is None or sent is None:
                shifts.append(0)
            else:
                shifts.append(sent.value + self._shifts[index] + 1 - number.value)
        self._find, self._shifts = find, tuple(shifts)
        self.is_needed = any(shifts)

    def apply(self, packet: bytearray | memoryview, at: int) -> None:
        """Renumber, in place, the payload that starts at index ``at`` of a packet."""
        for number, shift in zip(self._find(packet, at), self._shifts, strict=False):
            if number is None:
                continue
            position, mask, value = number
            value = (value + shift) & mask
            if mask == _LONG:
                packet[position] = 0x80 | value >> 8
                packet[position + 1] = value & 0xFF
            else:
                packet[position] = packet[position] & ~mask | value
