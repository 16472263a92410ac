"""Networks: what connects hosts and NATs."""

from collections.abc import Callable

from tests.netem.link import Conditions, Datagram, Link
from tests.netem.world import World

Deliver = Callable[[Datagram], object]


class Access:
    """Where a host or a NAT is attached to a network: a link each way.

    Attributes:
        up: into the network.
        down: out of it.
    """

    def __init__(self, up: Link, down: Link) -> None:
        self.up = up
        self.down = down

    @property
    def links(self) -> tuple[Link, Link]:
        """Both links."""
        return self.up, self.down

    def change(self, **properties: float | bool) -> None:
        """Set properties of `Conditions` for both directions.

        Raises:
            AttributeError: for one that there is not.
        """
        for link in self.links:
            for name, value in properties.items():
                setattr(link.conditions, name, value)


class Network:
    """Carries each datagram to where its destination's IP address is attached.

    The network itself takes no time; the links of its accesses do.

    Attributes:
        unrouted: datagrams dropped because nobody has their address.
    """

    def __init__(self, world: World, name: str = "internet") -> None:
        self.world = world
        self.name = name
        self.unrouted = 0
        self._routes: dict[str, Link] = {}
        self._default: Deliver | None = None

    def attach(
        self,
        name: str,
        addresses: tuple[str, ...],
        deliver: Deliver,
        up: Conditions | None = None,
        down: Conditions | None = None,
    ) -> Access:
        """Attach somebody.

        Args:
            name: unique in this world; the links' randomness depends on it.
            addresses: IP addresses to be routed there.
            deliver: is called with what arrives.
            up: conditions of the way into the network.
            down: conditions of the way out of it.

        Raises:
            ValueError: when an address is in use.
        """
        access = Access(
            Link(self.world, f"{name} up", self.route, up),
            Link(self.world, f"{name} down", deliver, down),
        )
        for address in addresses:
            self.add_address(address, access)
        return access

    def add_address(self, address: str, access: Access) -> None:
        """Route one more IP address to an access.

        Raises:
            ValueError: when it is in use.
        """
        if address in self._routes:
            raise ValueError(f"{address} is in use")
        self._routes[address] = access.down

    def remove_address(self, address: str) -> None:
        """Route an IP address nowhere.

        Raises:
            KeyError: when it is not in use.
        """
        del self._routes[address]

    def set_default_route(self, deliver: Deliver) -> None:
        """Say who takes datagrams to unknown addresses."""
        self._default = deliver

    def route(self, datagram: Datagram) -> None:
        """Carry a datagram, whoever sent it: its source may be forged."""
        link = self._routes.get(datagram.destination[0])
        if link is not None:
            link.send(datagram)
        elif self._default is not None:
            self._default(datagram)
        else:
            self.unrouted += 1
