"""Workers that share a UDP port: what comes to the wrong one reaches its owner."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from tests.ports import LOOPBACK, Addresses
from tests.unit.net.test_dispatcher import Session, request
from tests.waiting import until
from whipbird.net import Neighbours, Shard, Sharing, UdpPort
from whipbird.net.neighbours import BUSY
from whipbird.net.outboxes import make_inbox
from whipbird.net.udp_port import PortInUse
from whipbird.net.worker_facts import WorkerSessions
from whipbird.transport.path import Path

# Sockets of clients: the kernel gives each to either worker, all to one in 1 of 32,768.
CLIENTS = 16


@dataclass
class Two:
    """Two workers in one process."""

    ports: list[UdpPort]
    neighbours: list[Neighbours]

    def attach(self, worker: int, *marks: bytes) -> Session:
        """Make a session of a worker; its ufrag is that of ``ufrag``."""
        session = Session(*marks)
        dispatcher = self.ports[worker].dispatcher
        dispatcher.attach(session, bytes([worker]) + b"abc")
        dispatcher.route_ufrags(session, (), (ufrag(worker),))
        return session


def ufrag(worker: int) -> str:
    return ("AAAAAAAA", "AQAAAAAA")[worker]


@pytest.fixture
async def two() -> AsyncIterator[Two]:
    inboxes = [make_inbox() for _ in range(2)]
    outboxes = [writable for _, writable in inboxes]
    made = Two([], [])
    number = 0
    for worker in range(2):
        port = UdpPort(Addresses(LOOPBACK))
        sharing = Sharing.WITH_OTHERS if worker else Sharing.FIRST
        await port.open(number, sharing)
        number = port.number
        one = Neighbours(Shard(worker, 2), inboxes[worker][0], outboxes)
        one.open(port.dispatcher)
        made.ports.append(port)
        made.neighbours.append(one)
    yield made
    for one in made.neighbours:
        one.close()
    for port in made.ports:
        port.close()
    for ends in inboxes:
        for end in ends:
            end.close()


@pytest.fixture
def clients(two: Two) -> Iterator[list[socket.socket]]:
    made = []
    for _ in range(CLIENTS):
        client = socket.socket(type=socket.SOCK_DGRAM)
        client.bind((LOOPBACK, 0))
        client.connect((LOOPBACK, two.ports[0].number))
        made.append(client)
    yield made
    for client in made:
        client.close()


def has_heard_all(session: Session) -> bool:
    return len(session.received) == CLIENTS


def path_of(client: socket.socket) -> Path:
    return Path(client.getpeername(), client.getsockname())


async def test_a_stranger_on_the_port_is_seen(two: Two) -> None:
    other = UdpPort(Addresses(LOOPBACK))
    with pytest.raises(PortInUse, match="is in use"):
        await other.open(two.ports[0].number, Sharing.FIRST)
    other.close()


@pytest.mark.parametrize("owner", [0, 1])
async def test_checks_reach_the_owner_of_the_ufrag(
    two: Two, clients: list[socket.socket], owner: int
) -> None:
    session = two.attach(owner, b"\x00\x01")
    check = request(f"{ufrag(owner)}:them".encode())
    for client in clients:
        client.send(check)
    await until(lambda: len(session.received) == CLIENTS)
    assert {path for _, path, _ in session.received} == set(map(path_of, clients))
    assert session.flushed
    out = two.neighbours[1 - owner].stats.datagrams_out
    assert out == two.neighbours[owner].stats.datagrams_in
    assert 0 < out < CLIENTS


async def test_responses_reach_the_owner_of_the_transaction(
    two: Two, clients: list[socket.socket]
) -> None:
    session = two.attach(1, b"\x01\x01")
    for client in clients:
        client.send(b"\x01\x01\x00\x00\x21\x12\xa4\x42" + b"\x01abc" + bytes(8))
    await until(lambda: len(session.received) == CLIENTS)


async def test_what_follows_a_check_reaches_the_owner_of_the_path(
    two: Two, clients: list[socket.socket]
) -> None:
    """DTLS at once, behind the claim; and batches, in order."""
    session = two.attach(0, b"\x16", b"\x80")
    dispatcher = two.ports[0].dispatcher
    for client in clients:
        dispatcher.route_path(session, path_of(client), 0.0)
        client.send(b"\x16first")
        for number in range(10):
            client.send(b"\x80" + bytes([number]) * 100)
    await until(lambda: len(session.received) == 11 * CLIENTS)
    for client in clients:
        path = path_of(client)
        received = [data for data, on, _ in session.received if on == path]
        assert received == [
            b"\x16first",
            *(b"\x80" + bytes([number]) * 100 for number in range(10)),
        ]
    assert two.neighbours[1].stats.datagrams_out > 0


async def test_what_is_of_no_session_is_counted_once(
    two: Two, clients: list[socket.socket]
) -> None:
    two.attach(0)
    for client in clients:
        client.send(b"\x80nobody's")
        # A session that has ended: its worker knows that, and hands it to nobody.
        client.send(request(b"AAAABBBB:them"))
    counts = [port.dispatcher.stats for port in two.ports]
    await until(lambda: sum(c.unknown_stun for c in counts) == CLIENTS)
    await until(lambda: sum(c.unknown_address for c in counts) == CLIENTS)


async def test_a_path_that_is_released_is_nobodys(
    two: Two, clients: list[socket.socket]
) -> None:
    session = two.attach(0, b"\x80")
    dispatcher = two.ports[0].dispatcher
    for client in clients:
        dispatcher.route_path(session, path_of(client), 0.0)
        dispatcher.forget_path(session, path_of(client))
        client.send(b"\x80late")
    counts = [port.dispatcher.stats for port in two.ports]
    await until(lambda: sum(c.unknown_address for c in counts) == CLIENTS)
    assert two.neighbours[1].stats.datagrams_out == 0


async def test_a_path_with_sessions_of_both(
    two: Two, clients: list[socket.socket]
) -> None:
    """Each gets what the other does not take."""
    first, second = two.attach(0, b"\x80a"), two.attach(1, b"\x80b")
    for client in clients:
        two.ports[0].dispatcher.route_path(first, path_of(client), 0.0)
        two.ports[1].dispatcher.route_path(second, path_of(client), 0.0)
        client.send(b"\x80a")
        client.send(b"\x80b")
    for session in (first, second):
        await until(partial(has_heard_all, session))


async def shout(clients: list[socket.socket], session: Session, count: int) -> None:
    """Each client sends much to one session, which hears all of it."""
    while count > 0:
        some = min(count, 10)
        wanted = len(session.received) + some * len(clients)
        for client in clients:
            for _ in range(some):
                client.send(b"\x80" + bytes(100))
        await until(partial(has_received, session, wanted))
        count -= some


def has_received(session: Session, count: int) -> bool:
    return len(session.received) == count


async def test_busy_paths_get_sockets_of_their_own(
    two: Two, clients: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of them is handed over any more; of others it is, as before."""
    monkeypatch.setattr("whipbird.net.neighbours.BUSY_TIME", 3600.0)
    session = two.attach(0, b"\x80")
    port, other = two.ports[0], two.neighbours[1]
    two.neighbours[0].on_busy = port.connect
    for client in clients:
        port.dispatcher.route_path(session, path_of(client), 0.0)
    await shout(clients, session, BUSY - 1)
    assert not port._connected
    wrong = other.stats.datagrams_out // (BUSY - 1)
    assert 0 < wrong < CLIENTS
    await shout(clients, session, 1)
    assert len(port._connected) == wrong
    before = other.stats.datagrams_out
    await shout(clients, session, 10)
    assert other.stats.datagrams_out == before
    # Those that come later are shared as before.
    with socket.socket(type=socket.SOCK_DGRAM) as late:
        late.connect((LOOPBACK, port.number))
        port.dispatcher.route_path(session, path_of(late), 0.0)
        await shout([late], session, 1)
    for client in clients:
        port.dispatcher.forget_path(session, path_of(client))
    assert not port._connected


async def test_few_datagrams_are_not_worth_a_socket(
    two: Two, clients: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are there more sockets than there may be."""
    session = two.attach(0, b"\x80")
    port = two.ports[0]
    two.neighbours[0].on_busy = port.connect
    for client in clients:
        port.dispatcher.route_path(session, path_of(client), 0.0)
    # Each message is late.
    monkeypatch.setattr("whipbird.net.neighbours.BUSY_TIME", -1.0)
    await shout(clients, session, 2 * BUSY)
    assert not port._connected
    monkeypatch.setattr("whipbird.net.neighbours.BUSY_TIME", 3600.0)
    monkeypatch.setattr("whipbird.net.udp_port.MAX_CONNECTED", 1)
    await shout(clients, session, 2 * BUSY)
    assert len(port._connected) == 1


async def test_a_worker_that_starts_learns_all(
    two: Two, clients: list[socket.socket]
) -> None:
    session = two.attach(0, b"\x80")
    for client in clients:
        two.ports[0].dispatcher.route_path(session, path_of(client), 0.0)
    WorkerSessions(two.neighbours[0]).tell("198.51.100.1", 3, 2, 3, at_once=True)
    # It has lost all that it knew.
    two.neighbours[1].close()
    again = Neighbours(
        Shard(1, 2),
        two.neighbours[1]._inbox,
        [
            two.neighbours[1]._outboxes._sockets[0],
            two.neighbours[0]._outboxes._sockets[1],
        ],
    )
    again.open(two.ports[1].dispatcher)
    two.neighbours[1] = again
    told = WorkerSessions(again)
    await until(lambda: told.held("198.51.100.1") == (3, 2))
    for client in clients:
        client.send(b"\x80media")
    await until(lambda: len(session.received) == CLIENTS)


async def test_sessions_are_counted_together(two: Two) -> None:
    ours, theirs = map(WorkerSessions, two.neighbours)
    ours.tell("198.51.100.1", 2, 1, 5, at_once=True)
    await until(lambda: theirs.total() == 5)
    assert theirs.held("198.51.100.1") == (2, 1)
    assert ours.total() == 0
    # One that has ended has none, until it says so.
    two.neighbours[1].absent = {0}
    assert (theirs.total(), theirs.held("198.51.100.1")) == (0, (0, 0))
    two.neighbours[1].absent = set()
    ours.tell("198.51.100.1", 0, 0, 3, at_once=True)
    await until(lambda: theirs.total() == 3)
    assert theirs.held("198.51.100.1") == (0, 0)


async def test_what_can_wait_is_told_together(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = map(WorkerSessions, two.neighbours)
    messages: list[bytes] = []
    tell_all = two.neighbours[0]._outboxes.tell_all

    def note(message: bytes) -> None:
        messages.append(message)
        tell_all(message)

    monkeypatch.setattr(two.neighbours[0]._outboxes, "tell_all", note)
    for number in range(3):
        ours.tell("198.51.100.1", number + 1, 1, number + 1, at_once=False)
    ours.tell("198.51.100.2", 1, 1, 4, at_once=False)
    assert not messages
    await until(lambda: theirs.total() == 4)
    assert theirs.held("198.51.100.1") == (3, 1)
    assert theirs.held("198.51.100.2") == (1, 1)
    assert len(messages) == 1
    # What cannot wait takes along what could.
    ours.tell("198.51.100.1", 0, 0, 1, at_once=False)
    ours.tell("198.51.100.2", 2, 1, 2, at_once=True)
    assert len(messages) == 2
    await until(lambda: theirs.total() == 2)
    assert theirs.held("198.51.100.1") == (0, 0)
    # Then there is nothing left to tell.
    ours.tell("198.51.100.2", 1, 0, 1, at_once=False)
    await until(lambda: theirs.total() == 1)
    assert len(messages) == 3


async def test_connections_are_handed_over_unread(two: Two) -> None:
    taken: list[socket.socket] = []
    two.neighbours[1].listeners["public"] = taken.append
    client, accepted = socket.socketpair()
    with client:
        client.send(b"GET /whip/a HTTP/1.1")
        assert two.neighbours[0].pass_on(1, "public", accepted)
        await until(lambda: taken)
        assert accepted.fileno() == -1
        with taken[0] as sock:
            assert sock.recv(100) == b"GET /whip/a HTTP/1.1"
    assert two.neighbours[0].stats.connections_out == 1


async def test_a_connection_for_a_listener_that_has_closed_ends(two: Two) -> None:
    client, accepted = socket.socketpair()
    with client:
        client.setblocking(False)
        assert two.neighbours[0].pass_on(1, "admin", accepted)
        async with asyncio.timeout(60):
            assert await asyncio.get_running_loop().sock_recv(client, 1) == b""


async def test_nothing_that_was_told_is_lost_when_one_reads_nothing(two: Two) -> None:
    ours, theirs = map(WorkerSessions, two.neighbours)
    loop = asyncio.get_running_loop()
    loop.remove_reader(two.neighbours[1]._inbox.fileno())
    outboxes = two.neighbours[0]._outboxes
    outbox = outboxes._sockets[1]
    outbox.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    for number in range(200):
        ours.tell(f"198.51.100.{number}", 1, 0, number + 1, at_once=True)
    # It is full: what follows waits.
    assert outboxes._waiting
    loop.add_reader(two.neighbours[1]._inbox.fileno(), two.neighbours[1]._read)
    await until(lambda: theirs.total() == 200)
    assert all(theirs.held(f"198.51.100.{n}") == (1, 0) for n in range(200))
    await until(lambda: not outboxes._waiting)
