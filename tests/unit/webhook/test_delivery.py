"""Events in a bounded queue, delivered in order."""

import asyncio
from itertools import pairwise

import pytest

from tests.waiting import until
from whipbird.webhook import Delivery, Event, EventType
from whipbird.webhook.delivery import (
    AT_ONCE,
    FIRST_PAUSE,
    GIVE_UP,
    GRACE,
    LONGEST_PAUSE,
    MAX_WAITING,
)
from whipbird.webhook.outcome import Outcome

pytestmark = pytest.mark.virtual_time


class Receiver:
    """Takes events as it is told to: by the stream, or one after another."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.broken: set[str] = set()
        self.attempts: list[tuple[float, Event]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.at_once = self.most_at_once = 0

    async def send(self, event: Event) -> Outcome:
        self.attempts.append((asyncio.get_running_loop().time(), event))
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await self.may_answer.wait()
        finally:
            self.at_once -= 1
        if event.stream in self.broken:
            return Outcome.FAILED
        return self.outcomes.pop(0) if self.outcomes else Outcome.DELIVERED

    @property
    def numbers(self) -> list[int]:
        """What was attempted, by the number of the event."""
        return [event.details["number"] for _, event in self.attempts]


def event(number: int = 0, stream: str = "live") -> Event:
    return Event(EventType.PUBLISHED, stream, {"number": number})


async def test_in_order() -> None:
    receiver = Receiver()
    delivery = Delivery(receiver)
    for number in range(3):
        delivery.put(event(number))
    await delivery.close()
    assert receiver.numbers == [0, 1, 2]
    assert (delivery.delivered, delivery.dropped) == (3, 0)


async def test_a_failure_is_tried_again_before_what_follows() -> None:
    receiver = Receiver(Outcome.FAILED, Outcome.FAILED)
    delivery = Delivery(receiver)
    delivery.put(event(1))
    delivery.put(event(2))
    await until(lambda: delivery.delivered == 2)
    assert receiver.numbers == [1, 1, 1, 2]
    times = [at for at, _ in receiver.attempts]
    assert 0.25 <= times[1] - times[0] <= 0.5
    assert 0.5 <= times[2] - times[1] <= 1.0
    await delivery.close()


async def test_a_failure_does_not_hold_up_other_streams() -> None:
    receiver = Receiver()
    receiver.broken = {"bad"}
    delivery = Delivery(receiver)
    for number in range(10):
        delivery.put(event(number, "bad"))
        delivery.put(event(number, "good"))
    await until(lambda: delivery.delivered == 10, timeout=1.0)
    receiver.broken.clear()
    await until(lambda: delivery.delivered == 20)
    for stream in ("good", "bad"):
        of_stream = [
            e.details["number"] for _, e in receiver.attempts if e.stream == stream
        ]
        assert of_stream == sorted(of_stream)
        assert set(of_stream) == set(range(10))
    await delivery.close()


async def test_so_many_at_a_time() -> None:
    receiver = Receiver()
    receiver.may_answer.clear()
    delivery = Delivery(receiver)
    for number in range(5 * AT_ONCE):
        delivery.put(event(number, f"stream{number}"))
    await asyncio.sleep(1)
    receiver.may_answer.set()
    await until(lambda: delivery.delivered == 5 * AT_ONCE)
    assert receiver.most_at_once == AT_ONCE
    await delivery.close()


async def test_what_is_refused_is_not_tried_again() -> None:
    receiver = Receiver(Outcome.REFUSED)
    delivery = Delivery(receiver)
    delivery.put(event(1))
    delivery.put(event(2))
    await delivery.close()
    assert receiver.numbers == [1, 2]
    assert (delivery.delivered, delivery.dropped) == (1, 1)


async def test_a_receiver_that_is_gone_is_given_up_in_the_end() -> None:
    receiver = Receiver(*[Outcome.FAILED] * 1000)
    delivery = Delivery(receiver)
    delivery.put(event())
    await until(lambda: delivery.dropped == 1, timeout=2 * GIVE_UP)
    times = [at for at, _ in receiver.attempts]
    assert GIVE_UP - 2 * LONGEST_PAUSE < times[-1] - times[0] <= GIVE_UP
    assert max(b - a for a, b in pairwise(times)) <= LONGEST_PAUSE
    await delivery.close()


async def test_too_many_that_wait(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver()
    receiver.may_answer.clear()
    delivery = Delivery(receiver)
    delivery.put(event(-1))
    await until(lambda: bool(receiver.attempts))
    for number in range(MAX_WAITING + 4):
        delivery.put(event(number))
    assert delivery.dropped == 5
    assert "too many wait" in caplog.text
    receiver.may_answer.set()
    await until(lambda: delivery.delivered == MAX_WAITING)
    # The one that was being sent was not dropped, and the newest are there.
    assert receiver.numbers == [-1, *range(5, MAX_WAITING + 4)]
    await delivery.close()


async def test_too_many_of_streams_that_fail() -> None:
    """Those that are to be tried again count, too."""
    receiver = Receiver()
    receiver.broken = {f"stream{number}" for number in range(3 * MAX_WAITING)}
    delivery = Delivery(receiver)
    for number in range(3 * MAX_WAITING):
        delivery.put(event(number, f"stream{number}"))
        if number % 100 == 0:
            await asyncio.sleep(0.1)
    assert len(delivery._events) == MAX_WAITING
    assert delivery.dropped == 2 * MAX_WAITING
    receiver.broken.clear()
    await until(lambda: delivery.delivered == MAX_WAITING, timeout=60)
    await until(lambda: not delivery._tasks)
    assert not delivery._streams
    await delivery.close()


async def test_the_end_waits_for_a_short_time(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver()
    receiver.may_answer.clear()
    delivery = Delivery(receiver)
    delivery.put(event(1))
    delivery.put(event(2))
    began = asyncio.get_running_loop().time()
    await delivery.close()
    assert asyncio.get_running_loop().time() - began == pytest.approx(GRACE, abs=0.1)
    assert delivery.dropped == 2
    assert "2 events were not delivered" in caplog.text
    assert not delivery._tasks


async def test_the_end_waits_for_no_pause() -> None:
    """What failed before is tried once more, however long its pause would be."""
    receiver = Receiver()
    receiver.broken = {"live"}
    delivery = Delivery(receiver)
    for number in range(3):
        delivery.put(event(number))
    await asyncio.sleep(120)
    receiver.broken.clear()
    began = asyncio.get_running_loop().time()
    await delivery.close()
    assert asyncio.get_running_loop().time() - began < 0.1
    assert (delivery.delivered, delivery.dropped) == (3, 0)


async def test_the_end_does_not_ask_without_pause() -> None:
    receiver = Receiver()
    receiver.broken = {"live"}
    delivery = Delivery(receiver)
    delivery.put(event())
    await asyncio.sleep(120)
    before = len(receiver.attempts)
    await delivery.close()
    assert 0 < len(receiver.attempts) - before <= 2 + 2 * GRACE / FIRST_PAUSE


async def test_an_event_after_the_end() -> None:
    receiver = Receiver()
    delivery = Delivery(receiver)
    await delivery.close()
    delivery.put(event())
    await asyncio.sleep(1)
    assert (delivery.dropped, receiver.attempts) == (1, [])
