"""One track for one viewer: rewriting and retransmission."""

import asyncio

import pytest

from tests.netem.world import World
from tests.unit.media.watching import (
    ABS_SEND_TIME,
    AV1,
    DELTA,
    KEY,
    MORE,
    OPUS,
    RTX,
    VIEWER_H264,
    VIEWER_OPUS,
    VIEWER_VP8,
    VP8,
    Source,
    Wire,
    forwarder,
    taken,
)
from whipbird.media.feed import Feed
from whipbird.media.forwarder import Forwarder
from whipbird.rtp import extensions
from whipbird.rtp.extensions import read_extensions
from whipbird.rtp.history import GopBudget
from whipbird.rtp.round_trip import RoundTrip
from whipbird.rtp.rtcp_requests import Reported
from whipbird.rtp.viewer_estimate import ViewerEstimate
from whipbird.sdp.codecs import Codec


async def test_packets_are_rewritten() -> None:
    source, wire = Source(), Wire()
    forwarder(wire).watch(Feed(source.encoding, {}, GopBudget()))
    source.send(KEY, MORE)
    await asyncio.sleep(0)
    first, second = wire.packets
    assert {(p.ssrc, p.payload_type) for p in (first, second)} == {(7, 120)}
    assert first.timestamp == second.timestamp
    assert (first.marker, second.marker) == (False, True)
    assert wire.sequences == [0, 1]


async def test_accepted_codecs() -> None:
    watcher = forwarder(Wire())
    assert watcher.accepts(VP8)
    assert not watcher.accepts(AV1)
    assert not watcher.accepts(OPUS)
    assert forwarder(Wire(), taken(VIEWER_OPUS)).accepts(OPUS)


# An SPS and a key frame of H.264: as two packets, as an aggregate, in fragments.
SPS, IDR, SLICE = b"\x67\x42\xe0\x1f", b"\x65\x88\x80", b"\x41\x9a\x00"
AGGREGATE = b"\x78\0\4" + SPS + b"\0\3" + IDR
FRAGMENTS = (b"\x7c\x85\x88\x80", b"\x7c\x45\x11")
SINGLE_UNITS = Codec(121, "H264/90000", "packetization-mode=0")


def h264(fmtp: str = "") -> Codec:
    return Codec(103, "H264/90000", fmtp)


async def test_a_viewer_of_mode_0_gets_single_nal_units() -> None:
    """RFC 6184 section 6.2; the publisher states this mode, or none."""
    for codec in (h264(), h264("packetization-mode=0")):
        source, wire = Source(codec), Wire()
        watcher = forwarder(wire, taken(SINGLE_UNITS))
        assert watcher.accepts(codec)
        watcher.watch(Feed(source.encoding, {}, GopBudget()))
        source.send(SPS, IDR)
        await source.play(SLICE)
        assert [packet.payload for packet in wire.packets] == [SPS, IDR, SLICE]
    assert not watcher.accepts(h264("packetization-mode=1"))


@pytest.mark.parametrize(
    "sent", [[AGGREGATE], [SPS, *FRAGMENTS], [SPS, IDR, AGGREGATE]]
)
async def test_a_viewer_of_mode_0_gets_no_packets_of_mode_1(sent: list[bytes]) -> None:
    """Not those of a publisher that sends them without saying so, either."""
    source, wire = Source(h264()), Wire()
    watcher = forwarder(wire, taken(SINGLE_UNITS))
    feed = Feed(source.encoding, {}, GopBudget())
    watcher.watch(feed)
    source.send(*sent)
    for _ in range(3):
        await source.play(SLICE)
    assert wire.packets == []
    assert not watcher.accepts(source.codec)
    assert watcher.feed is None
    # One that comes late gets nothing of what is kept, either.
    late = Wire()
    forwarder(late, taken(SINGLE_UNITS)).watch(feed)
    await asyncio.sleep(0)
    assert late.packets == []


async def test_a_viewer_that_states_no_mode_gets_everything() -> None:
    for viewer in (Codec(121, "h264/90000"), VIEWER_H264):
        source, wire = Source(h264()), Wire()
        forwarder(wire, taken(viewer)).watch(Feed(source.encoding, {}, GopBudget()))
        source.send(AGGREGATE)
        await source.play(*FRAGMENTS)
        assert len(wire.packets) == 3


async def test_another_encoding_begins_at_its_key_frame() -> None:
    small, large, wire = Source(ssrc=1), Source(ssrc=2), Wire()
    feeds = [Feed(source.encoding, {}, GopBudget()) for source in (small, large)]
    begun: list[Forwarder] = []
    watcher = forwarder(wire, on_source_changed=begun.append)
    watcher.watch(feeds[0])
    await small.play(KEY, DELTA)
    watcher.watch(feeds[1])
    await large.play(DELTA)
    small.send(MORE)
    assert large.key_frames_requested == 1
    await large.play(KEY, DELTA)
    await small.play(DELTA)
    assert [p.payload for p in wire.packets] == [KEY, DELTA, MORE, KEY, DELTA]
    assert wire.sequences == [0, 1, 2, 3, 4]
    stamps = [p.timestamp for p in wire.packets]
    assert stamps == sorted(set(stamps))
    assert begun == [watcher, watcher]
    assert watcher.feed is feeds[1]


async def test_a_third_encoding_before_the_switch() -> None:
    sources, wire = [Source(ssrc=n) for n in (1, 2, 3)], Wire()
    feeds = [Feed(source.encoding, {}, GopBudget()) for source in sources]
    watcher = forwarder(wire)
    watcher.watch(feeds[0])
    await sources[0].play(KEY)
    watcher.watch(feeds[1])
    watcher.watch(feeds[2])
    await sources[1].play(KEY, DELTA)
    assert len(wire.rtp) == 1
    # Back, as if nothing had been asked for.
    watcher.watch(feeds[0])
    await sources[2].play(KEY)
    await sources[0].play(DELTA)
    assert [p.payload for p in wire.packets] == [KEY, DELTA]
    assert watcher.feed is feeds[0]


async def test_a_publisher_that_comes_back() -> None:
    """Another source, another codec's clock: the viewer's stream goes on."""
    before, wire = Source(ssrc=1), Wire()
    watcher = forwarder(wire)
    watcher.watch(Feed(before.encoding, {}, GopBudget()))
    await before.play(KEY, DELTA)
    watcher.leave()
    assert watcher.timestamp_at(0.0) is None
    after = Source(ssrc=9)
    watcher.watch(Feed(after.encoding, {}, GopBudget()))
    await after.play(DELTA, KEY, DELTA)
    assert wire.sequences == [0, 1, 2, 3]
    stamps = [p.timestamp - wire.packets[0].timestamp for p in wire.packets]
    assert stamps[0] < stamps[1] < stamps[2]
    assert stamps[3] - stamps[2] == 3000


async def test_frame_numbers_are_continuous() -> None:
    """After header extensions, and in retransmissions."""
    number = (4, extensions.VIDEO_ORIENTATION)
    sources, wire = [Source(ssrc=n) for n in (1, 2)], Wire()
    feeds = [Feed(source.encoding, {}, GopBudget()) for source in sources]
    media = taken(VIEWER_VP8, RTX, extmap=(ABS_SEND_TIME, number))
    watcher = forwarder(wire, media)

    def frames(picture: int) -> tuple[bytes, bytes]:
        """A key frame and another, with a PictureID of 15 bits."""
        kinds = (KEY, DELTA)
        numbers = (0x8000 | picture, 0x8000 | picture + 1)
        first, second = (
            bytes([0x90, 0x80]) + n.to_bytes(2) + kind[1:]
            for n, kind in zip(numbers, kinds, strict=True)
        )
        return first, second

    watcher.watch(feeds[0])
    await sources[0].play(*frames(700))
    watcher.watch(feeds[1])
    await sources[1].play(*frames(20))
    assert [p.payload for p in wire.packets] == [*frames(700), *frames(702)]
    lost = wire.packets[2]
    watcher.retransmit([lost.sequence], 0.0)
    assert wire.packets[4].payload == lost.sequence.to_bytes(2) + lost.payload


# Retransmission


async def test_retransmission_over_rtx() -> None:
    """RFC 4588 section 4: a stream of its own; the number first, then the payload."""
    source, wire = Source(), Wire()
    watcher = forwarder(wire, taken(VIEWER_VP8, RTX, extmap=(ABS_SEND_TIME,)))
    watcher.watch(Feed(source.encoding, {}, GopBudget()))
    source.send(KEY, MORE)
    await asyncio.sleep(0)
    lost = wire.packets[1]
    watcher.retransmit([lost.sequence, wire.packets[0].sequence], 0.0)
    again, other = wire.packets[2:]
    assert (again.ssrc, again.payload_type) == (8, 122)
    assert (again.timestamp, again.marker) == (lost.timestamp, True)
    assert again.payload == lost.sequence.to_bytes(2) + MORE
    assert read_extensions(again, (3,)).keys() == {3}
    assert other.sequence == (again.sequence + 1) & 0xFFFF
    assert watcher.retransmitter.retransmitted == 2


async def test_without_rtx() -> None:
    """The very same octets: SRTP has a key stream for each packet, and but one."""
    source, wire = Source(), Wire()
    media = taken(VIEWER_VP8, extmap=(ABS_SEND_TIME, (4, extensions.VIDEO_ORIENTATION)))
    watcher = forwarder(wire, media)
    watcher.watch(Feed(source.encoding, {}, GopBudget()))
    await source.play(KEY, DELTA)
    watcher.retransmit([wire.packets[0].sequence], 0.0)
    assert wire.rtp[2] == wire.rtp[0]
    assert list(watcher.extension_map) == [extensions.VIDEO_ORIENTATION]


async def test_without_rtx_while_catching_up() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    await source.play(KEY, *[DELTA] * 30)
    watcher = forwarder(wire, taken(VIEWER_VP8))
    watcher.watch(feed)
    await source.play(DELTA)
    watcher.retransmit([packet.sequence for packet in wire.packets], 0.0)
    assert wire.rtp[32:] == wire.rtp[:32]


async def test_pictures_not_without_negotiation() -> None:
    source, wire = Source(), Wire()
    media = taken(Codec(120, "VP8/90000"), extmap=(ABS_SEND_TIME,))
    watcher = forwarder(wire, media)
    watcher.watch(Feed(source.encoding, {}, GopBudget()))
    await source.play(KEY)
    watcher.retransmit([wire.packets[0].sequence], 0.0)
    assert len(wire.rtp) == 1
    assert list(watcher.extension_map) == [extensions.ABS_SEND_TIME]


async def test_sound_without_negotiation_too() -> None:
    """The very same octets: nothing in them changes with the time."""
    source, wire = Source(OPUS), Wire()
    watcher = forwarder(wire, taken(VIEWER_OPUS, extmap=(ABS_SEND_TIME,)))
    watcher.watch(Feed(source.encoding, {}, GopBudget()))
    await source.play(b"\xfc\xff\xfe")
    watcher.retransmit([wire.packets[0].sequence], 0.0)
    assert wire.rtp[1] == wire.rtp[0]
    assert not watcher.extension_map


async def test_only_sent_packets() -> None:
    source, wire = Source(), Wire()
    feed = Feed(source.encoding, {}, GopBudget())
    watcher = forwarder(wire)
    watcher.retransmit([1, 2], 0.0)
    await source.play(KEY)
    watcher.watch(feed)
    (packet,) = wire.packets
    watcher.retransmit(
        [(packet.sequence - 1) & 0xFFFF, (packet.sequence + 1) & 0xFFFF], 0.0
    )
    assert len(wire.rtp) == 1


@pytest.mark.virtual_time
async def test_a_gop_goes_on_if_the_queue_has_dropped_nothing(world: World) -> None:
    source, wire = Source(), Wire()
    feed, watcher = Feed(source.encoding, {}, GopBudget()), forwarder(wire)
    watcher.watch(feed)
    await source.play(KEY, DELTA)
    feed.bitrate = 2_000_000
    trip, estimate = RoundTrip(), ViewerEstimate()
    for rtt in (0.02, 0.3):
        trip.measured(rtt, world.now)
    watcher.review(500_000, estimate, trip)
    assert watcher.is_limited
    await source.play(DELTA)
    await asyncio.sleep(0)
    assert watcher.frames_dropped == 0
    watcher.handle_timeout(world.now + 0.28)
    assert len(wire.rtp) == 3


def report(watcher: Forwarder, sequence: int, lost: int, fraction: float) -> None:
    """Report the number of the last packet that has come, and how many were lost."""
    ssrc = watcher.rewriter.ssrc
    watcher.reported(Reported(ssrc, fraction, lost, sequence & 0xFFFF, 0, 0), 0.0)


@pytest.mark.virtual_time
async def test_what_came_late_was_not_lost(world: World) -> None:
    watcher = forwarder(Wire())
    first = watcher.rewriter.last_sequence
    report(watcher, first + 50, 10, 0.2)
    before = watcher.loss
    assert before > 0.05
    # Nothing new.
    report(watcher, first + 50, 0, 0.0)
    assert watcher.loss == before
    report(watcher, first + 100, 0, 0.0)
    assert watcher.loss < 0.01
    # Some receivers do not count what is lost.
    report(watcher, first + 1000, 0, 0.2)
    assert watcher.loss > 0.15


@pytest.mark.virtual_time
async def test_loss_is_forgotten_with_all_that_was_sent(world: World) -> None:
    watcher, source = forwarder(Wire()), Source()
    first = watcher.rewriter.last_sequence
    report(watcher, first + 100, 50, 0.5)
    assert watcher.loss > 0.1
    watcher.watch(Feed(source.encoding, {}, GopBudget()))
    source.send(KEY, *[MORE] * 199)
    await asyncio.sleep(0)
    watcher.forget_loss()
    for packets in (150, 250):
        report(watcher, first + packets, packets // 2, 0.5)
        assert watcher.loss == 0
    report(watcher, first + 350, 175, 0.5)
    assert watcher.loss > 0.05


@pytest.mark.virtual_time
async def test_a_path_that_does_not_carry_the_stream(world: World) -> None:
    """What is left of the GOP is left out, and not retransmitted; then it is paced."""
    source, wire = Source(), Wire()
    feed, watcher = Feed(source.encoding, {}, GopBudget()), forwarder(wire)
    watcher.watch(feed)
    await source.play(KEY, DELTA)
    feed.bitrate = 2_000_000
    trip, estimate = RoundTrip(), ViewerEstimate()
    for rtt in (0.02, 0.3):
        trip.measured(rtt, world.now)
    estimate.received(500_000, world.now)
    # The queue has dropped some of it.
    watcher.retransmitter.loss.reported(0.3, 1000)
    # A smaller encoding is to be chosen first.
    watcher.has_smaller = True
    watcher.review(500_000, estimate, trip)
    assert not watcher.is_limited
    watcher.has_smaller = False
    watcher.review(500_000, estimate, trip)
    assert watcher.is_limited
    assert wire.scheduled[-1] == pytest.approx(world.now + 0.28)
    await asyncio.sleep(0)
    await source.play(DELTA, DELTA)
    sequence = wire.packets[0].sequence
    watcher.retransmit([sequence], world.now)
    await source.play(KEY, DELTA)
    assert len(wire.rtp) == 2
    assert watcher.frames_dropped == 1
    # When the queue in the network has drained.
    await asyncio.sleep(0.3)
    watcher.handle_timeout(world.now)
    assert wire.sequences == [0, 1, 2, 3]
    watcher.retransmit([sequence + 2], world.now)
    assert len(wire.rtp) == 5
    # A smaller one appears.
    watcher.has_smaller = True
    watcher.review(500_000, estimate, trip)
    assert not watcher.is_limited
    await source.play(DELTA)
    assert len(wire.rtp) == 6
    feed.close()
