"""Named streams: who publishes what, and who watches it."""

from .audience import Audience, Audiences, Viewer
from .streams import Observer, Stream, Streams, StreamTaken

__all__ = [
    "Audience",
    "Audiences",
    "Observer",
    "Stream",
    "StreamTaken",
    "Streams",
    "Viewer",
]
