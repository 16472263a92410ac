"""The end of a peer: its causes, who is told, and what remains of it: nothing."""

import asyncio
import gc
import logging
import weakref
from typing import NoReturn

import pytest
from aiortc import RTCSessionDescription

from tests.netem.world import World
from tests.unit.rtc.conftest import (
    Connect,
    Net,
    NewPeer,
    Pair,
    connect_pair,
    negotiate,
)
from tests.waiting import until
from whipbird.net import Dispatcher, UdpPort
from whipbird.rtc import Certificate, EndCause, Peer, PeerOptions
from whipbird.rtc.probe import fall_silent
from whipbird.sdp.offer import parse_offer
from whipbird.transport.dtls import DtlsTransport
from whipbird.transport.ice import CONSENT_INTERVAL, CONSENT_LIFETIME, IceTransport
from whipbird.transport.sctp import Association


def left_in(dispatcher: Dispatcher) -> dict[str, int]:
    """What a dispatcher knows of peers."""
    return {
        "endpoints": dispatcher.endpoints,
        "prefixes": len(dispatcher._by_prefix),
        "ufrags": len(dispatcher._by_ufrag),
        "paths": sum(len(routes) for routes in dispatcher._routes.values()),
        "touched": len(dispatcher._touched),
        "armed": len(dispatcher._armed),
        "timers": sum(timer[2] is not None for timer in dispatcher._timers),
    }


def assert_nothing_left(*dispatchers: Dispatcher) -> None:
    for dispatcher in dispatchers:
        assert not any(left_in(dispatcher).values()), left_in(dispatcher)


def channel_states(pair: Pair) -> list[str]:
    """The states of the channel, as its listeners are told of them."""
    states: list[str] = []
    pair.channel.on("close", lambda: states.append(pair.channel.readyState))
    return states


# By close


async def test_closing_leaves_nothing(
    connect: Connect, port: UdpPort, client_port: UdpPort
) -> None:
    tasks = asyncio.all_tasks()
    pair = await connect()
    assert left_in(port.dispatcher) == {
        "endpoints": 1,
        "prefixes": 1,
        "ufrags": 1,
        "paths": 1,
        "touched": 0,
        "armed": 1,
        "timers": left_in(port.dispatcher)["timers"],
    }
    states = channel_states(pair)
    await pair.client.close()
    assert states == ["closed"]
    assert_nothing_left(client_port.dispatcher)
    # The other side is told, and does the same.
    await until(lambda: pair.server.connectionState == "closed")
    assert pair.server.end is EndCause.CLOSED_BY_PEER
    await until(lambda: asyncio.all_tasks() <= tasks)
    assert_nothing_left(port.dispatcher)


async def test_closing_before_anything_has_begun(
    new_peer: NewPeer, client_port: UdpPort
) -> None:
    tasks = asyncio.all_tasks()
    peer = new_peer()
    channel = peer.createDataChannel("test")
    peer.addTransceiver("audio")
    await peer.close()
    assert peer.connectionState == peer.signalingState == "closed"
    assert channel.readyState == "closed"
    assert asyncio.all_tasks() <= tasks
    assert_nothing_left(client_port.dispatcher)


async def test_closing_while_connecting(
    new_peer: NewPeer, port: UdpPort, client_port: UdpPort
) -> None:
    tasks = asyncio.all_tasks()
    client, server = new_peer(), new_peer(port)
    channel = client.createDataChannel("test")
    await negotiate(client, server)
    await server.close()
    await client.close()
    assert channel.readyState == "closed"
    assert asyncio.all_tasks() <= tasks
    assert_nothing_left(port.dispatcher, client_port.dispatcher)


async def test_closing_again(connect: Connect) -> None:
    """Whoever closes it, at the same time or later, waits for the same end."""
    pair = await connect()
    heard: list[str] = []
    pair.client.on(
        "connectionstatechange", lambda: heard.append(pair.client.connectionState)
    )
    await asyncio.gather(*(pair.client.close() for _ in range(3)))
    await pair.client.close()
    assert heard == ["closed"]


async def test_both_close_at_once(
    connect: Connect, port: UdpPort, client_port: UdpPort
) -> None:
    pair = await connect()
    await asyncio.gather(pair.client.close(), pair.server.close())
    assert pair.client.end is None
    assert pair.server.end is None
    await asyncio.sleep(0)
    assert_nothing_left(port.dispatcher, client_port.dispatcher)


async def test_closing_from_a_listener(connect: Connect) -> None:
    """Of a message, which comes in the middle of what its transport does."""
    pair = await connect()
    closing: list[asyncio.Task[None]] = []

    def close(*_: object) -> None:
        closing.append(asyncio.create_task(pair.server.close()))

    pair.server.on_message = close
    pair.channel.send("good-bye")
    await until(lambda: closing and closing[0].done())
    await until(lambda: pair.client.closed_by_peer)


async def test_a_closed_peer_is_freed(
    certificate: Certificate, port: UdpPort, client_port: UdpPort
) -> None:
    """Nobody holds it, though what it waited for has not come yet."""
    peers = [
        Peer(PeerOptions(certificate, client_port)),
        Peer(PeerOptions(certificate, port)),
    ]
    await connect_pair(*peers)
    await peers[0].close()
    await until(lambda: peers[1].connectionState == "closed")
    await peers[1].close()
    references = [weakref.ref(peer) for peer in peers]
    peers.clear()
    await asyncio.sleep(0)
    gc.collect()
    assert [reference() for reference in references] == [None, None]


# By silence


@pytest.mark.virtual_time
async def test_consent_is_kept_by_answers(connect_far: Connect, world: World) -> None:
    pair = await connect_far()
    await asyncio.sleep(100 * CONSENT_LIFETIME)
    ice = pair.server.connection.transport.ice
    assert world.now + CONSENT_LIFETIME - ice.consent_until < 2 * CONSENT_INTERVAL
    assert pair.server.connectionState == "connected"


@pytest.mark.virtual_time
@pytest.mark.parametrize("how", ["cut", "silent"])
async def test_consent_is_lost(connect_far: Connect, net: Net, how: str) -> None:
    """RFC 7675 section 5.1: 30 seconds after the last answer, and no sooner."""
    pair = await connect_far()
    states = channel_states(pair)
    await asyncio.sleep(100)
    gone_at = net.world.now
    if how == "cut":
        net.cut()
    else:
        fall_silent(pair.client)
        assert_nothing_left(net.client.dispatcher)
    await until(lambda: pair.server.connectionState == "failed", timeout=60)
    lost_after = net.world.now - gone_at
    assert CONSENT_LIFETIME - 1.3 * CONSENT_INTERVAL < lost_after <= CONSENT_LIFETIME
    assert pair.server.end is EndCause.CONSENT_EXPIRED
    assert pair.server.iceConnectionState == "failed"
    assert_nothing_left(net.server.dispatcher)
    if how == "cut":
        await until(lambda: pair.client.connectionState == "failed", timeout=60)
        assert states == ["closed"]
        assert_nothing_left(net.client.dispatcher)
    # There is nothing left to be closed; it does no harm.
    await pair.server.close()
    assert pair.server.connectionState == "closed"


@pytest.mark.virtual_time
async def test_a_peer_without_an_answer_waits_until_it_is_closed(
    new_peer: NewPeer, net: Net
) -> None:
    """How long that may take, a session decides: more candidates may come."""
    client, server = new_peer(net.client), new_peer(net.server)
    net.cut()
    client.createDataChannel("test")
    await negotiate(client, server)
    await asyncio.sleep(600)
    assert client.connectionState == server.connectionState == "connecting"
    await server.close()
    assert_nothing_left(net.server.dispatcher)


# By a wrong certificate


@pytest.mark.virtual_time
async def test_another_certificate_than_announced_is_refused(
    new_peer: NewPeer, net: Net
) -> None:
    client, server = new_peer(net.client), new_peer(net.server)
    channel = client.createDataChannel("test")
    await client.setLocalDescription(await client.createOffer())
    sdp = client.localDescription.sdp
    stranger = Certificate.generate().fingerprint.value
    ours = client.certificate.fingerprint.value
    answer = await server.answer(parse_offer(sdp.replace(ours, stranger)))
    await client.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    await until(lambda: server.connectionState == "failed")
    assert server.end is EndCause.DTLS_FAILED
    assert "fingerprint" in server.end_detail
    # A stranger is told nothing.
    await until(lambda: client.connectionState == "failed", timeout=60)
    assert channel.readyState == "closed"
    assert_nothing_left(net.server.dispatcher, net.client.dispatcher)


# By a fault of ours


class OurFaultError(RuntimeError):
    """What no peer can cause."""


def _raise(*_: object) -> NoReturn:
    raise OurFaultError("a fault")


def make_breakable(
    monkeypatch: pytest.MonkeyPatch, part: type, method: str
) -> list[object]:
    """Let a method fail for the objects that will be in the list that is returned.

    To be called before there are any: bound methods may be kept.
    """
    broken: list[object] = []
    real = getattr(part, method)

    def breakable(self: object, *arguments: object) -> object:
        if any(self is each for each in broken):
            _raise()
        return real(self, *arguments)

    monkeypatch.setattr(part, method, breakable)
    return broken


@pytest.mark.expects_fault
@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("part", "method"),
    [
        (Association, "receive"),
        (Association, "flush"),
        (DtlsTransport, "receive"),
    ],
)
async def test_a_fault_of_ours_ends_its_session_and_no_other(
    connect_far: Connect,
    net: Net,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    part: type,
    method: str,
) -> None:
    broken = make_breakable(monkeypatch, part, method)
    ill, well = await connect_far(), await connect_far()
    transport = ill.server.connection.transport
    broken.append(transport.sctp if part is Association else transport.dtls)
    states = channel_states(ill)
    ill.channel.send("what it cannot take")
    await until(lambda: ill.server.connectionState == "failed")
    assert ill.server.end is EndCause.INTERNAL_ERROR
    assert "OurFaultError" in ill.server.end_detail
    errors = [r for r in caplog.records if r.levelno >= logging.ERROR]
    [record] = errors
    assert record.exc_info is not None
    assert record.exc_info[0] is OurFaultError
    assert record.exc_info[2] is not None
    # Its peer is told, by what is not broken.
    await until(lambda: ill.client.connectionState == "closed")
    assert ill.server.sctp is not None
    assert ill.server.sctp.state == "closed"
    assert states == ["closed"]
    # The other session, on the same port.
    received: list[bytes] = []
    well.server.on_message = lambda *message: received.append(message[2])
    well.channel.send(b"still here")
    await until(lambda: received)
    assert net.server.dispatcher.endpoints == 1
    assert net.server.dispatcher.faults.count == 1
    assert well.server.connectionState == "connected"


@pytest.mark.expects_fault
@pytest.mark.virtual_time
async def test_a_fault_in_a_timer_of_ours(
    connect_far: Connect,
    net: Net,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = make_breakable(monkeypatch, IceTransport, "handle_timeout")
    pair = await connect_far()
    broken.append(pair.server.connection.transport.ice)
    await until(lambda: pair.server.connectionState == "failed", timeout=60)
    assert pair.server.end is EndCause.INTERNAL_ERROR
    assert [r.levelname for r in caplog.records if r.exc_info] == ["ERROR"]
    assert_nothing_left(net.server.dispatcher)


@pytest.mark.expects_fault
@pytest.mark.virtual_time
async def test_faults_are_counted_and_tell_their_session(
    connect_far: Connect,
    net: Net,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = make_breakable(monkeypatch, Association, "receive")
    pairs = [await connect_far() for _ in range(3)]
    for number, pair in enumerate(pairs):
        pair.server.connection.log_fields = {"session": str(number)}
        broken.append(pair.server.connection.transport.sctp)
        pair.channel.send("what it cannot take")
    await until(lambda: all(p.server.connectionState == "failed" for p in pairs))
    assert net.server.dispatcher.faults.count == 3
    faults = [vars(r) for r in caplog.records if r.levelno >= logging.ERROR]
    assert sorted(fault["session"] for fault in faults) == ["0", "1", "2"]


async def test_a_fault_in_closing_leaves_nothing_either(
    connect: Connect, port: UdpPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = make_breakable(monkeypatch, Association, "abort")
    pair = await connect()
    broken.append(pair.server.connection.transport.sctp)
    with pytest.raises(OurFaultError):
        await pair.server.close()
    assert_nothing_left(port.dispatcher)


@pytest.mark.expects_fault
async def test_a_handler_that_fails_is_reported_and_the_channel_goes_on(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """It is its application's fault, and no reason to end the session."""
    pair = await connect()
    received: list[bytes] = []

    def fail_once(_channel: object, _protocol: int, data: bytes) -> None:
        received.append(data)
        if len(received) == 1:
            raise OurFaultError

    pair.server.on_message = fail_once
    pair.server.connection.log_fields = {"session": "abc"}
    for message in (b"one", b"two"):
        pair.channel.send(message)
    await until(lambda: len(received) == 2)
    (record,) = (r for r in caplog.records if r.exc_info is not None)
    assert record.getMessage() == "A handler of messages has failed"
    assert record.__dict__["session"] == "abc"
    assert pair.server.connectionState == "connected"
