"""The UDP port: one socket for each address, batches, backlog, and its errors."""

import asyncio
import errno
import math
import random
import socket
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from tests.waiting import until
from whipbird.net import HostAddresses, PortInUse, UdpPort, public_addresses
from whipbird.net import backlog as backlog_module
from whipbird.net import udp_socket as udp_socket_module
from whipbird.net.backlog import Backlog
from whipbird.net.udp_socket import MAX_BACKLOG, UdpSocket, bind
from whipbird.transport.path import Address, Path

linux = pytest.mark.skipif(sys.platform != "linux", reason="an option of Linux")


class Addresses(HostAddresses):
    """Addresses that a test chooses, and may change."""

    def __init__(self, *found: str) -> None:
        super().__init__()
        self.found = list(found)

    def current(self) -> list[str]:
        return self.found


class Session:
    """Keeps what it gets."""

    deadline = math.inf
    awaits_handshake = False

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Path]] = []
        self.flushes = 0
        self.woken: list[float] = []

    def shakes_hands_on(self, path: Path) -> bool:
        return False

    def receive(self, datagram: bytes, path: Path, now: float) -> bool:
        self.received.append((datagram, path))
        return True

    def flush(self, now: float) -> None:
        self.flushes += 1

    def handle_timeout(self, now: float) -> None:
        self.woken.append(now)
        self.deadline = math.inf

    def path_closed(self, path: Path, now: float) -> None:
        """UDP has no connections."""

    def fail(self, error: Exception) -> None:
        raise error


@pytest.fixture
async def ports() -> AsyncIterator[list[UdpPort]]:
    """Ports that are closed after the test."""
    made: list[UdpPort] = []
    yield made
    for port in made:
        port.close()


async def opened(ports: list[UdpPort], *addresses: str, **options: object) -> UdpPort:
    found = Addresses(*(addresses or ("127.0.0.1",)))
    port = UdpPort(found, **options)  # type: ignore[arg-type]
    ports.append(port)
    await port.open()
    return port


def path_between(a: UdpPort, b: UdpPort, address: str = "127.0.0.1") -> Path:
    return Path((address, a.number), (address, b.number))


def listen(port: UdpPort, path: Path) -> Session:
    session = Session()
    port.dispatcher.attach(session, b"test")
    port.dispatcher.route_path(session, path, 0.0)
    return session


# Addresses


async def test_all_addresses_have_the_same_port(ports: list[UdpPort]) -> None:
    port = await opened(ports, "127.0.0.1", "127.0.0.2", "::1")
    candidates = port.candidates()
    assert {c.candidate.port for c in candidates} == {port.number}
    assert [c.candidate.address for c in candidates] == [
        "127.0.0.1",
        "127.0.0.2",
        "::1",
    ]
    assert all(c.base == (c.candidate.address, port.number) for c in candidates)
    priorities = [c.candidate.priority for c in candidates]
    assert priorities == sorted(priorities, reverse=True)
    assert port.stats.addresses == ("127.0.0.1", "127.0.0.2", "::1")


async def test_an_address_that_cannot_be_bound_is_left_out(
    ports: list[UdpPort],
) -> None:
    # 192.0.2.0/24 is nobody's.
    port = await opened(ports, "127.0.0.1", "192.0.2.201")
    assert port.stats.addresses == ("127.0.0.1",)


async def test_no_address_at_all_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        await UdpPort(Addresses("192.0.2.201")).open()
    with pytest.raises(OSError, match="no address"):
        await UdpPort(Addresses()).open()


async def test_addresses_that_come_and_go(ports: list[UdpPort]) -> None:
    found = Addresses("127.0.0.1")
    port = UdpPort(found)
    ports.append(port)
    await port.open()
    used = Path(("127.0.0.1", port.number), ("127.0.0.9", 9))
    session = listen(port, used)
    found.found = ["127.0.0.2"]
    # The socket that a session uses stays, but its address is offered no more.
    assert [c.candidate.address for c in port.candidates()] == ["127.0.0.2"]
    assert list(port.stats.addresses) == ["127.0.0.1", "127.0.0.2"]
    port.dispatcher.forget_path(session, used)
    assert [c.candidate.address for c in port.candidates()] == ["127.0.0.2"]
    assert list(port.stats.addresses) == ["127.0.0.2"]


async def test_a_port_in_use_is_named(ports: list[UdpPort]) -> None:
    taken = await opened(ports)
    with pytest.raises(PortInUse, match=f"UDP port {taken.number} of 127.0.0.1"):
        await UdpPort(Addresses("127.0.0.1")).open(taken.number)


async def test_a_free_port_is_free_on_all_addresses(
    ports: list[UdpPort], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = await opened(ports, "127.0.0.2")
    chosen = [taken.number, 0]
    monkeypatch.setattr(
        "whipbird.net.udp_port.bind",
        lambda address, number, *, shares: bind(
            address, chosen.pop(0) if not number and chosen else number, shares=shares
        ),
    )
    port = await opened(ports, "127.0.0.1", "127.0.0.2")
    assert port.number not in (0, taken.number)
    assert len(port.stats.addresses) == 2


async def test_a_closed_port_has_no_candidates(ports: list[UdpPort]) -> None:
    port = await opened(ports)
    port.close()
    with pytest.raises(ConnectionError):
        port.candidates()
    port.send(b"lost", Path(("127.0.0.1", port.number), ("127.0.0.1", 9)))


# Behind a NAT


async def test_public_addresses_are_offered_beside_the_hosts_own(
    ports: list[UdpPort],
) -> None:
    port = await opened(
        ports, "127.0.0.1", "::1", public=["203.0.113.5", "2001:db8::5"]
    )
    found = {c.candidate.address: c.base[0] for c in port.candidates()}
    assert found == {
        "203.0.113.5": "127.0.0.1",
        "2001:db8::5": "::1",
        "127.0.0.1": "127.0.0.1",
        "::1": "::1",
    }
    foundations = [c.candidate.foundation for c in port.candidates()]
    assert len(set(foundations)) == 4


async def test_public_addresses_are_offered_instead(ports: list[UdpPort]) -> None:
    port = await opened(ports, "127.0.0.1", public=["203.0.113.5"], hide_hosts=True)
    assert [c.candidate.address for c in port.candidates()] == ["203.0.113.5"]


async def test_a_public_address_without_a_socket_of_its_family_is_left_out(
    ports: list[UdpPort],
) -> None:
    port = await opened(ports, "127.0.0.1", public=["2001:db8::5"])
    assert [c.candidate.address for c in port.candidates()] == ["127.0.0.1"]


async def test_hidden_addresses_stay_hidden_when_nothing_else_can_be_offered(
    ports: list[UdpPort],
) -> None:
    port = await opened(ports, "127.0.0.1", public=["2001:db8::5"], hide_hosts=True)
    with pytest.raises(ConnectionError, match="no address to offer"):
        port.candidates()


async def test_names_are_looked_up(ports: list[UdpPort]) -> None:
    port = await opened(ports, "127.0.0.2", public=["localhost"], hide_hosts=True)
    assert "127.0.0.1" in [c.candidate.address for c in port.candidates()]


async def test_a_name_without_an_address_is_an_error() -> None:
    port = UdpPort(Addresses("127.0.0.1"), public=["no-such-name.invalid"])
    with pytest.raises(OSError, match=r"no-such-name\.invalid cannot be looked up"):
        await port.open()
    assert not port.is_open


# Datagrams


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_datagrams_arrive_on_their_path(
    ports: list[UdpPort], address: str
) -> None:
    a, b = await opened(ports, address), await opened(ports, address)
    session = listen(b, path_between(b, a, address))
    a.send(b"\x14one", path_between(a, b, address))
    a.send_batch([b"\x14two", memoryview(b"\x14three")], path_between(a, b, address))
    await until(lambda: len(session.received) == 3)
    assert session.received == [
        (data, path_between(b, a, address))
        for data in (b"\x14one", b"\x14two", b"\x14three")
    ]
    assert 1 <= session.flushes <= 3


@pytest.mark.parametrize(
    "sizes",
    [
        [1000] * 40,
        [1000] * 5 + [200],
        [200, 1000, 1000, 30, 30, 999],
        [1],
        [1200] * 130 + [7],
    ],
)
async def test_batches_keep_their_datagrams(
    ports: list[UdpPort], sizes: list[int]
) -> None:
    a, b = await opened(ports), await opened(ports)
    session = listen(b, path_between(b, a))
    sent = [
        bytes([0x80, n % 256]) + bytes(max(0, size - 2)) for n, size in enumerate(sizes)
    ]
    sent = [data[: max(1, size)] for data, size in zip(sent, sizes, strict=True)]
    a.send_batch(sent, path_between(a, b))
    await until(lambda: len(session.received) == len(sent))
    assert [data for data, _ in session.received] == sent


async def test_batches_of_any_sizes_keep_their_datagrams(ports: list[UdpPort]) -> None:
    """Few sizes, so that every order of larger, smaller and equal ones comes up."""
    rng = random.Random(1)
    a, b = await opened(ports), await opened(ports)
    session = listen(b, path_between(b, a))
    for _ in range(300):
        batch = [
            bytes([0x80, n]) + bytes(rng.choice((98, 498, 1198)))
            for n in range(rng.randrange(2, 8))
        ]
        session.received.clear()
        a.send_batch(batch, path_between(a, b))
        await until(partial(lambda n: len(session.received) >= n, len(batch)))
        assert [data for data, _ in session.received] == batch


async def test_a_batch_that_the_network_refuses_goes_one_by_one(
    ports: list[UdpPort],
) -> None:
    """One destination that takes no batches is not everybody's."""
    a, b = await opened(ports), await opened(ports)
    session = listen(b, path_between(b, a))
    opened_socket = a._sockets["127.0.0.1"]
    real = opened_socket._socket
    refused: list[int] = []

    class Refusing:
        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

        def sendmsg(self, *_: object) -> int:
            refused.append(1)
            raise OSError(errno.EMSGSIZE, "too large")

    opened_socket._socket = Refusing()  # type: ignore[assignment]
    a.send_batch([b"\x80a", b"\x80b"], path_between(a, b))
    await until(lambda: len(session.received) == 2)
    a.send_batch([b"\x80c", b"\x80d"], path_between(a, b))
    await until(lambda: len(session.received) == 4)
    assert len(refused) == (2 if sys.platform == "linux" else 0)
    opened_socket._socket = real


async def test_no_way_there_is_counted(ports: list[UdpPort]) -> None:
    a = await opened(ports)
    a.send(b"\x80", Path(("127.0.0.1", a.number), ("::1", 9)))
    a.send(bytes(70_000), Path(("127.0.0.1", a.number), ("127.0.0.1", 9)))
    assert a.stats.send_drops == 2


class Full:
    """A socket whose buffer is full until told otherwise."""

    def __init__(self, real: socket.socket) -> None:
        self._real = real
        self.is_full = True
        self.sent: list[tuple[bytes, Address]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def sendto(self, data: bytes, remote: Address) -> int:
        if self.is_full:
            raise BlockingIOError
        self.sent.append((bytes(data), remote))
        return len(data)

    def sendmsg(
        self, parts: list[bytes], control: object, flags: int, to: Address
    ) -> int:
        if self.is_full:
            raise BlockingIOError
        self.sent += [(bytes(part), to) for part in parts]
        return 0


async def test_backlog_is_kept_for_each_destination(ports: list[UdpPort]) -> None:
    """One slow viewer is not everybody's congestion."""
    a = await opened(ports)
    inner = a._sockets["127.0.0.1"]
    full = Full(inner._socket)
    inner._socket = full  # type: ignore[assignment]
    slow = Path(("127.0.0.1", a.number), ("127.0.0.1", 9))
    other = Path(("127.0.0.1", a.number), ("127.0.0.1", 10))
    a.send_batch([bytes(1000)] * 20, slow)
    a.send(b"\x80other", other)
    assert inner._backlog_sizes == {slow.remote: 20_000, other.remote: 6}
    full.is_full = False
    await until(lambda: not inner.backlog(slow.remote))
    assert inner.backlog(other.remote) == 0
    # In turn: who has little waits little.
    assert full.sent.index((b"\x80other", ("127.0.0.1", 10))) <= 1
    assert len(full.sent) == 21
    inner._socket = full._real


async def test_backlog_is_bounded(ports: list[UdpPort]) -> None:
    a = await opened(ports)
    inner = a._sockets["127.0.0.1"]
    full = Full(inner._socket)
    inner._socket = full  # type: ignore[assignment]
    slow = Path(("127.0.0.1", a.number), ("127.0.0.1", 9))
    for _ in range(2 * MAX_BACKLOG // 1000):
        a.send(bytes(1000), slow)
    assert MAX_BACKLOG - 1000 <= inner.backlog(slow.remote) <= MAX_BACKLOG
    assert a.is_congested(slow)
    assert a.stats.send_drops > 0
    inner._socket = full._real


async def test_the_total_backlog_is_bounded(
    ports: list[UdpPort], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog_module, "MAX_TOTAL_BACKLOG", 10_000)
    a = await opened(ports)
    inner = a._sockets["127.0.0.1"]
    full = Full(inner._socket)
    inner._socket = full  # type: ignore[assignment]
    for port in range(1, 40):
        a.send(bytes(1000), Path(("127.0.0.1", a.number), ("127.0.0.1", port)))
    assert a.all_backlog.octets == sum(inner._backlog_sizes.values()) == 10_000
    inner._socket = full._real


@linux
async def test_buffers_are_sized_and_drops_of_the_kernel_counted(
    ports: list[UdpPort],
) -> None:
    a, b = await opened(ports), await opened(ports)
    assert b.stats.receive_buffer >= 200_000
    assert b.stats.send_buffer >= 200_000
    sock = b._sockets["127.0.0.1"]._socket
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    session = listen(b, path_between(b, a))
    for _ in range(100):
        a.send(b"\x80" + bytes(1000), path_between(a, b))
    await until(lambda: session.received)
    a.send(b"\x80last", path_between(a, b))
    await until(lambda: session.received[-1][0] == b"\x80last")
    assert b.stats.kernel_drops + len(session.received) == 101
    assert b.stats.kernel_drops > 50


# Turns and time


async def test_a_flood_does_not_keep_others_from_their_turn(
    ports: list[UdpPort],
) -> None:
    a, b = await opened(ports), await opened(ports)
    session = listen(b, path_between(b, a))
    turns = 0

    def take_turn() -> None:
        nonlocal turns
        turns += 1
        if len(session.received) < 1000:
            asyncio.get_running_loop().call_soon(take_turn)

    for n in range(1000):
        a.send(bytes([0x80]) + bytes(n % 7 + 1), path_between(a, b))
    take_turn()
    await until(lambda: len(session.received) == 1000)
    assert turns >= 1000 // udp_socket_module.MAX_READS


async def test_of_what_comes_one_by_one_few_reads_find_nothing(
    ports: list[UdpPort],
) -> None:
    a, b = await opened(ports), await opened(ports)
    session = listen(b, path_between(b, a))
    sock: Any = b._sockets["127.0.0.1"]
    recvmsg_into, reads = sock._recvmsg_into, 0

    def count(*arguments: object) -> object:
        nonlocal reads
        reads += 1
        return recvmsg_into(*arguments)

    sock._recvmsg_into = count
    for number in range(64):
        a.send(b"\x80one", path_between(a, b))
        await until(lambda n=number: len(session.received) > n)  # type: ignore[misc]
    assert reads <= 64 + 64 // udp_socket_module.SINGLE_READS


async def test_the_first_is_flushed_at_once_and_the_rest_together(
    ports: list[UdpPort],
) -> None:
    port = await opened(ports)
    session = listen(port, Path(("127.0.0.1", port.number), ("127.0.0.1", 9)))
    for _ in range(5):
        port.dispatcher.touch(session)
        port.flush_soon()
    assert session.flushes == 1
    await asyncio.sleep(0)
    assert session.flushes == 2
    port.dispatcher.touch(session)
    port.flush_soon()
    assert session.flushes == 3


async def test_what_is_sent_while_datagrams_are_read_leaves_with_the_rest(
    ports: list[UdpPort],
) -> None:
    port = await opened(ports)
    path = Path(("127.0.0.1", port.number), ("127.0.0.1", 9))
    session = listen(port, path)
    port.dispatcher.receive(b"\x80", path.local, path.remote, 0.0)
    port.dispatcher.touch(session)
    port.flush_soon()
    assert session.flushes == 0
    port.dispatcher.flush(0.0)
    assert session.flushes == 1


async def test_sessions_are_woken(ports: list[UdpPort]) -> None:
    port = await opened(ports)
    session = Session()
    port.dispatcher.attach(session, b"test")
    late, soon = port.now + 60, port.now + 0.01
    session.deadline = late
    port.dispatcher.arm(session)
    session.deadline = soon
    port.dispatcher.arm(session)
    await until(lambda: session.woken)
    assert session.woken[0] >= soon
    session.deadline = port.now + 0.01
    port.dispatcher.arm(session)
    await until(lambda: len(session.woken) == 2)


async def test_what_came_while_the_process_stood_still_counts_before_its_time_is_up(
    ports: list[UdpPort],
) -> None:
    class Waiting(Session):
        def handle_timeout(self, now: float) -> None:
            super().handle_timeout(now)
            received.append(len(self.received))

    received: list[int] = []
    a, b = await opened(ports), await opened(ports)
    path = path_between(b, a)
    session = Waiting()
    b.dispatcher.attach(session, b"test")
    b.dispatcher.route_path(session, path, 0.0)
    session.deadline = b.now + 0.01
    b.dispatcher.arm(session)
    for n in range(100):
        a.send(b"\x16" * (n % 7 + 1), path_between(a, b))
    time.sleep(0.3)  # noqa: ASYNC251 - the loop stands still, as in a stopped process
    await until(lambda: received)
    assert received == [100]


def test_an_address_that_cannot_be_used_leaves_no_socket() -> None:
    with pytest.raises(OSError, match="assign"):
        bind("192.0.2.201", 0)


async def test_a_socket_reads_more_at_once_while_much_comes(
    ports: list[UdpPort],
) -> None:
    got: list[bytes] = []
    flushes = 0

    def flush(_: float) -> None:
        nonlocal flushes
        flushes += 1

    receiver = UdpSocket(
        bind("127.0.0.1", 0), lambda d, *_: got.append(d), flush, Backlog()
    )
    a = await opened(ports)
    path = Path(("127.0.0.1", a.number), receiver.local)
    for n in range(200):
        a.send(bytes(n % 7 + 1), path)
    await until(lambda: len(got) == 200)
    assert flushes < 60
    receiver.close()


async def test_drops_of_sockets_that_are_closed_stay_counted(
    ports: list[UdpPort],
) -> None:
    found = Addresses("127.0.0.1")
    port = UdpPort(found)
    ports.append(port)
    await port.open()
    port.send(bytes(70_000), Path(("127.0.0.1", port.number), ("127.0.0.1", 9)))
    assert port.stats.send_drops == 1
    found.found = ["127.0.0.2"]
    port.candidates()
    assert list(port.stats.addresses) == ["127.0.0.2"]
    assert port.stats.send_drops == 1
    port.send(bytes(70_000), Path(("127.0.0.2", port.number), ("127.0.0.1", 9)))
    port.close()
    assert port.stats.send_drops == 2


async def test_new_sessions_are_told_new_public_addresses(
    ports: list[UdpPort], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ["203.0.113.5"]

    async def look_up(name: str) -> list[str]:
        return found

    monkeypatch.setattr(public_addresses, "look_up", look_up)
    monkeypatch.setattr(public_addresses, "LOOKUP_INTERVAL", 0.01)
    port = await opened(ports, "127.0.0.1", public=["media.example"])
    assert port.candidates()[0].candidate.address == "203.0.113.5"
    found[0] = "203.0.113.6"
    await until(lambda: port.candidates()[0].candidate.address == "203.0.113.6")


async def test_a_filter_leaves_the_other_family_out(ports: list[UdpPort]) -> None:
    public = ["203.0.113.5", "2001:db8::5"]
    port = UdpPort(HostAddresses(loopback=True, version=6), public=public)
    ports.append(port)
    await port.open()
    port.tcp.announce([("::", 8080), ("0.0.0.0", 8080)])
    offered = [c.candidate.address for c in port.candidates()]
    assert "2001:db8::5" in offered
    assert all(":" in address for address in offered)
    assert all(":" in address for address in port.stats.addresses)


async def test_an_unknown_interface_is_an_error() -> None:
    port = UdpPort(HostAddresses(interfaces=["no-such"]))
    with pytest.raises(OSError, match='no network interface named "no-such"'):
        await port.open()
    assert not port.is_open
