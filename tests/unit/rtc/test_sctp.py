"""The association: messages whole and in order, memory bounded, nonsense dropped."""

import asyncio
import random
from collections.abc import Callable
from struct import pack, unpack

import pytest
from aiortc import RTCDataChannel
from aiortc.rtcsctptransport import (
    SCTP_MAX_PACKET_LENGTH,
    WEBRTC_BINARY,
    ErrorChunk,
    RTCSctpTransport,
    SackChunk,
)
from google_crc32c import value as crc32c

from tests.unit.rtc.conftest import Connect, Pair, sctp_of
from tests.waiting import until
from whipbird.echo import Echo
from whipbird.rtc.sctp import MAX_NAMES, SctpTransport
from whipbird.rtc.sctp_reassembly import (
    MAX_MESSAGE_SIZE,
    MAX_MISORDERED,
    MAX_STREAMS,
)
from whipbird.rtc.sctp_sender import MAX_SENT_CHUNKS


async def test_messages_come_back_whole_and_in_order(connect: Connect) -> None:
    pair = await connect()
    Echo(pair.server)
    received: list[bytes | str] = []
    pair.channel.on("message", received.append)
    sent: list[bytes | str] = []
    source = random.Random(1)
    for size in (0, 1, 3, 1160, 1161, 2320, 16384, 70000, MAX_MESSAGE_SIZE):
        sent += [source.randbytes(size), "é" * (size // 2)]
    for message in sent:
        pair.channel.send(message)
    await until(lambda: len(received) == len(sent))
    assert received == sent


async def test_messages_survive_the_loss_of_packets(connect: Connect) -> None:
    pair = await connect()
    Echo(pair.server)
    received: list[bytes] = []
    pair.channel.on("message", received.append)
    source = random.Random(2)
    lost = 0
    for peer in (pair.client, pair.server):
        connection = peer.transport.connection
        send = connection.send_now

        def lossy(data: bytes, send: object = send) -> None:
            nonlocal lost
            if source.random() > 0.05:
                send(data)  # type: ignore[operator]
            else:
                lost += 1

        connection.send_now = lossy  # type: ignore[method-assign]
    sent = [pack("!I", n) * 300 for n in range(150)]
    for message in sent:
        pair.channel.send(message)
    await until(lambda: len(received) == len(sent), timeout=60)
    assert received == sent
    assert lost > 10


async def test_reordered_packets_are_put_in_order(connect: Connect) -> None:
    pair = await connect()
    received: list[tuple[int, bytes]] = []
    server = sctp_of(pair.server)
    server.on_message = lambda _channel, protocol, data: received.append(
        (protocol, data)
    )
    held: list[bytes] = []
    receive = server.receive_packet
    pair.server.transport._data_receiver = None
    hold = _hold(pair, held)
    pair.server.transport._receive_dtls = hold  # type: ignore
    sent = [pack("!I", n) * 250 for n in range(3)]
    for message in sent:
        pair.channel.send(message)
    await until(lambda: len(held) == 3)
    for packet in reversed(held):
        receive(packet)
    assert received == [(WEBRTC_BINARY, message) for message in sent]


def _packet(to: SctpTransport, chunks: bytes) -> bytes:
    """A packet for an association, as its peer would send it."""
    header = pack("!HHL", 5000, 5000, to._local_verification_tag)
    return header + pack("<L", crc32c(header + bytes(4) + chunks)) + chunks


def _hold(pair: Pair, held: list[bytes]) -> Callable[[bytes], None]:
    """Keep decrypted packets instead of handling them."""

    def receive(data: bytes) -> None:
        ssl = pair.server.transport._ssl
        assert ssl is not None
        ssl.bio_write(data)
        held.append(ssl.recv(2048))

    return receive


async def test_tsns_wrap_around(connect: Connect) -> None:
    """RFC 9260 section 3.3.1: TSN arithmetic is modulo 2**32."""
    pair = await connect()
    receiver = sctp_of(pair.server)
    receiver._last_received_tsn = 0xFFFFFFFD
    for tsn in (0xFFFFFFFF, 1, 0):
        assert not receiver._mark_received(tsn)
    assert receiver._last_received_tsn == 0xFFFFFFFD
    assert receiver._gaps(0xFFFFFFFD) == [(2, 4)]
    assert not receiver._mark_received(0xFFFFFFFE)
    assert receiver._last_received_tsn == 1
    assert not receiver._sack_misordered
    assert receiver._mark_received(0)
    assert receiver._sack_duplicates == [0]
    receiver._sack_duplicates.clear()


async def test_every_second_packet_is_acknowledged(connect: Connect) -> None:
    """RFC 9260 section 6.2: "at least every second packet"."""
    pair = await connect()
    server = sctp_of(pair.server)
    await until(lambda: not server._sack_needed)
    sacks: list[bytes] = []
    write = server._write_sack

    def count() -> bytes:
        sacks.append(write())
        return sacks[-1]

    server._write_sack = count  # type: ignore[method-assign]
    for _ in range(8):
        pair.channel.send(bytes(1000))
    await until(lambda: not sctp_of(pair.client)._sent_queue)
    assert 4 <= len(sacks) <= 5


async def test_small_messages_share_packets_with_the_acknowledgement(
    connect: Connect,
) -> None:
    pair = await connect()
    Echo(pair.server)
    received: list[bytes] = []
    pair.channel.on("message", received.append)
    server = sctp_of(pair.server)
    await until(lambda: not server._sack_needed)
    bodies: list[bytes] = []
    send = server._send_body

    def record(body: bytes) -> None:
        bodies.append(body)
        send(body)

    server._send_body = record  # type: ignore[method-assign]
    pair.channel.send(b"ping")
    await until(lambda: received)
    assert bodies[0][0] == SackChunk.type
    assert len(bodies) == 1
    assert all(12 + len(body) <= SCTP_MAX_PACKET_LENGTH for body in bodies)


async def test_a_peer_that_does_not_read_has_to_wait(connect: Connect) -> None:
    """The window closes, so the memory held for the peer stays bounded."""
    window = 512 * 1024
    pair = await connect(limit=window)
    Echo(pair.server)
    server, client = sctp_of(pair.server), sctp_of(pair.client)
    received: list[bytes] = []
    pair.channel.on("message", received.append)

    # The client goes on sending, but takes nothing back: its acknowledgements say so.
    receive = client._receive_data
    client._receive_data = lambda *_: None  # type: ignore[method-assign]
    sent = [pack("!I", n) * 4096 for n in range(256)]  # 4 MiB
    for message in sent:
        pair.channel.send(message)
    await until(lambda: server._open_window == 0)
    largest = 0
    for _ in range(20):
        largest = max(largest, server._held + window - server._advertised_rwnd)
        await asyncio.sleep(0.01)
    assert largest <= 2 * window
    assert pair.channel.bufferedAmount > len(sent) * 16384 // 4

    # It reads again: nothing was lost.
    client._receive_data = receive  # type: ignore[method-assign]
    await until(lambda: len(received) == len(sent), timeout=60)
    assert received == sent
    await until(lambda: server._held == 0)


async def test_many_tiny_messages_count_for_more_than_their_octets(
    connect: Connect,
) -> None:
    window = 512 * 1024
    pair = await connect(limit=window)
    Echo(pair.server)
    server, client = sctp_of(pair.server), sctp_of(pair.client)
    client._receive_data = lambda *_: None  # type: ignore[method-assign]
    for _ in range(20000):
        pair.channel.send(b"x")
    await until(lambda: server._open_window == 0)
    for _ in range(10):
        await asyncio.sleep(0.01)
        held = len(server._data_channel_queue) + len(server._outbound_queue)
        assert held * 256 <= 2 * window


async def test_a_message_without_end_ends_the_association(connect: Connect) -> None:
    limit = 512 * 1024
    pair = await connect(limit=limit)
    server = sctp_of(pair.server)
    await until(lambda: server._held == 0)
    assert server._last_received_tsn is not None
    first = server._last_received_tsn + 1
    for n in range((2 * limit + MAX_MESSAGE_SIZE) // 1000 + 20):
        flags = 2 if n == 0 else 0
        server.receive_packet(
            _packet(
                server,
                pack("!BBHLHHL", 0, flags, 1016, (first + n) % 2**32, 0, 1, 53)
                + bytes(1000),
            )
        )
        if server._association_state == server.State.CLOSED:
            break
    assert server._association_state == server.State.CLOSED
    await until(lambda: pair.channel.readyState == "closed")


async def test_a_channel_negotiated_out_of_band_is_echoed(connect: Connect) -> None:
    pair = await connect()
    Echo(pair.server)
    channel = pair.client.createDataChannel("silent", negotiated=True, id=300)
    received: list[bytes | str] = []
    channel.on("message", received.append)
    channel.send("hello")
    channel.send(b"world")
    await until(lambda: len(received) == 2)
    assert received == ["hello", b"world"]


async def test_listeners_of_the_api_get_messages_too(connect: Connect) -> None:
    pair = await connect()
    received: list[bytes | str] = []
    channels: list[RTCDataChannel] = []

    def opened(channel: RTCDataChannel) -> None:
        channels.append(channel)
        channel.on("message", received.append)

    pair.server.on("datachannel", opened)
    second = pair.client.createDataChannel("second")
    await until(lambda: second.readyState == "open")
    for message in ("text", b"binary", "", b""):
        second.send(message)
    await until(lambda: len(received) == 4)
    assert received == ["text", b"binary", "", b""]
    assert channels[0].label == "second"


async def test_a_closed_channel_leaves_nothing(connect: Connect) -> None:
    pair = await connect()
    Echo(pair.server)
    server = sctp_of(pair.server)
    for _ in range(20):
        channel = pair.client.createDataChannel("short")
        await until(lambda c=channel: c.readyState == "open")  # type: ignore[misc]
        channel.close()
        await until(lambda c=channel: c.readyState == "closed")  # type: ignore[misc]
    await until(lambda: len(server._data_channels) == 1)


async def test_opening_a_channel_twice_closes_it(connect: Connect) -> None:
    """RFC 8832 section 6: a stream that is in use cannot be opened again."""
    pair = await connect()
    server = sctp_of(pair.server)
    channel = server._data_channels[0]
    server._deliver(0, 50, pack("!BBHLHH", 3, 0, 0, 0, 0, 0), 0)
    assert channel.readyState == "closing"
    await until(lambda: pair.channel.readyState == "closed")


def _data(
    to: SctpTransport, ahead: int, data: bytes, *, stream: int = 0, flags: int = 3
) -> bytes:
    """A packet of one DATA chunk, so many TSNs beyond the last that was received."""
    assert to._last_received_tsn is not None
    tsn = (to._last_received_tsn + ahead) % 2**32
    chunk = pack("!BBHLHHL", 0, flags, 16 + len(data), tsn, stream, 0, 53) + data
    return _packet(to, chunk + bytes(-len(chunk) % 4))


async def test_messages_behind_an_abandoned_one_are_delivered(
    connect: Connect,
) -> None:
    """RFC 3758 section 3.6: a FORWARD TSN releases what waited for the lost one."""
    pair = await connect(ordered=True, maxRetransmits=0)
    Echo(pair.server)
    received: list[bytes] = []
    pair.channel.on("message", received.append)
    await until(lambda: not sctp_of(pair.client)._sent_queue)
    connection = pair.client.transport.connection
    send = connection.send_now
    sent = 0

    def lose_the_third(data: bytes) -> None:
        nonlocal sent
        sent += 1
        if sent != 3:
            send(data)

    connection.send_now = lose_the_third  # type: ignore[method-assign]
    for n in range(10):
        pair.channel.send(bytes([n]) * 1000)
    await until(lambda: received and received[-1][0] == 9)
    assert [message[0] for message in received] == [0, 1, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("ordered", [True, False])
async def test_an_unreliable_channel_survives_loss_and_reordering(
    connect: Connect, ordered: bool
) -> None:
    pair = await connect(ordered=ordered, maxRetransmits=0)
    Echo(pair.server)
    received: list[int] = []
    pair.channel.on("message", lambda m: received.append(unpack("!I", m[:4])[0]))
    source = random.Random(3)
    loop = asyncio.get_running_loop()
    for peer in (pair.client, pair.server):
        connection = peer.transport.connection
        send = connection.send_now

        def unreliable(data: bytes, send: Callable[[bytes], None] = send) -> None:
            chance = source.random()
            if chance < 0.08:
                return
            if chance < 0.16:
                loop.call_later(0.002, send, data)
            else:
                send(data)

        connection.send_now = unreliable  # type: ignore[method-assign]
    for n in range(300):
        pair.channel.send(pack("!I", n) * source.choice([10, 250, 1000]))
        await asyncio.sleep(0.001)
    # It is alive to the end: what is sent again and again comes back at last.
    async with asyncio.timeout(30):
        n = 300
        while not received or received[-1] < 300:
            pair.channel.send(pack("!I", n))
            n += 1
            await asyncio.sleep(0.05)
    assert len(received) > 100
    if ordered:
        assert received == sorted(received)


async def test_the_timer_follows_a_timeout_that_has_become_shorter(
    connect: Connect,
) -> None:
    server = sctp_of((await connect()).server)
    server._stop_recovery()
    server._rto = 3.0
    server._t3_restart()
    server._rto = 1.0
    server._t3_restart()
    assert server._t3_handle is not None
    assert server._t3_handle.when() == server._t3_deadline
    server._t3_cancel()


async def test_a_peer_that_never_acknowledges_is_bounded(connect: Connect) -> None:
    """What is in flight counts too, and each message more than its octets."""
    limit = 512 * 1024
    pair = await connect(limit=limit)
    Echo(pair.server)
    server = sctp_of(pair.server)
    server._cwnd = 1 << 30
    sctp_of(pair.client).receive_packet = lambda _: None  # type: ignore
    for _ in range(20000):
        server.receive_packet(_data(server, 1, b"x"))
    assert len(server._sent_queue) * 256 <= 2 * limit
    assert server._held <= 2 * limit + 512  # the message that still fitted


async def test_fragments_beyond_a_gap_are_bounded(connect: Connect) -> None:
    server = sctp_of((await connect(limit=512 * 1024)).server)
    for n in range(5000):
        server.receive_packet(_data(server, 2 + n, b"x", flags=4))
    assert len(server._sack_misordered) == server._fragments == MAX_MISORDERED
    server.receive_packet(_data(server, 0x10000, b"x"))
    assert len(server._sack_misordered) == MAX_MISORDERED


async def test_data_on_a_stream_too_high_is_refused(connect: Connect) -> None:
    """RFC 9260 section 6.5: acknowledged, and answered with an ERROR."""
    server = sctp_of((await connect()).server)
    bodies: list[bytes] = []
    server._send_body = bodies.append  # type: ignore[method-assign, assignment]
    before = server._last_received_tsn
    server.receive_packet(_data(server, 1, b"x", stream=MAX_STREAMS))
    del server._send_body
    assert server._last_received_tsn != before
    assert MAX_STREAMS not in server._data_channels
    assert bodies[0][0] == ErrorChunk.type


async def test_names_of_channels_are_bounded(connect: Connect) -> None:
    pair = await connect()
    server = sctp_of(pair.server)
    channels = [pair.client.createDataChannel("x" * 65000) for _ in range(8)]
    await until(lambda: all(c.readyState in ("open", "closed") for c in channels))
    await until(lambda: sum(c.readyState == "closed" for c in channels) == 4)
    assert server._names_length <= MAX_NAMES
    Echo(pair.server)
    received: list[str] = []
    channels[0].on("message", received.append)
    channels[0].send("still here")
    await until(lambda: received)


@pytest.mark.parametrize("seed", range(5))
async def test_nonsense_is_dropped(connect: Connect, seed: int) -> None:
    pair = await connect()
    Echo(pair.server)
    server = sctp_of(pair.server)
    source = random.Random(seed)
    for _ in range(400):
        body = b""
        for _ in range(source.randrange(4)):
            kind = source.choice([0, 2, 3, 4, 5, 9, 130, 192, source.randrange(256)])
            # Not those that end an association in due form.
            if kind in (1, 6, 7, 8, 10, 14):
                continue
            data = source.randbytes(source.randrange(40))
            length = source.choice([len(data) + 4, source.randrange(60)])
            body += pack("!BBH", kind, source.randrange(256), length) + data
            body += bytes(-len(body) % 4)
        server.receive_packet(_packet(server, body))
    server.receive_packet(b"")
    server.receive_packet(bytes(16))
    assert server._association_state == server.State.ESTABLISHED


@pytest.mark.parametrize("kind", [1, 2, 4, 5, 6, 9, 130])
async def test_a_parameter_without_length_is_not_gone_through(
    connect: Connect, kind: int
) -> None:
    server = sctp_of((await connect()).server)
    body = bytes(16) if kind in (1, 2) else b""
    body += pack("!HH", 13, 0)
    server.receive_packet(_packet(server, pack("!BBH", kind, 0, 4 + len(body)) + body))
    assert server._association_state == server.State.ESTABLISHED


async def test_an_implausible_sack_is_not_gone_through(connect: Connect) -> None:
    pair = await connect()
    server = sctp_of(pair.server)
    before = server._peer_window

    def take(cumulative: int, gaps: list[tuple[int, int]], cut: int = 0) -> bool:
        sack = SackChunk()
        sack.cumulative_tsn = cumulative % 2**32
        sack.advertised_rwnd = 1
        sack.gaps = gaps
        chunk = bytes(sack)
        return server._receive_sack(chunk, 0, len(chunk) - cut)

    last = server._last_sacked_tsn
    assert not take(last, [(1, 65535)])
    assert not take(last, [(2, 1)])
    assert not take(last, [(1, 1)])
    assert not take(last, [(2, 3), (3, 4)])
    assert not take(last, [(1, 1)], cut=4)
    assert not take(last, [], cut=4)
    assert not take(server._local_tsn, [])  # never sent
    assert server._peer_window == before
    assert server._last_sacked_tsn == last
    assert take(last - 1, [])  # older than what is known
    assert server._peer_window == before
    assert take(last, [])
    assert server._peer_window == 1


async def test_a_handler_that_fails_is_reported_and_the_channel_goes_on(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    pair = await connect()
    received: list[bytes] = []

    def fail_once(_channel: RTCDataChannel, _protocol: int, data: bytes) -> None:
        received.append(data)
        if len(received) == 1:
            raise ValueError("a fault of the handler")

    pair.server.on_message = fail_once
    for message in (b"one", b"two"):
        pair.channel.send(message)
    await until(lambda: len(received) == 2)
    assert "A handler of messages has failed" in caplog.text


async def test_tiny_messages_in_flight_are_bounded(connect: Connect) -> None:
    """A wide window of tiny chunks would make every gap cost a core's time."""
    pair = await connect()
    Echo(pair.server)
    server, client = sctp_of(pair.server), sctp_of(pair.client)
    received: list[bytes] = []
    pair.channel.on("message", received.append)
    server._cwnd = client._cwnd = 1 << 20
    largest = 0
    for n in range(20000):
        pair.channel.send(pack("!I", n))
        largest = max(largest, len(client._sent_queue))
        if n % 500 == 0:
            await asyncio.sleep(0)
    await until(lambda: len(received) == 20000, timeout=60)
    assert largest <= MAX_SENT_CHUNKS
    assert received == [pack("!I", n) for n in range(20000)]


async def test_a_closed_window_is_probed_with_one_chunk(connect: Connect) -> None:
    """RFC 9260 section 6.1, rule A."""
    pair = await connect()
    client = sctp_of(pair.client)
    await until(lambda: client._flight_size == 0)
    client._peer_window = 0
    bodies: list[bytes] = []

    def record(body: bytes) -> None:
        bodies.append(body)

    client._send_body = record  # type: ignore[method-assign]
    for _ in range(5):
        pair.channel.send(bytes(1000))
    assert len(bodies) == 1
    del client._send_body
    client._t3_expired()


def test_what_aiortc_must_have() -> None:
    """The private parts that are overridden or used: a new aiortc may rename them."""
    for name in (
        "_send_chunk",
        "_transmit",
        "_data_channel_flush",
        "_data_channel_send",
        "_data_channel_close",
        "_data_channel_receive",
        "_mark_received",
        "_t3_expired",
        "_t3_start",
        "_t3_restart",
        "_set_state",
        "_receive_chunk",
        "_receive_sack_chunk",
        "_get_inbound_stream",
        "_update_rto",
        "_reset_deferred_streams",
        "_transmit_reconfig",
        "_flight_size_increase",
    ):
        assert callable(getattr(RTCSctpTransport, name)), name
