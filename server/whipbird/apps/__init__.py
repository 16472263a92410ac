"""Applications: Python functions on the data channels and the media of a server."""

from .application import Application
from .channel import Channel, ChannelClosed, MessageTooLarge
from .encoded import EncodedFrame
from .picture_encoder import NoEncoder
from .server import Server
from .session import Session
from .source import Source, SourceClosed
from .stream import Stream
from .track import Track

__all__ = [
    "Application",
    "Channel",
    "ChannelClosed",
    "EncodedFrame",
    "MessageTooLarge",
    "NoEncoder",
    "Server",
    "Session",
    "Source",
    "SourceClosed",
    "Stream",
    "Track",
]
