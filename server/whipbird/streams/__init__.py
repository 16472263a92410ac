"""Named streams: their publishers and their viewers."""

from .audience import Audience, Audiences
from .events import EVENT_TYPES, Event, EventStream
from .layer_choice import LayerChoice
from .streams import Observer, Replacement, Stream, Streams, StreamTaken
from .viewer import BROADCAST, TooManyEventStreams, Viewer

__all__ = [
    "BROADCAST",
    "EVENT_TYPES",
    "Audience",
    "Audiences",
    "Event",
    "EventStream",
    "LayerChoice",
    "Observer",
    "Replacement",
    "Stream",
    "StreamTaken",
    "Streams",
    "TooManyEventStreams",
    "Viewer",
]
