"""The sockets of the process: one UDP port, and TCP, for all sessions."""

from .addresses import HostAddresses
from .dispatcher import Dispatcher
from .ice_tcp import IceTcp, TcpStats
from .neighbours import Neighbours
from .route import Endpoint
from .shard import Shard, Sharing
from .udp_port import PortInUse, UdpPort, UdpStats

__all__ = [
    "Dispatcher",
    "Endpoint",
    "HostAddresses",
    "IceTcp",
    "Neighbours",
    "PortInUse",
    "Shard",
    "Sharing",
    "TcpStats",
    "UdpPort",
    "UdpStats",
]
