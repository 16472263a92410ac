"""When something last came from the other side, and whether it is still there."""

import asyncio

import pytest

from tests.unit.rtc.conftest import ROUND_TRIP, Connect, Net, NewPeer, negotiate
from tests.waiting import until
from whipbird.rtc import Peer
from whipbird.transport.stun import binding_request

pytestmark = pytest.mark.virtual_time


async def test_an_offer_is_heard(new_peer: NewPeer, net: Net) -> None:
    """The client never connects."""
    client, server = new_peer(net.client), new_peer(net.server)
    client.createDataChannel("test")
    net.cut()
    await negotiate(client, server)
    assert server.silence == pytest.approx(0, abs=0.01)
    await asyncio.sleep(5)
    assert server.silence == pytest.approx(5, abs=0.01)
    server.note_signalling()
    assert server.silence == 0


async def test_checks_and_messages_are_heard(connect_far: Connect) -> None:
    pair = await connect_far()
    server = pair.server
    for _ in range(20):
        await asyncio.sleep(6)
        # A check of the one or the other side, each 4 to 6 seconds.
        assert server.silence < 6
    pair.channel.send("still here")
    await asyncio.sleep(ROUND_TRIP / 2 + 0.001)
    assert server.silence == pytest.approx(0.001, abs=0.0005)


async def test_what_is_not_authentic_is_not_heard(
    connect_far: Connect, net: Net
) -> None:
    """Anybody may send it, from the client's address, too."""
    pair = await connect_far()
    net.cut()
    await asyncio.sleep(10)
    transport = pair.server.connection.transport
    path = transport.ice.selected
    assert path is not None
    forged_check = binding_request(
        bytes(12),
        username=f"{transport.ice.local.ufrag}:x".encode(),
        key=b"a password of somebody else",
        priority=1,
        controlling=True,
        tie_breaker=1,
        nominates=True,
    )
    for datagram in (
        forged_check,
        b"\x01\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
        b"\x00",
        b"\x80\x60" + bytes(40),
        b"\x80\xc8" + bytes(40),
        b"\x17\xfe\xfd" + bytes(30),
        b"\xff" * 20,
    ):
        transport.receive(datagram, path, net.world.now)
    assert pair.server.silence > 9


@pytest.mark.parametrize("wait", [0.0, 3.0])
async def test_one_who_is_there_responds(
    connect_far: Connect, net: Net, wait: float
) -> None:
    pair = await connect_far()
    await asyncio.sleep(wait)
    began = net.world.now
    assert await pair.server.responds()
    assert net.world.now - began <= ROUND_TRIP + 0.05


async def test_one_who_is_far_away_responds_though_much_is_lost(
    connect_far: Connect, net: Net
) -> None:
    pair = await connect_far()
    for number in range(20):
        await asyncio.sleep(0.1 * number)
        # Gone for long enough that only the last of the questions is answered.
        net.cut()
        asking = asyncio.create_task(pair.server.responds())
        await asyncio.sleep(0.7)
        net.mend()
        assert await asking


async def test_one_who_has_vanished_does_not(connect_far: Connect, net: Net) -> None:
    pair = await connect_far()
    net.cut()
    await asyncio.sleep(1)
    began = net.world.now
    assert not await pair.server.responds()
    assert net.world.now - began == pytest.approx(1, abs=0.1)
    # It may come back: the question has ended nothing.
    net.mend()
    assert await pair.server.responds()
    assert pair.server.connectionState == "connected"


async def test_one_who_is_closed_meanwhile_does_not(
    connect_far: Connect, net: Net
) -> None:
    pair = await connect_far()
    net.cut()
    await asyncio.sleep(1)
    asking = asyncio.create_task(pair.server.responds())
    await asyncio.sleep(0.1)
    began = net.world.now
    await pair.server.close()
    assert not await asking
    assert net.world.now - began < 0.2


async def test_one_who_has_not_connected_is_waited_for(
    new_peer: NewPeer, net: Net
) -> None:
    """It cannot be asked, but its own checks may come."""
    client, server = new_peer(net.client), new_peer(net.server)
    client.createDataChannel("test")
    net.cut()
    await negotiate(client, server)
    await asyncio.sleep(3)
    assert not await server.responds()
    net.mend()
    await until(lambda: server.connectionState == "connected", 60)


async def test_lite_ice_cannot_ask(new_peer: NewPeer, net: Net) -> None:
    assert not new_peer(net.server, ice_lite=True).can_ask
    peer: Peer = new_peer(net.client)
    assert peer.can_ask
