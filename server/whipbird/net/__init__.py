"""The sockets of the process: one UDP port for all sessions, demultiplexed."""

from .addresses import HostAddresses
from .dispatcher import Dispatcher
from .route import Endpoint
from .udp_port import PortInUse, UdpPort, UdpStats

__all__ = [
    "Dispatcher",
    "Endpoint",
    "HostAddresses",
    "PortInUse",
    "UdpPort",
    "UdpStats",
]
