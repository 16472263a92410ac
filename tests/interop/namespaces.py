"""An internet of the tests' own: network namespaces, joined by veth pairs.

    server ── router ── internet ─┬─ client
                                  └─ home ── laptop

``router`` has the layout of a container engine: it forwards one UDP and one TCP port
of its public address to the server, masquerades what goes out, and drops the rest.
``home`` masquerades with a random port for every flow: like a symmetric NAT.

Interfaces, routes and rules are made inside the namespaces only. All of them are
removed at the end, and what a killed run has left is removed by the next.
"""

import json
from types import TracebackType
from typing import Self

from .namespace import Namespace, run
from .program import Program

# RFC 5737, RFC 2544 and RFC 1918: addresses that belong to nobody.
SERVER = "172.30.0.2"
PUBLIC = "203.0.113.10"
CLIENT = "198.51.100.10"
HOME = "198.18.0.10"
OTHER_HOME = "198.18.0.11"
LAPTOP = "10.0.0.2"
PORT = 8080
URL = f"http://{PUBLIC}:{PORT}"

ROUTER_RULES = f"""
table ip whipbird {{
    set sources {{ type ipv4_addr . inet_service; flags dynamic; size 1024; }}
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        iifname outside ip daddr {PUBLIC} udp dport {PORT} dnat to {SERVER}
        iifname outside ip daddr {PUBLIC} tcp dport {PORT} dnat to {SERVER}
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname outside masquerade
    }}
    chain forward {{
        type filter hook forward priority filter; policy drop;
        iifname outside udp dport {PORT} update @sources {{ ip saddr . udp sport }}
        ct state established,related accept
        iifname inside accept
        ct status dnat accept
    }}
    chain input {{
        type filter hook input priority filter; policy drop;
        meta l4proto tcp reject with tcp reset
    }}
}}
"""

HOME_RULES = """
table ip whipbird {
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname outside masquerade random,fully-random
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname inside accept
    }
    chain input { type filter hook input priority filter; policy drop; }
}
"""


class Internet:
    """All of it. ``start_server`` runs the server.

    Attributes:
        server, router, client, home, laptop: the namespaces.
    """

    def __init__(self) -> None:
        self._made: list[Namespace] = []
        try:
            self._make()
        except BaseException:
            self._remove()
            raise

    def _make(self) -> None:
        self.server, self.router = self._add("server"), self._add("router")
        self.client, self.laptop = self._add("client"), self._add("laptop")
        self.home, internet = self._add("home"), self._add("internet")
        internet.join("router", self.router, "outside")
        internet.join("client", self.client, "outside")
        internet.join("home", self.home, "outside")
        self.router.join("inside", self.server, "outside")
        self.home.join("inside", self.laptop, "outside")
        for namespace in (internet, self.router, self.home):
            namespace.forward()
        internet.address("router", "203.0.113.1")
        internet.address("client", "198.51.100.1")
        internet.address("home", "198.18.0.1")
        self.router.address("inside", "172.30.0.1")
        self.router.address("outside", PUBLIC, "203.0.113.1")
        self.server.address("outside", SERVER, "172.30.0.1")
        self.client.address("outside", CLIENT, "198.51.100.1")
        self.home.address("inside", "10.0.0.1")
        self.home.address("outside", HOME, "198.18.0.1")
        self.laptop.address("outside", LAPTOP, "10.0.0.1")
        self.router.nft(ROUTER_RULES)
        self.home.nft(HOME_RULES)

    def _add(self, role: str) -> Namespace:
        made = Namespace(role)
        self._made.append(made)
        return made

    def _remove(self) -> None:
        while self._made:
            self._made.pop().remove()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            for namespace in self._made:
                await namespace.end()
        finally:
            self._remove()

    async def start_server(self, *options: str) -> Program:
        """Run the server, and wait until it listens."""
        server = await self.server.whipbird(
            *("serve", "--host", "0.0.0.0", "--open", "--port", str(PORT)),
            *options,
        )
        await server.writes("Press Ctrl+C to stop.")
        return server

    def forget_mappings(self) -> None:
        """Have the NAT at home lose its link for a moment, and all of its mappings."""
        self.home.ip(
            "link set outside down",
            "link set outside up",
            "route replace default via 198.18.0.1",
        )

    def change_address(self) -> None:
        """Give the NAT at home another public address; its mappings are lost."""
        self.home.ip(f"addr del {HOME}/24 dev outside")
        self.home.address("outside", OTHER_HOME, "198.18.0.1")

    def sources(self) -> set[tuple[str, int]]:
        """The addresses and ports from which datagrams came to the server's port."""
        listed = run(
            *("ip", "netns", "exec", self.router.name),
            *("nft", "-j", "list", "set", "ip", "whipbird", "sources"),
        )
        found = next(part["set"] for part in json.loads(listed)["nftables"][1:])
        elements = [element["concat"] for element in found.get("elem", [])]
        return {(address, int(port)) for address, port in elements}

    def udp_ports(self) -> list[int]:
        """The ports of all UDP sockets of the server's namespace."""
        shown = run(
            *("ip", "netns", "exec", self.server.name),
            *("cat", "/proc/net/udp", "/proc/net/udp6"),
        )
        rows = [line.split() for line in shown.splitlines()]
        return [int(row[1].rpartition(":")[2], 16) for row in rows if row[0] != "sl"]
