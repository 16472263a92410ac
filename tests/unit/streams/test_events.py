"""Events on a stream, until viewers fetch them."""

import asyncio

import pytest

from whipbird.streams.events import (
    ACTIVE,
    EVENT_TYPES,
    INACTIVE,
    LAYERS,
    MAX_EVENTS,
    VIEWER_COUNT,
    Event,
    EventStream,
    StreamStatus,
)

NOBODY = StreamStatus(is_active=False, layers={"0": []}, viewers=1)
SOMEBODY = StreamStatus(is_active=True, layers={"0": []}, viewers=1)
LAYER = {"rid": "h", "bitrate": 500_000}


async def waiting(events: EventStream) -> list[Event]:
    """All that there is to be fetched."""
    reader = events.begin()
    found: list[Event] = []
    while True:
        try:
            async with asyncio.timeout(0):
                event = await events.next(reader)
        except TimeoutError:
            return found
        assert event is not None
        found.append(event)


async def test_there_is_no_end_before_a_beginning() -> None:
    """ "The WHEP Resource MUST NOT send an initial "inactive" event if there is no
    active publication when the resource is created."
    """
    events = EventStream(EVENT_TYPES)
    events.update(NOBODY)
    assert await waiting(events) == [Event(VIEWER_COUNT, {"viewercount": 1})]


async def test_what_changes_is_told() -> None:
    events = EventStream(EVENT_TYPES)
    events.update(SOMEBODY)
    assert await waiting(events) == [
        Event(ACTIVE, {}),
        Event(VIEWER_COUNT, {"viewercount": 1}),
    ]
    events.update(SOMEBODY)
    assert await waiting(events) == []
    events.update(SOMEBODY._replace(layers={"0": [LAYER]}))
    assert await waiting(events) == [Event(LAYERS, {"0": [LAYER]})]
    events.update(NOBODY._replace(viewers=3))
    assert await waiting(events) == [
        Event(INACTIVE, {}),
        Event(LAYERS, {"0": []}),
        Event(VIEWER_COUNT, {"viewercount": 3}),
    ]


async def test_only_what_was_asked_for() -> None:
    events = EventStream([INACTIVE])
    events.update(SOMEBODY)
    events.update(NOBODY)
    assert await waiting(events) == [Event(INACTIVE, {})]


async def test_what_is_not_true_any_more_is_not_told() -> None:
    events = EventStream([VIEWER_COUNT, LAYERS])
    for viewers in range(1, 5):
        events.update(
            SOMEBODY._replace(viewers=viewers, layers={"0": [LAYER] * viewers})
        )
    assert await waiting(events) == [
        Event(LAYERS, {"0": [LAYER] * 4}),
        Event(VIEWER_COUNT, {"viewercount": 4}),
    ]


async def test_not_everything_is_kept() -> None:
    events = EventStream([ACTIVE, INACTIVE])
    for _ in range(MAX_EVENTS):
        events.update(SOMEBODY)
        events.update(NOBODY)
    found = await waiting(events)
    assert len(found) == MAX_EVENTS
    assert found[-1] == Event(INACTIVE, {})


async def test_one_fetches_at_a_time() -> None:
    """The latest: the one before may have lost its connection."""
    events = EventStream([ACTIVE])
    first = asyncio.create_task(events.next(events.begin()))
    await asyncio.sleep(0)
    second = asyncio.create_task(events.next(events.begin()))
    async with asyncio.timeout(20):
        assert await first is None
        events.update(SOMEBODY)
        assert await second == Event(ACTIVE, {})


@pytest.mark.parametrize("is_awaited", [True, False])
async def test_closed(is_awaited: bool) -> None:
    """ "The WHEP Resource MUST drop any pending queued event"."""
    events = EventStream([ACTIVE])
    fetching = asyncio.create_task(events.next(events.begin()))
    if is_awaited:
        await asyncio.sleep(0)
    else:
        events.update(SOMEBODY)
    events.close()
    async with asyncio.timeout(20):
        assert await fetching is None
