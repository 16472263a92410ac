"""Who answers the offer of a viewer: two workers in one process."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler

from tests.waiting import until
from whipbird.http.all_workers import AllWorkers
from whipbird.http.clients import CLIENT, client_of
from whipbird.http.inside import Inside
from whipbird.net.shard import Shard

Client = TestClient[web.Request, web.Application]

# A stream of each worker.
STREAMS = ("g", "a")


class Choice:
    """Says which worker takes viewers, and what was asked."""

    def __init__(self) -> None:
        self.worker: int | None = None
        self.asked: list[str] = []
        self.handing_now = 0

    def taker(self, stream: str) -> int | None:
        self.asked.append(stream)
        return self.worker

    @contextmanager
    def handing(self, worker: int) -> Iterator[None]:
        assert worker == self.worker
        self.handing_now += 1
        try:
            yield
        finally:
            self.handing_now -= 1


class OneWorker:
    """A worker that says who it is, and repeats what it was sent."""

    def __init__(self, number: int, folder: Path) -> None:
        self.number = number
        self.choice = Choice()
        self._inside = Inside(Shard(number, 2), folder, "public")
        self._middleware = AllWorkers(self._inside, list)
        self._middleware.placement = self.choice

    async def start(self, stack: AsyncExitStack) -> Client:
        app = web.Application(middlewares=[self._know_client, self._middleware])
        app.router.add_post("/whep/{stream}", self._answer)
        server = TestServer(app)
        client = await stack.enter_async_context(TestClient(server))
        site = web.UnixSite(server.runner, str(self._inside.own_path))  # type: ignore[arg-type]
        await site.start()
        stack.push_async_callback(self._inside.close)
        return client

    @web.middleware
    async def _know_client(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """As ``Proxies`` does."""
        if (client := self._inside.client_told(request)) is not None:
            request[CLIENT] = client
        return await handler(request)

    async def _answer(self, request: web.Request) -> web.Response:
        said = await request.text()
        return web.Response(text=f"{self.number} {said} {client_of(request).address}")


Two = tuple[OneWorker, OneWorker]


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return OneWorker(0, tmp_path), OneWorker(1, tmp_path)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as made:
        yield made


@pytest.mark.parametrize(
    ("stream", "taker", "wanted"),
    [
        (STREAMS[0], None, 0),
        (STREAMS[0], 1, 1),
        # By way of its owner, who hands it back.
        (STREAMS[1], None, 1),
        (STREAMS[1], 0, 0),
    ],
)
async def test_the_owner_chooses(
    two: Two, stack: AsyncExitStack, stream: str, taker: int | None, wanted: int
) -> None:
    first = await two[0].start(stack)
    await two[1].start(stack)
    owner = two[STREAMS.index(stream)]
    owner.choice.worker = taker
    # Who is chosen does not choose again.
    two[1 - owner.number].choice.worker = owner.number
    async with first.post(f"/whep/{stream}", data="offer") as response:
        assert await response.text() == f"{wanted} offer 127.0.0.1"
    assert owner.choice.asked == [stream]
    assert two[1 - owner.number].choice.asked == []
    await until(lambda: not owner.choice.handing_now)


async def test_one_that_has_just_ended(two: Two, stack: AsyncExitStack) -> None:
    """The owner takes the viewer itself; what only the other can do is refused."""
    client = await two[0].start(stack)
    two[0].choice.worker = 1
    async with client.post(f"/whep/{STREAMS[0]}", data="offer") as response:
        assert await response.text() == "0 offer 127.0.0.1"
    async with client.post(f"/whep/{STREAMS[1]}", data="offer") as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "1"
