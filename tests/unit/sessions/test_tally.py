"""What is counted of sessions: it never falls, and nothing is counted twice."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from tests import offers
from tests.interop.direct_publisher import VP8, Publisher
from tests.unit.media.watching import DELTA, KEY
from tests.unit.sessions.conftest import NewStore, Open
from tests.waiting import until
from whipbird.rtc import Peer
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.role import VIEWER
from whipbird.sessions import (
    EndReason,
    Full,
    SessionKind,
    SessionLimits,
    SessionStore,
)
from whipbird.streams import EVENT_TYPES, TooManyEventStreams
from whipbird.streams.viewer import MAX_EVENT_STREAMS

DATA = parse_offer(offers.CHROMIUM_DATA)
MEDIA = parse_offer(offers.CHROMIUM_MEDIA)
CLIENT = "198.51.100.1"


async def test_kinds_states_and_reasons(store: SessionStore) -> None:
    data, _ = await store.publish("echo", DATA, CLIENT)
    publisher, _ = await store.publish("live", MEDIA, CLIENT)
    viewer, _ = await store.watch(
        "live", parse_offer(offers.CHROMIUM_VIEWER, role=VIEWER), CLIENT
    )
    stats = store.stats
    assert sum(stats.open.values()) == 3
    assert stats.opened == dict.fromkeys(SessionKind, 1)
    for kind in SessionKind:
        assert sum(n for (k, _), n in stats.open.items() if k is kind) == 1
    await data.end(EndReason.DELETED)
    await publisher.end(EndReason.ENDED_BY_OPERATOR)
    await viewer.end(EndReason.DELETED)
    # Only the first reason counts.
    await viewer.end(EndReason.SHUTDOWN)
    stats = store.stats
    assert not stats.open
    assert stats.opened == dict.fromkeys(SessionKind, 1)
    assert stats.ended == {
        (SessionKind.DATA, EndReason.DELETED): 1,
        (SessionKind.PUBLISHER, EndReason.ENDED_BY_OPERATOR): 1,
        (SessionKind.VIEWER, EndReason.DELETED): 1,
    }


async def test_an_offer_that_fails_is_opened_and_ended(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_peer: Peer, _offer: object, _stream: str) -> str:
        raise OSError("no more of it")

    monkeypatch.setattr(Peer, "answer", fail)
    with pytest.raises(OSError, match="no more"):
        await store.publish("echo", DATA, CLIENT)
    await until(lambda: store.stats.ended)
    stats = store.stats
    assert stats.opened == {SessionKind.DATA: 1}
    assert stats.ended == {(SessionKind.DATA, EndReason.REFUSED): 1}


def has(received: list[object], count: int) -> bool:
    return len(received) == count


async def test_messages_while_sessions_end(
    store: SessionStore, open_session: Open
) -> None:
    """At no moment is there less than before, nor anything twice."""
    seen = [store.stats.counts]

    def look() -> None:
        counts = store.stats.counts
        for name in ("messages", "message_octets", "octets_sent", "packets_received"):
            assert getattr(counts, name) >= getattr(seen[-1], name)
        seen.append(counts)

    received: list[object] = []
    for number in range(3):
        opened = await open_session(store)
        opened.channel.on("message", received.append)
        opened.channel.send("four")
        opened.channel.send(b"")
        await until(partial(has, received, 2 * number + 2))
        look()
        ending = asyncio.ensure_future(opened.session.end(EndReason.DELETED))
        while not ending.done():
            await asyncio.sleep(0)
            look()
    last = seen[-1]
    assert (last.messages, last.message_octets, last.messages_refused) == (6, 12, 0)
    assert last.packets_sent > 0
    assert last.octets_received > 0


async def test_media_of_sessions_that_have_ended(store: SessionStore) -> None:
    session, _ = await store.publish("live", MEDIA, CLIENT)
    publisher = Publisher(session)
    publisher.send(VP8, 0, KEY)
    publisher.send(VP8, 3000, DELTA)
    before = store.stats.counts.video_received
    assert (before.packets, before.frames, before.key_frames) == (2, 2, 1)
    assert store.stats.counts.audio_received.packets == 0
    session.end_soon(EndReason.DELETED)
    assert store.stats.counts.video_received == before
    await session.end(EndReason.DELETED)
    assert store.stats.counts.video_received == before
    again, _ = await store.publish("live", MEDIA, CLIENT)
    Publisher(again).send(VP8, 0, KEY)
    found = store.stats.counts.video_received
    assert replace(found, octets=0) == replace(
        before, octets=0, packets=3, frames=3, key_frames=2
    )


async def test_limits_that_were_reached(new_store: NewStore) -> None:
    store = new_store(limits=SessionLimits(total=3, of_client=2, connecting=1))
    assert set(store.stats.refused.values()) == {0}
    await store.publish("echo", DATA, CLIENT)
    with pytest.raises(Full):
        await store.publish("echo", DATA, CLIENT)
    assert store.stats.refused["client_connecting"] == 1
    for n in (2, 3):
        await store.publish("echo", DATA, f"198.51.100.{n}")
    with pytest.raises(Full):
        await store.publish("echo", DATA, "198.51.100.4")
    assert store.stats.refused == {
        "sessions": 1,
        "client_sessions": 0,
        "client_connecting": 1,
        "made_room": 0,
    }


async def test_a_session_that_makes_room_is_counted(new_store: NewStore) -> None:
    store = new_store(limits=SessionLimits(total=3, of_client=3))
    for _ in range(3):
        await store.publish("echo", DATA, CLIENT)
    with pytest.raises(Full):
        await store.publish("echo", DATA, CLIENT)
    await store.publish("echo", DATA, "198.51.100.2")
    stats = store.stats
    assert (stats.refused["client_sessions"], stats.refused["made_room"]) == (1, 1)
    assert stats.ended == {(SessionKind.DATA, EndReason.MADE_ROOM): 1}


async def test_channels_beyond_the_limit_are_counted(
    store: SessionStore, open_session: Open
) -> None:
    opened = await open_session(store)
    assert store.stats.counts.channels_refused == 0
    for _ in range(6):
        opened.client.createDataChannel("x" * 60_000)
    await until(lambda: store.stats.counts.channels_refused == 2)
    await opened.session.end(EndReason.DELETED)
    assert store.stats.counts.channels_refused == 2


async def test_event_streams_beyond_the_limit_are_counted(store: SessionStore) -> None:
    session, _ = await store.watch(
        "live", parse_offer(offers.CHROMIUM_VIEWER, role=VIEWER), CLIENT
    )
    viewer = store.viewer(session)
    for _ in range(MAX_EVENT_STREAMS):
        viewer.open_events(EVENT_TYPES)
    with pytest.raises(TooManyEventStreams):
        viewer.open_events(EVENT_TYPES)
    await session.end(EndReason.DELETED)
    assert store.stats.counts.event_streams_refused == 1
