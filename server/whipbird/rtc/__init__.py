"""WebRTC peers on aiortc.

The only room that touches aiortc's and aioice's private parts, overriding them in as
few places as possible. Every override has a test that fails when aiortc changes.
"""

from .addresses import HostAddresses
from .certificate import Certificate
from .egress import Egress
from .feed import Feed
from .forwarder import Forwarder
from .peer import DataChannel, LocalIce, MessageHandler, Peer, PeerOptions
from .received_encoding import Encoding
from .receiver import Receiver

__all__ = [
    "Certificate",
    "DataChannel",
    "Egress",
    "Encoding",
    "Feed",
    "Forwarder",
    "HostAddresses",
    "LocalIce",
    "MessageHandler",
    "Peer",
    "PeerOptions",
    "Receiver",
]
