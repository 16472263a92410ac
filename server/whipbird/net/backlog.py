"""What waits for the network, over all sockets of the process."""

# Octets that wait for all destinations together; more are dropped.
MAX_TOTAL_BACKLOG = 64 * 1024 * 1024


class Backlog:
    """The datagrams of all sockets that wait for the network.

    Attributes:
        octets: their octets.
    """

    __slots__ = ("octets",)

    def __init__(self) -> None:
        self.octets = 0

    def has_room(self, length: int) -> bool:
        """Whether a datagram of this length may wait, too."""
        return self.octets + length <= MAX_TOTAL_BACKLOG
