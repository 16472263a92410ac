"""Many sessions of one machine, which send messages when they are told to.

python -m tests.networks.sessions URL COUNT [LATE]

Opens COUNT sessions, and tells how each is connected. LATE more have their answers,
but do not connect. Then, for each line of input:

    echo    a message of each session, which no other has, must come back to it
    connect the late ones connect
    end     all are closed
"""

import asyncio
import json
import secrets
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiortc import RTCSessionDescription

from whipbird.client import WhipClient
from whipbird.net import UdpPort
from whipbird.rtc import Certificate, PeerOptions
from whipbird.transport.path import Path

# Sessions that are opened, or closed, at a time.
BATCH = 10
# Seconds for all of them, on a machine that has other things to do.
LIMIT = 200.0


class NotingPort(UdpPort):
    """A UDP port that notes what it has sent last.

    Attributes:
        record, check: a DTLS record with data, and a connectivity check.
    """

    record = check = b""

    def send(self, datagram: bytes, path: Path) -> None:
        self._note(datagram)
        super().send(datagram, path)

    def send_batch(self, datagrams: Sequence[bytes | memoryview], path: Path) -> None:
        for datagram in datagrams:
            self._note(bytes(datagram))
        super().send_batch(datagrams, path)

    def _note(self, datagram: bytes) -> None:
        if datagram[:2] == b"\0\1":
            self.check = datagram
        elif datagram[0] == 23:
            self.record = datagram


class Session:
    """A session with a data channel."""

    def __init__(self, url: str, certificate: Certificate) -> None:
        self._port = NotingPort()
        self.client = WhipClient(
            url, options=PeerOptions(certificate, self._port), timeout=LIMIT
        )
        self._channel = self.client.peer.createDataChannel("test")
        self._received: asyncio.Queue[bytes | str] = asyncio.Queue()
        self._channel.on("message", self._received.put_nowait)
        self._answered, self._may_connect = asyncio.Event(), asyncio.Event()

    async def post(self) -> None:
        """Get an answer, and do nothing with it before ``connect``."""
        peer = self.client.peer
        apply = peer.setRemoteDescription

        async def apply_later(description: RTCSessionDescription) -> None:
            self._answered.set()
            await self._may_connect.wait()
            await apply(description)

        peer.setRemoteDescription = apply_later  # type: ignore[method-assign,assignment]
        await self._port.open()
        self._posting = asyncio.create_task(self.client.post())
        answered = asyncio.create_task(self._answered.wait())
        await asyncio.wait(
            {self._posting, answered}, return_when=asyncio.FIRST_COMPLETED
        )
        answered.cancel()
        if self._posting.done():
            # It has failed.
            await self._posting

    async def connect(self) -> None:
        self._may_connect.set()
        await self._posting
        await self.client.connected()
        await self.client.opened(self._channel)

    async def open(self) -> None:
        await self.post()
        await self.connect()
        # Hundreds of idle connections of HTTP are not what this is about.
        await self.client.http.close()

    async def echo(self) -> None:
        """Send a message, and wait for exactly this one."""
        message = f"{id(self)} {secrets.token_hex(8)}"
        self._channel.send(message)
        assert await asyncio.wait_for(self._received.get(), LIMIT) == message
        assert self._received.empty()

    async def close(self) -> None:
        await self.client.close()
        self._port.close()

    def facts(self) -> dict[str, Any]:
        """What an attacker may know of it."""
        path = self.client.peer.connection.transport.ice.selected
        ufrag = self.client.answer.partition("a=ice-ufrag:")[2].split()[0]
        offered = self.client.offer.partition("a=ice-ufrag:")[2].split()[0]
        return {
            "username": f"{ufrag}:{offered}",
            "local": path.local[:2] if path else None,
            "remote": path.remote[:2] if path else None,
            "record": self._port.record.hex(),
            "check": self._port.check.hex(),
        }


async def in_batches(
    sessions: Sequence[Session], do: Callable[[Session], Awaitable[None]]
) -> None:
    for start in range(0, len(sessions), BATCH):
        await asyncio.gather(*map(do, sessions[start:][:BATCH]))


async def main(url: str, count: int, late_count: int = 0) -> None:
    certificate = Certificate.generate()
    sessions = [Session(url, certificate) for _ in range(count)]
    late = [Session(url, certificate) for _ in range(late_count)]
    await in_batches(sessions, Session.open)
    await in_batches(late, Session.post)
    await in_batches(sessions, Session.echo)
    tell({"sessions": [session.facts() for session in (*sessions, *late)]})
    while (line := await asyncio.to_thread(sys.stdin.readline)) != "end\n":
        if line == "connect\n":
            await in_batches(late, Session.connect)
            sessions += late
        else:
            await asyncio.gather(*map(Session.echo, sessions))
        tell({"done": line.strip(), "addresses": addresses(sessions)})
    await in_batches(sessions, Session.close)
    tell({"closed": len(sessions)})


def addresses(sessions: Sequence[Session]) -> list[Any]:
    """The server's ends of the paths of sessions, each once."""
    found = {session.client.peer.peer_address for session in sessions}
    return sorted([*address] for address in found if address is not None)


def tell(facts: dict[str, Any]) -> None:
    print(json.dumps(facts))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
