"""Redundancy of sound (RFC 2198) for viewers that lose packets."""

import asyncio
import random
from struct import pack

import pytest

from tests.unit.media.watching import (
    KEY,
    OPUS,
    VIEWER_OPUS,
    Source,
    Wire,
    forwarder,
    taken,
)
from whipbird.media.egress import Egress
from whipbird.media.feed import Feed
from whipbird.media.forwarder import Forwarder
from whipbird.media.redundancy import (
    DECAY,
    MAX_AGE,
    MAX_LEVEL,
    RedundancyLevel,
    congested_level,
)
from whipbird.media.report_rounds import ReportRounds
from whipbird.rtp import extensions
from whipbird.rtp.history import GopBudget
from whipbird.rtp.packet import MAX_PAYLOAD, RtpPacket
from whipbird.rtp.red import parse_red
from whipbird.rtp.rtcp import (
    ReportBlock,
    write_nack,
    write_receiver_report,
    write_remb,
)
from whipbird.sdp.codecs import Codec
from whipbird.sdp.media import OfferedMedia

RED = Codec(63, "red/48000/2", "109/109", carries=109)
RTX = Codec(64, "rtx/48000", "apt=109", retransmits=109)
PCMU = Codec(0, "PCMU/8000")
SOUND = taken(VIEWER_OPUS, RED, PCMU)
# Ticks from frame to frame, as ``Source`` sends them.
TICKS = 1600


def frame(number: int) -> bytes:
    return b"\xf8" + number.to_bytes(4)


class Viewer:
    """A viewer of sound, with its forwarder."""

    def __init__(self, feed: Feed, media: OfferedMedia = SOUND) -> None:
        self.wire = Wire()
        self.forwarder: Forwarder = forwarder(self.wire, media)
        self.forwarder.watch(feed)

    @property
    def frames(self) -> list[list[bytes]]:
        """The frames in each packet, oldest first; the offsets are right."""
        found = []
        for packet in self.wire.packets:
            if packet.payload_type != RED.payload_type:
                found.append([packet.payload])
                continue
            red = parse_red(packet.payload)
            assert red.payload_type == VIEWER_OPUS.payload_type
            blocks = red.redundant
            assert [b.offset for b in blocks] == [
                n * TICKS for n in range(len(blocks), 0, -1)
            ]
            found.append([*(block.data for block in blocks), red.primary])
        return found


class Stage:
    """A publisher of sound, and its feed."""

    def __init__(self, codec: Codec = OPUS) -> None:
        self.source = Source(codec)
        self.feed = Feed(self.source.encoding, {}, GopBudget())
        self.sent = 0

    async def play(self, count: int = 1) -> None:
        for _ in range(count):
            await self.source.play(frame(self.sent))
            self.sent += 1


@pytest.mark.parametrize("level", [0, 1, 2])
async def test_frames_before_each_frame(level: int) -> None:
    stage = Stage()
    viewer = Viewer(stage.feed)
    await stage.play(3)
    viewer.forwarder.set_redundancy(level)
    await stage.play(2)
    assert viewer.frames[:3] == [[frame(n)] for n in range(3)]
    assert viewer.frames[3:] == [
        [frame(n) for n in range(last - level, last + 1)] for last in (3, 4)
    ]
    viewer.forwarder.set_redundancy(0)
    await stage.play()
    assert viewer.wire.packets[-1].payload_type == VIEWER_OPUS.payload_type
    assert viewer.wire.sequences == list(range(6))


async def test_the_first_frames_are_plain() -> None:
    """What was sent before was not for this viewer."""
    stage = Stage()
    await stage.play(5)
    viewer = Viewer(stage.feed)
    viewer.forwarder.set_redundancy(2)
    await stage.play(3)
    assert viewer.frames == [[frame(5)], [frame(6)], [frame(n) for n in (5, 6, 7)]]


async def test_the_frames_of_another_source_are_left_out() -> None:
    stage, other = Stage(), Stage()
    viewer = Viewer(stage.feed)
    await stage.play(3)
    viewer.forwarder.set_redundancy(1)
    viewer.forwarder.leave()
    viewer.forwarder.watch(other.feed)
    other.sent = 100
    await other.play(3)
    assert viewer.frames[3:] == [[frame(100)], [frame(101)], [frame(101), frame(102)]]


async def test_a_frame_that_the_publisher_lost() -> None:
    stage = Stage()
    viewer = Viewer(stage.feed)
    await stage.play(4)
    viewer.forwarder.set_redundancy(2)
    stage.source.sequence += 1
    stage.source.timestamp += TICKS
    await stage.play()
    # It is given up.
    stage.source.source.release(1e9)
    await stage.play(2)
    assert viewer.frames[4:] == [
        [frame(4)],
        [frame(4), frame(5)],
        [frame(4), frame(5), frame(6)],
    ]


async def test_a_pause() -> None:
    """Discontinuous transmission: offsets have 14 bits."""
    stage = Stage()
    viewer = Viewer(stage.feed)
    await stage.play(4)
    viewer.forwarder.set_redundancy(2)
    stage.source.timestamp += 20_000
    await stage.play()
    assert viewer.frames[-1] == [frame(4)]
    await stage.play()
    assert viewer.frames[-1] == [frame(4), frame(5)]


@pytest.mark.parametrize(
    ("octets", "kept"), [(100, 2), (500, 1), (1023, 0), (1100, 0), (1275, 0)]
)
async def test_large_frames(octets: int, kept: int) -> None:
    stage = Stage()
    viewer = Viewer(stage.feed)
    await stage.play(3)
    viewer.forwarder.set_redundancy(2)
    for _ in range(4):
        await stage.source.play(bytes(octets))
    packet = viewer.wire.packets[-1]
    assert len(parse_red(packet.payload).redundant) == kept
    assert len(packet.payload) <= max(MAX_PAYLOAD, octets + 1)


async def test_packets_without_a_frame_are_plain() -> None:
    """A sender may pad."""
    stage = Stage()
    viewer = Viewer(stage.feed)
    await stage.play(3)
    viewer.forwarder.set_redundancy(2)
    await stage.source.play(b"")
    await stage.play()
    assert viewer.wire.packets[3].payload_type == VIEWER_OPUS.payload_type
    assert viewer.frames[4] == [frame(3)]


@pytest.mark.parametrize("media", [taken(VIEWER_OPUS), taken(PCMU, VIEWER_OPUS, RED)])
async def test_viewers_that_have_no_redundancy(media: OfferedMedia) -> None:
    codec = PCMU if media.codecs[0] is PCMU else OPUS
    stage = Stage(codec)
    viewer = Viewer(stage.feed, media)
    await stage.play(3)
    viewer.forwarder.set_redundancy(2)
    await stage.play(3)
    assert {p.payload_type for p in viewer.wire.packets} == {
        media.codecs[0].payload_type
    }
    assert viewer.frames == [[frame(n)] for n in range(6)]


async def test_header_extensions_stay() -> None:
    level = (1, extensions.AUDIO_LEVEL)
    source, wire = Source(OPUS), Wire()
    feed = Feed(source.encoding, {extensions.AUDIO_LEVEL: 3}, GopBudget())
    watcher = forwarder(wire, taken(VIEWER_OPUS, RED, extmap=(level,)))
    watcher.watch(feed)
    watcher.set_redundancy(1)
    for number in range(3):
        data = pack("!BBHII", 0x90, 111, 5000 + number, number * TICKS, 1)
        data += bytes.fromhex("bede 0001 30 55 0000") + frame(number)
        packet = RtpPacket.parse(data)
        assert packet is not None
        source.source.receive(packet, OPUS, 0.0)
        await source.play()
    last = wire.packets[-1]
    assert last.data[12:20] == bytes.fromhex("bede 0001 10 55 0000")
    assert parse_red(last.payload).primary == frame(2)


async def test_packets_are_made_once_for_all_viewers_of_a_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = 0

    def count(*arguments: object) -> bytes:
        nonlocal made
        made += 1
        return b"x"

    monkeypatch.setattr("whipbird.media.redundancy.write_red", count)
    stage = Stage()
    viewers = [Viewer(stage.feed) for _ in range(10)]
    await stage.play(3)
    for index, viewer in enumerate(viewers):
        viewer.forwarder.set_redundancy(index % 3)
    await stage.play(5)
    assert made == 2 * 5


# Retransmission


async def test_retransmissions_have_the_same_octets() -> None:
    """SRTP has one key stream for each packet: also when the level has changed."""
    stage = Stage()
    viewer = Viewer(stage.feed)
    for level in (0, 1, 2, 0, 2):
        viewer.forwarder.set_redundancy(level)
        await stage.play(7)
    sent = viewer.wire.rtp[:]
    viewer.forwarder.retransmit(
        [p.sequence for p in viewer.wire.packets], asyncio.get_running_loop().time()
    )
    assert viewer.wire.rtp[len(sent) :] == sent


async def test_old_sound_is_not_retransmitted() -> None:
    stage = Stage()
    viewer = Viewer(stage.feed)
    viewer.forwarder.set_redundancy(2)
    await stage.play(MAX_AGE + 50)
    sent = viewer.wire.rtp[:]
    viewer.forwarder.retransmit(
        [p.sequence for p in viewer.wire.packets], asyncio.get_running_loop().time()
    )
    assert viewer.wire.rtp[len(sent) :] == sent[-MAX_AGE:]


async def test_numbers_that_come_round_again() -> None:
    """Nothing remembers what was sent with them the last time."""
    stage = Stage()
    viewer = Viewer(stage.feed)
    viewer.forwarder.set_redundancy(2)
    await stage.play(10)
    viewer.forwarder.set_redundancy(0)
    for _ in range(0x10000 // 32):
        stage.source.send(*[b"\xf8"] * 32)
        viewer.wire.rtp.clear()
        await stage.source.play()
    sent = viewer.wire.rtp[:]
    viewer.forwarder.retransmit(
        [p.sequence for p in viewer.wire.packets], asyncio.get_running_loop().time()
    )
    assert viewer.wire.rtp[len(sent) :] == sent


async def test_over_rtx_plain() -> None:
    """RFC 4588: a stream of its own, in which the frame itself is enough."""
    stage = Stage()
    viewer = Viewer(stage.feed, taken(VIEWER_OPUS, RED, RTX))
    viewer.forwarder.set_redundancy(2)
    await stage.play(5)
    lost = viewer.wire.packets[-1]
    viewer.forwarder.retransmit([lost.sequence], asyncio.get_running_loop().time())
    packet = viewer.wire.packets[-1]
    assert (packet.payload_type, packet.ssrc) == (RTX.payload_type, 8)
    assert packet.payload == lost.sequence.to_bytes(2) + frame(4)


# The level


def test_up_at_once_and_down_slowly() -> None:
    level = RedundancyLevel()
    level.update(0.0, 1.0)
    assert level.level == 0
    level.update(0.02, 2.0)
    assert level.level == 1
    level.update(0.1, 3.0)
    assert level.level == 2
    now, levels = 3.0, []
    while level.level and now < 100.0:
        now += 1.0
        level.update(0.0, now)
        levels.append(level.level)
    assert levels == sorted(levels, reverse=True)
    assert DECAY < levels.count(2) < 2 * DECAY
    assert len(levels) < 4 * DECAY


def test_single_losses_now_and_then() -> None:
    """One packet of some hundreds is none of its business."""
    level = RedundancyLevel()
    for now in range(100):
        level.update(0.004, float(now))
    assert level.level == 0


def test_reports_far_apart() -> None:
    level = RedundancyLevel()
    level.update(0.2, 0.0)
    level.update(0.0, 1000.0)
    assert level.level == 0


async def test_reports_of_a_viewer_set_the_level() -> None:
    """Those on pictures, too: they come more often."""
    stage, wire = Stage(), Wire()
    egress = Egress(wire.connection, "live")
    egress.add(SOUND)
    ssrc = egress.add(taken(Codec(120, "VP8/90000"))).ssrc
    egress.forwarders[0].watch(stage.feed)
    await stage.play(3)

    def report(fraction: float, highest: int) -> bytes:
        block = ReportBlock(ssrc, round(fraction * 256), 1, highest, 0, 0, 0)
        return write_receiver_report(1, [block])

    assert wire.rtcp_route is not None
    wire.rtcp_route(report(0.0, 0))
    await stage.play()
    wire.rtcp_route(report(0.1, 1000))
    await stage.play()
    kinds = [packet.payload_type for packet in wire.packets]
    assert kinds == [109] * 4 + [63]
    assert len(parse_red(wire.packets[-1].payload).redundant) == 2


@pytest.mark.virtual_time
async def test_requests_for_sound_set_the_level() -> None:
    """What is retransmitted in the stream itself is not lost in the reports."""
    stage, wire = Stage(), Wire()
    egress = Egress(wire.connection, "live")
    ssrc = egress.add(SOUND).ssrc
    egress.forwarders[0].watch(stage.feed)
    egress.start(ReportRounds())
    assert wire.rtcp_route is not None
    for number in range(250):
        await stage.play()
        if number % 10 == 0:
            wire.rtcp_route(write_nack(1, ssrc, [wire.packets[-1].sequence]))
        await asyncio.sleep(0.02)
    assert len(parse_red(wire.packets[-1].payload).redundant) == 2
    egress.stop()


@pytest.mark.parametrize(
    ("bitrate", "total", "level"),
    [(50, 50, 1), (50, 300, 1), (50, 450, 2), (0, 0, MAX_LEVEL)],
)
def test_the_share_of_redundancy_on_a_congested_path(
    bitrate: float, total: float, level: int
) -> None:
    assert congested_level(bitrate, total) == level


async def test_less_redundancy_on_a_congested_path() -> None:
    """An estimate of browsers is about pictures alone."""
    stage, pictures, wire = Stage(), Source(), Wire()
    egress = Egress(wire.connection, "live")
    ssrc = egress.add(SOUND).ssrc
    egress.add(taken(Codec(120, "VP8/90000")))
    feed = Feed(pictures.encoding, {}, GopBudget())
    feed.bitrate, stage.feed.bitrate = 1e6, 2e5
    egress.forwarders[0].watch(stage.feed)
    egress.forwarders[1].watch(feed)
    await pictures.play(KEY)
    await stage.play(3)
    assert wire.rtcp_route is not None
    block = ReportBlock(ssrc, 51, 1, 1, 0, 0, 0)
    for estimate, redundant in ((2_000_000, 2), (600_000, 1)):
        wire.rtcp_route(write_receiver_report(1, []) + write_remb(1, estimate, [ssrc]))
        wire.rtcp_route(write_receiver_report(1, [block]))
        await stage.play()
        assert len(parse_red(wire.packets[-1].payload).redundant) == redundant


# A lossy link


class LossyReceiver:
    """A viewer behind random loss, that puts frames together and may ask again.

    Args:
        loss: the probability that a packet is lost, on its way to the viewer.
        level: frames before each frame.
        requests: how often it requests a packet.
    """

    def __init__(self, loss: float, level: int, requests: int, seed: int) -> None:
        self.stage = Stage()
        self.viewer = Viewer(self.stage.feed)
        self.viewer.forwarder.set_redundancy(level)
        self.received: set[int] = set()
        self._loss, self._requests = loss, requests
        self._random = random.Random(seed)

    async def run(self, count: int) -> float:
        """Play frames; return the share that has not arrived."""
        wire = self.viewer.wire
        for _ in range(count):
            await self.stage.play()
            last = wire.packets[-1]
            wire.rtp.clear()
            if self._arrives(last):
                continue
            for _ in range(self._requests):
                self.viewer.forwarder.retransmit(
                    [last.sequence], asyncio.get_running_loop().time()
                )
                again = [packet for packet in wire.packets if self._arrives(packet)]
                wire.rtp.clear()
                # A round trip later.
                await asyncio.sleep(0.05)
                if again:
                    break
        return 1 - len(self.received) / count

    def _arrives(self, packet: RtpPacket) -> bool:
        if self._random.random() < self._loss:
            return False
        payloads = [packet.payload]
        if packet.payload_type == RED.payload_type:
            red = parse_red(packet.payload)
            payloads = [red.primary, *(block.data for block in red.redundant)]
        self.received |= {int.from_bytes(payload[1:]) for payload in payloads}
        return True


@pytest.mark.parametrize("loss", [0.1, 0.2])
@pytest.mark.parametrize("level", range(MAX_LEVEL + 1))
@pytest.mark.parametrize("requests", [0, 1])
@pytest.mark.virtual_time
async def test_frames_that_arrive(loss: float, level: int, requests: int) -> None:
    """Each frame is lost only with all packets that it is in."""
    receiver = LossyReceiver(loss, level, requests, seed=level)
    missing = await receiver.run(4000)
    times = (1 + level) * (1 + requests)
    assert missing <= 1.3 * loss**times + 0.0015
    assert missing >= 0.7 * loss**times - 0.0015
