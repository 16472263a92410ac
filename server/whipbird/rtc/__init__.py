"""WebRTC peers on aiortc.

The only room that touches aiortc's and aioice's private parts, overriding them in as
few places as possible. Every override has a test that fails when aiortc changes.
"""

from .addresses import HostAddresses
from .certificate import Certificate
from .peer import DataChannel, LocalIce, MessageHandler, Peer, PeerOptions

__all__ = [
    "Certificate",
    "DataChannel",
    "HostAddresses",
    "LocalIce",
    "MessageHandler",
    "Peer",
    "PeerOptions",
]
