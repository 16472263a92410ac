"""Frames as encoders make them: payloads of VP8 and of Opus."""

import random
from dataclasses import dataclass

# A frame of VP8 begins with its descriptor, then its own header (RFC 7741).
_KEY = b"\x10\x10\x02\x00\x9d\x01\x2a\x00\x05\xd0\x02"
_DELTA = b"\x10\x11\x02\x00"
_MORE = b"\x00"

_PAYLOAD = 1100


@dataclass(frozen=True, slots=True)
class Pictures:
    """A moving picture, with the sizes of its frames.

    Attributes:
        rate: frames in a second.
        key_packets: packets of a key frame.
        packets: of other frames, at least and at most.
    """

    rate: int
    key_packets: int
    packets: tuple[int, int]

    def draw(self, is_key_frame: bool, rng: random.Random) -> list[bytes]:
        """The payloads of a frame."""
        count = self.key_packets if is_key_frame else rng.randint(*self.packets)
        parts = (_KEY if is_key_frame else _DELTA, *[_MORE] * (count - 1))
        return [part.ljust(_PAYLOAD, b"x") for part in parts]


def speak(octets: int) -> list[bytes]:
    """A frame of 20 ms of Opus (RFC 6716 section 3.1)."""
    return [b"\xfc".ljust(octets, b"o")]
