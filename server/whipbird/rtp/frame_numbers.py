"""Continuous frame numbers of VP8 and VP9 across changing sources."""

from collections.abc import Callable
from typing import NamedTuple

_LONG = 0x7FFF


class FrameNumber(NamedTuple):
    """A number in a payload descriptor.

    Attributes:
        at: the index of its first octet.
        mask: its bits, the lowest of one or two octets.
        value: its value.
    """

    at: int
    mask: int
    value: int


FrameNumbers = tuple[FrameNumber | None, ...]
"""PictureID, TL0PICIDX and KEYIDX, if the codec has them; None for an absent one."""

Payload = bytes | bytearray | memoryview


class Renumbering:
    """Continues the frame numbers when the source changes.

    Receivers order frames by these numbers. If the numbers jump to those of a new
    source whose key frame has to be retransmitted, receivers drop its frames as old.

    Attributes:
        is_needed: whether ``apply`` changes anything.
    """

    __slots__ = ("_find", "_shifts", "is_needed")

    def __init__(self) -> None:
        self._find: Callable[[Payload, int], FrameNumbers] = _none
        self._shifts: tuple[int, ...] = ()
        self.is_needed = False

    def switch(self, codec: str, first: Payload, before: Payload) -> None:
        """Continue with another source.

        Args:
            codec: its encoding name, in lower case.
            first: its first payload, as received.
            before: the last payload sent, as received; empty if there is none.
        """
        find = _FINDERS.get(codec, _none)
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


def _none(_payload: Payload, _at: int) -> FrameNumbers:
    return ()


def _of_vp8(payload: Payload, at: int) -> FrameNumbers:
    """RFC 7741 section 4.2."""
    try:
        if not payload[at] & 0x80:  # X: extended
            return ()
        extension = payload[at + 1]
        at += 2
        picture = base = key = None
        if extension & 0x80:  # I
            picture, at = _picture_id(payload, at)
        if extension & 0x40:  # L
            base, at = FrameNumber(at, 0xFF, payload[at]), at + 1
        if extension & 0x10:  # K
            key = FrameNumber(at, 0x1F, payload[at] & 0x1F)
    except IndexError:
        return ()
    return picture, base, key


def _of_vp9(payload: Payload, at: int) -> FrameNumbers:
    """RFC 9628 section 4.2."""
    try:
        flags = payload[at]
        at += 1
        picture = base = None
        if flags & 0x80:  # I
            picture, at = _picture_id(payload, at)
        if flags & 0x30 == 0x20:  # L, and F is not set
            # After the octet with the layer indices.
            base = FrameNumber(at + 1, 0xFF, payload[at + 1])
    except IndexError:
        return ()
    return picture, base


def _picture_id(payload: Payload, at: int) -> tuple[FrameNumber, int]:
    """PictureID, of 7 or 15 bits, and the index after it."""
    first = payload[at]
    if first & 0x80:  # M
        return FrameNumber(at, _LONG, (first & 0x7F) << 8 | payload[at + 1]), at + 2
    return FrameNumber(at, 0x7F, first), at + 1


_FINDERS: dict[str, Callable[[Payload, int], FrameNumbers]] = {
    "vp8": _of_vp8,
    "vp9": _of_vp9,
}
