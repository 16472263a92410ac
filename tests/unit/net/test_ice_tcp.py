"""ICE over TCP: connections, and who may stay; on real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.ports import Addresses
from tests.waiting import until
from whipbird.net import UdpPort, ice_tcp, tcp_connection
from whipbird.net.framing import Deframer, pack_length
from whipbird.rtc.connection import Connection
from whipbird.sdp.candidate import Candidate
from whipbird.sdp.transport import IceCredentials
from whipbird.transport.certificate import Certificate
from whipbird.transport.path import Path, TcpAddress
from whipbird.transport.stun import binding_request, parse, success_response

THEIRS = IceCredentials("them", "a password of theirs..")


class Events:
    """A session's events, which no test here needs."""

    def state_changed(self, state: object) -> None: ...

    def path_selected(self, path: Path) -> None: ...

    def restart_ended(self, succeeded: bool) -> None: ...

    def channels_closed(self) -> None: ...


@dataclass
class Client:
    """A TCP client that sends frames."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def path(self) -> Path:
        local = self.writer.get_extra_info("peername")
        remote = self.writer.get_extra_info("sockname")
        return Path(TcpAddress(*local[:2]), TcpAddress(*remote[:2]))

    def send(self, *datagrams: bytes) -> None:
        self.writer.write(b"".join(pack_length(len(d)) + d for d in datagrams))

    async def frame(self) -> bytes:
        async with asyncio.timeout(60):
            length = int.from_bytes(await self.reader.readexactly(2), "big")
            return await self.reader.readexactly(length)

    async def has_ended(self) -> bool:
        async with asyncio.timeout(60):
            try:
                await self.reader.read()
            except ConnectionError:
                return True
            return self.reader.at_eof()


@pytest.fixture
async def port() -> AsyncIterator[UdpPort]:
    port = UdpPort(Addresses("127.0.0.1"), public=["203.0.113.5"])
    await port.open()
    await port.tcp.open(0, 20)
    yield port
    port.close()


@pytest.fixture
async def session(port: UdpPort) -> AsyncIterator[Connection]:
    made = new_session(port)
    yield made
    made.close()


def new_session(port: UdpPort, *, lite: bool = False) -> Connection:
    session = Connection(
        port,
        Certificate.generate(),
        Events(),
        controlling=False,
        ice_lite=lite,
    )
    session.transport.ice.gather(port.candidates())
    session.transport.configure(
        is_dtls_client=False, fingerprints=(), carries_media=False
    )
    session.transport.connect(THEIRS, port.now)
    return session


async def connected(port: UdpPort) -> Client:
    number = port.tcp.stats.port
    return Client(*await asyncio.open_connection("127.0.0.1", number))


def check(session: Connection, *, key: str = "", nominates: bool = True) -> bytes:
    ours = session.transport.ice.local
    return binding_request(
        bytes(12),
        username=f"{ours.ufrag}:{THEIRS.ufrag}".encode(),
        key=(key or ours.pwd).encode(),
        priority=1,
        controlling=True,
        tie_breaker=1,
        nominates=nominates,
    )


# Candidates


async def test_candidates_come_after_those_of_udp(port: UdpPort) -> None:
    found = [local.candidate for local in port.candidates()]
    assert [(c.transport, c.address) for c in found] == [
        ("udp", "203.0.113.5"),
        ("udp", "127.0.0.1"),
        ("tcp", "203.0.113.5"),
        ("tcp", "127.0.0.1"),
    ]
    priorities = [c.priority for c in found]
    assert priorities == sorted(priorities, reverse=True)
    assert len({c.foundation for c in found}) == 4
    line = str(found[-1])
    assert line.endswith(f" 127.0.0.1 {port.tcp.stats.port} typ host tcptype passive")
    assert Candidate.parse(line) == found[-1]


@pytest.mark.parametrize(
    ("listening", "offered"),
    [
        ([], []),
        ([("127.0.0.1", 80)], ["127.0.0.1"]),
        ([("127.0.0.2", 80)], []),
        ([("192.0.2.1", 80)], ["203.0.113.5"]),
        ([("0.0.0.0", 80)], ["203.0.113.5", "127.0.0.1"]),
        ([("::", 80)], []),
    ],
)
async def test_addresses_on_which_nothing_is_accepted_are_not_offered(
    port: UdpPort, listening: list[tuple[str, int]], offered: list[str]
) -> None:
    port.tcp.announce(listening)
    found = [local.candidate for local in port.candidates()]
    assert [c.address for c in found if c.transport == "tcp"] == offered


# Who may stay


async def test_an_authentic_check_is_answered(
    port: UdpPort, session: Connection
) -> None:
    client = await connected(port)
    client.send(check(session))
    kinds = {(await client.frame())[:2] for _ in range(2)}
    # A check of this side, and the answer.
    assert kinds == {b"\x00\x01", b"\x01\x01"}
    await asyncio.sleep(ice_tcp.FIRST_CHECK_TIMEOUT + 0.2)
    assert port.tcp.stats.connections == 1
    assert (port.tcp.stats.accepted, port.tcp.stats.refused) == (1, 0)
    client.writer.close()
    await until(lambda: port.tcp.stats.connections == 0)


async def test_a_check_in_pieces(port: UdpPort, session: Connection) -> None:
    client = await connected(port)
    data = check(session)
    for octet in pack_length(len(data)) + data:
        client.writer.write(bytes([octet]))
        await client.writer.drain()
        await asyncio.sleep(0)
    assert await client.frame()
    assert port.tcp.stats.accepted == 1
    client.writer.close()


@pytest.mark.parametrize(
    "first",
    [
        "wrong password",
        "wrong ufrag",
        "dtls",
        "media",
        "empty",
        "rubbish",
        "response",
    ],
)
async def test_what_is_no_authentic_check_ends_it(
    port: UdpPort, session: Connection, first: str
) -> None:
    good, ours = check(session), session.transport.ice.local
    sent = {
        "wrong password": check(session, key="another password.."),
        "wrong ufrag": good.replace(ours.ufrag.encode(), b"x" * 8),
        "dtls": b"\x16\xfe\xfd" + bytes(50),
        "media": b"\x80" + bytes(50),
        "empty": b"",
        "rubbish": b"\x00" * 20,
        "response": b"\x01\x01" + good[2:],
    }[first]
    client = await connected(port)
    client.send(sent, good)
    assert await client.has_ended()
    stats = port.tcp.stats
    assert (stats.accepted, stats.refused, stats.connections) == (0, 1, 0)
    client.writer.close()


@pytest.mark.parametrize("sent", [b"", b"\x00", b"\x00\x40abc"])
async def test_the_check_must_come_in_time(port: UdpPort, sent: bytes) -> None:
    client = await connected(port)
    client.writer.write(sent)
    assert await client.has_ended()
    assert port.tcp.stats.refused == 1
    client.writer.close()


async def test_a_frame_that_is_too_large_ends_it(
    port: UdpPort, session: Connection
) -> None:
    client = await connected(port)
    client.send(check(session))
    await client.frame()
    client.writer.write(b"\xff\xff")
    assert await client.has_ended()
    assert port.tcp.stats.malformed == 1
    client.writer.close()


async def test_another_session_is_not_reached_without_its_password(
    port: UdpPort, session: Connection
) -> None:
    """What follows an authentic check may name any session, as over UDP."""
    other = new_session(port)
    client = await connected(port)
    client.send(check(session))
    await client.frame()
    forged = check(other, key=session.transport.ice.local.pwd)
    client.send(forged, b"\x16\xfe\xfd" + bytes(50))
    await until(lambda: session.transport.dropped == 1)
    assert other.transport.ice.selected is None
    assert not other.transport.dropped
    assert not other.transport.verified
    other.close()
    client.writer.close()


async def test_its_end_is_that_of_its_sessions(port: UdpPort) -> None:
    one, other = new_session(port), new_session(port)
    client = await connected(port)
    client.send(check(one))
    await until(lambda: bool(one.transport.verified))
    # As a check would have it that comes when the turn of the first one is over.
    other.transport.path_verified(client.path)
    one.close()
    await asyncio.sleep(0.05)
    assert port.tcp.stats.connections == 1
    other.close()
    assert await client.has_ended()
    assert port.tcp.stats.connections == 0
    client.writer.close()


@pytest.mark.parametrize("lite", [False, True])
async def test_a_client_connects_again(port: UdpPort, lite: bool) -> None:
    """With the same ICE session; the connection before has ended."""
    session = new_session(port, lite=lite)
    ice = session.transport.ice
    for _ in range(3):
        client = await connected(port)
        client.send(check(session))
        # The peer's own answers are needed for a path: a lite agent asks for none.
        while (data := await client.frame())[:2] != b"\x01\x01":
            client.send(answer_to(data))
        await until(lambda c=client: ice.selected == c.path)  # type: ignore[misc]
        client.writer.close()
        await until(lambda: port.tcp.stats.connections == 0)
        assert session.transport.verified == set()
    session.close()


def answer_to(request: bytes) -> bytes:
    return success_response(
        parse(request).transaction_id, ("192.0.2.1", 1), THEIRS.pwd.encode()
    )


# Many connections


async def test_there_are_not_too_many(port: UdpPort, session: Connection) -> None:
    friend = await connected(port)
    friend.send(check(session))
    await friend.frame()
    silent = [await connected(port) for _ in range(50)]
    await until(lambda: port.tcp.stats.connections <= 20)
    assert port.tcp.stats.accepted == 1
    friend.send(check(session))
    assert await friend.frame()
    for client in [friend, *silent]:
        client.writer.close()


# Writing


async def test_a_slow_reader_loses_whole_frames_media_first(
    port: UdpPort, session: Connection
) -> None:
    client = await connected(port)
    client.writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_RCVBUF, 4096
    )
    assert isinstance(client.writer.transport, asyncio.Transport)
    client.send(check(session))
    await client.frame()
    client.writer.transport.pause_reading()
    path = client.path
    for number in range(20_000):
        port.send(b"\x80" + number.to_bytes(4, "big") + bytes(1000), path)
    connection = port.tcp._connections[path]
    assert connection.dropped > 0
    assert connection.queued <= tcp_connection.MAX_MEDIA_QUEUE
    assert port.is_congested(path)
    # Control still has room, up to a bound.
    port.send_batch([b"\x16control"], path)
    dropped = connection.dropped
    assert connection.queued > tcp_connection.MAX_MEDIA_QUEUE - 2000
    for _ in range(1000):
        port.send(b"\x16" + bytes(1000), path)
    assert connection.dropped > dropped
    assert connection.queued <= tcp_connection.MAX_QUEUE
    assert port.all_backlog.octets == connection.queued
    # What comes is whole frames, in order.
    client.writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20
    )
    client.writer.transport.resume_reading()
    deframer, found = Deframer(), list[bytes]()
    async with asyncio.timeout(60):
        while b"\x16control" not in found:
            found += deframer.feed(await client.reader.read(1 << 16))
    media = [int.from_bytes(f[1:5], "big") for f in found if f[0] == 0x80]
    assert media == sorted(media)
    assert len(set(media)) == len(media) > 500
    assert all(len(f) == 1005 for f in found if f[0] == 0x80)
    await until(lambda: not port.all_backlog.octets)
    assert not port.is_congested(path)
    client.writer.close()


async def test_what_waits_is_forgotten_with_its_connection(
    port: UdpPort, session: Connection
) -> None:
    client = await connected(port)
    client.send(check(session))
    await client.frame()
    assert isinstance(client.writer.transport, asyncio.Transport)
    client.writer.transport.pause_reading()
    for _ in range(20_000):
        port.send(b"\x80" + bytes(1000), client.path)
    assert port.all_backlog.octets
    client.writer.transport.abort()
    await until(lambda: port.tcp.stats.connections == 0)
    assert port.all_backlog.octets == 0
    port.send(b"\x80lost", client.path)
