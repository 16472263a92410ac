"""Pictures and sounds that can be recognized after a codec."""

import math
from array import array
from fractions import Fraction

import av

TONE = 440.0
_RATE = 48000


def picture(
    brightness: int, time: float | None = None, size: tuple[int, int] = (64, 48)
) -> av.VideoFrame:
    """A picture of one shade of gray, 16 to 235."""
    frame = av.VideoFrame(*size, "yuv420p")
    for plane, value in zip(frame.planes, (brightness, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    if time is not None:
        frame.pts, frame.time_base = round(time * 90000), Fraction(1, 90000)
    return frame


def brightness_of(frame: av.VideoFrame) -> float:
    """The mean brightness of a picture."""
    return float(frame.to_ndarray(format="gray").mean())


def sound(time: float, samples: int = 960) -> av.AudioFrame:
    """A tone."""
    start = round(time * _RATE)
    wave = [
        round(10000 * math.sin(2 * math.pi * TONE * (start + i) / _RATE))
        for i in range(samples)
    ]
    frame = av.AudioFrame("s16", "mono", samples)
    frame.planes[0].update(array("h", wave).tobytes())
    frame.sample_rate = _RATE
    frame.pts, frame.time_base = start, Fraction(1, _RATE)
    return frame
