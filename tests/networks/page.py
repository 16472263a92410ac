"""docs/networks.md: every network, and how clients fare in it.

``make networks`` writes it; a test sees that no network is missing in it.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright

from tests.interop.namespace import why_impossible
from tests.interop.npm import TestsCache
from tests.server import ROOT

from .browsers import ENOUGH
from .cells import ACTIONS, Cell
from .matrix import NETWORKS, Network, run
from .world import open_world

PATH = ROOT / "docs" / "networks.md"

_HEAD = """\
# Networks

In which networks clients reach Whipbird, and how long it takes from the POST to the
connection. `make networks` writes this page; `tests/networks/test_matrix.py` tries the
same in every run of the tests. The networks are made of Linux network namespaces: real
packets, and nftables for the NATs and firewalls. The cables are short, so a network's
own round trips come on top.

The server's machine lets in **one TCP port and one UDP port of one number**, and
nothing else: no echo requests, and no ICMP that says that a packet was too large.

- **ping**: messages of one packet and of many, on a data channel; each comes back.
- **publish**: the server has got pictures of the right size.
- **watch**: pictures of another publisher's stream are decoded, or shown.
- **restart**: ICE restarts, and messages go on in the same data channel.
"""

_TAIL = """\
## What is between them

- **1:1 NAT**: the server has a private address, and is started with
  `--public-address`.
- **TURN**: Debian's coturn. The server is started with `--turn-secret`, `--ice-server`
  and, so that there is no other way, `--no-ice-tcp`. The page and players get their
  credentials in `Link` headers. `whipbird ping` and `publish` do not use TURN.
- **UDP blocked**: browsers find the TCP port by themselves. In Firefox,
  `media.peerconnection.ice.tcp` is on by default. `whipbird ping` and `publish` need
  UDP.
- **Broken family**: what is sent to its addresses vanishes, without an error.
- **MTU**: the client's link takes 1,280 octets, the least that IPv6 allows. A viewer
  gets packets as large as the publisher's. Browsers and `whipbird publish` keep within
  1,280 octets. Streams of publishers with larger packets (aiortc: 1,300 octets of
  payload) are not seen through such a link, unless ICMP gets through.
- **Changing address**: the NAT loses its mappings, and gets another public address.
  *15 more* is the time until so many more echoes, frames or pictures have come, some of
  which were on their way: browsers check their path every few seconds. A restart need
  not wait for that.
- **Hairpin**: the router sends back in what a machine behind it sends to its public
  address. There is no direct way.

The server listens on all addresses of IPv4 and IPv6 with `--host ::`.
"""


def table(outcomes: dict[Network, dict[str, Cell]]) -> str:
    """The table of all networks."""
    lines = [
        f"| network | client | path | {' | '.join(ACTIONS)} |",
        f"|---|---|---|{'---|' * len(ACTIONS)}",
    ]
    for network, cells in outcomes.items():
        client = "`whipbird`" if network.client == "ours" else network.client
        row = (text(action, cells[action]) for action in ACTIONS)
        lines.append(
            f"| {network.name} | {client} | {way(network)} | {' | '.join(row)} |"
        )
    return "\n".join(lines)


def text(action: str, cell: Cell) -> str:
    """What the table says of one action."""
    if cell.problem:
        return f"**no**: {cell.problem}"
    assert cell.connected is not None
    parts = [f"{cell.connected * 1000:.0f} ms"]
    if cell.went_on is not None and action == "restart":
        parts.append(f"restarted in {cell.went_on * 1000:.0f} ms")
    elif cell.went_on is not None:
        parts.append(f"{ENOUGH} more after {cell.went_on:.1f} s")
    return ", ".join(parts)


def way(network: Network) -> str:
    """How the client's datagrams travel."""
    protocol = network.protocol.upper()
    return f"{protocol} by TURN" if network.relayed else protocol


async def try_all() -> dict[Network, dict[str, Cell]]:
    """Try every network, one after the other."""
    outcomes, cache = {}, TestsCache()
    with tempfile.TemporaryDirectory() as folder:
        async with open_world(Path(folder)) as world, async_playwright() as playwright:
            for network in NETWORKS:
                outcomes[network] = await run(network, world, playwright, cache)
    return outcomes


def main() -> int:
    """Write the page, and return the exit status: 1 when something does not work."""
    if reason := why_impossible():
        print(f"No networks: {reason}", file=sys.stderr)  # noqa: T201
        return 1
    outcomes = asyncio.run(try_all())
    PATH.write_text("\n".join([_HEAD, table(outcomes), "", _TAIL]))
    cells = [cell for row in outcomes.values() for cell in row.values()]
    return int(any(cell.problem for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
