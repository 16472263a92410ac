"""Fixtures: a real server process, a real Chromium, and pages between them."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

from tests.server import ServerProcess

from .browser import find_chromium, launch_flags
from .counter_publisher import CounterPublisher
from .ping_page import PingPage
from .publish_page import PublishPage
from .watch_page import WatchPage

# A page under test may share two cores with everything else.
expect.set_options(timeout=30_000)

OpenPage = Callable[..., Awaitable[PingPage]]
OpenPublisher = Callable[..., Awaitable[PublishPage]]
OpenViewer = Callable[..., Awaitable[WatchPage]]
StartServer = Callable[..., Awaitable[ServerProcess]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_server() -> AsyncIterator[ServerProcess]:
    server = ServerProcess()
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def server(
    shared_server: ServerProcess, request: pytest.FixtureRequest
) -> AsyncIterator[ServerProcess]:
    """The server that most tests share. What it writes is shown when one fails."""
    before = len(shared_server.output)
    yield shared_server
    print(shared_server.output[before:])  # noqa: T201


@pytest_asyncio.fixture(loop_scope="session")
async def own_server() -> AsyncIterator[ServerProcess]:
    """A server of the test's own: to count its sessions, or to kill it."""
    server = ServerProcess()
    try:
        await server.start()
        yield server
        print(server.output)  # noqa: T201
    finally:
        await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(playwright.chromium.executable_path),
            args=launch_flags(),
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def start_server() -> AsyncIterator[StartServer]:
    """Starts servers with options; to be named before `open_page`, to outlive it."""
    servers: list[ServerProcess] = []

    async def start(*options: str) -> ServerProcess:
        server = ServerProcess(*options)
        servers.append(server)
        await server.start()
        return server

    yield start
    for server in servers:
        await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """Makes pages, each in a fresh context; afterwards no page may have complained."""
    contexts: list[BrowserContext] = []
    pages: list[PingPage] = []

    async def make(server: ServerProcess, **options: object) -> PingPage:
        context = await browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        page = PingPage(await context.new_page(), server.url)
        pages.append(page)
        return page

    yield make
    for context in contexts:
        await context.close()
    for page in pages:
        assert page.unexpected_problems() == []


@pytest_asyncio.fixture(loop_scope="session")
async def open_publisher(open_page: OpenPage) -> OpenPublisher:
    """Makes pages that publish, each under a name of its own, not opened yet."""

    async def make(server: ServerProcess, **options: object) -> PublishPage:
        stream = f"e2e-{secrets.token_hex(4)}"
        return PublishPage(await open_page(server, **options), stream)

    return make


@pytest_asyncio.fixture(loop_scope="session")
async def publisher(
    server: ServerProcess, open_publisher: OpenPublisher
) -> PublishPage:
    """A page that publishes to the shared server, not opened yet."""
    return await open_publisher(server)


@pytest_asyncio.fixture(loop_scope="session")
async def open_viewer(open_page: OpenPage) -> OpenViewer:
    """Makes pages that watch a stream, not opened yet."""

    async def make(server: ServerProcess, stream: str, **options: object) -> WatchPage:
        return WatchPage(await open_page(server, **options), stream)

    return make


@pytest_asyncio.fixture(loop_scope="session")
async def counter(
    server: ServerProcess, open_page: OpenPage
) -> AsyncIterator[CounterPublisher]:
    """A page that publishes a counter to the shared server, not started yet."""
    stream = f"count-{secrets.token_hex(4)}"
    publisher = CounterPublisher(await open_page(server), stream)
    yield publisher
    await publisher.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def ping_page(server: ServerProcess, open_page: OpenPage) -> PingPage:
    """A page of the shared server, not opened yet."""
    return await open_page(server)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def modules(
    shared_server: ServerProcess, browser: Browser
) -> AsyncIterator[PingPage]:
    """A page that runs no application: all its modules do is be imported."""
    context = await browser.new_context()
    ping_page = PingPage(await context.new_page(), shared_server.url)
    await ping_page.open_without_application()
    yield ping_page
    await context.close()
    assert ping_page.unexpected_problems() == []
