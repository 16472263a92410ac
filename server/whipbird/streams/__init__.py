"""Named streams: their publishers and their viewers."""

from .audience import Audience, Audiences, Relay
from .chat import Seat
from .events import EVENT_TYPES, Event, EventStream
from .layer_choice import LayerChoice
from .streams import (
    LiveObserver,
    Observer,
    PublisherKind,
    Replacement,
    Stream,
    Streams,
    StreamTaken,
)
from .viewer import BROADCAST, TooManyEventStreams, Viewer

__all__ = [
    "BROADCAST",
    "EVENT_TYPES",
    "Audience",
    "Audiences",
    "Event",
    "EventStream",
    "LayerChoice",
    "LiveObserver",
    "Observer",
    "PublisherKind",
    "Relay",
    "Replacement",
    "Seat",
    "Stream",
    "StreamTaken",
    "Streams",
    "TooManyEventStreams",
    "Viewer",
]
