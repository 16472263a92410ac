"""asyncio in virtual time."""

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.netem.host import Host
from tests.netem.loop import DeadlockError, VirtualTimeLoop, run
from tests.netem.network import Network
from tests.netem.world import World


def test_sleeping_takes_no_real_time() -> None:
    async def main() -> float:
        await asyncio.sleep(86400 * 365)
        return asyncio.get_running_loop().time()

    world = World()
    begin = time.monotonic()
    assert run(world, main()) == pytest.approx(86400 * 365)
    assert time.monotonic() - begin < 10
    assert world.now == pytest.approx(86400 * 365)


def test_timers_and_events_of_the_world_run_in_the_order_of_their_times() -> None:
    world = World()
    seen: list[tuple[float, str]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for delay in (0.1, 0.3, 0.5):
            world.call_later(delay, lambda: seen.append((world.now, "world")))
            loop.call_later(
                delay + 0.1, lambda: seen.append((round(loop.time(), 9), "loop"))
            )
        await asyncio.sleep(1)

    run(world, main())
    assert [when for when, _ in seen] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert [name for _, name in seen] == ["world", "loop"] * 3


def test_an_event_of_the_world_wakes_a_task_at_once() -> None:
    world = World()

    async def main() -> float:
        future = asyncio.get_running_loop().create_future()
        world.call_later(3, future.set_result, None)
        world.call_later(9, pytest.fail)
        await future
        return world.now

    assert run(world, main()) == 3.0


def test_a_timeout_expires_in_virtual_time() -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await asyncio.Event().wait()

    world = World()
    with pytest.raises(TimeoutError):
        run(world, main())
    assert world.now == pytest.approx(60)


def test_tasks_talk_over_virtual_hosts() -> None:
    world = World(5)
    network = Network(world)
    hosts = [Host(network, name, name) for name in ("192.0.2.1", "192.0.2.2")]

    async def main() -> float:
        answered = asyncio.Event()
        client = hosts[0].bind(("192.0.2.1", 1), lambda data, path: answered.set())
        server = hosts[1].bind(
            ("192.0.2.2", 1), lambda data, path: server.send(data, path.remote)
        )
        hosts[1].access.change(loss=0.5)
        tries = 0
        while not answered.is_set():
            tries += 1
            client.send(b"ping", server.address)
            try:
                async with asyncio.timeout(0.5):
                    await answered.wait()
            except TimeoutError:
                pass
        return tries

    assert run(world, main()) > 1
    assert world.now > 0.5


def test_virtual_time_stands_still_while_a_thread_works() -> None:
    release = threading.Event()

    async def main() -> str:
        loop = asyncio.get_running_loop()
        loop.call_soon(release.set)
        async with asyncio.timeout(0.001):
            return await asyncio.to_thread(work)

    def work() -> str:
        assert release.wait(20)
        time.sleep(0.01)
        return "done"

    world = World()
    world.call_later(0.0001, pytest.fail)
    assert run(world, main()) == "done"
    assert world.now == 0.0


def test_an_error_in_a_thread_comes_through() -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as executor, pytest.raises(ZeroDivisionError):
            await asyncio.get_running_loop().run_in_executor(executor, divmod, 1, 0)
        await asyncio.sleep(1)

    run(World(), main())


def _set_later(
    event: asyncio.Event, loop: asyncio.AbstractEventLoop
) -> threading.Thread:
    def work() -> None:
        time.sleep(0.01)
        loop.call_soon_threadsafe(event.set)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_thread_of_somebody_elses_wakes_the_loop() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        woken = asyncio.Event()
        thread = _set_later(woken, loop)
        with loop.real_wait():
            async with asyncio.timeout(0.001):
                await woken.wait()
        thread.join()
        return loop.time()

    assert run(World(), main()) == 0.0


def test_a_thread_is_waited_for_when_there_is_nothing_else() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        thread = _set_later(woken, loop)
        await woken.wait()
        thread.join()

    run(World(), main())


def test_waiting_for_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # The test runner may have threads of its own.
    monkeypatch.setattr(threading, "active_count", lambda: 1)

    async def main() -> None:
        await asyncio.sleep(2)
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError, match=r"2\.000 s"):
        run(World(), main())


def test_an_error_in_an_event_ends_the_run() -> None:
    world = World(77)

    async def main() -> None:
        world.call_later(1, divmod, 1, 0)
        await asyncio.sleep(2)

    with pytest.raises(ZeroDivisionError) as error:
        run(world, main())
    assert "NETEM_SEED=77" in error.value.__notes__[0]


def test_sockets_of_one_loop_work_on_the_loopback_address() -> None:
    async def main() -> bytes:
        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            writer.write(await reader.readexactly(5))
            await asyncio.sleep(1)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(
                *server.sockets[0].getsockname(), family=socket.AF_INET
            )
            writer.write(b"hello")
            data = await reader.read()
            writer.close()
            return data

    assert run(World(), main()) == b"hello"


# The marker


@pytest.fixture
async def slept(world: World) -> float:
    await asyncio.sleep(1000)
    return world.now


@pytest.mark.virtual_time
async def test_a_marked_test_and_its_fixtures_run_in_virtual_time(
    world: World, slept: float
) -> None:
    await asyncio.sleep(1000)
    assert slept == 1000
    assert world.now == 2000
    assert asyncio.get_running_loop().time() == 2000


async def test_others_run_in_real_time() -> None:
    assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
