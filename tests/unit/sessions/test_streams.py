"""A stream has one publisher at a time, and none after its end."""

import pytest

from tests import offers
from tests.unit.sessions.conftest import NewStore
from whipbird.sdp.offer import parse_offer
from whipbird.sessions import EndReason
from whipbird.streams import StreamTaken

# Real time may run for two seconds between two lines: then the publisher is silent.
pytestmark = pytest.mark.virtual_time

MEDIA = parse_offer(offers.CHROMIUM_MEDIA)
OTHER = parse_offer(offers.of_another(offers.CHROMIUM_MEDIA))
DATA = parse_offer(offers.CHROMIUM_DATA)


async def test_a_stream_has_one_publisher(new_store: NewStore) -> None:
    store = new_store()
    first, _ = await store.publish("live", MEDIA, "-")
    with pytest.raises(StreamTaken) as caught:
        await store.publish("live", OTHER, "-")
    assert 0 < caught.value.retry_after <= 2
    assert store.count().total() == 1
    # Another name is free, and data channels need none.
    await store.publish("other", MEDIA, "-")
    await store.publish("live", DATA, "-")
    assert [stream.name for stream in store.streams] == ["live", "other"]
    first.end_soon(EndReason.DELETED)
    assert store.streams.get("live") is None
    second, _ = await store.publish("live", OTHER, "-")
    stream = store.streams.get("live")
    assert stream is not None
    assert stream.source is second.peer
    assert stream.age < 10
    await store.close()
    assert not list(store.streams)


async def test_a_stream_is_taken_over(new_store: NewStore) -> None:
    store = new_store(takeover=lambda _: True)
    first, _ = await store.publish("live", MEDIA, "-")
    second, _ = await store.publish("live", OTHER, "-")
    assert first.reason is EndReason.TAKEN_OVER
    stream = store.streams.get("live")
    assert stream is not None
    assert stream.source is second.peer
    await store.close()
