"""Servers, clients and what is between them, in network namespaces.

    served ───────────┐            ┌─ open, natted, blocked, narrow
    guarded, relay ───┤            ├─ ipv6, broken4, broken6
                      ├─ internet ─┤
    inside ─┐         │            ├─ home ── laptop
            ├─ router ┘            └─ office ── desk
    beside ─┘

Each machine on the internet has a cable of its own. The servers' machines let in one
TCP and one UDP port of one number, and nothing else. All of it is made inside the
namespaces, and removed at the end.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.interop.namespace import Namespace
from tests.interop.program import Program
from tests.media_files import noise, write_media
from tests.waiting import until

# RFC 5737, RFC 2544, RFC 3849 and RFC 1918: addresses that belong to nobody.
SERVED4, SERVED6 = "203.0.113.20", "2001:db8::20"
GUARDED, RELAY = "203.0.113.40", "203.0.113.30"
ROUTER, INSIDE, BESIDE = "203.0.113.10", "172.30.0.2", "172.31.0.2"
HOME, OTHER_HOME, LAPTOP = "198.18.0.10", "198.18.0.11", "10.0.0.2"
OFFICE, DESK = "198.18.0.20", "10.1.0.2"
CLIENTS = {
    "open": ("198.51.100.10", "2001:db8:1::10"),
    "natted": ("198.51.100.11",),
    "blocked": ("198.51.100.12",),
    "ipv6": ("2001:db8:1::13",),
    "broken4": ("198.51.100.14", "2001:db8:1::14"),
    "broken6": ("198.51.100.15", "2001:db8:1::15"),
    "narrow": ("2001:db8:1::16",),
}
_GATEWAY4, _GATEWAY6 = "192.0.2.1", "fe80::1"

PORT, RELAY_PORT = 8080, 3478
SECRET = "north-wind"
MTU = 1280

# What all viewers watch, in pixels.
STREAM = "show"
SIZE = (320, 240)

# One TCP and one UDP port of one number get in: no echo requests, and no word from
# routers that something was too large. Neighbour discovery is to IPv6 what ARP is.
SERVER_RULES = f"""
table inet whipbird {{
    set sources4 {{ type ipv4_addr; flags dynamic; size 1024; }}
    set sources6 {{ type ipv6_addr; flags dynamic; size 1024; }}
    chain input {{
        type filter hook input priority filter; policy drop;
        iifname lo accept
        udp dport {PORT} update @sources4 {{ ip saddr }}
        udp dport {PORT} update @sources6 {{ ip6 saddr }}
        udp dport {PORT} accept
        tcp dport {PORT} accept
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
    }}
}}
"""

# A NAT of one public and one private address, as clouds have it. What the machine
# beside sends to the public address comes back in; another way there is not.
ROUTER_RULES = f"""
table ip whipbird {{
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        ip daddr {ROUTER} dnat to {INSIDE}
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        iifname beside oifname inside masquerade
        oifname outside ip saddr {INSIDE} snat to {ROUTER}
        oifname outside masquerade
    }}
    chain forward {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        ct status dnat accept
        oifname outside accept
    }}
}}
"""


def symmetric(allowed: str) -> str:
    """The rules of a NAT that uses another random port for each destination.

    Args:
        allowed: what may leave.
    """
    return f"""
table ip whipbird {{
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname outside masquerade random,fully-random
    }}
    chain forward {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname inside {allowed} accept
    }}
}}
"""


HOME_RULES = symmetric("meta l4proto { tcp, udp }")
# HTTP, and UDP to relays.
OFFICE_RULES = symmetric(
    f"meta l4proto . th dport {{ tcp . {PORT}, udp . {RELAY_PORT} }}"
)

# UDP does not leave the client, nor come to it.
NO_UDP = """
table inet blocked {
    chain output {
        type filter hook output priority filter;
        oifname != lo meta l4proto udp drop
    }
    chain input {
        type filter hook input priority filter;
        iifname != lo meta l4proto udp drop
    }
}
"""

# One family of addresses that looks as if it worked.
BROKEN_RULES = """
table inet broken {
    chain forward {
        type filter hook forward priority filter;
        iifname broken4 meta nfproto ipv4 drop
        oifname broken4 meta nfproto ipv4 drop
        iifname broken6 meta nfproto ipv6 drop
        oifname broken6 meta nfproto ipv6 drop
    }
}
"""


class World:
    """All namespaces, by their names in the picture above; ``open_world`` makes it."""

    def __init__(self) -> None:
        self._namespaces: dict[str, Namespace] = {}
        try:
            self._make()
        except BaseException:
            self.remove()
            raise

    def __getitem__(self, name: str) -> Namespace:
        return self._namespaces[name]

    def add(self, name: str) -> Namespace:
        """Make one more namespace, joined with nothing."""
        made = self._namespaces[name] = Namespace(name)
        return made

    def _make(self) -> None:
        internet = self.add("internet")
        internet.forward()
        internet.nft(BROKEN_RULES)
        self.add_host("served", SERVED4, SERVED6).nft(SERVER_RULES)
        self.add_host("guarded", GUARDED).nft(SERVER_RULES)
        self.add_host("relay", RELAY)
        for name, addresses in CLIENTS.items():
            self.add_host(name, *addresses)
        self["blocked"].nft(NO_UDP)
        for where, interface in ((internet, "narrow"), (self["narrow"], "outside")):
            where.ip(f"link set {interface} mtu {MTU}")
        router = self.add_host("router", ROUTER)
        self._add_behind(router, "inside", INSIDE, "inside").nft(SERVER_RULES)
        self._add_behind(router, "beside", BESIDE, "beside")
        router.nft(ROUTER_RULES)
        home = self.add_host("home", HOME, OTHER_HOME)
        self._add_behind(home, "laptop", LAPTOP, "inside")
        home.nft(HOME_RULES)
        home.ip(f"addr del {OTHER_HOME}/32 dev outside")
        office = self.add_host("office", OFFICE)
        self._add_behind(office, "desk", DESK, "inside")
        office.nft(OFFICE_RULES)

    def add_host(self, name: str, *addresses: str) -> Namespace:
        """Add a machine, or a router, that is directly on the internet."""
        host, internet = self.add(name), self["internet"]
        internet.join(name, host, "outside")
        for where, interface in ((internet, name), (host, "outside")):
            # No address appears later: browsers drop what they load when one does.
            where.ip(f"link set {interface} addrgenmode none up")
        internet.ip(
            f"addr add {_GATEWAY4}/32 dev {name}",
            f"addr add {_GATEWAY6}/64 dev {name} nodad",
        )
        for address in addresses:
            if ":" in address:
                internet.ip(f"route add {address}/128 dev {name}")
                host.ip(
                    f"addr add {address}/128 dev outside nodad",
                    f"route replace default via {_GATEWAY6} dev outside",
                )
            else:
                internet.ip(f"route add {address}/32 dev {name}")
                host.ip(f"addr add {address}/32 dev outside")
                _route_out(host)
        return host

    def _add_behind(
        self, router: Namespace, name: str, address: str, interface: str
    ) -> Namespace:
        """Add a machine behind a router, on an interface of that."""
        host = self.add(name)
        router.forward()
        router.join(interface, host, "outside")
        for where, its in ((router, interface), (host, "outside")):
            where.ip(f"link set {its} addrgenmode none")
        gateway = address.rpartition(".")[0] + ".1"
        router.address(interface, gateway)
        host.address("outside", address, gateway)
        return host

    def change_address(self) -> None:
        """Give the NAT at home another public address; its mappings are lost."""
        home = self["home"]
        home.ip(
            f"addr add {OTHER_HOME}/32 dev outside",
            f"addr del {HOME}/32 dev outside",
            "link set outside down",
            "link set outside up",
        )
        _route_out(home)

    def sources(self, server: str) -> set[str]:
        """The addresses from which datagrams have come to a server's port."""
        found: set[str] = set()
        for name in ("sources4", "sources6"):
            listed = self[server].run(
                "nft", "-j", "list", "set", "inet", "whipbird", name
            )
            made = next(part["set"] for part in json.loads(listed)["nftables"][1:])
            found |= set(made.get("elem", []))
        return found

    async def start_server(self, name: str, host: str, *options: str) -> Program:
        """Run a server, and wait until it listens."""
        server = await self[name].whipbird(
            *("serve", "--host", host, "--open", "--port", str(PORT)),
            *("--post-rate", "0", "--delete-rate", "0", *options),
        )
        await server.writes("Press Ctrl+C to stop.")
        return server

    async def end(self) -> None:
        """End all processes."""
        await asyncio.gather(*(made.end() for made in self._namespaces.values()))

    def remove(self) -> None:
        """Remove the namespaces, and with them all that was in them."""
        while self._namespaces:
            self._namespaces.popitem()[1].remove()


def _route_out(host: Namespace) -> None:
    host.ip(
        f"route replace {_GATEWAY4}/32 dev outside",
        f"route replace default via {_GATEWAY4} dev outside",
    )


@asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    """Make it, run the servers in it, each with a stream, and remove it when done.

    Raises:
        AssertionError: at the end, when a server has failed in any way.
    """
    world = World()
    try:
        servers = await _start(world, folder)
        yield world
        for server in servers:
            assert await server.stop() == 0, server.output
            assert "Traceback" not in server.output, server.output
    finally:
        try:
            await world.end()
        finally:
            world.remove()


async def _start(world: World, folder: Path) -> list[Program]:
    """Start the servers, the relay, and who publishes to each server."""
    film = await asyncio.to_thread(_write_film, folder / "film.webm")
    turn = f"turn:{RELAY}:{RELAY_PORT}?transport=udp"
    *servers, _ = await asyncio.gather(
        world.start_server("served", "::"),
        world.start_server("inside", "0.0.0.0", "--public-address", ROUTER),
        world.start_server(
            *("guarded", "0.0.0.0", "--no-ice-tcp"),
            *("--ice-server", turn, "--turn-secret", SECRET),
        ),
        _start_relay(world["relay"], folder),
    )
    for name in ("served", "inside", "guarded"):
        await world[name].whipbird(
            "publish", str(film), f"http://127.0.0.1:{PORT}/whip/{STREAM}", "--loop"
        )
    return servers


def _write_film(path: Path) -> Path:
    """Noise, of which each key frame fills many packets."""
    return write_media(path, "libvpx", "libopus", frames=60, picture=noise(*SIZE))


async def _start_relay(namespace: Namespace, folder: Path) -> Program:
    """Run coturn, and wait until it listens."""
    relay = await namespace.start(
        *("turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout"),
        *(f"--listening-ip={RELAY}", f"--relay-ip={RELAY}"),
        *(f"--listening-port={RELAY_PORT}", "--simple-log", "--realm=whipbird"),
        *("--use-auth-secret", f"--static-auth-secret={SECRET}"),
        *(f"--pidfile={folder / 'turn.pid'}", f"--userdb={folder / 'turn.db'}"),
    )
    sockets = Path(f"/proc/{relay.pid}/net/udp")
    # It is silent about it on a pipe.
    await until(lambda: f":{RELAY_PORT:04X} " in sockets.read_text())
    return relay
