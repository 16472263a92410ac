"""Named streams: who publishes what."""

from .streams import Stream, Streams, StreamTaken

__all__ = ["Stream", "StreamTaken", "Streams"]
