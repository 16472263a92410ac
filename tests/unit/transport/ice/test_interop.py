"""IceTransport with aioice's Connection, over loopback sockets."""

import asyncio
import math
import socket
import time
from typing import cast

import aioice
import pytest

from whipbird.sdp.candidate import Candidate
from whipbird.sdp.transport import IceCredentials
from whipbird.transport.ice import (
    MAX_LOCAL_PREFERENCE,
    IceTransport,
    host_candidate,
)
from whipbird.transport.path import Path

PATIENCE = 20


class Socket(asyncio.DatagramProtocol):
    """A peer on one socket, with a transport of ours."""

    transport: asyncio.DatagramTransport

    def __init__(self, *, controlling: bool) -> None:
        self.ice = IceTransport(self, controlling=controlling)
        self.verified: set[Path] = set()
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.connected = asyncio.Event()
        self.answered = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._base = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self._base = transport.get_extra_info("sockname")[:2]
        local = host_candidate(*self._base, self._base, MAX_LOCAL_PREFERENCE)
        self.ice.gather([local])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        path = Path(self._base, addr[:2])
        if data[0] < 4:
            self.ice.receive(data, path, time.monotonic())
            self.answered.set()
            self.schedule()
        elif path in self.verified:
            self.received.put_nowait(data)

    def schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        if self.ice.deadline < float("inf"):
            delay = max(0, self.ice.deadline - time.monotonic())
            self._timer = loop.call_later(delay, self._timed_out)

    def _timed_out(self) -> None:
        self.ice.handle_timeout(time.monotonic())
        self.schedule()

    def send(self, data: bytes) -> None:
        assert self.ice.selected is not None
        self.transport.sendto(data, self.ice.selected.remote)

    def close(self) -> None:
        self.ice.close()
        if self._timer is not None:
            self._timer.cancel()
        self.transport.close()

    @property
    def media_sender_heard_at(self) -> float:
        return -math.inf

    @property
    def peer_heard_at(self) -> float:
        return -math.inf

    def send_datagram(self, data: bytes, path: Path) -> None:
        self.transport.sendto(data, path.remote)

    def path_verified(self, path: Path) -> None:
        self.verified.add(path)

    def path_forgotten(self, path: Path) -> None:
        self.verified.remove(path)

    def path_selected(self, path: Path) -> None:
        self.connected.set()

    def ufrags_changed(self, ufrags: tuple[str, ...]) -> None:
        pass

    def ice_failed(self) -> None:
        raise AssertionError

    def consent_expired(self) -> None:
        raise AssertionError

    def restart_ended(self, succeeded: bool) -> None:
        raise AssertionError


@pytest.mark.parametrize("controlling", [False, True])
@pytest.mark.parametrize("knows_candidates", [False, True])
async def test_connecting_with_aioice(
    controlling: bool, knows_candidates: bool
) -> None:
    """In both roles; aioice's candidates known, or found by its checks."""
    theirs = aioice.Connection(ice_controlling=not controlling)
    await theirs.gather_candidates()
    loop = asyncio.get_running_loop()
    host = theirs.local_candidates[0].host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    _, ours = await loop.create_datagram_endpoint(
        lambda: Socket(controlling=controlling), local_addr=(host, 0), family=family
    )
    theirs.remote_username, theirs.remote_password = (
        ours.ice.local.ufrag,
        ours.ice.local.pwd,
    )
    [local] = ours.ice.local_candidates
    remote = aioice.Candidate.from_sdp(str(local.candidate))
    await theirs.add_remote_candidate(remote)
    await theirs.add_remote_candidate(None)
    credentials = IceCredentials(theirs.local_username, theirs.local_password)
    ours.ice.start(credentials, time.monotonic())
    if knows_candidates:
        for candidate in theirs.local_candidates:
            if candidate.type == "host":
                ours.ice.add_remote_candidate(
                    Candidate.parse(candidate.to_sdp()), time.monotonic()
                )
    ours.schedule()
    try:
        async with asyncio.timeout(PATIENCE):
            await theirs.connect()
            await ours.connected.wait()
            ours.send(b"\x80to aioice")
            assert await theirs.recv() == b"\x80to aioice"
            await theirs.send(b"\x80from aioice")
            assert await ours.received.get() == b"\x80from aioice"
            # It answers consent checks.
            until = ours.ice.consent_until
            ours.ice.check_consent(time.monotonic())
            while ours.ice.consent_until == until:
                await ours.answered.wait()
                ours.answered.clear()
    finally:
        ours.close()
        await theirs.close()
