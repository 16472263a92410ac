"""Data channels: RFC 8831, and their establishment protocol, RFC 8832."""

from struct import pack

import pytest

from tests.unit.transport.sctp.link import End, Link, Weather, chunks_of, connect
from tests.unit.transport.sctp.packets import chunk, data, packet
from whipbird.transport.sctp import (
    MAX_NAMES,
    MAX_STREAMS,
    ChannelOptions,
    ChannelState,
    DataChannel,
)
from whipbird.transport.sctp.chunks import RE_CONFIG, Init
from whipbird.transport.sctp.handshake import Handshake

OPEN = ChannelState.OPEN
CLOSED = ChannelState.CLOSED


def _open_message(
    kind: int = 0, label: bytes = b"", lengths: int | None = None
) -> bytes:
    length = len(label) if lengths is None else lengths
    return pack("!BBHLHH", 3, kind, 0, 7, length, 0) + label


@pytest.mark.parametrize(
    "options",
    [
        ChannelOptions("plain"),
        ChannelOptions("ünïcödé ☃", "protocol é", ordered=False),
        ChannelOptions("", "", max_retransmits=0),
        ChannelOptions("x" * 65535, "y" * 5, ordered=False, max_retransmits=9),
        ChannelOptions("life", max_packet_life_time=0xFFFFFFFF),
        ChannelOptions("life", ordered=False, max_packet_life_time=5),
    ],
)
def test_a_channel_arrives_as_it_was_announced(options: ChannelOptions) -> None:
    """RFC 8832 section 5.1: lengths are those of octets."""
    link = Link().established()
    channel = link.client.association.open_channel(options)
    link.client.flush()
    link.until(lambda: channel.state is OPEN)
    (opened,) = link.server.opened
    assert opened.state is OPEN
    for name in ("label", "protocol", "ordered", "max_retransmits"):
        assert getattr(opened, name) == getattr(options, name)
    assert opened.max_packet_life_time == options.max_packet_life_time
    assert not opened.negotiated
    assert opened.id == channel.id
    assert link.client.changes == [(channel, OPEN)]


def test_each_side_has_streams_of_its_own() -> None:
    """RFC 8832 section 6: even ones for the DTLS client, odd ones for the server."""
    link = Link()
    early = [link.client.open(f"{n}") for n in range(3)]
    link.established()
    late = [link.server.open(f"{n}") for n in range(3)]
    link.settle()
    assert [channel.id for channel in early] == [0, 2, 4]
    assert [channel.id for channel in late] == [1, 3, 5]
    assert all(channel.state is OPEN for channel in early + late)
    assert set(link.server.association.channels) == set(range(6))


def test_streams_are_used_in_turn_until_none_is_left() -> None:
    link, channel = connect()
    link.client.close(channel)
    link.settle()
    assert link.client.open().id == 2
    for _ in range(MAX_STREAMS // 2 - 1):
        link.client.association.open_channel(ChannelOptions())
    with pytest.raises(ValueError, match="no stream is left"):
        link.client.open()
    link.settle()
    assert len(link.server.association.channels) == MAX_STREAMS // 2


def test_options_that_cannot_be_are_refused() -> None:
    link, _ = connect()
    for options, match in (
        (ChannelOptions(id=0), "in use"),
        (ChannelOptions(id=MAX_STREAMS), "beyond"),
        (ChannelOptions(id=-1), "beyond"),
        (ChannelOptions(negotiated=True), "must have an id"),
        (ChannelOptions(max_retransmits=1, max_packet_life_time=1), "one limit"),
        (ChannelOptions(label="é" * 40000), "longer than 65535"),
    ):
        with pytest.raises(ValueError, match=match):
            link.client.association.open_channel(options)
    assert len(link.client.association.channels) == 1


class FewStreams(Handshake):
    """That of a peer which allows ten streams."""

    __slots__ = ()

    def _describe(self, tag: int, tsn: int) -> Init:
        return super()._describe(tag, tsn)._replace(inbound=10)


def test_channels_beyond_what_the_peer_allows_are_closed() -> None:
    """RFC 9260 section 5.1.1: it tells how many streams it takes."""
    link = Link()
    low, high = link.client.open(stream=8), link.client.open(stream=10)
    link.server.association._handshake.__class__ = FewStreams
    link.established()
    link.settle()
    assert low.state is OPEN
    assert high.state is CLOSED
    with pytest.raises(ValueError, match="beyond the 10"):
        link.client.open(stream=10)


def test_a_channel_negotiated_out_of_band_is_echoed() -> None:
    link, _ = connect()
    link.server.echoes = True
    channel = link.client.open("silent", negotiated=True, stream=300, ordered=False)
    assert channel.state is OPEN
    link.client.send(channel, b"hello", 51)
    link.client.send(channel, b"world")
    link.settle()
    assert link.client.received == [(300, 51, b"hello"), (300, 53, b"world")]
    opened = link.server.opened[-1]
    assert opened.negotiated
    assert not opened.ordered


def test_both_sides_may_negotiate_before_the_association() -> None:
    link = Link()
    channels = [end.open(negotiated=True, stream=5) for end in link.ends]
    assert all(not end.association.send(c, 53, b"x") for end, c in _zip(link, channels))
    link.established()
    assert all(channel.state is OPEN for channel in channels)
    for end, channel in _zip(link, channels):
        end.send(channel, b"x")
    link.settle()
    assert all(end.received == [(5, 53, b"x")] for end in link.ends)
    assert not link.server.opened


def _zip(link: Link, channels: list[DataChannel]) -> list[tuple[End, DataChannel]]:
    return list(zip(link.ends, channels, strict=True))


def test_a_message_counts_as_the_acknowledgement() -> None:
    """RFC 8832 section 6: "or any other message"."""
    link, _ = connect()
    link.server.on_send = lambda _: None
    channel = link.client.open(ordered=False)
    link.run(0.015)
    client = link.client.association
    one = data(client, 1, b"x", stream=channel.id, flags=7)
    client.receive(packet(client, one), link.now)
    assert channel.state is OPEN
    assert link.client.messages() == [b"x"]


def test_a_closed_channel_leaves_nothing() -> None:
    link, _ = connect()
    link.server.echoes = True
    for n in range(20):
        channel = link.client.open("short")
        link.until(lambda c=channel: c.state is OPEN)  # type: ignore[misc]
        link.client.send(channel, bytes(3000))
        (link.client if n % 2 else link.server).close(
            channel if n % 2 else link.server.opened[-1]
        )
        link.settle()
        assert channel.state is CLOSED
        assert link.server.opened[-1].state is CLOSED
    for end in link.ends:
        association = end.association
        assert set(association.channels) == {0}
        assert association._resets.pending == 0
        assert set(association._inbound._reassembly.streams) <= {0}
        assert set(association._sender._sequences) <= {0}
        assert association._parts.table._names == len("test")


def test_what_was_sent_arrives_before_a_channel_closes() -> None:
    """W3C webrtc-pc section 6.2.4 and RFC 8831 section 6.7."""
    link, channel = connect(Weather(loss=0.1), 2)
    sent = [bytes([n]) * 5000 for n in range(50)]
    for message in sent:
        link.client.association.send(channel, 53, message)
    link.client.close(channel)
    assert channel.state is ChannelState.CLOSING
    link.settle()
    assert link.server.messages() == sent
    assert channel.state is CLOSED
    states = [ChannelState.CLOSING, CLOSED]
    assert [s for c, s in link.server.changes if c is link.server.opened[0]] == states


def test_both_sides_close_at_once() -> None:
    link, channel = connect(Weather(loss=0.1, jitter=0.02), 5)
    link.client.close(channel)
    link.server.close(link.server.opened[0])
    link.settle()
    assert not any(end.association.channels for end in link.ends)


def test_a_channel_closed_before_the_association_is_never_announced() -> None:
    link = Link()
    first, second = link.client.open("first"), link.client.open("second")
    link.client.close(first)
    assert first.state is CLOSED
    link.established()
    link.settle()
    assert [channel.label for channel in link.server.opened] == ["second"]
    assert second.state is OPEN
    assert link.client.association.held == 0


def test_opening_a_channel_twice_closes_it() -> None:
    """RFC 8832 section 6: a stream that is in use cannot be opened again."""
    link, channel = connect()
    server = link.server.association
    one = data(server, 1, _open_message(), sequence=1, protocol=50)
    server.receive(packet(server, one), link.now)
    assert link.server.opened[0].state is ChannelState.CLOSING
    # That TSN was not the client's: let its next one not be a duplicate.
    link.client.association._recovery.board.next_tsn += 1
    link.client.association._recovery.board.acknowledged += 1
    link.server.flush()
    link.until(lambda: channel.state is not OPEN)


def test_an_announcement_that_is_not_sound_opens_and_closes() -> None:
    for message in (b"\3", b"\3" + bytes(8), _open_message(label=b"ab", lengths=9)):
        link, _ = connect()
        server = link.server.association
        one = data(server, 1, message, stream=6, protocol=50)
        server.receive(packet(server, one), link.now)
        assert link.server.opened[-1].id == 6
        assert link.server.opened[-1].state is ChannelState.CLOSING
        link.server.packets.clear()
        link.server.flush()
        assert RE_CONFIG in [k for p in link.server.packets for k, _, _ in chunks_of(p)]


def test_names_that_are_not_text_are_replaced() -> None:
    link, _ = connect()
    server = link.server.association
    one = data(server, 1, _open_message(label=b"\xffa"), stream=6, protocol=50)
    server.receive(packet(server, one), link.now)
    assert link.server.opened[-1].label == "\ufffda"


@pytest.mark.parametrize("message", [b"\2", b"\1", b"\xff" * 30])
def test_other_messages_of_establishment_do_nothing(message: bytes) -> None:
    link, _ = connect()
    server = link.server.association
    one = data(server, 1, message, stream=6, protocol=50)
    server.receive(packet(server, one), link.now)
    assert set(server.channels) == {0}
    assert server.malformed == 0


def test_protocols_not_known_are_ignored() -> None:
    """RFC 8831 section 8: 52 and 54 are deprecated."""
    link, _ = connect()
    server = link.server.association
    for n, protocol in enumerate((0, 52, 54, 1234)):
        one = data(server, 1, b"x", sequence=n + 1, protocol=protocol)
        server.receive(packet(server, one), link.now)
    assert not link.server.received


def test_names_of_channels_are_bounded() -> None:
    link, _ = connect()
    channels = [link.client.open("x" * 65000) for _ in range(8)]
    link.settle()
    assert sum(channel.state is CLOSED for channel in channels) == 4
    assert link.server.association._parts.table._names <= MAX_NAMES
    link.server.echoes = True
    link.client.send(channels[0], b"still here")
    link.settle()
    assert link.client.received
    for channel in channels:
        link.client.close(channel)
    link.settle()
    assert link.server.association._parts.table._names == len("test")


def test_a_peer_that_opens_and_resets_without_end_is_bounded() -> None:
    """It never answers our resets, so each old channel has to be remembered."""
    link, _ = connect()
    server = link.server.association
    link.server.on_send = lambda _: None
    number = server._resets._expected
    for n in range(5000):
        last = (server._acknowledger.cumulative + 1) % 2**32
        value = pack("!LLLH", (number + n) % 2**32, 0, last, 8)
        body = data(server, 1, _open_message(label=b"x" * 500), stream=8, protocol=50)
        body += chunk(RE_CONFIG, pack("!HH", 13, 4 + len(value)) + value)
        server.receive(packet(server, body), link.now)
        link.server.flush()
        server._recovery.board.sent.clear()
        server._recovery.board.stored = server._recovery.board.flight = 0
    assert server._resets.pending <= 2 * MAX_STREAMS
    assert server._parts.table._names <= MAX_NAMES
    assert server._sender._held <= 2 * MAX_STREAMS
