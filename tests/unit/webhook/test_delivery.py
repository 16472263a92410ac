"""Events in a bounded queue, delivered in order."""

import asyncio
from itertools import pairwise

import pytest

from tests.waiting import until
from whipbird.webhook import Delivery, Event, EventType
from whipbird.webhook.delivery import GIVE_UP, LONGEST_PAUSE, MAX_WAITING
from whipbird.webhook.outcome import Outcome

pytestmark = pytest.mark.virtual_time


class Receiver:
    """Takes events as it is told to."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.attempts: list[tuple[float, str]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_closed = False

    async def send(self, event: Event) -> Outcome:
        self.attempts.append((asyncio.get_running_loop().time(), event.stream))
        await self.may_answer.wait()
        return self.outcomes.pop(0) if self.outcomes else Outcome.DELIVERED

    async def close(self) -> None:
        self.is_closed = True

    @property
    def streams(self) -> list[str]:
        return [stream for _, stream in self.attempts]


def event(stream: str) -> Event:
    return Event(EventType.PUBLISHED, stream)


async def test_in_order() -> None:
    receiver = Receiver()
    delivery = Delivery(receiver)
    delivery.open()
    for name in "abc":
        delivery.put(event(name))
    await delivery.close()
    assert receiver.streams == ["a", "b", "c"]
    assert (delivery.delivered, delivery.dropped) == (3, 0)
    assert receiver.is_closed


async def test_a_failure_is_tried_again_before_what_follows() -> None:
    receiver = Receiver(Outcome.FAILED, Outcome.FAILED)
    delivery = Delivery(receiver)
    delivery.open()
    delivery.put(event("a"))
    delivery.put(event("b"))
    await until(lambda: delivery.delivered == 2)
    assert receiver.streams == ["a", "a", "a", "b"]
    times = [at for at, _ in receiver.attempts]
    assert 0.25 <= times[1] - times[0] <= 0.5
    assert 0.5 <= times[2] - times[1] <= 1.0
    await delivery.close()


async def test_what_is_refused_is_not_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver = Receiver(Outcome.REFUSED)
    delivery = Delivery(receiver)
    delivery.open()
    delivery.put(event("a"))
    delivery.put(event("b"))
    await delivery.close()
    assert receiver.streams == ["a", "b"]
    assert (delivery.delivered, delivery.dropped) == (1, 1)


async def test_a_receiver_that_is_gone_is_given_up_in_the_end() -> None:
    receiver = Receiver(*[Outcome.FAILED] * 1000)
    delivery = Delivery(receiver)
    delivery.open()
    delivery.put(event("a"))
    await until(lambda: delivery.dropped == 1, timeout=2 * GIVE_UP)
    times = [at for at, _ in receiver.attempts]
    assert GIVE_UP - 2 * LONGEST_PAUSE < times[-1] - times[0] <= GIVE_UP
    assert max(b - a for a, b in pairwise(times)) <= LONGEST_PAUSE
    await delivery.close()


async def test_too_many_that_wait(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver()
    receiver.may_answer.clear()
    delivery = Delivery(receiver)
    delivery.open()
    delivery.put(event("first"))
    await until(lambda: bool(receiver.attempts))
    for number in range(MAX_WAITING + 4):
        delivery.put(event(str(number)))
    assert delivery.dropped == 5
    assert "too many wait" in caplog.text
    receiver.may_answer.set()
    await until(lambda: delivery.delivered == MAX_WAITING)
    # The one that was being sent was not dropped, and the newest are there.
    assert receiver.streams[0] == "first"
    assert receiver.streams[-1] == str(MAX_WAITING + 3)
    await delivery.close()


async def test_the_end_waits_for_a_short_time(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver()
    receiver.may_answer.clear()
    delivery = Delivery(receiver)
    delivery.open()
    delivery.put(event("a"))
    delivery.put(event("b"))
    began = asyncio.get_running_loop().time()
    await delivery.close()
    assert asyncio.get_running_loop().time() - began == pytest.approx(3.0, abs=0.1)
    assert delivery.dropped == 2
    assert "2 events were not delivered" in caplog.text
