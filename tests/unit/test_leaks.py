"""After a session nothing of it remains: no task, no timer, no socket, no memory."""

import asyncio
import gc
import os
from collections import Counter

import pytest
from pytest_aiohttp.plugin import AiohttpServer

from tests.waiting import until
from whipbird.app import STORE, UDP_PORT, create_app
from whipbird.client import WhipClient
from whipbird.config import Settings
from whipbird.net import UdpPort
from whipbird.rtc import Peer
from whipbird.sessions import Session
from whipbird.transport.peer_transport import PeerTransport

SESSIONS = 200
AT_ONCE = 10

KINDS = (Session, Peer, PeerTransport, UdpPort)


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _alive(*kinds: type) -> Counter[type]:
    gc.collect()
    return Counter(type(o) for o in gc.get_objects() if type(o) in kinds)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
@pytest.mark.parametrize("how", ["deleted", "dropped", "restarted", "never connected"])
async def test_sessions_leave_nothing(aiohttp_server: AiohttpServer, how: str) -> None:
    # Those that are to connect may take their time.
    setup_timeout = 1.0 if how == "never connected" else 60.0
    app = create_app(Settings(setup_timeout=setup_timeout, max_client_connecting=0))
    server = await aiohttp_server(app)
    url = str(server.make_url("/whip/leak"))

    async def session() -> None:
        client = WhipClient(url)
        channel = client.peer.createDataChannel("test")
        if how == "never connected":
            await client.post()
            client.location = None  # and never deleted
        else:
            await client.connect()
            await client.opened(channel)
            channel.send("x" * 5000)
        if how == "restarted":
            await client.restart()
            await client.peer.restart_ice()  # and never finished
        if how == "dropped":
            client.location = None
        await client.close()

    async def many(count: int) -> None:
        for _ in range(count // AT_ONCE):
            await asyncio.gather(*(session() for _ in range(AT_ONCE)))
        await until(lambda: not app[STORE].count().total())
        await until(lambda: not app[UDP_PORT].dispatcher.endpoints)

    await many(AT_ONCE)  # what is made once
    await until(lambda: len(asyncio.all_tasks()) < 20)
    tasks, descriptors = len(asyncio.all_tasks()), _descriptors()
    before = _alive(*KINDS)
    await many(SESSIONS if how in ("deleted", "never connected") else SESSIONS // 4)
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    await until(lambda: _descriptors() <= descriptors)
    # Cancelled timers hold their callbacks until the loop sweeps them.
    handles = getattr(asyncio.get_running_loop(), "_scheduled", [])
    handles[:] = [handle for handle in handles if not handle.cancelled()]
    await until(lambda: _alive(*KINDS) <= before)
