"""Named streams: who publishes what, and who watches it."""

from .audience import Audience, Audiences
from .streams import Observer, Stream, Streams, StreamTaken
from .viewer import BROADCAST, Viewer

__all__ = [
    "BROADCAST",
    "Audience",
    "Audiences",
    "Observer",
    "Stream",
    "StreamTaken",
    "Streams",
    "Viewer",
]
