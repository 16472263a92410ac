"""The sender reports to a viewer, whatever the publisher's say."""

import asyncio
from collections.abc import Callable

import pytest
from aiortc.rtp import RtcpPacket, RtcpSrPacket

from tests.netem.world import World
from tests.unit.media.watching import KEY, VIEWER_OPUS, VIEWER_VP8, Wire, taken
from tests.unit.recording.publisher import AUDIO, VIDEO, Publisher
from whipbird.media.egress import Egress
from whipbird.media.feed import Feed
from whipbird.media.report_rounds import ReportRounds
from whipbird.rtp.history import GopBudget

pytestmark = pytest.mark.virtual_time

RATES = {"audio": 48000, "video": 90000}
TICK = 0.02

# The moment and the timestamp that a report says, of the true ones.
Saying = Callable[[float, int], tuple[float, int]]


def true(time: float, timestamp: int) -> tuple[float, int]:
    return time, timestamp


async def errors(
    world: World, says: dict[str, Saying], seconds: int = 12
) -> dict[str, list[tuple[float, float]]]:
    """Publish and watch.

    Returns:
        Kind -> for each report to the viewer: its time, and by how many seconds its
        timestamp is ahead of the packets.
    """
    publisher = Publisher(VIDEO["libvpx"], AUDIO["opus"])
    wire = Wire()
    egress = Egress(wire.connection, "live")
    kinds = {
        egress.add(taken(VIEWER_OPUS)).ssrc: "audio",
        egress.add(taken(VIEWER_VP8)).ssrc: "video",
    }
    found: dict[str, list[tuple[float, float]]] = {"audio": [], "video": []}
    began = world.now
    sources = {"audio": publisher.audio, "video": publisher.video}
    firsts = {kind: source.timestamp for kind, source in sources.items()}
    # The viewer's first timestamp of each kind.
    viewed: dict[str, int] = {}

    def read(data: bytes) -> None:
        for packet in wire.packets:
            viewed.setdefault(kinds[packet.ssrc], packet.timestamp)
        report = RtcpPacket.parse(data)[0]
        assert isinstance(report, RtcpSrPacket)
        kind = kinds[report.ssrc]
        if kind in viewed:
            ticks = report.sender_info.rtp_timestamp - viewed[kind]
            ahead = ((ticks + 2**31) % 2**32 - 2**31) / RATES[kind]
            time = world.now - began
            found[kind].append((time, ahead - time))

    wire.send_rtcp = read  # type: ignore[method-assign, assignment]
    for step in range(int(seconds / TICK)):
        publisher.send_sound(b"\xfc\xff\xfe", round(TICK * 48000))
        publisher.send_frame((KEY,), ticks=round(TICK * 90000))
        if step == 0:
            for watcher, kind in zip(egress.forwarders, RATES, strict=True):
                watcher.watch(Feed(publisher.encoding(kind), {}, GopBudget()))
            egress.start(ReportRounds())
        if step % 50 == 25:
            for kind in RATES:
                time = step * TICK
                timestamp = firsts[kind] + round(time * RATES[kind])
                moment, said = says.get(kind, true)(time, timestamp)
                publisher.report(kind, moment, said)
        await asyncio.sleep(TICK)
    egress.stop()
    await publisher.rig.stop()
    assert all(len(reports) >= seconds - 2 for reports in found.values())
    return found


def counted(kind: str, rate: float) -> Saying:
    first: list[int] = []

    def say(time: float, timestamp: int) -> tuple[float, int]:
        first.append(timestamp - round(time * RATES[kind]))
        return time, first[0] + round(time * RATES[kind] * rate)

    return say


@pytest.mark.parametrize(
    "says",
    [
        {},
        {"video": lambda time, _: (time, 0x7FFFFFFF)},
        {"audio": lambda time, _: (time, 0x7FFFFFFF)},
        {"video": lambda time, t: (time, 0x7FFFFFFF if time < 1 else t)},
        {"video": counted("video", 0.5)},
        {"audio": counted("audio", 1.5)},
        {"video": lambda time, t: (time + 29_630, t)},
        {"audio": lambda time, t: (time - 2.5, t)},
        {kind: lambda _, t: (-1_691_011_200.0, t) for kind in RATES},
        {kind: lambda _, t: (-3_900_000_000.0, t) for kind in RATES},
        {"video": lambda time, t: (time, t + (180_000 if time > 5 else 0))},
        {kind: lambda time, t: (time - (1e5 if time > 5 else 0), t) for kind in RATES},
    ],
    ids=[
        "true",
        "no timestamp of video",
        "no timestamp of audio",
        "a first report that is wrong",
        "half the rate",
        "one and a half of the rate",
        "two clocks",
        "two clocks that are close",
        "NTP of 1970",
        "no NTP",
        "timestamps that jump",
        "a clock that is set back",
    ],
)
async def test_sound_and_pictures_stay_together(
    world: World, says: dict[str, Saying]
) -> None:
    found = await errors(world, says)
    for reports in found.values():
        assert max(abs(ahead) for _, ahead in reports) < 0.6
        # ... and in the end no more than a frame and the network's time.
        assert max(abs(ahead) for time, ahead in reports if time > 6) < 0.1


@pytest.mark.parametrize("stalls", [("audio",), ("video",), ("audio", "video")])
@pytest.mark.parametrize("says", [{}, {"video": counted("video", 0.5)}])
@pytest.mark.parametrize("is_held_up", [False, True])
async def test_a_pause_that_the_timestamps_do_not_show(
    world: World, says: dict[str, Saying], stalls: tuple[str, ...], is_held_up: bool
) -> None:
    """A clock that stands still, or frames that are held up and come all at once.

    Packets and reports are for the moment at which they come, so sound and pictures are
    together; whether the publisher's reports are trusted, or not.
    """
    publisher = Publisher(VIDEO["libvpx"], AUDIO["opus"])
    wire = Wire()
    egress = Egress(wire.connection, "live")
    kinds = {
        egress.add(taken(VIEWER_OPUS)).ssrc: "audio",
        egress.add(taken(VIEWER_VP8)).ssrc: "video",
    }
    viewed: dict[str, int] = {}
    ahead: list[tuple[float, float]] = []
    began = world.now

    def note(kind: str, timestamp: int) -> None:
        ticks = timestamp - viewed.setdefault(kind, timestamp)
        time = world.now - began
        ahead.append((time, ((ticks + 2**31) % 2**32 - 2**31) / RATES[kind] - time))

    def read() -> None:
        for packet in wire.packets:
            note(kinds[packet.ssrc], packet.timestamp)
        wire.rtp.clear()

    def read_report(data: bytes) -> None:
        read()
        report = RtcpPacket.parse(data)[0]
        assert isinstance(report, RtcpSrPacket)
        if (kind := kinds[report.ssrc]) in viewed:
            note(kind, report.sender_info.rtp_timestamp)

    wire.send_rtcp = read_report  # type: ignore[method-assign, assignment]

    def send(kind: str) -> None:
        if kind == "audio":
            publisher.send_sound(b"\xfc\xff\xfe", round(TICK * 48000))
        else:
            publisher.send_frame((KEY,), ticks=round(TICK * 90000))

    for step in range(1000):
        time = step * TICK
        for kind in RATES:
            if kind in stalls and 5 < time < 13:
                continue
            if kind in stalls and is_held_up and round(time / TICK) == 650:
                for _ in range(399):
                    send(kind)
            send(kind)
            if step % 50 == 25:
                source = publisher.audio if kind == "audio" else publisher.video
                timestamp = source.timestamp - round(TICK * RATES[kind])
                moment, said = says.get(kind, true)(time, timestamp)
                publisher.report(kind, moment, said)
        if step == 0:
            for watcher, kind in zip(egress.forwarders, RATES, strict=True):
                watcher.watch(Feed(publisher.encoding(kind), {}, GopBudget()))
            egress.start(ReportRounds())
        await asyncio.sleep(TICK)
        read()
    egress.stop()
    await publisher.rig.stop()
    # It takes a while to distrust reports. Of frames that come at once, each is a
    # millisecond behind the one before; sound may be too soon by 0.2 s.
    assert max(abs(a) for _, a in ahead) < (0.6 if says or is_held_up else 0.1)
    assert all(abs(a) < 0.25 for time, a in ahead if time > 14)
