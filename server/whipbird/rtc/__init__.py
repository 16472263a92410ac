"""WebRTC peers: aiortc's interfaces on the transport of this project.

aiortc's classes are the interface: ``Peer`` is an ``RTCPeerConnection``, its channels
are ``RTCDataChannel``. All their public members are overridden, and no private member
is touched.
"""

from ..transport.certificate import Certificate
from ..transport.peer_transport import EndCause
from .channels import MessageHandler
from .connection import Port
from .data_channel import DataChannel
from .egress import Egress
from .feed import Feed
from .forwarder import Forwarder
from .layer import Layer
from .peer import LocalIce, Peer, PeerOptions
from .receiver import Receiver

__all__ = [
    "Certificate",
    "DataChannel",
    "Egress",
    "EndCause",
    "Feed",
    "Forwarder",
    "Layer",
    "LocalIce",
    "MessageHandler",
    "Peer",
    "PeerOptions",
    "Port",
    "Receiver",
]
