"""One port: hundreds of sessions of several machines, and datagrams that are forged."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.interop.namespace import Namespace, why_impossible
from tests.interop.program import Program
from tests.waiting import until
from whipbird.transport.stun import ErrorCode, error_response

from .world import CLIENTS, PORT, SERVED4, SERVED6, World

pytestmark = pytest.mark.timeout(600)

URL4, URL6 = f"http://{SERVED4}:{PORT}", f"http://[{SERVED6}]:{PORT}"
# Of the machines with many sessions: directly on the internet, and behind a NAT.
PLACES = {"open": URL4, "natted": URL4, "laptop": URL4, "ipv6": URL6, "narrow": URL6}
SESSIONS = 100
LIMIT = 300.0

# Addresses from which nobody sends.
FORGED = ("203.0.113.99", "10.9.9.9", "192.0.2.77")

GET = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"


class Server:
    """The server, which is seen from its own namespace."""

    def __init__(self, program: Program, place: Namespace) -> None:
        self._program = program
        self._place = place

    def get(self, path: str) -> dict[str, Any]:
        """What it says at a path."""
        url = f"http://127.0.0.1:{PORT}{path}"
        found: dict[str, Any] = json.loads(
            self._place.run(sys.executable, "-c", GET, url)
        )
        return found

    def open_sessions(self) -> int:
        return int(self.get("/api/status")["sessions"]["open"])

    def descriptors(self) -> list[str]:
        """The kinds of the files and sockets that it has open."""
        folder = Path(f"/proc/{self._program.pid}/fd")
        kinds = []
        for link in folder.iterdir():
            # It may be closed meanwhile.
            with suppress(FileNotFoundError):
                kinds.append(os.readlink(link).partition("[")[0])
        return sorted(kinds)

    def udp_ports(self) -> list[int]:
        """The ports of the UDP sockets of its machine."""
        rows = []
        for table in ("udp", "udp6"):
            with open(f"/proc/{self._program.pid}/net/{table}") as file:
                rows += [line.split() for line in file.readlines()[1:]]
        return [int(row[1].rpartition(":")[2], 16) for row in rows]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    if reason := why_impossible():
        pytest.skip(reason)
    world = World()
    try:
        yield world
        await world.end()
    finally:
        world.remove()


@pytest.fixture
async def server(world: World) -> AsyncIterator[Server]:
    program = await world.start_server("served", "::")
    yield Server(program, world["served"])
    assert await program.stop() == 0, program.output
    assert "Traceback" not in program.output, program.output


async def opened(place: Namespace, url: str, *counts: int) -> Program:
    """Open sessions."""
    clients = await place.python(
        *("-m", "tests.networks.sessions", f"{url}/whip/test", *map(str, counts))
    )
    await clients.writes('{"sessions":', limit=LIMIT)
    return clients


async def do(clients: Sequence[Program], what: str) -> list[Any]:
    """Have clients do something, all at the same time.

    Returns:
        The addresses of the server's that they use, for each client.
    """
    before = [one.count('{"done":') for one in clients]
    for one in clients:
        one.tell(what)
    for one, count in zip(clients, before, strict=True):
        await one.writes('{"done":', times=count + 1, limit=LIMIT)
    return [json.loads(one.output.splitlines()[-1])["addresses"] for one in clients]


async def end(clients: Sequence[Program]) -> None:
    for one in clients:
        one.tell("end")
    for one in clients:
        assert await one.ended(LIMIT) == 0, one.output


async def test_500_sessions_of_5_machines_on_one_port(
    world: World, server: Server
) -> None:
    # The first session has the server load what all of them use.
    await end([await opened(world["open"], URL4, 1)])
    before = server.descriptors()
    ports = server.udp_ports()
    assert set(ports) == {PORT}
    clients = await asyncio.gather(
        *(opened(world[place], url, SESSIONS) for place, url in PLACES.items())
    )
    total = SESSIONS * len(PLACES)
    assert server.open_sessions() == total
    assert server.udp_ports() == ports

    # At the same time: nothing is mixed up.
    addresses = await do(clients, "echo")
    assert {tuple(one) for found in addresses for one in found} == {
        (SERVED4, PORT),
        (SERVED6, PORT),
    }
    await end(clients)
    status = server.get("/api/status")
    assert status["sessions"]["open"] == 0
    assert status["sessions"]["total"] == total + 1
    assert status["messages_echoed"] == 2 * total + 1
    assert server.udp_ports() == ports
    # A connection that is just being closed has its descriptor still.
    await until(lambda: server.descriptors() == before)


def check(username: str, key: bytes | None) -> bytes:
    """A connectivity check that wants its path to be used, as a stranger makes it."""
    attributes = attribute(0x0006, username.encode())
    attributes += attribute(0x0024, bytes(4)) + attribute(0x0025, b"")
    attributes += attribute(0x802A, bytes(8))
    if key is not None:
        attributes += attribute(0x0008, secrets.token_bytes(20))
    header = b"\0\1" + len(attributes).to_bytes(2, "big") + b"\x21\x12\xa4\x42"
    return header + secrets.token_bytes(12) + attributes


def attribute(kind: int, value: bytes) -> bytes:
    padding = bytes(-len(value) % 4)
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + padding


def dtls(kind: int, body: bytes) -> bytes:
    """A DTLS 1.2 record of epoch 0."""
    number = b"\0\0" + secrets.token_bytes(6)
    return bytes((kind, 0xFE, 0xFD)) + number + len(body).to_bytes(2, "big") + body


async def test_forged_sources_neither_move_nor_end_sessions(
    world: World, server: Server
) -> None:
    spoofing = world.add_host("spoofer", "198.51.100.66")
    clients = await opened(world["natted"], URL4, 3, 2)
    facts = json.loads(clients.output.splitlines()[-1])["sessions"]
    established = [one for one in facts if one["local"]]
    assert [len(facts), len(established)] == [5, 3]

    def paths() -> dict[str, tuple[str, int]]:
        """Where the server sends to, of each session that is connected."""
        sessions = server.get("/api/sessions")["sessions"]
        return {s["id"]: (s["address"], s["port"]) for s in sessions if s["address"]}

    def dropped() -> int:
        udp = server.get("/api/status")["udp"]
        return sum(udp[k] for k in ("unknown_stun", "unknown_address", "refused"))

    before = paths()
    assert set(before.values()) == {tuple(one["local"]) for one in established}
    assert dropped() == 0
    spoofer = await spoofing.python("-m", "tests.networks.spoofer")

    forged: list[list[Any]] = []
    for one in facts:
        for source in FORGED:
            for key in (None, b"wrong"):
                forged.append([source, 4000, check(one["username"], key)])
    for one in established:
        forged += [
            [*one["local"], data]
            for data in (
                check(one["username"], None),
                check(one["username"], b"wrong"),
                error_response(secrets.token_bytes(12), ErrorCode.FORBIDDEN, None),
                # close_notify, a fatal alert, a ClientHello's beginning, data
                *(dtls(21, b"\1\0"), dtls(21, b"\2\50"), dtls(22, bytes(60))),
                dtls(23, secrets.token_bytes(60)),
                # RTP, RTCP
                b"\x80\x60" + secrets.token_bytes(100),
                b"\x80\xc8" + secrets.token_bytes(100),
            )
        ]
    # What was authentic once: a record is refused everywhere, a check is not, and shows
    # the server another path, which it does not use without an answer from there.
    for one in established:
        own, record = one["local"], bytes.fromhex(one["record"])
        forged += [[*source, record] for source in (*((f, 4000) for f in FORGED), own)]
    counted = len(forged)
    for one in established:
        own, again = one["local"], bytes.fromhex(one["check"])
        forged += [[*source, again] for source in (*((f, 4000) for f in FORGED), own)]
    assert all(data for *_, data in forged)
    lines = [[*source, SERVED4, PORT, data.hex()] for *source, data in forged]
    spoofer.tell(json.dumps(lines))
    await spoofer.writes('"sent"')
    await until(lambda: dropped() >= counted)
    assert dropped() == counted

    assert await do([clients], "echo") == [[[SERVED4, PORT]]]
    assert await do([clients], "connect") == [[[SERVED4, PORT]]]
    assert await do([clients], "echo") == [[[SERVED4, PORT]]]
    after = paths()
    assert len(after) == len(facts)
    assert {address for address, _ in after.values()} == {CLIENTS["natted"][0]}
    assert before.items() <= after.items()
    await end([clients])
    assert server.open_sessions() == 0
