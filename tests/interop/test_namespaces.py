"""The server behind the NAT of a container engine: one UDP and one TCP port get in."""

from collections.abc import AsyncIterator

import pytest

from .namespace import Namespace, namespaces, run, why_impossible
from .namespaces import (
    CLIENT,
    HOME,
    OTHER_HOME,
    PORT,
    PUBLIC,
    SERVER,
    URL,
    Internet,
)
from .program import LIMIT, Program

PING_URL = f"{URL}/whip/test"
CLIENTS = "tests.interop.namespace_client"
AT_PUBLIC_ADDRESS = ("--public-address", PUBLIC)

# Seconds that a client and the server wait for a connection by default.
CONNECT_TIMEOUT = 60.0


@pytest.fixture
async def internet() -> AsyncIterator[Internet]:
    if reason := why_impossible():
        pytest.skip(reason)
    before = namespaces(), run("ip", "-brief", "link"), run("nft", "list", "ruleset")
    async with Internet() as internet:
        yield internet
    after = namespaces(), run("ip", "-brief", "link"), run("nft", "list", "ruleset")
    assert after == before


async def stop(server: Program) -> None:
    """End the server as an operator does; nothing went wrong in it."""
    assert await server.stop() == 0, server.output
    assert "Traceback" not in server.output, server.output


def at(internet: Internet, place: str) -> Namespace:
    """Directly on the internet, or behind a NAT at home."""
    return {"client": internet.client, "laptop": internet.laptop}[place]


@pytest.mark.parametrize("place", ["client", "laptop"])
async def test_ping(internet: Internet, place: str) -> None:
    server = await internet.start_server(*AT_PUBLIC_ADDRESS)
    ping = await at(internet, place).whipbird("ping", PING_URL, "-c", "3", "-i", "0.1")
    await ping.writes("seq=1 ")
    # With a session open, too.
    assert set(internet.udp_ports()) == {PORT}
    assert await ping.ended() == 0, ping.output
    assert f"({PUBLIC} port {PORT})" in ping.output
    assert "3 sent, 3 received, 0.0% loss" in ping.output
    addresses = {address for address, _ in internet.sources()}
    assert addresses == {CLIENT if place == "client" else HOME}
    await stop(server)


@pytest.mark.parametrize(
    ("publisher", "viewer"), [("laptop", "client"), ("client", "laptop")]
)
async def test_publish_and_watch(
    internet: Internet, publisher: str, viewer: str
) -> None:
    server = await internet.start_server(*AT_PUBLIC_ADDRESS)
    publishing = await at(internet, publisher).whipbird(
        *("publish", "testsrc", f"{URL}/whip/show", "--size", "320x180"),
        *("--rate", "15", "--json"),
    )
    watching = await at(internet, viewer).python(
        "-m", CLIENTS, "watch", f"{URL}/whep/show"
    )
    assert await watching.ended() == 0, watching.output
    assert watching.result["sizes"] == [[320, 180]]
    assert set(internet.udp_ports()) == {PORT}
    assert await publishing.stop() == 0, publishing.output
    report = publishing.result
    assert report["error"] is None
    assert report["packets"] > 0
    await stop(server)


@pytest.mark.parametrize("place", ["client", "laptop"])
async def test_restart(internet: Internet, place: str) -> None:
    server = await internet.start_server(*AT_PUBLIC_ADDRESS)
    moving = await at(internet, place).python("-m", CLIENTS, "restart", PING_URL)
    await moving.writes("ready")
    moving.tell("restart")
    await _has_restarted(moving)
    await stop(server)


@pytest.mark.parametrize("way", ["mappings", "address"])
async def test_restart_after_the_nat_has_changed(internet: Internet, way: str) -> None:
    """As a client does that has noticed: it need not wait for a check of consent."""
    server = await internet.start_server(*AT_PUBLIC_ADDRESS)
    moving = await internet.laptop.python("-m", CLIENTS, "restart", PING_URL)
    await moving.writes("ready")
    rebind(internet, way)
    moving.tell("restart")
    await _has_restarted(moving)
    await stop(server)


async def _has_restarted(moving: Program) -> None:
    assert await moving.ended() == 0, moving.output
    facts = moving.result
    assert len(set(facts["ufrags"])) == 2
    assert facts["echoed"] == facts["sent"]
    assert facts["address"] == [PUBLIC, PORT]


def rebind(internet: Internet, way: str) -> None:
    """Have the laptop's datagrams come from elsewhere, from now on."""
    if way == "address":
        internet.change_address()
    else:
        internet.forget_mappings()


@pytest.mark.parametrize("way", ["mappings", "address"])
async def test_the_ping_goes_on_when_the_nat_changes(
    internet: Internet, way: str
) -> None:
    """Without a restart: the next check of consent shows where the client is now."""
    server = await internet.start_server(*AT_PUBLIC_ADDRESS)
    ping = await internet.laptop.whipbird("ping", PING_URL, "-i", "0.2", "-W", "1")
    await ping.writes("time=", times=5)
    before = internet.sources()
    rebind(internet, way)
    await ping.writes("time=", times=ping.count("time=") + 10)
    assert await ping.stop() == 0
    assert "whipbird ping:" not in ping.output
    new = internet.sources() - before
    assert {address for address, _ in new} == {OTHER_HOME if way == "address" else HOME}
    assert server.count(" opened: ") == 1, server.output
    await stop(server)


async def test_without_a_public_address(internet: Internet) -> None:
    """Who is behind a NAT cannot connect, and is told so in time.

    Who is not can: the server's own checks get out, and show the client the way in.
    """
    server = await internet.start_server()
    lost = await internet.laptop.whipbird("ping", PING_URL, "-c", "1")
    found = await internet.client.whipbird("ping", PING_URL, "-c", "1")
    assert await found.ended() == 0, found.output
    assert await lost.ended(CONNECT_TIMEOUT + LIMIT) == 1
    assert (
        "No connection: it was not established within 15 seconds; "
        f"the server offered {SERVER} port {PORT}"
    ) in lost.output
    await stop(server)


async def test_ice_lite(internet: Internet) -> None:
    """The server sends no checks; clients that know where it is need none."""
    server = await internet.start_server(*AT_PUBLIC_ADDRESS, "--ice-lite")
    for place in (internet.client, internet.laptop):
        ping = await place.whipbird("ping", PING_URL, "-c", "1")
        assert await ping.ended() == 0, ping.output
    await stop(server)


async def test_what_the_server_offers(internet: Internet) -> None:
    server = await internet.start_server(*AT_PUBLIC_ADDRESS)
    asking = await internet.client.python("-m", CLIENTS, "answer", PING_URL)
    assert await asking.ended() == 0, asking.output
    assert asking.result["candidates"] == [
        [protocol, address, PORT]
        for protocol in ("udp", "tcp")
        for address in (PUBLIC, SERVER)
    ]
    await stop(server)


async def test_only_the_public_address_is_offered(internet: Internet) -> None:
    server = await internet.start_server(*AT_PUBLIC_ADDRESS, "--hide-host-addresses")
    asking = await internet.laptop.python("-m", CLIENTS, "answer", PING_URL)
    ping = await internet.laptop.whipbird("ping", PING_URL, "-c", "1")
    assert await asking.ended() == 0, asking.output
    assert asking.result["candidates"] == [
        ["udp", PUBLIC, PORT],
        ["tcp", PUBLIC, PORT],
    ]
    assert await ping.ended() == 0, ping.output
    await stop(server)


async def test_no_other_port_gets_in(internet: Internet) -> None:
    """The network is what the other tests take it for."""
    server = await internet.start_server("--port", "9090")
    for host in (PUBLIC, SERVER):
        url = f"http://{host}:9090/whip/test"
        ping = await internet.client.whipbird("ping", url, "-c", "1")
        assert await ping.ended() == 1
        assert "Cannot reach the server" in ping.output
    await stop(server)
