"""Stream resets: RFC 6525."""

import math
from struct import pack

import pytest

from tests.unit.transport.sctp.link import Link, chunks_of, connect
from tests.unit.transport.sctp.packets import chunk, data, packet, sack
from whipbird.transport.sctp import Association, ChannelState, DataChannel
from whipbird.transport.sctp.chunks import RE_CONFIG
from whipbird.transport.sctp.receiver import MAX_REQUESTS
from whipbird.transport.sctp.reconfig import (
    ADD_INCOMING,
    ADD_OUTGOING,
    BAD_SEQUENCE,
    DENIED,
    IN_PROGRESS,
    INCOMING_RESET,
    NOTHING_TO_DO,
    OUTGOING_RESET,
    PERFORMED,
    REQUEST_IN_PROGRESS,
    RESPONSE,
    TSN_RESET,
)

CLOSED = ChannelState.CLOSED
CLOSING = ChannelState.CLOSING


def _parameter(kind: int, value: bytes) -> bytes:
    return pack("!HH", kind, 4 + len(value)) + value + bytes(-len(value) % 4)


def _ask(
    link: Link, ahead: int, *streams: int, offset: int = 0, kind: int = OUTGOING_RESET
) -> list[int]:
    """Let the client ask for a reset; the results that the server answers.

    Args:
        ahead: the last TSN before it, beyond what the server has.
        offset: of the number of the request from the one that is next.
    """
    server = link.server.association
    number = (server._resets._expected + offset) % 2**32
    last = (server._acknowledger.cumulative + ahead) % 2**32
    value = pack("!LLL", number, 0, last) + b"".join(pack("!H", s) for s in streams)
    one = chunk(RE_CONFIG, _parameter(kind, value))
    server.receive(packet(server, one), link.now)
    return _results(link)


def _results(link: Link) -> list[int]:
    """The results in what the server sends now."""
    link.server.packets.clear()
    link.server.on_send = lambda _: None
    link.server.flush()
    return [
        int.from_bytes(body[8:12], "big")
        for one in link.server.packets
        for kind, _, body in chunks_of(one)
        if kind == RE_CONFIG and body[1] == RESPONSE
    ]


def _answer(to: Association, result: int, offset: int = -1) -> bytes:
    number = (to._resets._next_number + offset) % 2**32
    return packet(
        to, chunk(RE_CONFIG, _parameter(RESPONSE, pack("!LL", number, result)))
    )


def _requests(link: Link) -> list[tuple[float, bytes]]:
    """Collect the requests of the client, which are lost."""
    requests: list[tuple[float, bytes]] = []

    def look(packet: bytes) -> bytes | None:
        for kind, _, body in chunks_of(packet):
            if kind == RE_CONFIG and body[1] == OUTGOING_RESET:
                requests.append((link.now, body))
                return None
        return packet

    link.client.on_send = look
    return requests


def test_a_reset_waits_for_data_sent_before_it() -> None:
    """RFC 6525 section 5.2.2, E2: "in progress", until the data is here."""
    link, _ = connect()
    server = link.server.association
    channel = link.server.opened[0]
    assert _ask(link, 2, 0) == [IN_PROGRESS]
    assert channel.state is ChannelState.OPEN
    server.receive(packet(server, data(server, 1, b"a", sequence=1)), link.now)
    assert _results(link) == []
    server.receive(packet(server, data(server, 1, b"b", sequence=2)), link.now)
    assert link.server.messages() == [b"a", b"b"]
    assert channel.state is CLOSING
    assert _results(link) == [PERFORMED]


def test_what_comes_after_a_reset_waits_for_it() -> None:
    """RFC 6525 section 5.2.2, E2 and E5: it begins with number 0 again."""
    link, _ = connect()
    server = link.server.association
    old = link.server.opened[0]
    link.server.close(old)
    assert _ask(link, 1, 0) == [IN_PROGRESS]
    announcement = pack("!BBHLHH", 3, 0, 0, 0, 3, 0) + b"new"
    after = data(server, 2, announcement, protocol=50)
    after += data(server, 3, b"first", sequence=1)
    after += data(server, 4, b"elsewhere", stream=2, flags=7)
    server.receive(packet(server, after), link.now)
    assert link.server.messages() == [b"elsewhere"]
    server.receive(packet(server, data(server, 1, b"last", sequence=1)), link.now)
    assert link.server.messages() == [b"elsewhere", b"last", b"first"]
    assert old.state is CLOSED
    assert server.channels[0].label == "new"
    assert server.channels[0].state is ChannelState.OPEN
    assert server._inbound.kept == 0


def test_a_request_is_answered_again_with_its_result() -> None:
    """RFC 6525 section 5.2.1."""
    link, _ = connect()
    server = link.server.association
    assert _ask(link, 1, 0) == [IN_PROGRESS]
    assert _ask(link, 1, 0, offset=-1) == [IN_PROGRESS]
    assert _ask(link, 1, 0) == [REQUEST_IN_PROGRESS]
    server.receive(packet(server, data(server, 1, b"a", sequence=1)), link.now)
    assert _results(link) == [PERFORMED]
    assert _ask(link, 0, 0, offset=-1) == [PERFORMED]
    for offset in (1, -2, 1 << 31):
        assert _ask(link, 0, 0, offset=offset) == [BAD_SEQUENCE]
    assert _ask(link, 0, 0) == [PERFORMED]


def test_no_streams_stand_for_all() -> None:
    """RFC 6525 section 4.1."""
    link, _ = connect()
    link.client.open()
    link.settle()
    assert _ask(link, 0) == [PERFORMED]
    assert [c.state for c in link.server.association.channels.values()] == [CLOSING] * 2


def test_streams_never_used_can_be_reset() -> None:
    link, _ = connect()
    assert _ask(link, 0, 500, 65535) == [PERFORMED]
    assert link.server.opened[0].state is ChannelState.OPEN


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        (ADD_OUTGOING, PERFORMED),
        (ADD_INCOMING, DENIED),
        (INCOMING_RESET, DENIED),
        (TSN_RESET, DENIED),
    ],
)
def test_other_requests_are_answered(kind: int, result: int) -> None:
    """RFC 6525 section 5.2: no WebRTC endpoint sends them."""
    link, _ = connect()
    assert _ask(link, 0, kind=kind) == [result]
    assert _ask(link, 0, kind=kind, offset=-1) == [result]


@pytest.mark.parametrize(
    "parameter",
    [
        _parameter(OUTGOING_RESET, bytes(11)),
        _parameter(OUTGOING_RESET, bytes(13)),
        _parameter(RESPONSE, bytes(7)),
        _parameter(ADD_OUTGOING, bytes(7)),
        pack("!HH", OUTGOING_RESET, 3),
        pack("!HH", OUTGOING_RESET, 400),
    ],
)
def test_parameters_that_are_not_sound_are_malformed(parameter: bytes) -> None:
    link, _ = connect()
    server = link.server.association
    server.receive(packet(server, chunk(RE_CONFIG, parameter)), link.now)
    assert server.malformed == 1
    assert _results(link) == []


def test_a_request_is_retransmitted_with_its_number() -> None:
    """RFC 6525 section 5.1.1."""
    link, channel = connect()
    requests = _requests(link)
    link.client.close(channel)
    link.run(10)
    times = [at for at, _ in requests]
    assert len({body for _, body in requests}) == 1
    assert times[1] - times[0] < 0.4
    assert times[-1] - times[-2] == pytest.approx(3.0)
    link.client.on_send = None
    link.settle()
    assert channel.state is CLOSED


def test_a_peer_that_never_answers_is_given_up() -> None:
    link, channel = connect()
    _requests(link)
    link.client.close(channel)
    began = link.now
    link.until(lambda: link.client.closed, seconds=90)
    assert link.client.closed == ["the peer did not acknowledge"]
    assert link.now - began > 45


def test_in_progress_is_asked_again_as_soon_as_the_data_is_there() -> None:
    """RFC 6525 section 5.2.7, H2. Before, a whole second went by."""
    link, channel = connect()
    client = link.client.association
    requests = _requests(link)
    link.client.send(channel, b"x")
    link.client.close(channel)
    client.receive(_answer(client, IN_PROGRESS), link.now)
    link.client.flush()
    assert len(requests) == 1
    client.receive(packet(client, sack(client, 1)), link.now)
    link.client.flush()
    assert len(requests) == 2
    assert requests[1] == requests[0]
    link.client.flush()
    assert len(requests) == 2
    client.receive(_answer(client, PERFORMED), link.now)
    assert channel.outbound_reset


def test_in_progress_is_asked_again_later_and_does_not_end_it() -> None:
    link, channel = connect()
    client = link.client.association
    requests = _requests(link)
    link.client.close(channel)
    for n in range(20):
        client.receive(_answer(client, IN_PROGRESS), link.now)
        link.until(lambda n=n: len(requests) == n + 2, seconds=1)  # type: ignore[misc]
    assert not channel.outbound_reset
    # A peer that has all data, and says so without end, waits for nothing.
    client.receive(_answer(client, IN_PROGRESS), link.now)
    assert channel.outbound_reset
    assert not link.client.closed


@pytest.mark.parametrize("result", [NOTHING_TO_DO, PERFORMED])
def test_a_stream_begins_anew_when_the_reset_was_performed(result: int) -> None:
    """RFC 6525 section 5.2.7, H3."""
    link, channel = connect()
    client = link.client.association
    _requests(link)
    link.client.send(channel, b"x")
    link.client.close(channel)
    assert client._sender._sequences == {0: 2}
    client.receive(_answer(client, result, offset=0), link.now)  # of another request
    assert not channel.outbound_reset
    client.receive(_answer(client, result), link.now)
    assert channel.outbound_reset
    assert client._sender._sequences == {}
    assert channel.state is CLOSING  # until the peer has reset its direction
    client.receive(_answer(client, result), link.now)  # again, and of no effect


@pytest.mark.parametrize("result", [DENIED, 3, REQUEST_IN_PROGRESS, BAD_SEQUENCE])
def test_a_channel_closes_even_if_its_reset_is_refused(result: int) -> None:
    """RFC 6525 section 5.2.7, H4: the numbers of the stream go on."""
    link, channel = connect()
    client = link.client.association
    _requests(link)
    link.client.send(channel, b"x")
    link.client.close(channel)
    client.receive(_answer(client, result), link.now)
    assert channel.state is CLOSED
    assert not client.channels
    assert client._sender._sequences == {0: 2}
    assert client._resets.deadline == math.inf


def test_channels_close_without_a_reset_if_the_peer_knows_none() -> None:
    link, channel = connect()
    link.client.association._resets.is_supported = False
    requests = _requests(link)
    link.client.close(channel)
    assert channel.state is CLOSED
    link.run(5)
    assert not requests


def test_many_channels_are_closed_with_few_requests() -> None:
    link, channel = connect()
    channels = [channel] + [link.client.open() for _ in range(400)]
    link.settle()
    assert all(c.state is ChannelState.OPEN for c in channels)
    numbers: set[bytes] = set()

    def look(packet: bytes) -> bytes:
        for kind, _, body in chunks_of(packet):
            if kind == RE_CONFIG and body[1] == OUTGOING_RESET:
                numbers.add(body[4:8])
        return packet

    link.client.on_send = look
    for one in channels:
        link.client.association.close_channel(one)
    link.client.flush()
    link.settle()
    assert all(c.state is CLOSED for c in channels)
    assert len(numbers) == 2


def test_a_channel_reopened_early_may_close_early() -> None:
    """A peer that closes again before we may send on its new channel."""
    link, _ = connect()
    server = link.server.association
    first = link.server.opened[0]
    assert _ask(link, 0, 0) == [PERFORMED]  # our own reset is asked for now
    announcement = pack("!BBHLHH", 3, 0, 0, 0, 0, 0)
    channels: list[DataChannel] = [first]
    for n in range(3):
        one = data(server, 1, announcement, protocol=50)
        server.receive(packet(server, one), link.now)
        channels.append(server.channels[0])
        assert channels[-2].state is CLOSED
        assert channels[-1].state is ChannelState.OPEN
        assert server.send(channels[-1], 53, b"hello %d" % n)
        assert _ask(link, 0, 0) == [PERFORMED]
        assert channels[-1].state is CLOSING
    # Each is reset in turn, and what was to be said on those is not said.
    for channel in channels:
        assert server._resets._requested == [channel]
        server.receive(_answer(server, PERFORMED), link.now)
        link.server.flush()
    assert not server.channels
    assert server._resets.pending == 0
    assert server._sender.is_idle
    assert server._sender.queued_octets == 0


def _reset_all(server: Association, count: int) -> bytes:
    """Requests in a row, each to reset all streams."""
    first, last = server._resets._expected, server._acknowledger.cumulative % 2**32
    values = (pack("!LLL", (first + n) % 2**32, 0, last) for n in range(count))
    return b"".join(
        chunk(RE_CONFIG, _parameter(OUTGOING_RESET, value)) for value in values
    )


def test_one_request_of_a_packet_is_handled() -> None:
    """RFC 6525 section 5.1.1: there is one at a time; each costs, by the streams."""
    link, _ = connect()
    server = link.server.association
    server.receive(packet(server, _reset_all(server, 50)), link.now)
    assert _results(link) == [PERFORMED]
    server.receive(packet(server, _reset_all(server, 2)), link.now)
    assert _results(link) == [PERFORMED]


def test_requests_are_limited_in_a_second() -> None:
    link, _ = connect()
    server = link.server.association
    answered = 0
    for _ in range(2 * MAX_REQUESTS):
        server.receive(packet(server, _reset_all(server, 1)), link.now)
        answered += len(_results(link))
    assert answered == server.reset_requests_refused == MAX_REQUESTS
    link.now += 1
    server.receive(packet(server, _reset_all(server, 1)), link.now)
    assert _results(link) == [PERFORMED]
    assert server.malformed == 0
