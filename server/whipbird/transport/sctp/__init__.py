"""SCTP over DTLS, and the data channels in it, without I/O (RFC 8831)."""

from .association import Association
from .channel import ChannelOptions, ChannelState, DataChannel
from .channels import (
    MAX_NAMES,
    PPID_BINARY,
    PPID_BINARY_EMPTY,
    PPID_DCEP,
    PPID_STRING,
    PPID_STRING_EMPTY,
)
from .handshake import AssociationState
from .reassembly import DEFAULT_WINDOW, MAX_MESSAGE_SIZE, MAX_STREAMS
from .sinks import AssociationSinks

__all__ = [
    "DEFAULT_WINDOW",
    "MAX_MESSAGE_SIZE",
    "MAX_NAMES",
    "MAX_STREAMS",
    "PPID_BINARY",
    "PPID_BINARY_EMPTY",
    "PPID_DCEP",
    "PPID_STRING",
    "PPID_STRING_EMPTY",
    "Association",
    "AssociationSinks",
    "AssociationState",
    "ChannelOptions",
    "ChannelState",
    "DataChannel",
]
