"""The network in memory: every datagram arrives, in order."""

import asyncio

import pytest

from whipbird.testing import run
from whipbird.testing.network import LATENCY, MemoryNetwork
from whipbird.transport.path import Path


def test_datagrams_of_one_moment_stay_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> list[tuple[float, bytes]]:
        came: list[tuple[float, bytes]] = []
        loop = asyncio.get_running_loop()
        network = MemoryNetwork()
        one, two = network.open(), network.open()

        def take(datagram: bytes, _local: object, _remote: object, now: float) -> None:
            came.append((now, datagram))

        monkeypatch.setattr(two.dispatcher, "receive", take)
        path = Path(one.address, two.address)
        for number in range(100):
            one.send(bytes([number]), path)
        one.send(b"to nobody", Path(one.address, ("198.51.100.99", 9)))
        await asyncio.sleep(2 * LATENCY)
        assert loop.time() >= 2 * LATENCY
        return came

    assert run(scenario()) == [(LATENCY, bytes([number])) for number in range(100)]
