"""How late the event loop does what is due."""

import asyncio
import time

import pytest

from tests.waiting import until
from whipbird.stats.loop_lag import INTERVAL, LoopLag


def measured(lag: LoopLag) -> int:
    return sum(lag.stats.lags.counts)


@pytest.mark.virtual_time
async def test_an_idle_loop_is_never_late() -> None:
    lag = LoopLag()
    lag.start()
    await asyncio.sleep(10.1)
    lag.stop()
    assert measured(lag) == 10.1 // INTERVAL
    assert lag.stats.longest == pytest.approx(0, abs=1e-6)


async def test_a_blocked_loop_is_late() -> None:
    lag = LoopLag()
    lag.start()
    await until(lambda: measured(lag))
    before = lag.stats.lags.sum
    time.sleep(INTERVAL + 0.2)  # noqa: ASYNC251 - that is what is measured
    seen = measured(lag)
    await until(lambda: measured(lag) > seen)
    lag.stop()
    assert lag.stats.lags.sum - before >= 0.2
    assert lag.stats.longest >= 0.2


async def test_nothing_is_left_after_the_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    made: list[asyncio.TimerHandle] = []
    real = loop.call_at

    def call_at(*arguments: object, **options: object) -> asyncio.TimerHandle:
        made.append(real(*arguments, **options))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(loop, "call_at", call_at)
    lag = LoopLag()
    lag.stop()
    lag.start()
    (timer,) = made
    assert not timer.cancelled()
    lag.stop()
    assert timer.cancelled()
    lag.stop()
    assert measured(lag) == 0
