"""Hundreds of sessions, and one UDP port."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.server import ServerProcess
from tests.waiting import until
from whipbird.client import WhipClient
from whipbird.net import UdpPort
from whipbird.rtc import Certificate, DataChannel, PeerOptions

SESSIONS = 500
# Clients behind one address and port: fewer than the server tells apart, and not of
# one batch, for DTLS handshakes on one path cannot be told apart at all.
SHARING = 5
# Sessions that are opened, or closed, at a time.
BATCH = 20

# Seconds for all of them, on a machine that has other things to do.
LIMIT = 100.0

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="it looks into Linux's /proc"
)


class Sockets:
    """The file descriptors of a process, as they are now.

    Attributes:
        udp: the port of each UDP socket.
        others: how many descriptors are no connections of TCP.
    """

    def __init__(self, pid: int) -> None:
        names = []
        for link in Path(f"/proc/{pid}/fd").iterdir():
            # It may be closed meanwhile.
            with suppress(FileNotFoundError):
                names.append(os.readlink(link))
        inodes = {
            name.removeprefix("socket:[").removesuffix("]")
            for name in names
            if name.startswith("socket:[")
        }
        self.udp = [port for _, port in _listed(pid, "udp", inodes)]
        # Those that listen have the state 0A.
        connections = [c for c in _listed(pid, "tcp", inodes) if c[0] != "0A"]
        self.others = len(names) - len(connections)


def _listed(pid: int, protocol: str, inodes: set[str]) -> list[tuple[str, int]]:
    """The state and the port of each socket of a protocol with one of the inodes."""
    found = []
    for table in (protocol, f"{protocol}6"):
        with suppress(FileNotFoundError):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                row = line.split()
                if row[9] in inodes:
                    found.append((row[3], int(row[1].rpartition(":")[2], 16)))
    return found


class Client:
    """A session with a data channel, and what came back on that."""

    def __init__(self, url: str, options: PeerOptions) -> None:
        self.session = WhipClient(url, options=options, timeout=LIMIT)
        self.channel: DataChannel = self.session.peer.createDataChannel("test")
        self.echoes: list[bytes | str] = []
        self.channel.on("message", self.echoes.append)

    async def open(self) -> None:
        await self.session.connect()
        await self.session.opened(self.channel)
        # Hundreds of idle connections of HTTP are not what this is about.
        await self.session.http.close()


async def in_batches(
    clients: Sequence[Client], do: Callable[[Client], Awaitable[None]]
) -> None:
    for start in range(0, len(clients), BATCH):
        await asyncio.gather(*(do(client) for client in clients[start:][:BATCH]))


async def same_sockets(server: ServerProcess, before: Sockets) -> None:
    """There are no more descriptors than before, once connections of HTTP are closed.

    Raises:
        TimeoutError: when there are.
    """
    assert Sockets(server.pid).udp == before.udp
    # A connection that is just being closed is in no table.
    await until(lambda: Sockets(server.pid).others == before.others)


@pytest.fixture
async def server() -> AsyncIterator[ServerProcess]:
    server = ServerProcess("--post-rate", "0", "--delete-rate", "0")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def options() -> AsyncIterator[list[PeerOptions]]:
    """UDP ports for the clients, each for a few of them."""
    certificate = Certificate.generate()
    ports = [UdpPort() for _ in range(SESSIONS // SHARING)]
    for port in ports:
        await port.open()
    yield [PeerOptions(certificate, port) for port in ports]
    for port in ports:
        port.close()


async def test_one_port(server: ServerProcess, options: list[PeerOptions]) -> None:
    before = Sockets(server.pid)
    assert set(before.udp) == {server.port}
    url = f"{server.url}/whip/test"
    clients = [Client(url, options[n % len(options)]) for n in range(SESSIONS)]
    try:
        async with asyncio.timeout(LIMIT):
            await in_batches(clients, Client.open)
            await server.wait_for_sessions(SESSIONS)
            await same_sockets(server, before)
            found = [c.session.peer.peer_address for c in clients]
            assert {address[1] for address in found if address} == {server.port}

            for number, client in enumerate(clients):
                client.channel.send(f"message {number}")
            await until(lambda: all(c.echoes for c in clients), LIMIT)
            for number, client in enumerate(clients):
                assert client.echoes == [f"message {number}"]
    finally:
        async with asyncio.timeout(LIMIT):
            await in_batches(clients, lambda client: client.session.close())
    await server.wait_for_sessions(0)
    status = await server.status()
    assert status["sessions"]["total"] == SESSIONS
    assert status["messages_echoed"] == SESSIONS
    await same_sockets(server, before)
