"""What is said of applications that hold up others, or never return."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator

import pytest

from tests.unit.apps.conftest import Serve
from whipbird import Application, Channel, Server
from whipbird.apps import watchdog
from whipbird.apps.watchdog import Watchdog


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [r for r in caplog.records if r.levelno == logging.WARNING]
    return [r.getMessage() for r in found if r.name.startswith("whipbird.apps")]


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watchdog]:
    """An impatient one."""
    monkeypatch.setattr(watchdog, "LIMIT", 0.05)
    monkeypatch.setattr(watchdog, "_INTERVAL", 0.01)
    dog = Watchdog()
    dog.start()
    yield dog
    dog.stop()


async def block(is_enough: Callable[[], bool]) -> None:
    """Hold up the event loop; the watchdog has a minute to notice it."""
    await asyncio.sleep(0)
    deadline = time.monotonic() + 60
    while not is_enough() and time.monotonic() < deadline:
        time.sleep(0.01)  # noqa: ASYNC251 - that is what it is for


async def test_it_says_who_blocks_and_where(
    watching: Watchdog, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle() -> None:
        await block(lambda: bool(warnings(caplog)))

    await watching.watch(handle(), "Application room: on_message")
    (said,) = warnings(caplog)
    assert said.startswith("Application room: on_message has held up the event loop")
    assert f" at {__file__}:{handle.__code__.co_firstlineno + 1}. " in said
    assert "\n" not in said


async def test_what_awaits_is_left_alone(
    watching: Watchdog, caplog: pytest.LogCaptureFixture
) -> None:
    await watching.watch(asyncio.sleep(0.3), "a patient one")
    assert not warnings(caplog)


async def test_coroutines_run_as_they_would_without_it(watching: Watchdog) -> None:
    seen: list[str] = []

    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            await asyncio.sleep(0)
            raise

    async def failing() -> None:
        await asyncio.sleep(0)
        raise LookupError

    task = asyncio.create_task(watching.watch(stubborn(), "stubborn"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]
    with pytest.raises(LookupError):
        await watching.watch(failing(), "failing")
    # One that is cancelled before it begins.
    late = asyncio.create_task(watching.watch(failing(), "late"))
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late


@pytest.mark.virtual_time
async def test_a_handler_that_does_not_return(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, however many sessions there are."""

    async def wait(channel: Channel, data: str | bytes) -> None:
        await asyncio.sleep(float(data))

    host = await serve(Application(on_message=wait))
    for _ in range(2):
        talk = await (await host.connect()).open("any")
        for _ in range(20):
            talk.channel.send("3")
        await asyncio.sleep(70)
        assert not warnings(caplog)
    for _ in range(2):
        talk = await (await host.connect()).open("any")
        talk.channel.send("100")
        await asyncio.sleep(110)
    (said,) = warnings(caplog)
    assert said.startswith("Application app 0: on_message has not returned for 30 s.")


@pytest.mark.virtual_time
async def test_a_start_that_does_not_return(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    class Slow(Application):
        async def start(self, server: Server) -> None:
            await asyncio.sleep(20)

    await serve(Slow())
    (said,) = warnings(caplog)
    assert said.startswith("Application app 0: start has not returned for 10 s.")
    assert "server.create_task" in said


@pytest.mark.virtual_time
async def test_a_start_that_fails_leaves_nothing_behind(serve: Serve) -> None:
    class Failing(Application):
        async def start(self, server: Server) -> None:
            self.server = server
            self.task = server.create_task(asyncio.sleep(1000))
            await server.publish("live")
            raise LookupError("no camera")

    app = Failing()
    with pytest.raises(Exception, match="no camera"):
        await serve(app)
    assert not app.server.streams
    assert app.task.cancelled()
