"""The distribution of an encoding's packets to watchers."""

import asyncio
import math

import pytest

from tests.netem.world import World
from tests.unit.media.watching import (
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
from whipbird.media.feed import Feed
from whipbird.media.pacer import MAX_WAIT
from whipbird.rtp.history import MAX_GOP, SIZE, GopBudget
from whipbird.rtp.round_trip import RoundTrip
from whipbird.rtp.viewer_estimate import ViewerEstimate
from whipbird.transport.packet_buffer import SLOTS

# Packets of a GOP that is longer than what is always kept.
LONG = 2 * SIZE

pytestmark = pytest.mark.virtual_time


async def test_watchers_start_at_a_key_frame() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    await source.play(DELTA)
    forwarder(wire).watch(feed)
    assert source.key_frames_requested == 1
    await source.play(DELTA, DELTA)
    assert wire.rtp == []
    await source.play(KEY, DELTA)
    assert [packet.payload for packet in wire.packets] == [KEY, DELTA]
    assert source.key_frames_requested == 1


async def test_watchers_start_with_the_current_gop() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    await source.play(DELTA, KEY, DELTA, MORE)
    forwarder(wire).watch(feed)
    assert [packet.payload for packet in wire.packets] == [KEY, DELTA, MORE]
    await source.play(DELTA)
    assert wire.sequences == [0, 1, 2, 3]
    assert source.key_frames_requested == 0


async def test_a_long_gop_is_sent_in_batches() -> None:
    """A burst of it all would be lost where the network is thin."""
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    source.send(KEY, *[MORE] * (LONG - 1))

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
    live = LONG + 3 * SLOTS
    await received(live)
    assert set(wire.batches) == {SLOTS}
    source.send(DELTA, MORE)
    await asyncio.sleep(0)
    assert wire.sequences == list(range(live + 2))


async def test_a_watcher_that_cannot_catch_up_waits_for_a_key_frame() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    source.send(KEY, *[MORE] * (2 * SLOTS - 1))
    watcher = forwarder(wire)
    watcher.watch(feed)
    wire.is_congested = True
    # Its packets wait for it, but not for ever.
    source.send(DELTA, *[MORE] * MAX_GOP)
    await until(lambda: watcher.frames_dropped)
    assert len(wire.rtp) == SLOTS
    wire.is_congested = False
    await source.play(DELTA, KEY)
    assert [p.payload for p in wire.packets[SLOTS:]] == [KEY]
    assert source.key_frames_requested == 1


async def test_another_key_frame_comes_while_a_watcher_catches_up() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    source.send(KEY, *[MORE] * (LONG - 1))
    watcher = forwarder(wire)
    watcher.watch(feed)
    source.send(KEY, MORE)
    source.send(DELTA, MORE)
    await until(lambda: len(wire.rtp) == SLOTS + 4)
    assert [p.payload for p in wire.packets[SLOTS:]] == [KEY, MORE, DELTA, MORE]
    assert wire.sequences == list(range(SLOTS + 4))
    stamps = [p.timestamp for p in wire.packets]
    assert stamps == sorted(stamps)


async def test_a_removed_watcher_does_not_catch_up() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    source.send(KEY, *[MORE] * (2 * SLOTS - 1))
    watcher, other = forwarder(wire), forwarder(Wire())
    watcher.watch(feed)
    watcher.leave()
    other.watch(feed)
    await until(lambda: other.rewriter.packets == 2 * SLOTS)
    assert len(wire.rtp) == SLOTS


async def test_every_packet_is_sent_once() -> None:
    """Neither when somebody comes between packets that have come together."""
    source, early, late = Source(), Wire(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    forwarder(early).watch(feed)
    source.send(KEY, MORE)
    forwarder(late).watch(feed)
    source.send(DELTA, MORE)
    await asyncio.sleep(0)
    for wire in (early, late):
        assert [p.payload for p in wire.packets] == [KEY, MORE, DELTA, MORE]
        assert wire.sequences == [0, 1, 2, 3]


async def test_packets_are_batched() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    forwarder(wire).watch(feed)
    source.send(KEY, MORE, MORE)
    assert wire.batches == []
    await asyncio.sleep(0)
    assert wire.batches == [3]
    source.send(DELTA, *[MORE] * SLOTS)
    assert wire.batches == [3, SLOTS]
    await asyncio.sleep(0)
    assert wire.batches == [3, SLOTS, 1]


async def test_each_template_has_its_own_extensions() -> None:
    source, plain, dated = Source(), Wire(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    forwarder(plain).watch(feed)
    forwarder(dated, taken(VIEWER_VP8, RTX, extmap=(ABS_SEND_TIME,))).watch(feed)
    await source.play(KEY)
    assert plain.rtp[0][0] == 0x80
    assert dated.rtp[0][0] == 0x90
    assert plain.packets[0].payload == dated.packets[0].payload == KEY


async def test_a_removed_watcher_gets_pending_packets() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    watcher = forwarder(wire)
    watcher.watch(feed)
    source.send(KEY, MORE)
    watcher.leave()
    await source.play(DELTA)
    assert [packet.payload for packet in wire.packets] == [KEY, MORE]
    # A removed watcher does not wait for a key frame.
    feed.encoding.request_key_frame()
    await source.play(KEY)
    assert len(wire.rtp) == 2


async def test_closed() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    forwarder(wire).watch(feed)
    source.send(KEY)
    feed.close()
    await source.play(DELTA)
    assert wire.rtp == []


async def test_a_new_codec_starts_at_its_own_key_frame() -> None:
    source, both, one = Source(), Wire(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    forwarder(both, taken(VIEWER_VP8, VIEWER_H264)).watch(feed)
    forwarder(one, taken(VIEWER_VP8)).watch(feed)
    await source.play(KEY)
    source.codec = H264
    # A slice that is none of a key frame, then a whole key frame (RFC 6184).
    await source.play(b"\x41\x9a\x02", b"\x65\x88\x84\x00", b"\x41\x9a\x02")
    assert source.key_frames_requested > 0
    assert [p.payload_type for p in both.packets] == [120, 121, 121]
    assert both.sequences == [0, 1, 2]
    # A watcher that cannot decode the codec gets nothing.
    assert [p.payload_type for p in one.packets] == [120]


async def test_a_congested_watcher_skips_whole_frames() -> None:
    source, slow, quick = Source(), Wire(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    watchers = [forwarder(slow), forwarder(quick)]
    for watcher in watchers:
        watcher.watch(feed)
    await source.play(KEY)
    source.send(DELTA, MORE)
    slow.is_congested = True
    source.send(MORE)  # another frame
    await source.play(DELTA, KEY)
    assert [p.payload for p in slow.packets] == [KEY, DELTA, MORE]
    assert len(quick.rtp) == 6
    # When the network has taken it all, a key frame is asked for.
    wanted = source.key_frames_requested
    slow.is_congested = False
    await source.play(DELTA)
    assert source.key_frames_requested == wanted + 1
    await source.play(DELTA, KEY, DELTA)
    assert [p.payload for p in slow.packets[3:]] == [KEY, DELTA]
    # As if nothing had been left out, but time has gone by.
    assert slow.sequences == [0, 1, 2, 3, 4]
    stamps = [(p.timestamp - slow.packets[0].timestamp) // 3000 for p in slow.packets]
    assert stamps == [0, 1, 1, 7, 8]
    assert [watcher.frames_dropped for watcher in watchers] == [4, 0]


async def test_a_watcher_congested_at_a_key_frame_waits_for_the_next() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    watcher = forwarder(wire)
    watcher.watch(feed)
    wire.is_congested = True
    await source.play(KEY, DELTA)
    assert wire.rtp == []
    wire.is_congested = False
    await source.play(DELTA)
    assert source.key_frames_requested == 2
    await source.play(KEY)
    assert len(wire.rtp) == 1


async def test_a_closed_connection_does_not_affect_others() -> None:
    source, gone, there = Source(), Wire(is_connected=False), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    for wire in (gone, there):
        forwarder(wire).watch(feed)
    await source.play(KEY, DELTA)
    assert len(there.rtp) == 2


async def test_a_watcher_behind_a_thin_path_requests_few_key_frames(
    world: World,
) -> None:
    """None that comes by itself, and one for all that wait."""
    source, wires = Source(), [Wire(), Wire()]
    feed = Feed(source.encoding, {}, GopBudget())
    watchers = [forwarder(wire) for wire in wires]
    for watcher in watchers:
        watcher.watch(feed)
    await source.play(KEY, DELTA)
    wanted = source.key_frames_requested
    for watcher in watchers:
        feed.skip(watcher)
    for _ in range(24):
        await asyncio.sleep(0.1)
        await source.play(DELTA)
    assert [len(wire.rtp) for wire in wires] == [2, 2]
    assert source.key_frames_requested == wanted
    await asyncio.sleep(0.2)
    await source.play(DELTA, DELTA)
    assert source.key_frames_requested == wanted + 1
    await source.play(KEY, DELTA)
    for wire in wires:
        assert wire.sequences == [0, 1, 2, 3]
    assert [watcher.frames_dropped for watcher in watchers] == [1, 1]
    feed.close()


async def test_a_key_frame_replaces_what_waits_at_a_limited_rate(world: World) -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    watcher = forwarder(wire)
    watcher.watch(feed)
    await source.play(KEY)
    # Ten packets in a second.
    watcher.thinning.rate = 10 * 8 * 116
    watcher.review(None, ViewerEstimate(), RoundTrip())
    old, new = bytes(100), bytes([1]) * 100
    await source.play(*[DELTA + old] * 5)
    assert wire.sequences == [0]
    await source.play(KEY + new)
    while watcher.pacer.deadline < math.inf:
        await asyncio.sleep(0.005)
        watcher.handle_timeout(world.now)
    assert [p.payload for p in wire.packets] == [KEY, KEY + new]
    assert wire.sequences == [0, 1]
    # What arrives is sent, but too much of it is left out up to a key frame.
    for _ in range(30):
        await source.play(DELTA + old)
    assert watcher.is_congested
    while watcher.pacer.deadline < math.inf:
        await asyncio.sleep(0.005)
        watcher.handle_timeout(world.now)
    sent = len(wire.rtp)
    assert 10 * MAX_WAIT <= sent - 2 <= 10 * MAX_WAIT + 4
    await source.play(DELTA, KEY)
    watcher.handle_timeout(world.now + 1)
    assert wire.sequences == list(range(sent + 1))
    assert wire.packets[-1].payload == KEY
    feed.close()


async def test_a_pause_is_in_the_timestamps(world: World) -> None:
    """Of a source whose clock does not show it: for viewers, late ones too.

    A retransmission is as the packet was. The publisher's packets are left alone.
    """
    source, early, late = Source(), Wire(), Wire()
    published: list[int] = []
    source.encoding.subscribe(lambda packet: published.append(packet.timestamp))
    feed = Feed(source.encoding, {}, GopBudget())
    handed: list[int] = []
    feed.subscribe(lambda packet: handed.append(packet.timestamp))
    watcher = forwarder(early, taken(VIEWER_VP8))
    watcher.watch(feed)
    for _ in range(30):
        await source.play(KEY)
        await asyncio.sleep(1 / 30)
    await asyncio.sleep(8)
    for payload in (KEY, DELTA, MORE):
        await source.play(payload)
        await asyncio.sleep(1 / 30)
    forwarder(late).watch(feed)
    first = early.packets[0].timestamp
    *before, a, b, c = [(p.timestamp - first) & 0xFFFFFFFF for p in early.packets]
    assert before == [3000 * n for n in range(30)]
    pause = a - before[-1]
    assert pause == pytest.approx(8 * 90_000 + 3000, abs=1500)
    assert (b - a, c - b) == (3000, 3000)
    assert published == [90_000 + 3000 * n for n in range(33)]
    assert [t - handed[0] for t in handed] == [*before, a, b, c]
    packet = early.packets[-1]
    watcher.retransmit([packet.sequence], world.now)
    assert early.rtp[-1] == early.rtp[-2]
    assert [p.payload for p in late.packets] == [KEY, DELTA, MORE]
    now = feed.timestamp_at(world.now)
    assert now is not None
    assert now - handed[-1] == pytest.approx(3000, abs=100)
    feed.close()
