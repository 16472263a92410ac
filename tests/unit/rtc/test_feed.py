"""An encoding's packets, for all who watch it."""

import asyncio

from tests.unit.rtc.watching import (
    ABS_SEND_TIME,
    DELTA,
    H264,
    KEY,
    MORE,
    RTX,
    VIEWER_H264,
    VIEWER_VP8,
    Source,
    Wire,
    forwarder,
    taken,
)
from tests.waiting import until
from whipbird.rtc.feed import Feed
from whipbird.rtc.forwarder import MAX_WAITING
from whipbird.rtc.packet_buffer import SLOTS
from whipbird.rtp.history import MAX_GOP, SIZE


async def test_watchers_begin_with_a_key_frame() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {})
    await source.play(DELTA)
    forwarder(wire).watch(feed)
    assert source.key_frames_wanted == 1
    await source.play(DELTA, DELTA)
    assert wire.rtp == []
    await source.play(KEY, DELTA)
    assert [packet.payload for packet in wire.packets] == [KEY, DELTA]
    assert source.key_frames_wanted == 1


async def test_or_with_what_came_since_the_last_one() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {})
    await source.play(DELTA, KEY, DELTA, MORE)
    forwarder(wire).watch(feed)
    assert [packet.payload for packet in wire.packets] == [KEY, DELTA, MORE]
    await source.play(DELTA)
    assert wire.sequences == [0, 1, 2, 3]
    assert source.key_frames_wanted == 0


async def test_a_long_group_comes_in_parts() -> None:
    """A burst of it all would be lost where the network is thin."""
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {})
    source.send(KEY, *[MORE] * (MAX_GOP - 1))

    async def received(count: int) -> None:
        await until(lambda: len(wire.rtp) >= count)

    forwarder(wire).watch(feed)
    assert wire.batches == [SLOTS]
    assert len(wire.rtp) == SLOTS
    # With what comes meanwhile it has no less to catch up with.
    for _ in range(3):
        source.send(DELTA, *[MORE] * (SLOTS - 1))
        wanted = len(wire.rtp) + 2 * SLOTS
        await received(wanted)
    live = MAX_GOP + 3 * SLOTS
    await received(live)
    assert set(wire.batches) == {SLOTS}
    source.send(DELTA, MORE)
    await asyncio.sleep(0)
    assert wire.sequences == list(range(live + 2))


async def test_who_cannot_catch_up_begins_anew() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {})
    source.send(KEY, *[MORE] * (2 * SLOTS - 1))
    watcher = forwarder(wire)
    watcher.watch(feed)
    wire.waiting = MAX_WAITING + 1
    # Its packets wait for it, but not for ever.
    source.send(DELTA, *[MORE] * (SIZE - 1))
    await until(lambda: watcher.frames_dropped)
    assert len(wire.rtp) == SLOTS
    wire.waiting = 0
    await source.play(DELTA, KEY)
    assert [p.payload for p in wire.packets[SLOTS:]] == [KEY]
    assert source.key_frames_wanted == 1


async def test_who_leaves_need_not_catch_up() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {})
    source.send(KEY, *[MORE] * (2 * SLOTS - 1))
    watcher, other = forwarder(wire), forwarder(Wire())
    watcher.watch(feed)
    watcher.leave()
    other.watch(feed)
    await until(lambda: other.rewriter.packets == 2 * SLOTS)
    assert len(wire.rtp) == SLOTS


async def test_nothing_is_given_out_twice_or_left_out() -> None:
    """Neither when somebody comes between packets that have come together."""
    source, early, late = Source(), Wire(), Wire()
    feed = Feed(source.encoding, {})
    forwarder(early).watch(feed)
    source.send(KEY, MORE)
    forwarder(late).watch(feed)
    source.send(DELTA, MORE)
    await asyncio.sleep(0)
    for wire in (early, late):
        assert [p.payload for p in wire.packets] == [KEY, MORE, DELTA, MORE]
        assert wire.sequences == [0, 1, 2, 3]


async def test_what_comes_together_goes_out_together() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {})
    forwarder(wire).watch(feed)
    source.send(KEY, MORE, MORE)
    assert wire.batches == []
    await asyncio.sleep(0)
    assert wire.batches == [3]
    source.send(DELTA, *[MORE] * SLOTS)
    assert wire.batches == [3, SLOTS]
    await asyncio.sleep(0)
    assert wire.batches == [3, SLOTS, 1]


async def test_each_form_has_its_own_extensions() -> None:
    source, plain, dated = Source(), Wire(), Wire()
    feed = Feed(source.encoding, {})
    forwarder(plain).watch(feed)
    forwarder(dated, taken(VIEWER_VP8, RTX, extmap=(ABS_SEND_TIME,))).watch(feed)
    await source.play(KEY)
    assert plain.rtp[0][0] == 0x80
    assert dated.rtp[0][0] == 0x90
    assert plain.packets[0].payload == dated.packets[0].payload == KEY


async def test_who_has_left_gets_what_came_before() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {})
    watcher = forwarder(wire)
    watcher.watch(feed)
    source.send(KEY, MORE)
    watcher.leave()
    await source.play(DELTA)
    assert [packet.payload for packet in wire.packets] == [KEY, MORE]
    # Who waited for a key frame waits no more.
    feed.encoding.request_key_frame()
    await source.play(KEY)
    assert len(wire.rtp) == 2


async def test_closed() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {})
    forwarder(wire).watch(feed)
    source.send(KEY)
    feed.close()
    await source.play(DELTA)
    assert wire.rtp == []


async def test_another_codec_begins_with_its_own_key_frame() -> None:
    source, both, one = Source(), Wire(), Wire()
    feed = Feed(source.encoding, {})
    forwarder(both, taken(VIEWER_VP8, VIEWER_H264)).watch(feed)
    forwarder(one, taken(VIEWER_VP8)).watch(feed)
    await source.play(KEY)
    source.codec = H264
    # A slice that is none of a key frame, then a whole key frame (RFC 6184).
    await source.play(b"\x41\x9a", b"\x67\x42\x00\x1f", b"\x41\x9a")
    assert source.key_frames_wanted > 0
    assert [p.payload_type for p in both.packets] == [120, 121, 121]
    assert both.sequences == [0, 1, 2]
    # Who cannot decode it gets nothing, until that ends.
    assert [p.payload_type for p in one.packets] == [120]


async def test_who_is_too_slow_misses_whole_frames() -> None:
    source, slow, quick = Source(), Wire(), Wire()
    feed = Feed(source.encoding, {})
    watchers = [forwarder(slow), forwarder(quick)]
    for watcher in watchers:
        watcher.watch(feed)
    await source.play(KEY)
    source.send(DELTA, MORE)
    slow.waiting = MAX_WAITING + 1
    source.send(MORE)  # another frame
    await source.play(DELTA, KEY)
    assert [p.payload for p in slow.packets] == [KEY, DELTA, MORE]
    assert len(quick.rtp) == 6
    # When the network has taken it all, a key frame is asked for.
    wanted = source.key_frames_wanted
    slow.waiting = 0
    await source.play(DELTA)
    assert source.key_frames_wanted == wanted + 1
    await source.play(DELTA, KEY, DELTA)
    assert [p.payload for p in slow.packets[3:]] == [KEY, DELTA]
    # As if nothing had been left out, but time has gone by.
    assert slow.sequences == [0, 1, 2, 3, 4]
    stamps = [(p.timestamp - slow.packets[0].timestamp) // 3000 for p in slow.packets]
    assert stamps == [0, 1, 1, 7, 8]
    assert [watcher.frames_dropped for watcher in watchers] == [4, 0]


async def test_who_is_too_slow_at_a_key_frame_waits_for_the_next() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {})
    watcher = forwarder(wire)
    watcher.watch(feed)
    wire.waiting = MAX_WAITING + 1
    await source.play(KEY, DELTA)
    assert wire.rtp == []
    wire.waiting = 0
    await source.play(DELTA)
    assert source.key_frames_wanted == 2
    await source.play(KEY)
    assert len(wire.rtp) == 1


async def test_one_that_has_gone_disturbs_nobody() -> None:
    source, gone, there = Source(), Wire(is_connected=False), Wire()
    feed = Feed(source.encoding, {})
    for wire in (gone, there):
        forwarder(wire).watch(feed)
    await source.play(KEY, DELTA)
    assert len(there.rtp) == 2
