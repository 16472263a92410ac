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
from .peer import Peer
from .peer_connection import LocalIce, PeerOptions
from .receiver import Receiver

__all__ = [
    "Certificate",
    "DataChannel",
    "EndCause",
    "LocalIce",
    "MessageHandler",
    "Peer",
    "PeerOptions",
    "Port",
    "Receiver",
]
