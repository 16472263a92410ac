"""The networks, what clients are to find in them, and how they fare."""

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from playwright.async_api import Playwright

from tests.interop import firefox
from tests.interop.npm import Cache

from . import world as at
from .browsers import DOCUMENT, Page, act, act_moving, chromium_page
from .cells import ACTIONS, Cell, from_json
from .world import PORT, World

Client = Literal["Chromium", "Firefox", "ours"]


@dataclass(frozen=True, slots=True)
class Network:
    """A row of the matrix.

    Attributes:
        name: what there is between the client and the server.
        place: the client's namespace.
        server: the server's.
        host: by which the client reaches it over HTTP.
        addresses: those of which one must be the server's end of the path.
        protocol, relayed: what the path must be.
        source: from which UDP must have come to the server; empty where none may have
            come from the client's own address.
        client: which one.
        moves: whether the client's address changes meanwhile.
        within: seconds in which it must be connected.
    """

    name: str
    place: str
    server: str
    host: str
    addresses: tuple[str, ...]
    source: str
    protocol: str = "udp"
    relayed: bool = False
    client: Client = "ours"
    moves: bool = False
    within: float = 15.0

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{PORT}"

    def mismatch(self, cell: Cell, sources: Collection[str]) -> str:
        """What of a cell is not as this network makes it; empty if all is.

        Args:
            sources: from which UDP has come to the server.
        """
        if cell.problem:
            return cell.problem
        if cell.connected is None or not 0 < cell.connected < self.within:
            return f"connected in {cell.connected} s"
        if (cell.protocol, cell.relayed) != (self.protocol, self.relayed):
            return f"the path is {cell.protocol}, relayed: {cell.relayed}"
        if cell.address not in self.addresses:
            return f"the server is at {cell.address}"
        if self.source and self.source not in sources:
            return f"no UDP came from {self.source}, but from {sources}"
        if not self.source and set(at.CLIENTS[self.place]) & set(sources):
            return f"UDP came from {sources}"
        return ""


# Seconds in which a browser is to find out by itself that only TCP gets through.
TCP_LIMIT = 3.0

_BOTH = (at.SERVED4, at.SERVED6)

NETWORKS = (
    Network(
        "open, IPv4 and IPv6",
        *("open", "served", at.SERVED4, _BOTH, at.CLIENTS["open"][1]),
        client="Chromium",
    ),
    Network(
        "server behind a 1:1 NAT (`--public-address`)",
        *("natted", "inside", at.ROUTER, (at.ROUTER,), at.CLIENTS["natted"][0]),
    ),
    Network(
        "client behind a symmetric NAT that lets out HTTP and TURN only",
        *("desk", "guarded", at.GUARDED, (at.GUARDED,), at.RELAY),
        relayed=True,
        client="Chromium",
    ),
    Network(
        "UDP blocked",
        *("blocked", "served", at.SERVED4, (at.SERVED4,), ""),
        protocol="tcp",
        within=TCP_LIMIT,
        client="Chromium",
    ),
    Network(
        "UDP blocked",
        *("blocked", "served", at.SERVED4, (at.SERVED4,), ""),
        protocol="tcp",
        within=TCP_LIMIT,
        client="Firefox",
    ),
    Network(
        "IPv6 only",
        *("ipv6", "served", at.SERVED6, (at.SERVED6,), at.CLIENTS["ipv6"][0]),
    ),
    Network(
        "IPv4 and IPv6, of which IPv4 is broken",
        *("broken4", "served", at.SERVED6, (at.SERVED6,), at.CLIENTS["broken4"][1]),
    ),
    Network(
        "IPv4 and IPv6, of which IPv6 is broken",
        *("broken6", "served", at.SERVED4, (at.SERVED4,), at.CLIENTS["broken6"][0]),
    ),
    Network(
        f"an MTU of {at.MTU}, over IPv6, and no word of it",
        *("narrow", "served", at.SERVED6, (at.SERVED6,), at.CLIENTS["narrow"][0]),
    ),
    Network(
        "symmetric NAT, whose address changes meanwhile",
        *("laptop", "served", at.SERVED4, (at.SERVED4,), at.OTHER_HOME),
        client="Chromium",
        moves=True,
    ),
    Network(
        "hairpin: client and server behind one NAT",
        *("beside", "inside", at.ROUTER, (at.ROUTER,), "172.30.0.1"),
    ),
)


async def run(
    network: Network,
    world: World,
    playwright: Playwright,
    cache: Cache | None,
) -> dict[str, Cell]:
    """Do everything in a network.

    Returns:
        How it went, by action. What is not as the network makes it is a problem.
    """
    if network.client == "ours":
        cells = await _run_ours(network, world)
    else:
        async with _page(network, world, playwright, cache) as page:
            if network.moves:
                cells = await act_moving(page, world.change_address)
            else:
                cells = await act(page)
    sources = world.sources(network.server)
    return {
        action: cells[action].replace(problem=network.mismatch(cells[action], sources))
        for action in ACTIONS
    }


async def _run_ours(network: Network, world: World) -> dict[str, Cell]:
    client = await world[network.place].python(
        "-m", "tests.networks.client", network.url
    )
    assert await client.ended() == 0, client.output
    return from_json(client.result)


@asynccontextmanager
async def _page(
    network: Network,
    world: World,
    playwright: Playwright,
    cache: Cache | None,
) -> AsyncIterator[Page]:
    """A page of the server's in the client's browser."""
    place = world[network.place].name
    async with AsyncExitStack() as stack:
        if network.client == "Chromium":
            yield await stack.enter_async_context(
                chromium_page(playwright, place, network.url)
            )
        else:
            browser = await stack.enter_async_context(firefox.running(cache, place))
            page = browser.page()
            await page.open(f"{network.url}{DOCUMENT}")
            yield page
