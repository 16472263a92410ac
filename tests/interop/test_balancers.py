"""Three nodes behind HAProxy, nginx and Envoy, which hash the name of the stream.

The node processes are the same for all of them.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import hdrs

from tests import offers
from tests.echoes import echoes_of
from tests.server import ServerProcess, free_port
from tests.waiting import until
from whipbird.client import WhipClient
from whipbird.client.pattern import Pattern
from whipbird.client.publish import Publication
from whipbird.client.whep import WhepClient

from .balancers import BALANCERS, Balancer, balancing

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

LIMIT = 60.0
SDP = {hdrs.CONTENT_TYPE: "application/sdp"}
# So many that each node has some of them.
STREAMS = [f"stream-{number}" for number in range(30)]
# For how streams are spread.
NAMES = [f"name-{number}" for number in range(100)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes() -> AsyncIterator[list[ServerProcess]]:
    options = (
        *("--trusted-proxy", "127.0.0.1", "--ice-loopback", "--drain", "60"),
        *("--allowed-host", "media.example"),
    )
    nodes = [ServerProcess(*options) for _ in range(3)]
    await asyncio.gather(*(node.start() for node in nodes))
    yield nodes
    await asyncio.gather(*(node.stop() for node in nodes))


@asynccontextmanager
async def running(
    name: str, nodes: list[ServerProcess], folder: Path
) -> AsyncIterator[tuple[Balancer, aiohttp.ClientSession]]:
    """A load balancer that has seen that its nodes are well, and a client of it."""
    async with balancing(name, [node.port for node in nodes], folder) as balancer:
        tls = aiohttp.TCPConnector(ssl=aiohttp.Fingerprint(balancer.fingerprint))
        async with aiohttp.ClientSession(balancer.url, connector=tls) as http:
            async with asyncio.timeout(LIMIT):
                # Nothing in another process to await.
                while await status_of(http, "/readyz") != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            yield balancer, http


async def status_of(http: aiohttp.ClientSession, path: str) -> int:
    async with http.get(path) as response:
        return response.status


async def post(http: aiohttp.ClientSession, path: str) -> Any:
    """Open a session for data alone; return the response."""
    async with http.post(path, data=offers.CHROMIUM_DATA, headers=SDP) as response:
        await response.read()
        return response


async def delete(http: aiohttp.ClientSession, location: str) -> int:
    async with http.delete(location) as response:
        return response.status


async def streams_of(node: ServerProcess) -> Counter[str]:
    """The sessions of a node, by stream."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{node.url}/api/sessions") as response,
    ):
        listed = await response.json()
    return Counter(session["stream"] for session in listed["sessions"])


def client_of(balancer: Balancer, path: str) -> WhipClient:
    kind = WhepClient if path.startswith("/whep") else WhipClient
    return kind(balancer.url + path, tls_fingerprint=balancer.fingerprint)


@asynccontextmanager
async def publishing(balancer: Balancer, stream: str) -> AsyncIterator[WhipClient]:
    async with client_of(balancer, f"/whip/{stream}") as client:
        publication = Publication(Pattern((64, 64), 15, "VP8", 100_000), client)
        await publication.connect(None)
        sending = asyncio.create_task(publication.run())
        try:
            yield client
        finally:
            sending.cancel()
            await asyncio.wait([sending])


async def sees(balancer: Balancer, stream: str) -> None:
    """Watch a stream until a picture is there."""
    async with client_of(balancer, f"/whep/{stream}") as viewer:
        await viewer.connect()
        await until(
            lambda: any(e.key_frames for t in viewer.peer.tracks for e in t.encodings)
        )


@pytest.mark.parametrize("name", BALANCERS)
async def test_all_of_a_stream_lands_on_one_node(
    name: str, nodes: list[ServerProcess], tmp_path: Path
) -> None:
    async with running(name, nodes, tmp_path) as (balancer, http):
        # Sessions of many streams: each trickles, is restarted, and is ended.
        opened = [await post(http, f"/whip/{stream}") for stream in STREAMS]
        assert {response.status for response in opened} == {201}
        held = [await streams_of(node) for node in nodes]
        assert all(held), "no node is left out"
        assert sorted(sum(held, Counter())) == sorted(STREAMS)
        for response in opened:
            # Wherever it leads, its entity tag is known there alone.
            async with http.patch(
                response.headers[hdrs.LOCATION],
                data="a=ice-ufrag:none\r\na=ice-pwd:none\r\n",
                headers={
                    hdrs.CONTENT_TYPE: "application/trickle-ice-sdpfrag",
                    hdrs.IF_MATCH: response.headers[hdrs.ETAG],
                },
            ) as patched:
                assert patched.status not in (404, 412), await patched.text()
            assert await delete(http, response.headers[hdrs.LOCATION]) == 200
        # Publish, watch, and what is said of it.
        async with publishing(balancer, "show") as publisher:
            await sees(balancer, "show")
            assert await status_of(http, "/api/streams/show") == 200
            assert await status_of(http, "/watch/show") == 200
            assert await status_of(http, "/embed/show") == 200
            assert publisher.location is not None
            assert publisher.location.path.startswith("/whip/show/")
        async with client_of(balancer, "/whip/ping") as client:
            assert await echoes_of(client, b"ping") == [b"ping"]
            await client.restart()
        # A publisher without a name gets one that leads back.
        unnamed = await post(http, "/whip")
        if name != "envoy":
            assert await delete(http, unnamed.headers[hdrs.LOCATION]) == 200
        else:
            assert unnamed.status == 404
        assert [await streams_of(node) for node in nodes] == [Counter()] * 3


async def test_nodes_that_come_and_go(
    nodes: list[ServerProcess], tmp_path: Path
) -> None:
    """Behind HAProxy: one is added, one drains, one is killed."""
    async with running("haproxy", nodes, tmp_path) as (balancer, http):

        async def node_of(path: str) -> str:
            async with http.get(path) as response:
                assert response.status == 200
                return response.headers["X-Node"]

        async def spread() -> dict[str, str]:
            return {name: await node_of(f"/whep/{name}") for name in NAMES}

        before = await spread()
        assert before == await spread()
        shares = Counter(before.values())
        assert min(shares.values()) > len(NAMES) / 3 * 0.6, shares
        # What is open stays where it is, and so do its viewers.
        pinned = [await post(http, f"/whip/{name}") for name in NAMES[:20]]
        assert [r.headers["X-Node"] for r in pinned] == [before[n] for n in NAMES[:20]]

        # One is added: it gets its share, and nothing else moves.
        assert await balancer.tell("enable server nodes/four") == ""
        await until_up(balancer, "four")
        after = await spread()
        moved = {name for name in NAMES if after[name] != before[name]}
        assert {after[name] for name in moved} == {"four"}
        assert 0.5 / 4 < len(moved) / (len(NAMES) - 20) < 1.5 / 4
        assert moved.isdisjoint(NAMES[:20])
        for response in pinned:
            assert await delete(http, response.headers[hdrs.LOCATION]) == 200
        assert await balancer.tell("disable server nodes/four") == ""

        # One drains: it keeps what it has, and gets nothing new.
        async with client_of(balancer, "/whip/kept") as kept:
            assert await echoes_of(kept, b"1") == [b"1"]
            ((draining, place),) = [
                (node, place)
                for place, node in zip(("one", "two", "three"), nodes, strict=True)
                if (await streams_of(node))["kept"]
            ]
            draining._process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
            await until_up(balancer, place, "NOLB")
            await kept.restart()
            assert kept.peer.connectionState == "connected"
            others = [await post(http, f"/whip/{name}") for name in NAMES[20:60]]
            assert {r.status for r in others} == {201}
            assert place not in {r.headers["X-Node"] for r in others}
            for response in others:
                assert await delete(http, response.headers[hdrs.LOCATION]) == 200
        # It has ended with its last session.
        await draining.end(signal.SIGCONT)
        await draining.start()
        await until_up(balancer, place)

        # One is killed: its publisher and its viewers are served by another.
        async with publishing(balancer, "live"):
            await sees(balancer, "live")
            (killed,) = [n for n in nodes if (await streams_of(n))["live"]]
            await killed.kill()
            async with publishing(balancer, "live"):
                await sees(balancer, "live")
        await killed.start()


async def test_one_stream_over_many_nodes(
    nodes: list[ServerProcess], tmp_path: Path
) -> None:
    """Publishers to the origin, viewers to edges: the origin has one viewer for each
    edge, and all of them come back after it.
    """
    inside = free_port()
    options = (
        *("--trusted-proxy", "127.0.0.1", "--ice-loopback"),
        *("--allowed-host", "media.example"),
        *("--upstream", f"http://127.0.0.1:{inside}"),
    )
    source, edges = nodes[0], [ServerProcess(*options) for _ in range(2)]
    await asyncio.gather(*(edge.start() for edge in edges))
    async with AsyncExitStack() as stack:
        for edge in edges:
            stack.push_async_callback(edge.stop)
        ports = [source.port, *(edge.port for edge in edges)]
        balancer = await stack.enter_async_context(
            balancing("edges", ports, tmp_path, inside)
        )
        viewers = [client_of(balancer, "/whep/hot") for _ in range(6)]
        async with publishing(balancer, "hot"):
            for viewer in viewers:
                await stack.enter_async_context(viewer)
                await viewer.connect()
            await asyncio.gather(*(sees_more(viewer) for viewer in viewers))
            assert await streams_of(source) == {"hot": 1 + len(edges)}
            assert [(await streams_of(edge))["hot"] for edge in edges] == [3, 3]
            await viewers[0].restart()
            await source.kill()
        await source.start()
        await until_up(balancer, "one")
        async with publishing(balancer, "hot"):
            await asyncio.gather(*(sees_more(viewer) for viewer in viewers))
            assert await streams_of(source) == {"hot": 1 + len(edges)}


async def sees_more(viewer: WhipClient) -> None:
    def frames() -> int:
        return sum(e.frames for t in viewer.peer.tracks for e in t.encodings)

    before = frames()
    await until(lambda: frames() > before + 10)


async def until_up(balancer: Balancer, server: str, state: str = "UP") -> None:
    """Wait until HAProxy sees a node in a state."""
    seen = ""
    try:
        async with asyncio.timeout(LIMIT):
            while state not in seen:
                table = await balancer.tell("show stat")
                names, *rows = [line.split(",") for line in table.splitlines() if line]
                (row,) = [row for row in rows if row[1] == server]
                seen = row[names.index("status")]
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{server} is {seen}, not {state}") from None
