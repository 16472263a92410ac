"""The codec, and that no octets of a peer are too much for an association."""

import math
import random
from functools import cache
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.transport.sctp.link import Link, Weather, chunks_of
from tests.unit.transport.sctp.packets import chunk, packet, sealed
from whipbird.transport.sctp import AssociationState, ChannelState
from whipbird.transport.sctp.acknowledger import MAX_MISORDERED
from whipbird.transport.sctp.chunks import (
    INIT,
    Init,
    SctpError,
    read_forward_tsn,
    read_init,
    read_parameters,
    write_forward_tsn,
    write_init,
    write_parameter,
)

KINDS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 130, 192)


def test_an_init_is_read_as_it_was_written() -> None:
    """RFC 9260 sections 3.3.2 and 3.3.3."""
    init = Init(7, 1 << 20, 10, 20, 0xFFFFFFFF, cookie=b"cookie")
    body = write_init(INIT, init)[4:]
    assert read_init(body) == init
    plain = read_init(body[:16])
    assert plain == init._replace(forward_tsn=False, re_config=False, cookie=b"")


def test_a_forward_tsn_is_read_as_it_was_written() -> None:
    """RFC 3758 section 3.2."""
    body = write_forward_tsn(9, {1: 2, 3: 0xFFFF})[4:]
    assert read_forward_tsn(body) == (9, [(1, 2), (3, 0xFFFF)])


def test_parameters_are_padded() -> None:
    """RFC 9260 section 3.2.1; the padding of the last may be missing."""
    body = write_parameter(1, b"a") + write_parameter(2) + write_parameter(3, b"12345")
    expected = [(1, b"a"), (2, b""), (3, b"12345")]
    assert list(read_parameters(body)) == expected
    assert list(read_parameters(body[:-3])) == expected


@pytest.mark.parametrize("body", [bytes(4), pack("!HH", 1, 3), pack("!HH", 1, 9)])
def test_a_wrong_length_is_an_error(body: bytes) -> None:
    with pytest.raises(SctpError):
        list(read_parameters(body))


@cache
def _real_packets() -> tuple[bytes, ...]:
    """Packets of all kinds, as associations send them."""
    link = Link(Weather(loss=0.1, jitter=0.02), 11)
    link.server.echoes = True
    link.start()
    channels = [
        link.client.open("one"),
        link.client.open("two", max_retransmits=0),
        link.client.open("three", ordered=False, max_packet_life_time=20),
    ]
    link.until(lambda: all(c.state is ChannelState.OPEN for c in channels))
    for n in range(30):
        for channel in channels:
            link.client.send(channel, bytes([n]) * (1 + n * 150))
    link.settle()
    link.client.close(channels[1])
    link.settle()
    link.client.association.abort(link.now)
    packets = [p for end in link.ends for p in end.packets if len(p) < 1100]
    return tuple(random.Random(0).sample(packets, 100)) + tuple(
        packet for end in link.ends for packet in end.packets[:9]
    )


def _check_sane(link: Link) -> None:
    for end in link.ends:
        association = end.association
        recovery = association._recovery
        assert 0 <= recovery.board.flight <= recovery.board.stored
        assert recovery.board.stored == sum(c.size for c in recovery.board.sent)
        assert association._acknowledger.misordered <= MAX_MISORDERED
        assert association._inbound.kept >= 0
        assert association._sender.queued_octets >= 0
        assert association._acknowledger.is_due or math.isfinite(association.held)
        for stream, channel in association.channels.items():
            assert stream == channel.id
            assert channel.queued >= 0
            assert channel.buffered_amount >= 0
            assert channel.state is not ChannelState.CLOSED


def _play(bodies: list[bytes], seed: int) -> None:
    """Feed an association in use with packets, with right checksums and tags."""
    link = Link(Weather(loss=0.1, jitter=0.01), seed, limit=100_000)
    link.server.echoes = True
    link.start()
    channels = [link.client.open("a"), link.client.open("b", max_retransmits=1)]
    link.run(3)
    server = link.server.association
    for body in bodies:
        kind = body[0] if body else 0
        tag = 0 if kind == INIT else server._handshake.local_tag
        server.receive(sealed(tag, body), link.now)
        for channel in channels:
            link.client.send(channel, b"x" * 2000)
        _check_sane(link)
        link.run(0.01)
    link.run(20)
    _check_sane(link)
    for end in link.ends:
        if end.association.state is AssociationState.CLOSED:
            assert end.association.deadline == math.inf


CHUNKS = st.builds(
    lambda kind, flags, body: chunk(kind, body, flags),
    st.sampled_from(KINDS) | st.integers(0, 255),
    st.integers(0, 255),
    st.binary(max_size=60),
)
TRUNCATED = st.builds(
    lambda kind, length, body: pack("!BBH", kind, 3, length) + body,
    st.sampled_from(KINDS),
    st.integers(0, 80),
    st.binary(max_size=60),
)
BODIES = st.lists(CHUNKS | TRUNCATED | st.binary(max_size=50), max_size=4).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(BODIES, max_size=8), st.integers(0, 1000))
def test_random_chunks_do_no_harm(bodies: list[bytes], seed: int) -> None:
    _play(bodies, seed)


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """The chunks of a real packet, a little changed."""
    body = bytearray(draw(st.sampled_from(_real_packets()))[12:])
    for _ in range(draw(st.integers(0, 4))):
        if not body:
            break
        position = draw(st.integers(0, len(body) - 1))
        how = draw(st.sampled_from(["set", "flip", "cut", "insert", "small"]))
        if how == "set":
            body[position] = draw(st.sampled_from([0, 1, 4, 0x7F, 0x80, 0xFF]))
        elif how == "flip":
            body[position] ^= 1 << draw(st.integers(0, 7))
        elif how == "cut":
            del body[position:]
        elif how == "insert":
            body[position:position] = draw(st.binary(min_size=1, max_size=8))
        else:
            body[min(position, 19)] = draw(st.integers(0, 255))
    return bytes(body)


@settings(max_examples=150, deadline=None)
@given(st.lists(_mutated(), max_size=10), st.integers(0, 1000))
def test_mutated_packets_do_no_harm(bodies: list[bytes], seed: int) -> None:
    _play(bodies, seed)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_chunks_near_the_truth_do_no_harm(data: st.DataObject) -> None:
    """Well-formed ones, with numbers close to those that an association has."""
    link = Link(Weather(loss=0.05, jitter=0.01), data.draw(st.integers(0, 99)))
    link.server.echoes = True
    link.start()
    channels = [
        link.client.open("a"),
        link.client.open("b", max_retransmits=0, ordered=False),
    ]
    link.until(lambda: all(c.state is ChannelState.OPEN for c in channels))
    server = link.server.association
    near = st.integers(-4, 12) | st.sampled_from([2047, 2048, 65535, 1 << 31])
    for _ in range(data.draw(st.integers(1, 12))):
        tsn = (server._acknowledger.cumulative + data.draw(near)) % 2**32
        acknowledged = (server._recovery.board.acknowledged + data.draw(near)) % 2**32
        small = st.integers(0, 6)
        pair = pack("!HH", data.draw(small), data.draw(small))
        protocol = data.draw(st.sampled_from([50, 51, 53]))
        octets = data.draw(st.binary(min_size=1, max_size=30))
        request = (server._resets._expected + data.draw(near)) % 2**32
        response = (server._resets._next_number - data.draw(small)) % 2**32
        result = data.draw(st.integers(0, 7))
        reset = pack("!HHLLL", 13, 18, request, 0, tsn) + pair[:2] + bytes(2)
        one = data.draw(
            st.sampled_from(
                [
                    chunk(0, pack("!L", tsn) + pair + pack("!L", protocol) + octets, n)
                    for n in range(8)
                ]
                + [
                    chunk(3, pack("!LLHH", acknowledged, 9999, 1, 0) + pair),
                    chunk(3, pack("!LLHH", acknowledged, 0, 0, 0)),
                    chunk(7, pack("!L", acknowledged)),
                    chunk(192, pack("!L", tsn) + pair * 3),
                    chunk(130, reset),
                    chunk(130, pack("!HHLL", 16, 12, response, result)),
                    chunk(11),
                    chunk(8),
                ]
            )
        )
        server.receive(packet(server, one), link.now)
        for channel in channels:
            link.client.send(channel, b"x" * 2000)
        _check_sane(link)
        link.run(data.draw(st.sampled_from([0.0, 0.01, 0.5])))
        _check_sane(link)
    link.run(5)
    _check_sane(link)


def test_the_packets_that_are_mutated_are_of_all_kinds() -> None:
    kinds = {kind for one in _real_packets() for kind, _, _ in chunks_of(one)}
    assert {0, 1, 2, 3, 10, 11, 130, 192} <= kinds
