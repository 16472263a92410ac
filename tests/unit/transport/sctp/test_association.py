"""An association: messages whole and in order, memory bounded, nonsense dropped."""

import math
import random
from struct import pack, unpack

import pytest

from tests.unit.transport.sctp.link import Link, Weather, chunks_of, connect
from tests.unit.transport.sctp.packets import (
    all_kinds,
    chunk,
    data,
    kinds,
    packet,
    sack,
)
from whipbird.transport.sctp import (
    MAX_MESSAGE_SIZE,
    MAX_STREAMS,
    AssociationState,
    ChannelState,
    DataChannel,
)
from whipbird.transport.sctp.acknowledger import MAX_MISORDERED, SACK_DELAY
from whipbird.transport.sctp.chunks import (
    DATA,
    ERROR,
    FORWARD_TSN,
    HEARTBEAT,
    HEARTBEAT_ACK,
    MAX_PACKET_SIZE,
    SACK,
)
from whipbird.transport.sctp.inbound import Inbound
from whipbird.transport.sctp.recovery import MAX_SENT_CHUNKS

ESTABLISHED = AssociationState.ESTABLISHED


def test_messages_come_back_whole_and_in_order() -> None:
    link, channel = connect(limit=1 << 20)
    link.server.echoes = True
    source = random.Random(1)
    sizes = (1, 3, 1160, 1161, 2320, 16384, 70000, MAX_MESSAGE_SIZE)
    sent = [(0, source.choice([51, 53]), source.randbytes(n)) for n in sizes * 2]
    sent += [(0, 56, b"\0"), (0, 57, b"\0")]
    for _, protocol, message in sent:
        link.client.send(channel, message, protocol)
    link.until(lambda: len(link.client.received) == len(sent))
    assert link.client.received == sent
    assert all(len(p) <= MAX_PACKET_SIZE for end in link.ends for p in end.packets)


def test_messages_survive_the_loss_of_packets() -> None:
    link, channel = connect(Weather(loss=0.05), seed=2)
    link.server.echoes = True
    sent = [pack("!I", n) * 300 for n in range(150)]
    for message in sent:
        link.client.send(channel, message)
    link.until(lambda: len(link.client.received) == len(sent))
    assert link.client.messages() == sent
    assert link.client.association.retransmitted > 5


def test_reordered_packets_are_put_in_order() -> None:
    link, channel = connect()
    held: list[bytes] = []
    link.client.on_send = held.append
    sent = [pack("!I", n) * 250 for n in range(3)]
    for message in sent:
        link.client.send(channel, message)
    assert len(held) == 3
    for one in reversed(held):
        link.server.association.receive(one, link.now)
    assert link.server.messages() == sent


@pytest.mark.parametrize("ordered", [True, False])
def test_numbers_wrap_around(ordered: bool) -> None:
    """RFC 9260 sections 1.6 and 3.3.1: TSNs modulo 2**32, stream numbers 2**16."""
    link = Link(Weather(loss=0.05, jitter=0.02), seed=4)
    for end in link.ends:
        handshake = end.association._handshake
        handshake.local_tsn = 2**32 - 70
    link.established()
    channel = link.client.open(ordered=ordered)
    link.settle()
    for sender in (link.client, link.server):
        sender.association._sender._sequences[channel.id] = 65500
    for receiver in link.ends:
        receiver.association._inbound._reassembly.stream(channel.id).sequence = 65500
    link.server.echoes = True
    sent = [pack("!I", n) * 300 for n in range(200)]
    for message in sent:
        link.client.send(channel, message)
    link.until(lambda: len(link.client.received) == len(sent))
    received = link.client.messages()
    assert (received if ordered else sorted(received)) == sent
    assert link.client.association._recovery.board.acknowledged > 2**33
    link.settle()


def test_every_second_packet_is_acknowledged() -> None:
    """RFC 9260 section 6.2: "at least every second packet"."""
    link, channel = connect()
    link.server.packets.clear()
    for _ in range(8):
        link.client.send(channel, bytes(1000))
        link.run(0.001)
    link.settle()
    assert kinds(link.server) == [[SACK]] * 4


def test_an_acknowledgement_waits_a_little_for_company() -> None:
    """RFC 9260 section 6.2: here 40 ms, of the 500 that it may."""
    link, channel = connect()
    link.server.packets.clear()
    link.client.send(channel, b"x")
    began = link.now
    link.until(lambda: link.server.packets)
    assert link.now - began == pytest.approx(link.weather.delay + SACK_DELAY)
    assert kinds(link.server) == [[SACK]]


def test_the_immediate_bit_asks_for_an_acknowledgement_at_once() -> None:
    """RFC 9260 section 3.3.1, the I bit (RFC 7053)."""
    link, _ = connect()
    server = link.server.association
    link.server.packets.clear()
    server.receive(packet(server, data(server, 1, b"x", sequence=1, flags=11)), 0.0)
    link.server.flush()
    assert kinds(link.server) == [[SACK]]
    assert link.server.messages() == [b"x"]


def test_an_echo_shares_its_packet_with_the_acknowledgement() -> None:
    link, channel = connect()
    link.server.echoes = True
    link.server.packets.clear()
    link.client.send(channel, b"ping")
    link.until(lambda: link.client.received)
    assert kinds(link.server) == [[SACK, DATA]]


def test_small_messages_share_packets() -> None:
    """RFC 9260 section 6.10."""
    link, channel = connect()
    link.client.packets.clear()
    for _ in range(100):
        link.client.association.send(channel, 53, bytes(20))
    link.client.flush()
    assert len(link.client.packets) == math.ceil(100 * 36 / (MAX_PACKET_SIZE - 12))


def test_a_large_message_comes_back_within_few_round_trips() -> None:
    link, channel = connect(Weather(delay=0.05))
    link.server.echoes = True
    began = link.now
    link.client.send(channel, bytes(16384))
    link.until(lambda: link.client.received)
    assert link.now - began < 0.41


# Memory


class _Deaf(Inbound):
    """Takes no data; what it acknowledges is as before."""

    __slots__ = ()

    def receive_data(self, *_: object) -> None:
        pass


def _stop_reading(link: Link) -> None:
    """The client takes no data any more; its acknowledgements say so."""
    link.client.association._inbound.__class__ = _Deaf


def _read_again(link: Link) -> None:
    link.client.association._inbound.__class__ = Inbound


def test_a_peer_that_does_not_read_has_to_wait() -> None:
    """The window closes, so the memory held for the peer stays bounded."""
    window = 512 * 1024
    link, channel = connect(limit=window)
    link.server.echoes = True
    server = link.server.association
    _stop_reading(link)
    sent = [pack("!I", n) * 4096 for n in range(256)]  # 4 MiB
    for message in sent:
        link.client.association.send(channel, 53, message)
    link.client.flush()
    largest = 0
    for _ in range(200):
        link.run(0.02)
        largest = max(largest, server.held + server._inbound.kept)
    assert server._acknowledger.announced == 0
    assert window <= largest <= 2 * window
    assert channel.buffered_amount > len(sent) * 16384 // 4
    _read_again(link)
    link.until(lambda: len(link.client.received) == len(sent))
    assert link.client.messages() == sent
    link.settle()
    assert server.held == 0


def test_many_tiny_messages_count_for_more_than_their_octets() -> None:
    window = 512 * 1024
    link, channel = connect(limit=window)
    link.server.echoes = True
    _stop_reading(link)
    for _ in range(20000):
        link.client.association.send(channel, 53, b"x")
    link.client.flush()
    link.run(5)
    server = link.server.association
    assert server._acknowledger.announced == 0
    assert server.held <= 2 * window
    assert link.server.received
    held = len(server._sender._queue) + len(server._recovery.board.sent)
    assert held * 256 <= 2 * window


def test_a_window_that_opens_is_announced() -> None:
    """RFC 9260 section 6.2: a window update, for the peer waits for one."""
    link, channel = connect(limit=300_000)
    link.server.echoes = True
    server = link.server.association
    _stop_reading(link)
    for _ in range(60):
        link.client.association.send(channel, 53, bytes(16384))
    link.client.flush()
    link.run(3)
    assert server._acknowledger.announced == 0
    # All that is held is taken at once, and nothing else asks for an answer.
    link._on_the_way.clear()
    link.server.packets.clear()
    count = server._recovery.board.next_tsn - server._recovery.board.acknowledged - 1
    server._sender._queue.clear()
    server._sender.queued_octets = 0
    server.receive(packet(server, sack(server, count)), link.now)
    link.server.flush()
    assert kinds(link.server)[0] == [SACK]
    assert server._acknowledger.announced > 150_000


def test_a_message_without_end_ends_the_association() -> None:
    limit = 512 * 1024
    link, _ = connect(limit=limit)
    server = link.server.association
    for n in range((2 * limit + MAX_MESSAGE_SIZE) // 1000 + 20):
        flags = 2 if n == 0 else 0
        one = data(server, 1, bytes(1000), sequence=1, flags=flags)
        server.receive(packet(server, one), link.now)
        link.server.flush()
        if server.state is AssociationState.CLOSED:
            break
    assert link.server.closed == ["the peer sent a message larger than it may"]
    assert server._inbound.kept == 0
    link.settle()
    assert link.client.closed == ["the peer aborted the association"]


def test_a_peer_that_never_acknowledges_is_bounded() -> None:
    """What is in flight counts too, and each message more than its octets."""
    limit = 512 * 1024
    link, _ = connect(limit=limit)
    link.server.echoes = True
    server = link.server.association
    server._recovery.congestion.size = 1 << 30
    link.server.on_send = lambda _: None
    for n in range(20000):
        one = data(server, 1, b"x", sequence=(n + 1) & 0xFFFF)
        server.receive(packet(server, one), link.now)
        link.server.flush()
    assert len(server._recovery.board.sent) * 256 <= 2 * limit
    assert server.held <= 2 * limit + 512  # the message that still fitted


def test_a_peer_that_acknowledges_nothing_for_a_minute_is_given_up() -> None:
    """RFC 9260 section 8.1; consent would have ended the session before."""
    link, _ = connect()
    link.server.on_send = lambda _: None
    link.server.send(link.server.opened[0], b"anybody there?")
    began = link.now
    link.until(lambda: link.server.closed, seconds=120)
    assert link.server.closed == ["the peer did not acknowledge"]
    assert 45 < link.now - began < 65
    assert link.server.association.deadline == math.inf


def test_fragments_beyond_a_gap_are_bounded() -> None:
    link, _ = connect(limit=512 * 1024)
    server = link.server.association
    for n in range(5000):
        server.receive(packet(server, data(server, 2 + n, b"x", flags=4)), link.now)
    assert server._acknowledger.misordered == MAX_MISORDERED
    assert server._inbound._reassembly.fragments == MAX_MISORDERED
    server.receive(packet(server, data(server, 0x10000, b"x")), link.now)
    assert server._acknowledger.misordered == MAX_MISORDERED


def test_tiny_messages_in_flight_are_bounded() -> None:
    """A wide window of tiny chunks would make every gap cost a core's time."""
    link, channel = connect()
    link.server.echoes = True
    for end in link.ends:
        end.association._recovery.congestion.size = 1 << 20
    sent = [pack("!I", n) for n in range(20000)]
    for message in sent:
        link.client.association.send(channel, 53, message)
    link.client.flush()
    largest = 0
    while len(link.client.received) < len(sent):
        assert link.step()
        largest = max(largest, len(link.client.association._recovery.board.sent))
    assert largest == MAX_SENT_CHUNKS
    assert link.client.messages() == sent


def test_answers_to_be_sent_are_bounded() -> None:
    """What a peer can ask for again and again before ``flush`` is called."""
    link, _ = connect()
    server = link.server.association
    for n in range(2000):
        one = chunk(HEARTBEAT, pack("!HHL", 1, 8, n)) * 20
        server.receive(packet(server, one), link.now)
    link.server.packets.clear()
    link.server.flush()
    assert sum(map(len, kinds(link.server))) == 64
    link.server.packets.clear()
    for _ in range(2000):
        server.receive(link.client.packets[0], link.now)  # an INIT
    link.server.flush()
    assert len(link.server.packets) == 64


# What peers send


def test_data_on_a_stream_too_high_is_refused() -> None:
    """RFC 9260 section 6.5: acknowledged, and answered with an ERROR."""
    link, _ = connect()
    server = link.server.association
    before = server._acknowledger.cumulative
    one = data(server, 1, b"x", stream=MAX_STREAMS)
    server.receive(packet(server, one), link.now)
    link.server.packets.clear()
    link.server.flush()
    assert server._acknowledger.cumulative == before + 1
    assert MAX_STREAMS not in server.channels
    ((error, _, body),) = list(chunks_of(link.server.packets[0]))[:1]
    assert error == ERROR
    assert body == pack("!HHHH", 1, 8, MAX_STREAMS, 0)


def test_data_without_octets_is_malformed() -> None:
    """RFC 9260 section 3.3.1: a length of 16 must not be."""
    link, _ = connect()
    server = link.server.association
    before = server._acknowledger.cumulative
    server.receive(packet(server, data(server, 1, b"")), link.now)
    assert server.malformed == 1
    assert server._acknowledger.cumulative == before


def test_a_heartbeat_is_answered_with_what_it_holds() -> None:
    """RFC 9260 section 8.3."""
    link, _ = connect()
    server = link.server.association
    body = pack("!HH", 1, 9) + b"hello"
    server.receive(packet(server, chunk(HEARTBEAT, body)), link.now)
    link.server.packets.clear()
    link.server.flush()
    assert list(chunks_of(link.server.packets[0])) == [(HEARTBEAT_ACK, 0, body)]


@pytest.mark.parametrize(
    ("kind", "reported", "goes_on"),
    [
        (0x3F, False, False),
        (0x7F, True, False),
        (0xBF, False, True),
        (0xFE, True, True),
    ],
)
def test_unknown_chunks_are_treated_as_they_say(
    kind: int, reported: bool, goes_on: bool
) -> None:
    """RFC 9260 section 3.2: the two highest bits of the type."""
    link, _ = connect()
    server = link.server.association
    link.server.packets.clear()
    body = chunk(kind, b"what?") + data(server, 1, b"x", sequence=1)
    server.receive(packet(server, body), link.now)
    link.server.flush()
    assert link.server.messages() == ([b"x"] if goes_on else [])
    assert (ERROR in all_kinds(link.server)) is reported


@pytest.mark.parametrize("seed", range(10))
def test_nonsense_is_dropped(seed: int) -> None:
    link, _ = connect()
    link.server.echoes = True
    server = link.server.association
    source = random.Random(seed)
    for _ in range(400):
        body = b""
        for _ in range(source.randrange(4)):
            kind = source.choice([0, 2, 3, 4, 5, 9, 130, 192, source.randrange(256)])
            # Not those that end an association in due form.
            if kind in (1, 6, 7, 8, 10, 14):
                continue
            octets = source.randbytes(source.randrange(40))
            length = source.choice([len(octets) + 4, source.randrange(60)])
            body += pack("!BBH", kind, source.randrange(256), length) + octets
            body += bytes(-len(body) % 4)
        server.receive(packet(server, body), link.now)
        server.flush(link.now)
    server.receive(b"", link.now)
    server.receive(bytes(16), link.now)
    assert server.state is ESTABLISHED


@pytest.mark.parametrize("kind", [1, 2, 4, 5, 6, 9, 130])
def test_a_parameter_without_length_is_not_gone_through(kind: int) -> None:
    link, _ = connect()
    server = link.server.association
    body = bytes(16) if kind in (1, 2) else b""
    one = chunk(kind, body + pack("!HH", 13, 0))
    server.receive(packet(server, one), link.now)
    assert server.state is (AssociationState.CLOSED if kind == 6 else ESTABLISHED)


@pytest.mark.parametrize("kind", [2, 3, 7, 130, 192])
def test_a_chunk_that_is_too_short_is_malformed(kind: int) -> None:
    link, _ = connect()
    server = link.server.association
    body = pack("!HHH", 13, 6, 0) if kind == 130 else b"x"
    server.receive(packet(server, chunk(kind, body)), link.now)
    assert server.malformed == 1
    assert server.state is ESTABLISHED


def test_an_acknowledgement_that_cannot_be_is_not_gone_through() -> None:
    """RFC 9260 section 6.2.1."""
    link, channel = connect()
    client = link.client.association
    link.client.on_send = lambda _: None
    for _ in range(5):
        link.client.send(channel, b"x")
    window = client._recovery.peer_window

    def take(cumulative: int, *gaps: tuple[int, int], cut: int = 0) -> bool:
        before = client.malformed
        one = sack(client, cumulative, 7, *gaps)
        one = one[:2] + pack("!H", len(one) - cut) + one[4:]
        client.receive(packet(client, one), link.now)
        return client.malformed == before

    assert not take(0, (1, 65535))
    assert not take(0, (2, 1))
    assert not take(0, (1, 1))
    assert not take(0, (2, 3), (4, 5))
    assert not take(0, (2, 2), cut=4)
    assert not take(0, cut=4)
    assert not take(6)  # never sent
    assert client._recovery.peer_window == window
    assert take(-1)  # older than what is known
    assert client._recovery.peer_window == window
    assert take(0, (2, 2))
    assert client._recovery.peer_window == 7


def test_one_acknowledgement_in_a_packet_is_enough() -> None:
    """Going through the gaps of many would take long."""
    link, channel = connect()
    client = link.client.association
    link.client.on_send = lambda _: None
    for _ in range(5):
        link.client.send(channel, b"x")
    twice = sack(client, 0, 7, (2, 2)) + sack(client, 0, 8, (2, 3))
    client.receive(packet(client, twice), link.now)
    assert client._recovery.peer_window == 7


def test_a_closed_window_is_probed_with_one_chunk() -> None:
    """RFC 9260 section 6.1, rule A."""
    link, channel = connect()
    client = link.client.association
    client._recovery.peer_window = 0
    size = client._recovery.congestion.size
    link.client.packets.clear()
    link.client.on_send = lambda _: None
    for _ in range(5):
        link.client.send(channel, bytes(1000))
    assert len(link.client.packets) == 1
    link.run(1.0)
    assert len(link.client.packets) == 3
    assert len({p[12:] for p in link.client.packets}) == 1
    assert client._recovery.congestion.size == size
    link.client.on_send = None
    link.settle()
    assert len(link.server.received) == 5


# Sending


def test_a_message_that_cannot_be_sent_is_refused() -> None:
    link = Link(max_message_size=1000).established()
    channel = link.client.open()
    assert not link.client.send(channel, b"too early")
    link.settle()
    assert link.client.send(channel, bytes(1000))
    assert not link.client.send(channel, bytes(1001))
    with pytest.raises(ValueError, match="no octets"):
        link.client.association.send(channel, 57, b"")
    link.client.close(channel)
    assert not link.client.send(channel, b"too late")
    link.settle()
    assert link.server.messages() == [bytes(1000)]


def test_the_buffered_amount_falls_as_messages_go() -> None:
    link, channel = connect()
    for _ in range(30):
        link.client.association.send(channel, 53, bytes(10000))
    assert channel.buffered_amount == 300_000
    link.client.flush()
    assert 0 < channel.buffered_amount < 300_000
    link.settle()
    assert channel.buffered_amount == 0
    assert link.client.left == {channel: 300_000}


def test_a_fault_of_ours_is_not_taken_for_nonsense() -> None:
    link, channel = connect()

    def fail(*_: object) -> None:
        raise ValueError("a fault of the layer above")

    link.server.on_message = fail
    link.client.send(channel, b"x")
    with pytest.raises(ValueError, match="layer above"):
        link.settle()
    assert link.server.association.malformed == 0


def test_an_association_may_be_aborted_from_within() -> None:
    link, channel = connect()
    server = link.server.association
    link.server.on_message = lambda *_: server.abort(link.now)
    for n in range(5):
        link.client.association.send(channel, 53, bytes([n]))
    link.client.flush()
    link.settle()
    assert len(link.server.received) == 1
    assert server.deadline == math.inf
    assert link.client.closed == ["the peer aborted the association"]


def test_a_timer_called_too_early_does_nothing() -> None:
    link, channel = connect()
    link.client.send(channel, b"x")
    link.client.packets.clear()
    for _ in range(10):
        link.client.association.handle_timeout(link.now)
    assert not link.client.packets
    assert link.client.association.deadline > link.now


def test_packets_are_counted() -> None:
    link, channel = connect()
    link.client.send(channel, b"x")
    link.settle()
    for near, far in (link.ends, link.ends[::-1]):
        assert near.association.packets_sent == len(near.packets)
        assert far.association.packets_received == len(near.packets)


# Partial reliability


def test_messages_behind_an_abandoned_one_are_delivered() -> None:
    """RFC 3758 section 3.6: a FORWARD TSN releases what waited for the lost one."""
    link, channel = connect(ordered=True, max_retransmits=0)
    link.server.echoes = True
    sent = 0

    def lose_the_third(packet: bytes) -> bytes | None:
        nonlocal sent
        sent += 1
        return None if sent == 3 else packet

    link.client.on_send = lose_the_third
    for n in range(10):
        link.client.send(channel, bytes([n]) * 1000)
    link.settle()
    numbers = [message[0] for message in link.client.messages()]
    assert numbers == [0, 1, 3, 4, 5, 6, 7, 8, 9]
    assert FORWARD_TSN in all_kinds(link.client)


@pytest.mark.parametrize("ordered", [True, False])
def test_an_unreliable_channel_survives_loss_and_reordering(ordered: bool) -> None:
    link, channel = connect(
        Weather(loss=0.08, jitter=0.005), 3, ordered=ordered, max_retransmits=0
    )
    link.server.echoes = True
    for n in range(300):
        size = link.random.choice([10, 250, 1000])
        link.client.send(channel, pack("!I", n) * size)
        link.run(0.001)
    link.settle()
    received = [unpack("!I", m[:4])[0] for m in link.client.messages()]
    assert len(received) > 100
    assert len(set(received)) == len(received)
    if ordered:
        assert received == sorted(received)


def test_a_lifetime_that_is_over_before_a_message_is_sent() -> None:
    """RFC 3758 section 4.1: it takes no TSN, and no number in its stream."""
    link, channel = connect(ordered=True, max_packet_life_time=100)
    client = link.client.association
    client._recovery.peer_window = 1000
    for n in range(5):
        link.client.association.send(channel, 53, bytes([n]) * 1000)
    link.client.on_send = lambda _: None
    link.client.flush()
    link.run(0.2)
    link.client.on_send = None
    assert channel.buffered_amount == 4000
    before = client._recovery.board.next_tsn
    link.client.send(channel, b"fresh")
    link.settle()
    assert link.server.messages() == [b"fresh"]
    assert client._recovery.board.next_tsn - before == 1


def test_a_lifetime_of_nothing_still_sends_once() -> None:
    link, channel = connect(max_packet_life_time=0)
    link.client.send(channel, b"now or never")
    link.settle()
    assert link.server.messages() == [b"now or never"]


def test_a_message_partly_sent_is_abandoned_whole() -> None:
    """RFC 3758 section 3.5, A3: the peer drops what it has of it."""
    for ordered in (True, False):
        link, channel = connect(ordered=ordered, max_packet_life_time=100)
        server = link.server.association
        link.client.association._recovery.congestion.size = 5000
        link.client.association.send(channel, 53, bytes(50000))
        link.client.flush()
        link.server.on_send = lambda _: None
        link.run(0.15)
        assert server._inbound.kept
        link.server.on_send = None
        link.client.send(channel, b"next")
        link.settle()
        assert link.server.messages() == [b"next"]
        assert server._inbound.kept == 0
        assert link.client.association.held == 0


def test_nothing_is_abandoned_if_the_peer_cannot_bear_it() -> None:
    """RFC 3758 section 3.1: the peer must know FORWARD TSN."""
    link = Link(Weather(loss=0.2), 1)
    handshake = link.server.association._handshake
    link.established()
    assert handshake.peer is not None
    link.client.association._sender.can_abandon = False
    channel: DataChannel = link.client.open(max_retransmits=0, ordered=False)
    link.until(lambda: channel.state is ChannelState.OPEN)
    for n in range(200):
        link.client.send(channel, bytes([n]) * 500)
    link.settle()
    assert sorted(m[0] for m in link.server.messages()) == list(range(200))
