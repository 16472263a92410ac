"""Network address translators (RFC 4787)."""

from enum import Enum

from tests.netem.link import Conditions, Datagram
from tests.netem.network import Access, Network
from whipbird.transport.path import Address

PORTS = range(32768, 61000)


class Dependence(Enum):
    """What of the remote end a NAT's mapping or filter depends on (RFC 4787)."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS = "address-dependent"
    ADDRESS_AND_PORT = "address-and-port-dependent"

    def part_of(self, remote: Address) -> tuple[str, int] | None:
        """The part of a remote address that matters."""
        if self is Dependence.ENDPOINT_INDEPENDENT:
            return None
        return (remote[0], 0 if self is Dependence.ADDRESS else remote[1])


ENDPOINT_INDEPENDENT = Dependence.ENDPOINT_INDEPENDENT
ADDRESS = Dependence.ADDRESS
ADDRESS_AND_PORT = Dependence.ADDRESS_AND_PORT


class _Mapping:
    __slots__ = ("expires", "inside", "part", "permitted", "port")

    def __init__(self, inside: Address, part: Address | None, port: int) -> None:
        self.inside = inside
        self.part = part
        self.port = port
        self.expires = 0.0
        # Parts of remote addresses, and until when they may send.
        self.permitted: dict[Address | None, float] = {}


class Nat:
    """A NAT between a network of its own and another one. It does not hairpin.

    Attributes:
        inside: the network behind it, to which hosts are attached.
        access: where it is attached outside.
        public_address: what the sources of datagrams are translated to.
        mapping: what a mapping depends on (section 4.1).
        filtering: what may come in (section 5).
        timeout: seconds for which a mapping lives after it was last used by a datagram
            to the outside (section 4.3).
        refused: datagrams from outside without a mapping, or filtered.
        hairpins: datagrams from inside to the public address.
        exhausted: datagrams from inside for which no port was free.
    """

    def __init__(
        self,
        outside: Network,
        name: str,
        public_address: str,
        *,
        mapping: Dependence = ENDPOINT_INDEPENDENT,
        filtering: Dependence = ADDRESS_AND_PORT,
        timeout: float = 120.0,
        ports: range = PORTS,
        up: Conditions | None = None,
        down: Conditions | None = None,
    ) -> None:
        self.public_address = public_address
        self.mapping = mapping
        self.filtering = filtering
        self.timeout = timeout
        self.refused = 0
        self.hairpins = 0
        self.exhausted = 0
        self._world = outside.world
        self._outside = outside
        self._ports = ports
        self._rng = self._world.derive_rng(f"nat {name}")
        self._by_port: dict[int, _Mapping] = {}
        self._by_inside: dict[tuple[Address, Address | None], _Mapping] = {}
        self._forwards: dict[int, Address] = {}
        self._retired: set[int] = set()
        self.inside = Network(self._world, f"inside {name}")
        self.inside.set_default_route(self._go_out)
        self.access: Access = outside.attach(
            f"{name} {outside.name}", (public_address,), self._come_in, up, down
        )

    # What a test does to it

    def forward(self, port: int, inside: Address) -> None:
        """Give a public port to an inside address for good (DNAT).

        Anybody may send there, and what the inside address sends has that source.
        """
        self._forwards[port] = inside

    def rebind(self, public_address: str | None = None) -> None:
        """Forget all mappings, so that all get new ports.

        Args:
            public_address: a new public address, if that changes too.
        """
        self._retired = set(self._by_port)
        self._by_port.clear()
        self._by_inside.clear()
        if public_address is not None:
            self._outside.remove_address(self.public_address)
            self._outside.add_address(public_address, self.access)
            self.public_address = public_address

    def public_addresses(self, inside: Address) -> list[Address]:
        """What an inside address is mapped to, the newest mapping last."""
        now = self._world.now
        ports = [p for p, forwarded in self._forwards.items() if forwarded == inside]
        ports += [
            mapping.port
            for mapping in self._by_port.values()
            if mapping.inside == inside and mapping.expires > now
        ]
        return [(self.public_address, port) for port in ports]

    def give_port(self, port: int, inside: Address) -> None:
        """Give a mapped port to another inside address: the address moves.

        Whom it belonged to gets another one with its next datagram. So does the new
        owner lose its mapping towards the same remote end.

        Raises:
            KeyError: when the port is not mapped.
        """
        mapping = self._by_port[port]
        del self._by_inside[mapping.inside, mapping.part]
        former = self._by_inside.get((inside, mapping.part))
        if former is not None:
            del self._by_port[former.port]
        mapping.inside = inside
        self._by_inside[inside, mapping.part] = mapping

    # Datagrams

    def _go_out(self, datagram: Datagram) -> None:
        source, destination, data = datagram
        if destination[0] == self.public_address:
            self.hairpins += 1
            return
        port = self._forwarded_port(source) or self._mapped_port(source, destination)
        if port is None:
            self.exhausted += 1
            return
        self.access.up.send(Datagram((self.public_address, port), destination, data))

    def _come_in(self, datagram: Datagram) -> None:
        source, (_, port, *_), data = datagram
        inside = self._forwards.get(port) or self._permitted(port, source)
        if inside is None:
            self.refused += 1
            return
        self.inside.route(Datagram(source, inside, data))

    def _forwarded_port(self, inside: Address) -> int | None:
        for port, forwarded in self._forwards.items():
            if forwarded == inside:
                return port
        return None

    def _mapped_port(self, inside: Address, remote: Address) -> int | None:
        now = self._world.now
        part = self.mapping.part_of(remote)
        mapping = self._by_inside.get((inside, part))
        if mapping is not None and mapping.expires <= now:
            self._remove(mapping)
            mapping = None
        if mapping is None:
            mapping = self._create(inside, part)
            if mapping is None:
                return None
        mapping.expires = now + self.timeout
        mapping.permitted[self.filtering.part_of(remote)] = mapping.expires
        return mapping.port

    def _permitted(self, port: int, remote: Address) -> Address | None:
        mapping = self._by_port.get(port)
        if mapping is None:
            return None
        until = mapping.permitted.get(self.filtering.part_of(remote), 0.0)
        return mapping.inside if until > self._world.now else None

    def _create(self, inside: Address, part: Address | None) -> _Mapping | None:
        port = self._free_port()
        if port is None:
            return None
        mapping = _Mapping(inside, part, port)
        self._by_port[port] = self._by_inside[inside, part] = mapping
        return mapping

    def _remove(self, mapping: _Mapping) -> None:
        del self._by_port[mapping.port]
        del self._by_inside[mapping.inside, mapping.part]

    def _free_port(self) -> int | None:
        """A random port; not one that was in use before a rebinding, if possible."""
        ports, spare = self._ports, None
        begin = self._rng.randrange(len(ports))
        for index in range(begin, begin + len(ports)):
            port = ports[index % len(ports)]
            if self._is_free(port):
                if port not in self._retired:
                    return port
                spare = spare or port
        return spare

    def _is_free(self, port: int) -> bool:
        if port in self._forwards:
            return False
        mapping = self._by_port.get(port)
        if mapping is None:
            return True
        if mapping.expires > self._world.now:
            return False
        self._remove(mapping)
        return True
