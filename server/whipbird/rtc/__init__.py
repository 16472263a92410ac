"""WebRTC peers: aiortc's interfaces on the transport of this project.

aiortc's classes are the interface: ``Peer`` is an ``RTCPeerConnection``, its channels
are ``RTCDataChannel``. All their public members are overridden, and no private member
is touched.
"""

from ..transport.certificate import Certificate
from ..transport.peer_sinks import EndCause
from .channels import MessageHandler
from .connection import Port
from .data_channel import DataChannel
from .egress import Egress
from .feed import Feed
from .forwarder import Forwarder, is_structure
from .peer import Peer
from .peer_connection import LocalIce, PeerOptions
from .received_encoding import Encoding
from .receiver import Receiver

__all__ = [
    "Certificate",
    "DataChannel",
    "Egress",
    "Encoding",
    "EndCause",
    "Feed",
    "Forwarder",
    "LocalIce",
    "MessageHandler",
    "Peer",
    "PeerOptions",
    "Port",
    "Receiver",
    "is_structure",
]
