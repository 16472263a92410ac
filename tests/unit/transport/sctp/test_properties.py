"""What holds of an association whatever the network does: seeded, in virtual time."""

import math
import random
from struct import pack, unpack_from

import pytest

from tests.unit.transport.sctp.link import End, Link, Weather, chunks_of
from whipbird.transport.sctp import PPID_DCEP, ChannelState, DataChannel
from whipbird.transport.sctp.acknowledger import MAX_MISORDERED
from whipbird.transport.sctp.chunks import DATA
from whipbird.transport.sctp.recovery import MAX_SENT_CHUNKS

SEEDS = range(200)
LIMIT = 512 * 1024
KINDS: list[dict[str, object]] = [
    {"ordered": True},
    {"ordered": False},
    {"ordered": True, "max_retransmits": 0},
    {"ordered": False, "max_retransmits": 0},
    {"ordered": True, "max_retransmits": 2},
    {"ordered": False, "max_packet_life_time": 150},
    {"ordered": True, "max_packet_life_time": 150},
]
SIZES = (5, 5, 30, 400, 1160, 1161, 3000, 20000)


def _weather(source: random.Random) -> Weather:
    return Weather(
        loss=source.choice([0.0, 0.02, 0.1, 0.2, 0.3]),
        duplication=source.choice([0.0, 0.0, 0.05, 0.2]),
        delay=source.choice([0.0005, 0.02, 0.1]),
        jitter=source.choice([0.0, 0.0, 0.01, 0.1]),
    )


def _check_bounds(end: End) -> None:
    association = end.association
    recovery = association._recovery
    assert association._inbound.kept <= 2 * association._inbound.window + 262144
    assert association._acknowledger.misordered <= MAX_MISORDERED
    assert len(recovery.board.sent) <= MAX_SENT_CHUNKS + 64  # and what was never sent
    assert 0 <= recovery.board.flight <= recovery.board.stored


def _check_messages(
    received: list[bytes], sent: list[bytes], channel: DataChannel
) -> None:
    numbers = [unpack_from("!I", message)[0] for message in received]
    assert received == [sent[number] for number in numbers], "not as it was sent"
    assert len(set(numbers)) == len(numbers), "delivered twice"
    if channel.ordered:
        assert numbers == sorted(numbers), "out of order"
    if channel.max_retransmits is None and channel.max_packet_life_time is None:
        assert sorted(numbers) == list(range(len(sent))), "lost"


def _check_limits(end: End, channel: DataChannel) -> None:
    """No chunk is sent more often, or longer, than the channel allows."""
    times: dict[bytes, list[float]] = {}
    for at, packet in zip(end.sent_at, end.packets, strict=True):
        for kind, _, body in chunks_of(packet):
            is_user_data = kind == DATA and body[8:12] != pack("!L", PPID_DCEP)
            if is_user_data and unpack_from("!H", body, 4)[0] == channel.id:
                times.setdefault(body[:4], []).append(at)
    for sent in times.values():
        if channel.max_retransmits is not None:
            assert len(sent) <= channel.max_retransmits + 1
        if channel.max_packet_life_time is not None:
            assert sent[-1] - sent[0] <= channel.max_packet_life_time / 1000


@pytest.mark.parametrize("seed", SEEDS)
def test_messages_arrive_as_their_channels_promise(seed: int) -> None:
    """RFC 8831 section 6: reliable ones exactly once; all in the order promised."""
    source = random.Random(seed)
    weather = _weather(source)
    link = Link(weather, seed, limit=LIMIT)
    link.start()
    channels: list[tuple[End, End, DataChannel, list[bytes]]] = []
    for index, kind in enumerate(KINDS):
        near, far = source.choice([link.ends, link.ends[::-1]])
        channel = near.open(f"{index}", **kind)  # type: ignore[arg-type]
        channels.append((near, far, channel, []))
    link.until(lambda: all(c.state is ChannelState.OPEN for _, _, c, _ in channels))

    for _ in range(source.choice([5, 20, 60])):
        for near, _, channel, sent in channels:
            for _ in range(source.randrange(3)):
                size = source.choice(SIZES)
                message = pack("!I", len(sent)) + source.randbytes(size - 4)
                assert near.association.send(channel, 53, message)
                sent.append(message)
            near.flush()
        link.run(source.choice([0.0, 0.01, 0.3]))
        for end in link.ends:
            _check_bounds(end)
    link.settle(600)

    for near, far, channel, sent in channels:
        received = [data for stream, _, data in far.received if stream == channel.id]
        _check_messages(received, sent, channel)
        if not weather.loss and channel.max_packet_life_time is None:
            assert len(received) == len(sent) or weather.jitter
        _check_limits(near, channel)
        assert channel.buffered_amount == 0
        assert channel.queued == 0
        assert near.left.get(channel, 0) == sum(map(len, sent))
    for end in link.ends:
        association = end.association
        assert association.deadline == math.inf
        assert association.held == 0
        assert association._inbound.kept == 0
        assert association._recovery.board.is_idle
        assert association._recovery.board.flight == 0
        assert association.malformed == 0
        assert not end.closed


@pytest.mark.parametrize("seed", range(20))
def test_a_partition_ends_and_all_goes_on(seed: int) -> None:
    """RFC 9260 section 6.3.3, with the backoff bounded: see ``MAX_BACKOFF``."""
    source = random.Random(seed)
    link = Link(Weather(delay=0.02), seed).established()
    channel = link.client.open()
    link.settle()
    link.server.echoes = True
    sent = [pack("!I", n) * 500 for n in range(60)]
    for message in sent[:30]:
        link.client.send(channel, message)
    link.run(source.random() * 0.2)
    link.weather.loss = 1.0
    for message in sent[30:]:
        link.client.send(channel, message)
    link.run(source.choice([1.0, 10.0, 29.0]))
    link.weather.loss = 0.0
    began = link.now
    link.until(lambda: len(link.client.received) == len(sent))
    assert link.client.messages() == sent
    assert link.now - began < 8
    link.settle()
