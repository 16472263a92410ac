"""A server of two workers: whatever comes to the wrong one is answered all the same."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from av import VideoFrame

from tests import offers
from tests.echoes import echoes_of
from tests.scrape import scrape_url
from tests.server import ServerProcess
from tests.unit.net.test_ice_tcp import Client as TcpClient
from tests.waiting import until
from whipbird.client import WhipClient, WhipError
from whipbird.client.events import events_of
from whipbird.client.pattern import Pattern
from whipbird.client.publish import Publication
from whipbird.client.whep import WhepClient
from whipbird.net.shard import Shard
from whipbird.streams import BROADCAST
from whipbird.streams.chat import PROTOCOL
from whipbird.transport.stun import BINDING_SUCCESS, binding_request, parse

pytestmark = [
    pytest.mark.skipif(
        not hasattr(os, "sched_getaffinity"), reason="several workers need Linux"
    ),
    pytest.mark.asyncio(loop_scope="module"),
]

SDP = {"Content-Type": "application/sdp"}
# A stream of each worker.
STREAMS = ("g", "a")
# Viewers of a stream that stay at its worker.
KEPT = 4


async def test_the_streams_are_of_different_workers() -> None:
    assert [Shard(0, 2).owner_of(stream) for stream in STREAMS] == [0, 1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("recordings")
    made = ServerProcess(
        *("--workers", "2", "--record", str(folder), "--drain", "30", "--chat"),
        *("--spread-viewers", str(KEPT)),
    )
    await made.start()
    yield made
    await made.stop()


@asynccontextmanager
async def misled(server: ServerProcess, right: str) -> AsyncIterator[str]:
    """A server's URL whose connections are all at the other worker than a stream.

    A connection goes to the worker that its first request is for, and stays there.
    """
    (wrong,) = set(STREAMS) - {right}
    first = f"GET /whip/{wrong} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    tasks: set[asyncio.Task[None]] = set()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", server.port)
        outer.write(first)
        await inner.readuntil(b"\r\n\r\n")
        tasks.update(
            (
                asyncio.create_task(pipe(inner, writer)),
                asyncio.create_task(pipe(reader, outer)),
            )
        )

    proxy = await asyncio.start_server(lead, "127.0.0.1", 0)
    async with proxy:
        port = proxy.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def worker_pids(server: ServerProcess) -> list[int]:
    status = await server.status()
    return [worker["pid"] for worker in status["workers"]]


async def get(url: str) -> Any:
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def eventually(
    found: Callable[[], Awaitable[object]], wanted: object, limit: float = 60
) -> None:
    """Wait for what only another process knows."""
    seen: object = None
    try:
        async with asyncio.timeout(limit):
            while (seen := await found()) != wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{seen}, not {wanted}") from None


@pytest.mark.parametrize("stream", STREAMS)
async def test_ping_at_the_wrong_worker(server: ServerProcess, stream: str) -> None:
    """POST, a trickled candidate, an ICE restart and DELETE, and what is unknown."""
    async with misled(server, stream) as url:
        async with WhipClient(f"{url}/whip/{stream}") as client:
            assert await echoes_of(client, b"one", b"two") == [b"one", b"two"]
            assert client.location is not None
            assert client.location.path.startswith(f"/whip/{stream}/")
            listed = await get(f"{url}/api/sessions")
            assert [one["stream"] for one in listed["sessions"]] == [stream]
            (shown,) = listed["sessions"]
            # The client's own address, not that of a worker.
            assert shown["client"] == "127.0.0.1"
            assert (await get(f"{url}/api/sessions/{shown['id']}"))["stream"] == stream
            gone = client.location
            before = client.etag
            await client.restart()
            assert client.etag != before
        await server.wait_for_sessions(0)
        async with aiohttp.ClientSession() as http:
            assert gone is not None
            async with http.delete(gone) as response:
                assert response.status == 404
                assert response.content_type == "application/problem+json"
            async with http.post(f"{url}/whip/{stream}", data="x") as response:
                assert response.status == 415
            async with http.post(
                f"{url}/whip/{stream}", data="v=" * 1_000_000, headers=SDP
            ) as response:
                assert response.status == 413
            async with http.options(f"{url}/whip/{stream}") as response:
                assert response.headers["Accept-Post"] == "application/sdp"


async def test_what_is_passed_on_is_the_same(server: ServerProcess) -> None:
    """Header fields, those of CORS too, at the owner and at the other worker."""

    async def fields(url: str, method: str, path: str, **headers: str) -> Any:
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, f"{url}{path}", headers=headers) as response,
        ):
            kept = [field for field in response.headers.items() if field[0] != "Date"]
            return response.status, kept, await response.read()

    async with misled(server, "a") as wrong:
        for method, path, accept in (
            *(("GET", "/whip/a", "*/*"), ("HEAD", "/whip/a", "*/*")),
            *(("POST", "/whip/a", "*/*"), ("OPTIONS", "/whep/a", "*/*")),
            *(("DELETE", "/whip/a/no-session", "*/*"), ("PUT", "/whip/a", "*/*")),
            *(("GET", "/watch/a", "text/html"), ("HEAD", "/watch/a", "text/html")),
            *(("GET", "/api/streams/a", "*/*"), ("GET", "//whip//a", "*/*")),
            ("GET", "/api/streams/a/snapshot.jpg", "text/html"),
        ):
            asked = {
                "Host": "whipbird.localhost",
                "Origin": "https://other.example",
                "Accept": accept,
            }
            right = await fields(server.url, method, path, **asked)
            assert await fields(wrong, method, path, **asked) == right, (method, path)


async def test_a_made_up_name_is_of_the_worker_that_makes_it_up(
    server: ServerProcess,
) -> None:
    for _ in range(3):
        async with WhipClient(f"{server.url}/whip") as client:
            await echoes_of(client, b"one")
            # GET, at any worker.
            assert client.location is not None
            async with (
                aiohttp.ClientSession() as http,
                http.get(client.location) as response,
            ):
                assert response.status == 204
    await server.wait_for_sessions(0)


@asynccontextmanager
async def published(url: str, stream: str) -> AsyncIterator[None]:
    async with WhipClient(f"{url}/whip/{stream}") as client:
        pattern = Pattern((160, 96), 30, "VP8", 200_000)
        publication = Publication(pattern, client)
        await publication.connect()
        running = asyncio.create_task(publication.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def has_media(viewer: WhepClient) -> bool:
    return any(e.frames > 10 for track in viewer.peer.tracks for e in track.encodings)


async def test_streams_of_both_are_published_and_watched(
    server: ServerProcess,
) -> None:
    async with AsyncExitStack() as stack:
        for stream in STREAMS:
            url = await stack.enter_async_context(misled(server, stream))
            await stack.enter_async_context(published(url, stream))
            viewer = WhepClient(f"{url}/whep/{stream}")
            await stack.enter_async_context(viewer)
            await viewer.connect()
            await until(partial(has_media, viewer))

        lists = await get(f"{server.url}/api/streams")
        listed = lists["streams"]
        assert [(one["name"], one["viewers"]) for one in listed] == [("a", 1), ("g", 1)]
        assert lists["upstreams"] == []
        one = await get(f"{server.url}/api/streams/a")
        assert one["state"] == listed[0]["state"]
        metrics = await scrape_url(f"{server.url}/metrics")
        assert metrics.value("whipbird_publishers") == 2
        assert metrics.value("whipbird_viewers") == 2
        status = await server.status()
        assert [worker["sessions"] for worker in status["workers"]] == [2, 2]
        assert status["sessions"]["connected"] == 4
        # Of both workers, one that is not at the first.
        every = (await get(f"{server.url}/api/sessions?find=VIEWER"))["sessions"]
        assert sorted(each["stream"] for each in every) == sorted(STREAMS)
        for one in every:
            found = await get(f"{server.url}/api/sessions?find=viewer+{one['id']}")
            assert (found["total"], found["sessions"][0]["id"]) == (1, one["id"])
        # An operator's DELETE of either, at any worker.
        async with aiohttp.ClientSession() as http:
            for stream in STREAMS:
                url = f"{server.url}/api/streams/{stream}/publisher"
                async with http.delete(url) as response:
                    assert response.status == 204
            for session in (await get(f"{server.url}/api/sessions"))["sessions"]:
                url = f"{server.url}/api/sessions/{session['id']}"
                async with http.delete(url) as response:
                    assert response.status == 204
    await server.wait_for_sessions(0)


async def test_recordings_of_both(server: ServerProcess) -> None:
    """Started, listed as being written, downloaded and deleted at any worker."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        for stream in STREAMS:
            await stack.enter_async_context(published(server.url, stream))
            url = f"{server.url}/api/streams/{stream}/recording"
            async with http.post(url) as response:
                assert response.status == 201

        async def states() -> dict[str, str]:
            listed = (await get(f"{server.url}/api/recordings"))["recordings"]
            return {one["stream"]: one["state"] for one in listed}

        await eventually(states, dict.fromkeys(STREAMS, "recording"))
        listed = (await get(f"{server.url}/api/recordings"))["recordings"]
        for one in listed:
            async with http.delete(
                f"{server.url}/api/recordings/{one['file']}"
            ) as response:
                assert response.status == 409
        for stream in STREAMS:
            url = f"{server.url}/api/streams/{stream}/recording"
            async with http.delete(url) as response:
                assert response.status == 204
        await eventually(states, dict.fromkeys(STREAMS, "ended"))
        for one in listed:
            url = f"{server.url}/api/recordings/{one['file']}"
            async with http.get(url) as response:
                assert response.status == 200
            async with http.delete(url) as response:
                assert response.status == 204
    await server.wait_for_sessions(0)


async def test_many_clients_and_what_is_handed_over(server: ServerProcess) -> None:
    """The kernel gives half of the clients' datagrams to the wrong worker."""
    async with AsyncExitStack() as stack:
        for number in range(10):
            client = WhipClient(f"{server.url}/whip/{STREAMS[number % 2]}")
            await stack.enter_async_context(client)
            sent = [bytes(size) for size in (1, 1000, 60_000)]
            assert await echoes_of(client, *sent) == sent
        status = await server.status()
        assert status["handed_over"]["datagrams_out"] > 0
        assert status["handed_over"]["dropped"] == 0
        assert status["messages_echoed"] >= 30
    await server.wait_for_sessions(0)


@pytest.mark.parametrize("stream", STREAMS)
async def test_ice_tcp(server: ServerProcess, stream: str) -> None:
    """A connection goes to the worker whose ufrag its first frame has."""
    async with aiohttp.ClientSession() as http:
        url = f"{server.url}/whip/{stream}"
        async with http.post(url, data=offers.CHROMIUM_DATA, headers=SDP) as response:
            assert response.status == 201
            answer, location = await response.text(), response.headers["Location"]
        (ufrag,) = re.findall("a=ice-ufrag:(.*)\r", answer)[:1]
        (password,) = re.findall("a=ice-pwd:(.*)\r", answer)[:1]
        for _ in range(4):
            client = TcpClient(*await asyncio.open_connection("127.0.0.1", server.port))
            check = binding_request(
                bytes(12),
                username=f"{ufrag}:{offer_ufrag()}".encode(),
                key=password.encode(),
                priority=1,
                controlling=True,
                tie_breaker=1,
                nominates=False,
            )
            client.send(check)
            # The server checks the client, too.
            async with asyncio.timeout(60):
                while parse(await client.frame()).type != BINDING_SUCCESS:
                    pass
            client.writer.close()
        async with http.delete(f"{server.url}{location}") as response:
            assert response.status == 200
    await server.wait_for_sessions(0)


def offer_ufrag() -> str:
    (found,) = re.findall("a=ice-ufrag:(.*)\r", offers.CHROMIUM_DATA)[:1]
    return str(found)


async def one_at_each(server: ServerProcess, stack: AsyncExitStack) -> list[WhipClient]:
    """A client with a channel at each worker."""
    clients = []
    for stream in STREAMS:
        client = WhipClient(f"{server.url}/whip/{stream}")
        await stack.enter_async_context(client)
        await echoes_of(client, b"before")
        clients.append(client)
    return clients


async def test_a_worker_that_is_killed(server: ServerProcess) -> None:
    """The other goes on, and the clients of this one come back."""
    async with AsyncExitStack() as stack:
        clients = await one_at_each(server, stack)
        session = clients[1].location
        assert session is not None
        pids = await worker_pids(server)
        os.kill(pids[1], signal.SIGKILL)
        # What comes meanwhile waits for nobody: it is refused, or served anew.
        async with (
            aiohttp.ClientSession() as http,
            http.get(session) as response,
        ):
            assert response.status in (404, 503)
            assert response.content_type == "application/problem+json"

        async def restarts() -> list[tuple[str, int]]:
            workers = (await server.status())["workers"]
            return [(worker["state"], worker["restarts"]) for worker in workers]

        await eventually(restarts, [("running", 0), ("running", 1)])
        assert (await worker_pids(server))[0] == pids[0]
        # The session of the other has not noticed.
        echoes: list[object] = []
        channel = clients[0].peer.createDataChannel("after")
        channel.on("message", echoes.append)
        await clients[0].opened(channel)
        channel.send(b"after")
        await until(lambda: echoes)
        async with WhipClient(f"{server.url}/whip/{STREAMS[1]}") as again:
            assert await echoes_of(again, b"again") == [b"again"]
        with pytest.raises(WhipError, match="No such session"):
            await clients[1].restart()
    metrics = await scrape_url(f"{server.url}/metrics")
    assert metrics.value("whipbird_worker_restarts_total") == 1
    await server.logged("Worker 1 has ended (SIGKILL)")
    await server.wait_for_sessions(0)


class Watching:
    """A viewer of a stream, and what it hears in the chat."""

    def __init__(self, url: str, stream: str) -> None:
        self.client = WhepClient(f"{url}/whep/{stream}")
        self.chat = self.client.peer.createDataChannel(BROADCAST, protocol=PROTOCOL)
        self.heard: list[dict[str, Any]] = []
        self.chat.on("message", lambda text: self.heard.append(json.loads(text)))

    async def is_watching(self) -> None:
        await until(partial(has_media, self.client))
        await until(lambda: self.heard)  # It is welcome in the chat.

    def says(self, text: str) -> None:
        request = {"type": "message", "name": "Ada", "text": text}
        self.chat.send(json.dumps(request))

    def has_heard(self, text: str) -> bool:
        return any(one.get("text") == text for one in self.heard)

    @property
    def frames(self) -> int:
        tracks = self.client.peer.tracks
        return sum(e.frames for track in tracks for e in track.encodings)

    def has_frames(self, count: int) -> bool:
        return self.frames > count

    async def decoded(self) -> object:
        """A picture that aiortc has decoded."""
        (video, _) = self.client.peer.getTransceivers()
        async with asyncio.timeout(60):
            return await video.receiver.track.recv()


async def test_one_stream_at_both(server: ServerProcess) -> None:
    """Viewers spread, and are one audience; the publisher leaves and comes back; the
    worker that is not the owner is killed.
    """
    stream, other = "a", 0
    async with AsyncExitStack() as stack:
        wrong = await stack.enter_async_context(misled(server, stream))
        viewers = []
        async with published(server.url, stream):
            for number in range(6):
                viewer = Watching(wrong if number % 2 else server.url, stream)
                await stack.enter_async_context(viewer.client)
                await viewer.client.connect()
                viewers.append(viewer)
            for viewer in viewers:
                await viewer.is_watching()
            workers = (await server.status())["workers"]
            assert [w["sessions"] for w in workers] == [6 - KEPT, 1 + KEPT]
            pictures = await asyncio.gather(*(v.decoded() for v in viewers))
            assert all(isinstance(picture, VideoFrame) for picture in pictures)
            # One of each worker.
            here, there = viewers[0], viewers[-1]
            there.says("from there")
            await until(lambda: all(v.has_heard("from there") for v in viewers))
            here.says("from here")
            await until(lambda: all(v.has_heard("from here") for v in viewers))
            (listed,) = (await get(f"{wrong}/api/streams"))["streams"]
            described = await get(f"{wrong}/api/streams/{stream}")
            assert [listed["viewers"], described["viewers"]] == [6, 6]
            metrics = await scrape_url(f"{server.url}/metrics")
            assert metrics.value("whipbird_viewers") == 6
            assert metrics.value("whipbird_publishers") == 1
            # What follows finds the session, and events tell of all.
            before = there.client.etag
            await there.client.restart()
            assert there.client.etag != before
            events = events_of(there.client, ("active", "inactive", "viewercount"))
            assert await anext(events) == ("active", {})
            assert await anext(events) == ("viewercount", {"viewercount": 6})
        assert await anext(events) == ("inactive", {})
        await stack.enter_async_context(published(server.url, stream))
        assert await anext(events) == ("active", {})
        counts = [viewer.frames for viewer in viewers]
        for viewer, count in zip(viewers, counts, strict=True):
            await until(partial(viewer.has_frames, count + 10))
        killed = (await server.status())["workers"][other]
        os.kill(killed["pid"], signal.SIGKILL)
        async with aiohttp.ClientSession() as http:
            assert there.client.location is not None
            async with http.get(there.client.location) as response:
                assert response.status in (404, 503)

        async def restarted() -> bool:
            workers = (await server.status())["workers"]
            states = [worker["state"] for worker in workers]
            is_new = workers[other]["restarts"] == killed["restarts"] + 1
            return is_new and states == ["running"] * 2

        await eventually(restarted, True)
        count = here.frames
        await until(lambda: here.frames > count + 10)
        # Those that it had come back, to the worker that has taken its place.
        for _ in range(2):
            again = Watching(server.url, stream)
            await stack.enter_async_context(again.client)
            await again.client.connect()
            await again.is_watching()
        workers = (await server.status())["workers"]
        assert workers[other]["sessions"] == 2
    await server.wait_for_sessions(0)


async def test_settings_are_read_again_by_all(server: ServerProcess) -> None:
    os.kill(server.pid, signal.SIGHUP)
    await until(lambda: server.output.count("The settings are reloaded") >= 2)
    for number in range(2):
        assert f"The settings are reloaded (worker {number})" in server.output


async def test_a_limit_of_all_and_an_end_that_waits_for_all() -> None:
    server = ServerProcess(
        *("--workers", "2", "--drain", "60", "--max-client-sessions", "2")
    )
    await server.start()
    async with AsyncExitStack() as stack:
        clients = await one_at_each(server, stack)
        for stream in STREAMS:
            third = WhipClient(f"{server.url}/whip/{stream}")
            await stack.enter_async_context(third)
            third.peer.createDataChannel("test")
            with pytest.raises(WhipError, match="Too many sessions"):
                await third.connect()
        # A service manager may send it to all processes; that is once all the same.
        for pid in (*await worker_pids(server), server.pid):
            os.kill(pid, signal.SIGTERM)

        async def readiness() -> int:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"{server.url}/readyz") as response,
            ):
                return response.status

        await eventually(readiness, 503)
        for client in clients:
            echoes: list[object] = []
            channel = client.peer.createDataChannel("draining")
            channel.on("message", echoes.append)
            await client.opened(channel)
            channel.send(b"still")
            await until(partial(bool, echoes))
        for client in clients:
            await client.close()
    # It ends at once, not after a minute.
    async with asyncio.timeout(50):
        assert await server.wait() == 0
    await server.stop()
