"""ICE restarts: a new ICE session under a connection that goes on."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiortc import RTCSessionDescription

from tests.unit.rtc.conftest import Connect, Pair
from tests.waiting import until
from whipbird.rtc import (
    Certificate,
    HostAddresses,
    Peer,
    PeerOptions,
    ice_agent,
    ice_connection,
)
from whipbird.sdp.offer import parse_offer


async def restart(pair: Pair) -> None:
    """Restart from the client's side, and wait until both have the new pair."""
    local = await pair.client.restart_ice()
    remote = await pair.server.restart_ice()
    pair.server.accept_restart(local.ice, local.candidates)
    pair.client.accept_restart(remote.ice, remote.candidates)
    async with asyncio.timeout(10):
        await pair.client.restarted()
        await pair.server.restarted()


async def echoes(pair: Pair, text: str) -> None:
    """Send a message, and wait until the other side has it."""
    received: list[bytes] = []
    pair.server.on_message = lambda _channel, _protocol, data: received.append(data)
    pair.channel.send(text)
    await until(lambda: text.encode() in received)


async def test_no_message_is_lost_over_ten_restarts(connect: Connect) -> None:
    pair: Pair = await connect(maxRetransmits=0, ordered=False)
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
    # Not even reordered, though the channel allows it, nor sent again: it may not be.
    assert received == sent


async def test_a_restart_needs_no_new_socket_and_leaves_nothing(
    connect: Connect,
) -> None:
    pair: Pair = await connect()
    await echoes(pair, "connected")
    ports = {c.port for c in pair.server.local_ice.candidates}
    tasks = asyncio.all_tasks()
    for _ in range(3):
        await restart(pair)
    assert {c.port for c in pair.server.local_ice.candidates} == ports
    await until(lambda: asyncio.all_tasks() <= tasks)
    agent = pair.server.transport.connection.agent
    await until(lambda: not any(socket.transactions for socket in agent.sockets))


async def test_the_old_pair_is_used_until_the_new_one_is_nominated(
    connect: Connect,
) -> None:
    pair: Pair = await connect()
    connection = pair.server.transport.connection
    before = connection.selected_pair
    local = await pair.client.restart_ice()
    await pair.server.restart_ice()
    pair.server.accept_restart(local.ice, ())
    await echoes(pair, "on the old pair")
    assert connection.selected_pair is before
    await restart(pair)
    assert connection.selected_pair is not before
    await echoes(pair, "on the new pair")


async def test_a_restart_that_is_given_up_leaves_the_old_pair(
    connect: Connect,
) -> None:
    pair: Pair = await connect()
    before = pair.client.local_ice
    await pair.client.restart_ice()
    waiting = asyncio.create_task(pair.client.restarted())
    await asyncio.sleep(0)
    pair.client.abandon_restart()
    with pytest.raises(ConnectionError):
        await waiting
    assert pair.client.local_ice == before
    await echoes(pair, "still here")
    with pytest.raises(ConnectionError):
        pair.client.accept_restart(before.ice, ())


async def test_a_restart_takes_the_place_of_one_that_is_not_finished(
    connect: Connect,
) -> None:
    pair: Pair = await connect()
    await pair.client.restart_ice()
    first = await pair.server.restart_ice()
    waiting = asyncio.create_task(pair.client.restarted())
    await asyncio.sleep(0)
    await restart(pair)
    with pytest.raises(ConnectionError):
        await waiting
    assert pair.server.local_ice.ice != first.ice
    await echoes(pair, "still here")


async def test_restarts_of_a_connection_that_is_closed(connect: Connect) -> None:
    pair: Pair = await connect()
    await pair.client.restart_ice()
    waiting = asyncio.create_task(pair.client.restarted())
    await asyncio.sleep(0)
    await pair.client.close()
    with pytest.raises(ConnectionError):
        await waiting
    with pytest.raises(ConnectionError):
        await pair.client.restart_ice()


class Addresses(HostAddresses):
    """Addresses that a test changes, as a network does."""

    def __init__(self, *found: str) -> None:
        super().__init__()
        self.found = list(found)

    def current(self) -> list[str]:
        return self.found


@pytest.fixture
async def moving(certificate: Certificate) -> AsyncIterator[tuple[Pair, Addresses]]:
    """A pair whose client can change its address."""
    addresses = Addresses("127.0.0.1")
    client = Peer(PeerOptions(certificate, addresses))
    server = Peer(PeerOptions(certificate, HostAddresses(loopback=True)))
    pair = Pair(client, server, client.createDataChannel("test"))
    await client.setLocalDescription(await client.createOffer())
    answer = await server.answer(parse_offer(client.localDescription.sdp))
    await client.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    await until(lambda: pair.channel.readyState == "open")
    yield pair, addresses
    await client.close()
    await server.close()


async def test_the_client_moves_to_another_address(
    moving: tuple[Pair, Addresses],
) -> None:
    pair, addresses = moving
    old = pair.client.transport.connection.agent.sockets
    addresses.found = ["127.0.0.2"]
    await restart(pair)
    assert pair.server.peer_address is not None
    assert pair.server.peer_address[0] == "127.0.0.2"
    await echoes(pair, "from elsewhere")
    # The socket of the address that is gone is closed.
    await until(lambda: all(s.transport.is_closing() for s in old))
    assert [c.address for c in pair.client.local_ice.candidates] == ["127.0.0.2"]


async def test_the_client_moves_when_the_old_path_is_dead_already(
    moving: tuple[Pair, Addresses], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Consent expires while the restart is under way: it may still succeed."""
    monkeypatch.setattr(ice_agent, "CONSENT_INTERVAL", 0.02)
    monkeypatch.setattr(ice_agent, "CONSENT_LIFETIME", 0.1)
    pair, addresses = moving
    await restart(pair)  # ... with these times
    connection = pair.server.transport.connection
    for socket in pair.client.transport.connection.agent.sockets:
        monkeypatch.setattr(socket, "datagram_received", lambda *_: None)
    addresses.found = ["127.0.0.2"]
    remote = await pair.server.restart_ice()
    local = await pair.client.restart_ice()
    await until(lambda: connection.selected_pair is None)
    connection.send_now(b"lost, as on any network")
    monkeypatch.setattr(ice_agent, "CONSENT_LIFETIME", 30)
    pair.server.accept_restart(local.ice, local.candidates)
    pair.client.accept_restart(remote.ice, remote.candidates)
    await echoes(pair, "from elsewhere")


async def test_consent_that_expires_ends_the_connection_and_a_late_restart_too(
    moving: tuple[Pair, Addresses], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 7675 section 5.1."""
    monkeypatch.setattr(ice_agent, "CONSENT_INTERVAL", 0.02)
    monkeypatch.setattr(ice_agent, "CONSENT_LIFETIME", 0.1)
    monkeypatch.setattr(ice_connection, "RESTART_TIMEOUT", 0.1)
    pair, _ = moving
    await restart(pair)
    for socket in pair.client.transport.connection.agent.sockets:
        socket.transport.abort()
    await pair.server.restart_ice()
    await until(lambda: pair.server.connectionState in ("failed", "closed"))
    with pytest.raises(ConnectionError):
        pair.server.transport.connection.send_now(b"too late")
