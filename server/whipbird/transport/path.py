"""Where a datagram comes from and goes to."""

from typing import NamedTuple

Address = tuple[str, int]
"""An IP address and a port."""


class Path(NamedTuple):
    """The two ends of a datagram's way.

    Attributes:
        local: the address of this side's socket: the base of a candidate (RFC 8445
            section 5.1.1.1), never a translated address.
        remote: the address of the other side, as this side sees it.
    """

    local: Address
    remote: Address
