"""Rate limits of two workers that hold for both together."""

from tests.unit.net.test_neighbours import Two, two
from tests.waiting import until
from whipbird.http.limits import RateLimit
from whipbird.http.shared_rates import SharedRates

__all__ = ["two"]

CLIENT = "198.51.100.1"


async def test_requests_at_one_worker_count_at_the_other(two: Two) -> None:
    limits = [{"post": RateLimit(3, name="post")} for _ in range(2)]
    for neighbours, those in zip(two.neighbours, limits, strict=True):
        SharedRates(neighbours, those)
    here, there = (those["post"] for those in limits)
    assert await here.take(CLIENT)
    assert await here.take(CLIENT)
    await until(lambda: len(there))
    assert await there.take(CLIENT)
    assert not await there.take(CLIENT)
    # Of another client none was counted.
    assert await there.take("198.51.100.2", 3)
