"""Every network, with everything that there is to do in it."""

import asyncio
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Playwright, async_playwright

from tests.e2e.browser import NoBrowserError
from tests.interop.namespace import namespaces, run, why_impossible

from .cells import ACTIONS, Cell
from .matrix import NETWORKS, Network
from .matrix import run as run_network
from .world import INSIDE, MTU, PORT, SERVER_RULES, World, open_world

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(400),
]

KINDS = ("SOCK_STREAM", "SOCK_DGRAM")
# Octets of IPv6 and UDP headers.
HEADERS = 48

Outcomes = dict[Network, dict[str, Cell]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    if reason := why_impossible():
        pytest.skip(reason)
    if shutil.which("turnserver") is None:
        pytest.skip("coturn is not installed")
    before = namespaces(), run("ip", "-brief", "link"), run("nft", "list", "ruleset")
    async with open_world(tmp_path_factory.mktemp("networks")) as world:
        yield world
    after = namespaces(), run("ip", "-brief", "link"), run("nft", "list", "ruleset")
    assert after == before


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    """Of the networks that were tried so far: each is for all of its actions."""
    return {}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: f"{n.place}-{n.client}")
async def test_it_works(
    network: Network,
    action: str,
    world: World,
    playwright: Playwright,
    outcomes: Outcomes,
    request: pytest.FixtureRequest,
) -> None:
    if network not in outcomes:
        try:
            outcomes[network] = await run_network(
                network, world, playwright, request.config.cache
            )
        except NoBrowserError as error:
            pytest.skip(str(error))
    cell = outcomes[network][action]
    assert not cell.problem
    if network.moves or action == "restart":
        assert cell.went_on is not None
        assert cell.went_on > 0


# Prints how many octets of an echo come back.
PROBE = """
import socket, sys
kind, host, port, octets = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
probe = socket.socket(family, getattr(socket, kind))
probe.settimeout(1)
try:
    probe.connect((host, port))
    probe.sendall(bytes(octets))
    print(len(probe.recv(65536)))
except OSError:
    print(0)
"""
# Echoes each datagram, and what comes first on each connection.
ECHO = """
import selectors, socket, sys
selector = selectors.DefaultSelector()
for port in map(int, sys.argv[1:]):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        opened = socket.socket(socket.AF_INET6, kind)
        opened.bind(("::", port))
        if kind == socket.SOCK_STREAM:
            opened.listen()
        selector.register(opened, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in selector.select():
        if key.fileobj.type == socket.SOCK_DGRAM:
            data, source = key.fileobj.recvfrom(65536)
            key.fileobj.sendto(data, source)
        else:
            connection, _ = key.fileobj.accept()
            connection.sendall(connection.recv(65536))
            connection.close()
"""
ECHO4, ECHO6 = "203.0.113.50", "2001:db8::50"
OTHER_PORT = 9090


async def test_the_networks_are_what_the_matrix_takes_them_for(world: World) -> None:
    """With a simpler server, which has the same rules."""
    echo = world.add_host("echo", ECHO4, ECHO6)
    echo.nft(SERVER_RULES)
    ports = str(PORT), str(OTHER_PORT)
    await (await echo.python("-c", ECHO, *ports)).writes("ready")
    probes = {
        # Both families, and one port only.
        **{("open", k, h, PORT, 20): True for k in KINDS for h in (ECHO4, ECHO6)},
        **{
            ("open", k, h, OTHER_PORT, 20): False for k in KINDS for h in (ECHO4, ECHO6)
        },
        ("blocked", "SOCK_STREAM", ECHO4, PORT, 20): True,
        ("blocked", "SOCK_DGRAM", ECHO4, PORT, 20): False,
        ("ipv6", "SOCK_DGRAM", ECHO6, PORT, 20): True,
        ("ipv6", "SOCK_DGRAM", ECHO4, PORT, 20): False,
        **{("broken4", k, ECHO4, PORT, 20): False for k in KINDS},
        ("broken4", "SOCK_DGRAM", ECHO6, PORT, 20): True,
        **{("broken6", k, ECHO6, PORT, 20): False for k in KINDS},
        ("broken6", "SOCK_DGRAM", ECHO4, PORT, 20): True,
        ("narrow", "SOCK_DGRAM", ECHO6, PORT, MTU - HEADERS): True,
        ("narrow", "SOCK_DGRAM", ECHO6, PORT, MTU - HEADERS + 1): False,
        ("desk", "SOCK_STREAM", ECHO4, PORT, 20): True,
        ("desk", "SOCK_DGRAM", ECHO4, PORT, 20): False,
        ("laptop", "SOCK_DGRAM", ECHO4, PORT, 20): True,
        ("beside", "SOCK_DGRAM", ECHO4, PORT, 20): True,
        ("beside", "SOCK_DGRAM", INSIDE, PORT, 20): False,
    }

    async def came(place: str, kind: str, host: str, port: int, octets: int) -> int:
        probe = await world[place].python(
            "-c", PROBE, kind, host, str(port), str(octets)
        )
        assert await probe.ended() == 0, probe.output
        return int(probe.output)

    found = await asyncio.gather(*(came(*probe) for probe in probes))
    for (probe, gets_through), octets in zip(probes.items(), found, strict=True):
        assert octets == (probe[-1] if gets_through else 0), probe
