"""The sockets of the process: one UDP port, and TCP, for all sessions."""

from .addresses import HostAddresses
from .dispatcher import Dispatcher
from .ice_tcp import IceTcp, TcpStats
from .route import Endpoint
from .udp_port import PortInUse, UdpPort, UdpStats

__all__ = [
    "Dispatcher",
    "Endpoint",
    "HostAddresses",
    "IceTcp",
    "PortInUse",
    "TcpStats",
    "UdpPort",
    "UdpStats",
]
