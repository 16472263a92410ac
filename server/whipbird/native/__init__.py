"""The compiled packet path, where it is built: the same as in Python, faster."""

from .compiled import Outlet, Socket, SrtpSender
from .native import INTERFACE, Native, NativeError, find_native

__all__ = [
    "INTERFACE",
    "Native",
    "NativeError",
    "Outlet",
    "Socket",
    "SrtpSender",
    "find_native",
]
