"""Whipbird: a WebRTC media server that speaks WHIP (RFC 9725) and echoes.

Applications on live data and media begin here: see ``Application``. Its names are
loaded when they are first used, so that importing the package costs nothing.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .apps import Application as Application
    from .apps import Channel as Channel
    from .apps import ChannelClosed as ChannelClosed
    from .apps import EncodedFrame as EncodedFrame
    from .apps import MessageTooLarge as MessageTooLarge
    from .apps import NoEncoder as NoEncoder
    from .apps import Server as Server
    from .apps import Session as Session
    from .apps import Source as Source
    from .apps import SourceClosed as SourceClosed
    from .apps import Stream as Stream
    from .apps import Track as Track

__version__ = version("whipbird")

_OF_APPS = frozenset(
    {
        *("Application", "Channel", "ChannelClosed", "MessageTooLarge"),
        *("EncodedFrame", "NoEncoder", "Server", "Session", "Source", "SourceClosed"),
        *("Stream", "Track"),
    }
)


def __getattr__(name: str) -> Any:
    if name not in _OF_APPS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import apps

    return getattr(apps, name)
