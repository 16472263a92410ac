"""ICE restarts: a new ICE session under a connection that goes on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.netem.world import World
from tests.ports import LOOPBACK, Addresses, udp_port
from tests.unit.rtc.conftest import Connect, Net, NewPeer, Pair, connect_pair
from tests.waiting import until
from whipbird.net import UdpPort
from whipbird.rtc import EndCause
from whipbird.transport.ice import CONSENT_LIFETIME, RESTART_TIMEOUT

LIMIT = 60.0


async def restart(pair: Pair) -> None:
    """Restart from the client's side, and wait until both have the new pair."""
    local = await pair.client.restart_ice()
    remote = await pair.server.restart_ice()
    pair.server.accept_restart(local.ice, local.candidates)
    pair.client.accept_restart(remote.ice, remote.candidates)
    async with asyncio.timeout(LIMIT):
        await pair.client.restarted()
        await pair.server.restarted()


async def arrives(pair: Pair, text: str) -> None:
    """Send a message, and wait until the other side has it."""
    received: list[bytes] = []
    pair.server.on_message = lambda _channel, _protocol, data: received.append(data)
    pair.channel.send(text)
    await until(lambda: text.encode() in received)


@pytest.mark.virtual_time
async def test_no_message_is_lost_over_ten_restarts(connect_far: Connect) -> None:
    pair = await connect_far(maxRetransmits=0, ordered=False)
    received: list[bytes] = []
    pair.server.on_message = lambda _channel, _protocol, data: received.append(data)
    sent: list[bytes] = []

    async def send() -> None:
        while True:
            sent.append(str(len(sent)).encode())
            pair.channel.send(sent[-1])
            await asyncio.sleep(0.001)

    sending = asyncio.create_task(send())
    ufrags = set()
    for _ in range(10):
        await restart(pair)
        ufrags.add(pair.server.local_ice.ice.ufrag)
        ufrags.add(pair.client.local_ice.ice.ufrag)
    sending.cancel()
    assert len(ufrags) == 20
    await until(lambda: len(received) == len(sent))
    # Not even reordered, though the channel allows it, nor retransmitted: it may not.
    assert received == sent


async def test_a_restart_needs_no_new_socket_and_leaves_nothing(
    connect: Connect, port: UdpPort
) -> None:
    pair = await connect()
    await arrives(pair, "connected")
    candidates = [(c.address, c.port) for c in pair.server.local_ice.candidates]
    tasks, ufrags = asyncio.all_tasks(), len(port.dispatcher._by_ufrag)
    for _ in range(3):
        await restart(pair)
    assert [(c.address, c.port) for c in pair.server.local_ice.candidates] == candidates
    await until(lambda: asyncio.all_tasks() <= tasks)
    assert len(port.dispatcher._by_ufrag) == ufrags
    assert port.dispatcher.endpoints == 1


@pytest.mark.virtual_time
async def test_the_old_pair_is_used_until_the_new_one_is_nominated(
    connect_far: Connect,
) -> None:
    pair = await connect_far()
    local = await pair.client.restart_ice()
    await pair.server.restart_ice()
    pair.server.accept_restart(local.ice, ())
    restarting = asyncio.create_task(pair.server.restarted())
    await arrives(pair, "on the old pair")
    assert not restarting.done()
    restarting.cancel()
    await restart(pair)
    await arrives(pair, "on the new pair")


@pytest.mark.virtual_time
async def test_a_restart_that_is_given_up_leaves_the_old_pair(
    connect_far: Connect,
) -> None:
    pair = await connect_far()
    before = pair.client.local_ice
    await pair.client.restart_ice()
    waiting = asyncio.create_task(pair.client.restarted())
    await asyncio.sleep(0)
    pair.client.abandon_restart()
    with pytest.raises(ConnectionError):
        await waiting
    assert pair.client.local_ice == before
    await arrives(pair, "still here")
    with pytest.raises(ConnectionError):
        pair.client.accept_restart(before.ice, ())


@pytest.mark.virtual_time
async def test_a_restart_takes_the_place_of_one_that_is_not_finished(
    connect_far: Connect,
) -> None:
    pair = await connect_far()
    await pair.client.restart_ice()
    first = await pair.server.restart_ice()
    waiting = asyncio.create_task(pair.client.restarted())
    await asyncio.sleep(0)
    await restart(pair)
    with pytest.raises(ConnectionError):
        await waiting
    assert pair.server.local_ice.ice != first.ice
    await arrives(pair, "still here")


@pytest.mark.virtual_time
async def test_restarts_of_a_connection_that_is_closed(connect_far: Connect) -> None:
    pair = await connect_far()
    await pair.client.restart_ice()
    waiting = asyncio.create_task(pair.client.restarted())
    await asyncio.sleep(0)
    await pair.client.close()
    with pytest.raises(ConnectionError):
        await waiting
    with pytest.raises(ConnectionError):
        await pair.client.restart_ice()


# A client that moves


@pytest.fixture
async def addresses() -> Addresses:
    """Those of the client."""
    return Addresses(LOOPBACK)


@pytest.fixture
async def moving_port(addresses: Addresses) -> AsyncIterator[UdpPort]:
    async with udp_port(addresses) as port:
        yield port


@pytest.mark.virtual_time
async def test_the_client_moves_to_another_address(
    new_peer: NewPeer, moving_port: UdpPort, port: UdpPort, addresses: Addresses
) -> None:
    pair = await connect_pair(new_peer(moving_port), new_peer(port))
    addresses.found = ["127.0.0.2"]
    await restart(pair)
    assert pair.server.peer_address == ("127.0.0.2", moving_port.number)
    await arrives(pair, "from elsewhere")
    assert [c.address for c in pair.client.local_ice.candidates] == ["127.0.0.2"]
    # What is on its way over the old path is welcome for a while; then its socket,
    # whose address has gone, is closed.
    assert list(moving_port.stats.addresses) == [LOOPBACK, "127.0.0.2"]
    await asyncio.sleep(CONSENT_LIFETIME + 1)
    await restart(pair)
    assert list(moving_port.stats.addresses) == ["127.0.0.2"]


@pytest.mark.virtual_time
async def test_the_client_moves_when_the_old_path_is_dead_already(
    connect_far: Connect, net: Net
) -> None:
    """Consent expires while the restart is under way: it may still succeed."""
    pair = await connect_far()
    net.cut()
    await asyncio.sleep(CONSENT_LIFETIME - 6)
    remote = await pair.server.restart_ice()
    local = await pair.client.restart_ice()
    await until(lambda: pair.server.peer_address is None)
    # Lost, as on any network.
    pair.channel.send("meanwhile")
    net.mend()
    pair.server.accept_restart(remote=local.ice, candidates=local.candidates)
    pair.client.accept_restart(remote=remote.ice, candidates=remote.candidates)
    await arrives(pair, "from elsewhere")
    assert pair.server.connectionState == "connected"


@pytest.mark.virtual_time
async def test_consent_that_expires_ends_the_connection_and_a_late_restart_too(
    connect_far: Connect, net: Net, world: World
) -> None:
    """RFC 7675 section 5.1."""
    pair = await connect_far()
    net.cut()
    await asyncio.sleep(CONSENT_LIFETIME - 6)
    await pair.server.restart_ice()
    restarting = asyncio.create_task(pair.server.restarted())
    await until(lambda: pair.server.peer_address is None)
    lost_at = world.now
    await until(lambda: pair.server.connectionState == "failed")
    assert world.now - lost_at == pytest.approx(RESTART_TIMEOUT, abs=0.1)
    assert pair.server.end is EndCause.CONSENT_EXPIRED
    with pytest.raises(ConnectionError):
        await restarting
    with pytest.raises(ConnectionError):
        await pair.server.restart_ice()
