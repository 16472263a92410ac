"""Requests that take long to compute: one at a time, the clients in turn."""

import asyncio

import pytest

from whipbird.http.turns import Turns


async def test_one_passes_in_each_turn_of_the_loop() -> None:
    turns, loop = Turns(), asyncio.get_running_loop()
    passed: list[int] = []
    loop_turns = 0

    def count() -> None:
        nonlocal loop_turns
        loop_turns += 1
        if len(passed) < 20:
            loop.call_soon(count)

    async def request() -> None:
        await turns.wait("192.0.2.1")
        passed.append(loop_turns)

    loop.call_soon(count)
    await asyncio.gather(*(request() for _ in range(20)))
    assert len(set(passed)) == 20


async def test_clients_take_turns() -> None:
    turns = Turns()
    passed: list[str] = []

    async def request(address: str) -> None:
        await turns.wait(address)
        passed.append(address)

    many = [request("192.0.2.1") for _ in range(50)]
    few = [request("192.0.2.2"), request("192.0.2.3")]
    await asyncio.gather(*many, *few)
    assert max(map(passed.index, ("192.0.2.2", "192.0.2.3"))) < 5


async def test_who_does_not_wait_any_more_holds_nobody_up() -> None:
    turns = Turns()
    waiting = [asyncio.ensure_future(turns.wait("192.0.2.1")) for _ in range(5)]
    await asyncio.sleep(0)
    for one in waiting[:3]:
        one.cancel()
    await asyncio.gather(*waiting[3:])
    for one in waiting[:3]:
        with pytest.raises(asyncio.CancelledError):
            await one
    await turns.wait("192.0.2.1")
    assert not turns._clients
