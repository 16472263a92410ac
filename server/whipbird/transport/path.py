"""Where a datagram comes from and goes to."""

from typing import NamedTuple


class TcpAddress(NamedTuple):
    """An IP address and a TCP port; it never equals one of UDP."""

    host: str
    port: int
    protocol: str = "tcp"


class RelayAddress(NamedTuple):
    """An IP address and a UDP port of a TURN server, which relays them."""

    host: str
    port: int
    protocol: str = "relay"


Address = tuple[str, int] | TcpAddress | RelayAddress
"""An IP address and a port: of UDP, of TCP as a ``TcpAddress``, or relayed."""


class Path(NamedTuple):
    """The two ends of a datagram's way; both are of UDP, or both of TCP.

    On a TCP path a datagram is a frame of one connection (RFC 4571).

    Attributes:
        local: the address of this side's socket: the base of a candidate (RFC 8445
            section 5.1.1.1), never a translated address. A relayed address is its own
            base.
        remote: the address of the other side, as this side sees it.
    """

    local: Address
    remote: Address

    @property
    def is_tcp(self) -> bool:
        """Whether it is a TCP connection."""
        return isinstance(self.local, TcpAddress)
