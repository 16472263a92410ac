"""How an association begins and ends: RFC 9260 sections 5, 8.5 and 9."""

import math
from struct import pack

import pytest

from tests.unit.transport.sctp.link import End, Link, Weather, chunks_of, connect
from tests.unit.transport.sctp.packets import all_kinds, chunk, kinds, packet, sealed
from whipbird.transport.sctp import Association, AssociationState, ChannelState
from whipbird.transport.sctp.chunks import (
    ABORT,
    COOKIE_ACK,
    COOKIE_ECHO,
    ERROR,
    INIT,
    INIT_ACK,
    SHUTDOWN,
    SHUTDOWN_ACK,
    SHUTDOWN_COMPLETE,
    Init,
    write_init,
)

ESTABLISHED = AssociationState.ESTABLISHED
COOKIE_ECHOED = AssociationState.COOKIE_ECHOED


def _states(link: Link) -> list[AssociationState]:
    return [end.association.state for end in link.ends]


def _only(end: End, kind: int) -> bytes:
    """The first packet that begins with a chunk of that kind."""
    return next(p for p in end.packets if p[12] == kind)


def test_both_ends_begin() -> None:
    """RFC 8841 section 9.3 and RFC 9260 section 5.2.1: the INITs collide."""
    link = Link()
    link.start()
    began = link.now
    link.until(lambda: _states(link) == [ESTABLISHED, ESTABLISHED])
    assert link.now - began == pytest.approx(3 * link.weather.delay)
    link.settle()
    assert all(len(end.packets) == 4 for end in link.ends)
    assert all(end.association.malformed == 0 for end in link.ends)


def test_one_end_is_enough() -> None:
    """RFC 9260 section 5.1: the other need not have begun."""
    link = Link()
    link.client.association.start(link.now)
    link.until(lambda: _states(link) == [ESTABLISHED, ESTABLISHED])
    link.server.association.start(link.now)  # late, and of no effect
    assert _states(link) == [ESTABLISHED, ESTABLISHED]
    assert INIT not in all_kinds(link.server)


@pytest.mark.parametrize("kind", [INIT, INIT_ACK, COOKIE_ECHO, COOKIE_ACK])
@pytest.mark.parametrize("both", [False, True])
def test_each_message_may_be_lost(kind: int, both: bool) -> None:
    """RFC 9260 section 5.1: T1 retransmits INIT and COOKIE ECHO."""
    link = Link()
    for end in link.ends:
        losses = [kind]

        def lose(packet: bytes, losses: list[int] = losses) -> bytes | None:
            if packet[12] in losses:
                losses.clear()
                return None
            return packet

        end.on_send = lose
    began = link.now
    (link.start if both else lambda: link.client.association.start(link.now))()
    link.until(lambda: _states(link) == [ESTABLISHED, ESTABLISHED])
    assert link.now - began < 0.7  # RTO.Initial is 0.5 s
    channel = link.client.open()
    link.until(lambda: channel.state is ChannelState.OPEN)


@pytest.mark.parametrize("seed", range(100))
def test_the_handshake_completes_under_loss(seed: int) -> None:
    weather = Weather(loss=0.3, delay=0.05, jitter=0.05, duplication=0.1)
    link = Link(weather, seed)
    link.start()
    channel = link.client.open()
    link.until(lambda: channel.state is ChannelState.OPEN, seconds=30)
    link.settle()
    assert all(end.association.malformed == 0 for end in link.ends)


def test_data_counts_as_the_answer_to_a_cookie() -> None:
    """The peer sends data only when it has taken the cookie; its answer was lost."""
    link = Link()
    link.server.on_send = lambda p: None if COOKIE_ACK in _kinds_of(p) else p
    link.client.association.start(link.now)
    link.until(lambda: link.server.association.state is ESTABLISHED)
    link.server.open()
    link.until(lambda: link.client.association.state is ESTABLISHED, seconds=0.1)
    link.until(lambda: link.client.opened, seconds=0.1)


def _kinds_of(packet: bytes) -> list[int]:
    return [kind for kind, _, _ in chunks_of(packet)]


def test_an_answer_that_never_comes_ends_it() -> None:
    link = Link(Weather(loss=1.0))
    link.client.association.start(link.now)
    channel = link.client.open()
    began = link.now
    link.settle()
    assert link.client.closed == ["the peer did not answer"]
    assert channel.state is ChannelState.CLOSED
    assert 30 < link.now - began < 65
    assert link.client.association.deadline == math.inf


def test_a_measured_round_trip_shortens_the_first_timeouts() -> None:
    link = Link(Weather(loss=1.0))
    link.client.association.set_rtt(0.01)
    link.client.association.start(link.now)
    assert link.client.association.deadline - link.now == pytest.approx(0.23)


def test_an_init_does_not_disturb_an_association() -> None:
    """RFC 9260 section 5.2.2: until its cookie comes back, nothing changes."""
    link, channel = connect()
    server = link.server.association
    init = write_init(INIT, Init(77, 1000, 10, 10, 5))
    server.receive(sealed(0, init), link.now)
    link.server.packets.clear()
    link.server.on_send = lambda _: None
    link.server.flush()
    (answer,) = link.server.packets
    assert answer[12] == INIT_ACK
    assert answer[4:8] == pack("!L", 77)
    ((_, _, body),) = chunks_of(answer)
    assert int.from_bytes(body[:4], "big") != server._handshake.local_tag
    link.server.on_send = None
    link.server.echoes = True
    link.client.send(channel, b"as before")
    link.until(lambda: link.client.messages() == [b"as before"])


def test_a_peer_may_begin_anew() -> None:
    """RFC 9260 section 5.2.4, action A: its tags are in the cookie."""
    link, channel = connect()
    link.client.send(channel, b"x" * 5000)
    old = link.server.opened[0]
    link.settle()
    link.client.association.abort(link.now)
    # The ABORT is lost, and a new client begins on the same DTLS connection.
    link._on_the_way.clear()
    client = End(link, True)
    link.client = client
    client.association.start(link.now)
    link.until(lambda: client.association.state is ESTABLISHED)
    assert old.state is ChannelState.CLOSED
    assert not link.server.association.channels
    again = client.open("again")
    link.server.echoes = True
    link.until(lambda: again.state is ChannelState.OPEN)
    client.send(again, b"hello" * 1000)
    link.until(lambda: client.messages() == [b"hello" * 1000])
    link.settle()
    assert not link.server.closed
    assert link.server.association.state is ESTABLISHED


def test_a_late_cookie_of_an_old_handshake_is_dropped() -> None:
    """RFC 9260 section 5.2.4, action C."""
    link, _ = connect()
    server = link.server.association
    peer = server._handshake.peer
    assert peer is not None
    # An INIT of the peer's from before, with its tag, and the cookie for it.
    init = write_init(INIT, Init(peer.tag ^ 1, 1000, 10, 10, 5))
    link.server.packets.clear()
    link.server.on_send = lambda _: None
    server.receive(sealed(0, init), link.now)
    server.flush(link.now)
    ((_, _, body),) = chunks_of(link.server.packets[0])
    tag = int.from_bytes(body[:4], "big")
    cookie = body[20 : 16 + int.from_bytes(body[18:20], "big")]
    server._handshake.local_tag ^= 1  # meanwhile begun anew: the tie-tags are old
    server.receive(sealed(tag, chunk(COOKIE_ECHO, cookie)), link.now)
    assert server.state is ESTABLISHED
    assert server._handshake.peer is peer


@pytest.mark.parametrize("bit", [0, 70, 200, 500])
def test_a_cookie_of_others_is_dropped(bit: int) -> None:
    """RFC 9260 section 5.1.5, step 1: its code authenticates it."""
    link = Link()
    link.client.association.start(link.now)
    link.until(lambda: link.client.association.state is COOKIE_ECHOED)
    echo = _only(link.client, COOKIE_ECHO)
    body = bytearray(echo[16:])
    body[bit // 8] ^= 1 << bit % 8
    forged = sealed(int.from_bytes(echo[4:8], "big"), chunk(COOKIE_ECHO, bytes(body)))
    fresh = link.server.association
    fresh.receive(forged, link.now)
    assert fresh.state is AssociationState.CLOSED
    assert fresh.malformed == 1


def test_a_cookie_wants_the_tag_it_came_with() -> None:
    """RFC 9260 section 8.5.1, rule D."""
    link = Link()
    link.client.association.start(link.now)
    link.until(lambda: link.client.association.state is COOKIE_ECHOED)
    echo = _only(link.client, COOKIE_ECHO)
    link.server.association.receive(sealed(1, echo[12:]), link.now)
    assert link.server.association.state is AssociationState.CLOSED
    assert link.server.association.malformed == 1


def test_a_stale_cookie_is_refused_and_another_asked_for() -> None:
    """RFC 9260 sections 5.1.5, step 3, and 5.2.6."""
    link = Link()
    link.client.association.start(link.now)
    link.until(lambda: link.client.association.state is COOKIE_ECHOED)
    link._on_the_way.clear()
    cookie = link.client.association._handshake._retransmit
    link.client.association._handshake.deadline += 61
    # Another peer was known meanwhile, so the tags do not speak for the cookie.
    link.run(60.6)
    assert cookie == link.client.association._handshake._retransmit
    link.until(lambda: _states(link) == [ESTABLISHED, ESTABLISHED])
    assert ERROR in all_kinds(link.server)


def test_packets_of_strangers_are_dropped() -> None:
    """RFC 9260 section 8.5: the verification tag, and the checksum (6.8)."""
    link, channel = connect()
    server = link.server.association
    tag = server._handshake.local_tag
    abort = chunk(ABORT)
    good = packet(server, abort)
    for wrong in (
        sealed(tag ^ 1, abort),
        sealed(0, abort),
        good[:8] + bytes(4) + good[12:],
        good[:15],
        b"",
        sealed(tag, b""),
        sealed(tag, write_init(INIT, Init(1, 1, 1, 1, 1))),
        sealed(0, write_init(INIT, Init(1, 1, 1, 1, 1)) + abort),
        sealed(0, chunk(11)),
    ):
        before = server.malformed
        server.receive(wrong, link.now)
        assert server.malformed == before + 1
        assert server.state is ESTABLISHED
    server.receive(good, link.now)
    assert server.state is AssociationState.CLOSED
    assert channel.state is ChannelState.OPEN


@pytest.mark.parametrize(
    "init", [Init(0, 9, 1, 1, 1), Init(9, 9, 0, 1, 1), Init(9, 9, 1, 0, 1)]
)
def test_an_init_must_be_sound(init: Init) -> None:
    """RFC 9260 section 3.3.2: a tag, and streams both ways."""
    association = Link().server.association
    association.receive(sealed(0, write_init(INIT, init)), 0.0)
    assert association.malformed == 1
    association.receive(sealed(0, chunk(INIT, bytes(15))), 0.0)
    assert association.malformed == 2


def test_parameters_not_known_are_reported_if_they_say_so() -> None:
    """RFC 9260 section 3.2.1: the two highest bits of the type."""
    link = Link()
    body = write_init(INIT, Init(9, 9, 1, 1, 1))[4:]
    body += pack("!HHL", 0xC123, 8, 1) + pack("!HHL", 0x8123, 8, 2)
    body += pack("!HHL", 0x4123, 8, 3) + pack("!HHL", 0xC124, 8, 4)
    link.server.association.receive(sealed(0, chunk(INIT, body)), link.now)
    link.server.flush()
    answer = link.server.packets[0]
    assert pack("!HHHHL", 8, 12, 0xC123, 8, 1) in answer
    assert pack("!H", 0x8123) not in answer
    assert pack("!HHHHL", 8, 12, 0x4123, 8, 3) in answer
    assert pack("!H", 0xC124) not in answer  # beyond the one that stops it


def test_an_association_is_aborted() -> None:
    """RFC 9260 section 9.1."""
    link, channel = connect()
    link.client.association.abort(link.now)
    assert link.client.association.state is AssociationState.CLOSED
    assert not link.client.closed  # it knows
    assert channel.state is ChannelState.CLOSED
    link.settle()
    assert link.server.closed == ["the peer aborted the association"]
    assert link.server.opened[0].state is ChannelState.CLOSED
    assert not link.server.association.send(link.server.opened[0], 53, b"x")
    for end in link.ends:
        assert end.association.deadline == math.inf
        with pytest.raises(ValueError, match="over"):
            end.open()
        end.association.abort(link.now)
        end.association.start(link.now)
    assert link._next() == math.inf


@pytest.mark.parametrize("reflected", [False, True])
def test_an_abort_may_carry_either_tag(reflected: bool) -> None:
    """RFC 9260 section 8.5.1, rule B: the T bit tells which."""
    link, _ = connect()
    server = link.server.association
    peer = server._handshake.peer
    assert peer is not None
    abort = chunk(ABORT, pack("!HH", 12, 4), flags=int(reflected))
    tag = peer.tag if reflected else server._handshake.local_tag
    server.receive(sealed(tag, abort), link.now)
    assert link.server.closed == ["the peer aborted the association (cause 12)"]


def _shut_down(link: Link, to: Association) -> None:
    cumulative = (to._recovery.board.next_tsn - 1) % 2**32
    to.receive(packet(to, chunk(SHUTDOWN, pack("!L", cumulative))), link.now)


def test_a_peer_shuts_down() -> None:
    """RFC 9260 section 9.2."""
    link, _ = connect()
    server = link.server.association
    _shut_down(link, server)
    link.server.packets.clear()
    link.server.flush()
    assert kinds(link.server) == [[SHUTDOWN_ACK]]
    assert server.state is AssociationState.SHUTDOWN_ACK_SENT
    _shut_down(link, server)  # its answer was lost
    link.server.flush()
    assert kinds(link.server) == [[SHUTDOWN_ACK]] * 2
    server.receive(packet(server, chunk(SHUTDOWN_COMPLETE)), link.now)
    assert link.server.closed == ["the peer has shut the association down"]
    assert server.deadline == math.inf


def test_what_is_queued_goes_before_the_shutdown() -> None:
    """RFC 9260 section 9.2: outstanding data is sent and acknowledged first."""
    link, _ = connect()
    server = link.server.association
    link.server.send(link.server.opened[0], b"last words" * 5000)
    _shut_down_at(link, server)
    assert server.state is AssociationState.SHUTDOWN_RECEIVED
    assert not server.send(link.server.opened[0], 53, b"more")
    link.until(lambda: server.state is AssociationState.SHUTDOWN_ACK_SENT)
    assert link.client.messages() == [b"last words" * 5000]


def _shut_down_at(link: Link, to: Association) -> None:
    cumulative = to._recovery.board.acknowledged % 2**32
    to.receive(packet(to, chunk(SHUTDOWN, pack("!L", cumulative))), link.now)


def test_a_shutdown_is_retransmitted_and_ends() -> None:
    """RFC 9260 section 9.2: T2."""
    link, _ = connect(Weather())
    link.weather.loss = 1.0
    server = link.server.association
    _shut_down(link, server)
    link.server.flush()
    link.until(lambda: link.server.closed, seconds=90)
    assert all_kinds(link.server).count(SHUTDOWN_ACK) > 10


def test_both_shut_down() -> None:
    link, _ = connect()
    server = link.server.association
    _shut_down(link, server)
    link.server.flush()
    server.receive(packet(server, chunk(SHUTDOWN_ACK)), link.now)
    link.server.flush()
    assert kinds(link.server)[-1] == [SHUTDOWN_COMPLETE]
    assert server.state is AssociationState.CLOSED


def test_answers_of_the_wrong_time_are_ignored() -> None:
    """RFC 9260 sections 5.2.3 and 5.2.5."""
    link, channel = connect()
    server = link.server.association
    stray = write_init(INIT_ACK, Init(9, 9, 1, 1, 1, cookie=b"x" * 20))
    for one in (stray, chunk(COOKIE_ACK), chunk(SHUTDOWN_ACK), chunk(5)):
        server.receive(packet(server, one), link.now)
    server.receive(packet(server, chunk(SHUTDOWN_COMPLETE)), link.now)
    assert server.state is ESTABLISHED
    assert server.malformed == 0
    link.server.echoes = True
    link.client.send(channel, b"x")
    link.until(lambda: link.client.received)


def test_an_init_ack_must_have_a_cookie() -> None:
    """RFC 9260 section 3.3.3.1."""
    link = Link()
    client = link.client.association
    client.start(link.now)
    client.receive(packet(client, write_init(INIT_ACK, Init(9, 9, 1, 1, 1))), link.now)
    assert client.malformed == 1
    assert client.state is AssociationState.COOKIE_WAIT
