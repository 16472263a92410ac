"""Data channels as applications have them: aiortc's interface, on our association."""

import asyncio
import random
from collections.abc import Callable
from struct import pack, unpack

import pytest
from aiortc import RTCSessionDescription
from aiortc.exceptions import InvalidStateError

from tests.unit.rtc.conftest import (
    Connect,
    Net,
    NewPeer,
    association_of,
    negotiate,
)
from tests.waiting import until
from whipbird.echo import Echo
from whipbird.net import UdpPort
from whipbird.rtc import DataChannel, Peer
from whipbird.rtc.channels import MAX_MESSAGE_SIZE
from whipbird.sdp.offer import parse_offer
from whipbird.transport.sctp import MAX_STREAMS, PPID_BINARY

SIZES = (0, 1, 3, 1160, 1161, 2320, 16384, 70000, MAX_MESSAGE_SIZE)


def messages_of(channel: DataChannel) -> list[bytes | str]:
    """What comes on a channel, as it comes."""
    received: list[bytes | str] = []
    channel.on("message", received.append)
    return received


def events_of(channel: DataChannel) -> list[str]:
    """The names of its events but messages, as they come."""
    events: list[str] = []
    for name in ("open", "close", "bufferedamountlow"):
        channel.on(name, lambda name=name: events.append(name))
    return events


def opened_at(peer: Peer) -> list[DataChannel]:
    """The channels that the other side opens."""
    channels: list[DataChannel] = []
    peer.on("datachannel", channels.append)
    return channels


# Messages


async def test_messages_come_back_whole_and_in_order(connect: Connect) -> None:
    pair = await connect()
    Echo(pair.server)
    received = messages_of(pair.channel)
    source = random.Random(1)
    sent: list[bytes | str] = []
    for size in SIZES:
        sent += [source.randbytes(size), "é" * (size // 2)]
    for message in sent:
        pair.channel.send(message)
    await until(lambda: len(received) == len(sent))
    assert received == sent


async def test_listeners_and_the_handler_get_messages(connect: Connect) -> None:
    pair = await connect()
    channels = opened_at(pair.server)
    handled: list[tuple[int, bytes]] = []
    pair.server.on_message = lambda _, protocol, data: handled.append((protocol, data))
    second = pair.client.createDataChannel("second")
    await until(lambda: second.readyState == "open" and channels)
    received = messages_of(channels[0])
    for message in ("text", b"binary", "", b""):
        second.send(message)
    await until(lambda: len(received) == 4)
    assert received == ["text", b"binary", "", b""]
    # RFC 8831 section 8: what is empty has an octet, and an id of its own.
    assert handled == [(51, b"text"), (53, b"binary"), (56, b"\0"), (57, b"\0")]


@pytest.mark.virtual_time
async def test_messages_survive_loss_and_reordering(
    connect_far: Connect, net: Net
) -> None:
    pair = await connect_far()
    Echo(pair.server)
    received = messages_of(pair.channel)
    net.client.host.access.change(loss=0.05, reordering=0.05, duplication=0.02)
    sent = [pack("!I", n) * 300 for n in range(150)]
    for message in sent:
        pair.channel.send(message)
    await until(lambda: len(received) == len(sent), timeout=120)
    assert received == sent
    assert sum(link.lost for link in net.client.host.access.links) > 10


@pytest.mark.virtual_time
@pytest.mark.parametrize("ordered", [True, False])
async def test_an_unreliable_channel_survives_loss_and_reordering(
    connect_far: Connect, net: Net, ordered: bool
) -> None:
    pair = await connect_far(ordered=ordered, maxRetransmits=0)
    Echo(pair.server)
    received: list[int] = []
    pair.channel.on("message", lambda m: received.append(unpack("!I", m[:4])[0]))
    net.client.host.access.change(loss=0.04, reordering=0.08, hold_up=0.02)
    source = random.Random(3)
    for n in range(300):
        pair.channel.send(pack("!I", n) * source.choice([10, 250, 1000]))
        await asyncio.sleep(0.005)
    # It is alive to the end: of what is sent from now on, something comes back.
    async with asyncio.timeout(60):
        n = 300
        while not received or received[-1] < 300:
            pair.channel.send(pack("!I", n))
            n += 1
            await asyncio.sleep(0.05)
    assert len(received) > 100
    assert len(set(received)) == len(received)
    if ordered:
        assert received == sorted(received)


@pytest.mark.virtual_time
async def test_messages_behind_an_abandoned_one_are_delivered(
    connect_far: Connect, net: Net
) -> None:
    """RFC 3758 section 3.6: a FORWARD TSN releases what waited for the lost one."""
    pair = await connect_far(ordered=True, maxRetransmits=0)
    received: list[bytes] = []
    pair.server.on_message = lambda *message: received.append(message[2])
    await asyncio.sleep(1)
    for n in range(10):
        net.client.host.access.up.conditions.is_down = n == 2
        pair.channel.send(bytes([n]) * 1000)
        await asyncio.sleep(0.01)
    await until(lambda: len(received) == 9)
    assert [message[0] for message in received] == [0, 1, 3, 4, 5, 6, 7, 8, 9]


async def test_what_cannot_be_sent(connect: Connect, new_peer: NewPeer) -> None:
    channel = new_peer().createDataChannel("test")
    with pytest.raises(InvalidStateError):
        channel.send(b"too early")
    pair = await connect()
    assert pair.client.max_message_size == MAX_MESSAGE_SIZE
    with pytest.raises(ValueError, match=str(MAX_MESSAGE_SIZE)):
        pair.channel.send(bytes(MAX_MESSAGE_SIZE + 1))
    with pytest.raises(ValueError, match="unsupported"):
        pair.channel.send(7)  # type: ignore[arg-type]
    pair.channel.close()
    with pytest.raises(InvalidStateError):
        pair.channel.send(b"too late")
    assert not pair.client.send_message(pair.channel, PPID_BINARY, b"too late")


async def test_who_takes_small_messages_only(new_peer: NewPeer, port: UdpPort) -> None:
    """RFC 8841 section 6."""
    client, server = new_peer(), new_peer(port)
    client.createDataChannel("test")
    channels = opened_at(server)
    await client.setLocalDescription(await client.createOffer())
    sdp = client.localDescription.sdp.replace(
        f"a=max-message-size:{MAX_MESSAGE_SIZE}", "a=max-message-size:1000"
    )
    answer = await server.answer(parse_offer(sdp))
    await client.setRemoteDescription(_answer(answer))
    await until(lambda: channels)
    assert server.max_message_size == 1000
    with pytest.raises(ValueError, match="1000"):
        channels[0].send(bytes(1001))
    channels[0].send(bytes(1000))


def _answer(sdp: str) -> RTCSessionDescription:
    return RTCSessionDescription(sdp=sdp, type="answer")


# Opening


async def test_what_the_other_side_learns_of_a_channel(connect: Connect) -> None:
    pair = await connect()
    channels = opened_at(pair.server)
    pair.client.createDataChannel("plain")
    pair.client.createDataChannel(
        "é" * 100, maxRetransmits=3, ordered=False, protocol="chat"
    )
    pair.client.createDataChannel("timed", maxPacketLifeTime=500)
    await until(lambda: len(channels) == 3)
    assert [
        (c.label, c.ordered, c.maxRetransmits, c.maxPacketLifeTime, c.protocol)
        for c in channels
    ] == [
        ("plain", True, None, None, ""),
        ("é" * 100, False, 3, None, "chat"),
        ("timed", True, None, 500, ""),
    ]
    assert {c.negotiated for c in channels} == {False}
    assert {c.readyState for c in channels} == {"open"}
    assert {c.transport for c in channels} == {pair.server.sctp}


async def test_ids_of_both_sides(connect: Connect) -> None:
    """RFC 8832 section 6: the DTLS client has the even streams."""
    pair = await connect()
    ours = [pair.client.createDataChannel("ours") for _ in range(3)]
    theirs = [pair.server.createDataChannel("theirs") for _ in range(3)]
    await until(lambda: {c.readyState for c in ours + theirs} == {"open"})
    assert [c.id for c in ours] == [2, 4, 6]
    assert [c.id for c in theirs] == [1, 3, 5]


async def test_channels_before_and_after_the_negotiation(
    new_peer: NewPeer, port: UdpPort
) -> None:
    """Those with a number get it, whatever order they are made in."""
    client, server = new_peer(), new_peer(port)
    any_id, numbered = (
        client.createDataChannel("any"),
        client.createDataChannel("numbered", id=0),
    )
    assert (any_id.id, numbered.id) == (None, 0)
    assert any_id.bufferedAmount == 0
    channels = opened_at(server)
    await negotiate(client, server)
    later = client.createDataChannel("later")
    await until(lambda: len(channels) == 3)
    assert (any_id.id, numbered.id, later.id) == (2, 0, 4)
    assert {c.label: c.id for c in channels} == {"any": 2, "numbered": 0, "later": 4}
    await until(lambda: later.readyState == "open")


@pytest.mark.parametrize("connected", [False, True])
async def test_options_that_cannot_be(
    connect: Connect, new_peer: NewPeer, connected: bool
) -> None:
    peer = (await connect()).client if connected else new_peer()
    peer.createDataChannel("in use", negotiated=True, id=100)
    for options in (
        {"maxRetransmits": 1, "maxPacketLifeTime": 1},
        {"negotiated": True},
        {"id": -1},
        {"id": MAX_STREAMS},
        {"id": 100},
        {"id": 100, "negotiated": True},
    ):
        with pytest.raises(ValueError, match=r".+"):
            peer.createDataChannel("wrong", **options)


async def test_a_channel_negotiated_out_of_band(connect: Connect) -> None:
    pair = await connect()
    Echo(pair.server)
    heard = opened_at(pair.server)
    channel = pair.client.createDataChannel("silent", negotiated=True, id=300)
    assert (channel.readyState, channel.negotiated, channel.id) == ("open", True, 300)
    received = messages_of(channel)
    channel.send("hello")
    channel.send(b"world")
    await until(lambda: len(received) == 2)
    assert received == ["hello", b"world"]
    assert [c.id for c in heard] == [300]


async def test_a_channel_that_both_sides_know(connect: Connect) -> None:
    """It is announced by neither."""
    pair = await connect()
    heard = opened_at(pair.server)
    channels = [
        peer.createDataChannel("known", negotiated=True, id=7)
        for peer in (pair.client, pair.server)
    ]
    received = [messages_of(channel) for channel in channels]
    for channel in channels:
        channel.send("hello")
    await until(lambda: all(received))
    assert received == [["hello"], ["hello"]]
    assert heard == []


# Closing


@pytest.mark.virtual_time
@pytest.mark.parametrize("side", ["client", "server"])
async def test_either_side_may_close(connect_far: Connect, side: str) -> None:
    pair = await connect_far()
    channels = opened_at(pair.server)
    mine = pair.client.createDataChannel("second")
    await until(lambda: mine.readyState == "open" and channels)
    theirs = channels[0]
    events = events_of(mine), events_of(theirs)
    received = messages_of(theirs if side == "client" else mine)
    closer = mine if side == "client" else theirs
    for n in range(20):
        closer.send(bytes([n]) * 5000)
    closer.close()
    closer.close()
    assert closer.readyState == "closing"
    await until(lambda: mine.readyState == theirs.readyState == "closed")
    assert [e for e in events[0] if e != "bufferedamountlow"] == ["close"]
    assert [e for e in events[1] if e != "bufferedamountlow"] == ["close"]
    # After all that was sent before.
    assert received == [bytes([n]) * 5000 for n in range(20)]
    assert pair.channel.readyState == "open"


async def test_closing_before_the_negotiation(new_peer: NewPeer, port: UdpPort) -> None:
    client, server = new_peer(), new_peer(port)
    given_up, kept = (
        client.createDataChannel("given up"),
        client.createDataChannel("kept"),
    )
    events = events_of(given_up)
    given_up.close()
    given_up.close()
    assert (given_up.readyState, events) == ("closed", ["close"])
    channels = opened_at(server)
    await negotiate(client, server)
    await until(lambda: kept.readyState == "open")
    assert [c.label for c in channels] == ["kept"]
    assert given_up.readyState == "closed"


@pytest.mark.virtual_time
async def test_closing_before_it_is_open(connect_far: Connect) -> None:
    pair = await connect_far()
    channels = opened_at(pair.server)
    channel = pair.client.createDataChannel("short")
    assert channel.readyState == "connecting"
    channel.close()
    await until(lambda: channel.readyState == "closed")
    await until(lambda: all(c.readyState == "closed" for c in channels))
    assert len(association_of(pair.server).channels) == 1


@pytest.mark.virtual_time
async def test_a_closed_channel_leaves_nothing(connect_far: Connect) -> None:
    pair = await connect_far()
    Echo(pair.server)
    for _ in range(20):
        channel = pair.client.createDataChannel("short")
        await until(lambda c=channel: c.readyState == "open")  # type: ignore[misc]
        channel.close()
        await until(lambda c=channel: c.readyState == "closed")  # type: ignore[misc]
    await until(lambda: len(association_of(pair.server).channels) == 1)
    assert len(association_of(pair.client).channels) == 1


@pytest.mark.virtual_time
async def test_channels_of_a_connection_that_ends_are_closed(
    connect_far: Connect,
) -> None:
    pair = await connect_far()
    channels = opened_at(pair.server)
    second = pair.client.createDataChannel("second")
    await until(lambda: second.readyState == "open")
    events = events_of(pair.channel), events_of(second), events_of(channels[0])
    await pair.server.close()
    await until(lambda: second.readyState == "closed")
    assert events == (["close"], ["close"], ["close"])


# What waits


@pytest.mark.virtual_time
async def test_what_waits_is_counted_and_its_end_is_told(connect_far: Connect) -> None:
    pair = await connect_far()
    channel = pair.channel
    events = events_of(channel)
    assert channel.bufferedAmountLowThreshold == 0
    channel.bufferedAmountLowThreshold = 100_000
    for value in (-1, 1 << 32):
        with pytest.raises(ValueError, match="range"):
            channel.bufferedAmountLowThreshold = value
    for _ in range(50):
        channel.send(bytes(10_000))
    assert channel.bufferedAmount == 500_000
    seen: list[int] = []
    channel.on("bufferedamountlow", lambda: seen.append(channel.bufferedAmount))
    await until(lambda: not channel.bufferedAmount, timeout=120)
    assert events == ["bufferedamountlow"]
    assert 0 < seen[0] <= 100_000


@pytest.mark.virtual_time
async def test_little_that_waits_is_not_told_of(connect_far: Connect) -> None:
    """It was never above the threshold."""
    pair = await connect_far()
    pair.channel.bufferedAmountLowThreshold = 1000
    events = events_of(pair.channel)
    pair.channel.send(bytes(1000))
    await asyncio.sleep(10)
    assert (events, pair.channel.bufferedAmount) == ([], 0)


@pytest.mark.parametrize(
    "listen",
    [
        lambda channel, listener: channel.on("message", listener),
        lambda channel, listener: channel.on("message")(listener),
        lambda channel, listener: channel.listens_to("message")(listener),
        lambda channel, listener: channel.add_listener("message", listener),
        lambda channel, listener: channel.once("message", listener),
        lambda channel, listener: channel.once("message")(listener),
    ],
    ids=["on", "@on", "@listens_to", "add_listener", "once", "@once"],
)
@pytest.mark.virtual_time
async def test_every_way_to_listen(
    connect_far: Connect, listen: Callable[[DataChannel, Callable[[str], None]], None]
) -> None:
    pair = await connect_far()
    Echo(pair.server)
    heard: list[str] = []
    listen(pair.channel, heard.append)
    pair.channel.send("hello")
    await until(lambda: heard == ["hello"])
