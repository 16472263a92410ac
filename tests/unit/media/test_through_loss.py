"""Picture through loss, in a closed loop with a network and a model of a browser."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.netem.link import Conditions
from tests.netem.loop import run
from tests.netem.seeds import for_seeds
from tests.netem.world import World
from tests.unit.media.browser import Browser, Way
from tests.unit.media.watching import (
    DELTA,
    KEY,
    MORE,
    RTX,
    VIEWER_VP8,
    Source,
    taken,
)
from whipbird.media import retransmitter
from whipbird.media.allowance import MAX_SHARE
from whipbird.media.egress import Egress
from whipbird.media.feed import Feed
from whipbird.media.report_rounds import ReportRounds
from whipbird.media.retransmitter import Retransmitter
from whipbird.rtp.history import GopBudget

FRAME_RATE = 30
# 2.4 Mb/s: frames of 8 packets, and key frames of 60 every two seconds.
OCTETS, PACKETS, KEY_PACKETS, GOP = 1100, 8, 60, 60


@dataclass
class Watched:
    """One viewer of a stream.

    Attributes:
        octets: octets of the stream itself.
    """

    browser: Browser
    egress: Egress
    way: Way
    octets: int = 0

    @property
    def beside(self) -> float:
        """Octets sent beside the stream, as a share of it."""
        return self.way.octets / self.octets - 1

    @property
    def slowest(self) -> float:
        """The delay that one frame in 20 exceeds, in seconds."""
        delays = sorted(self.browser.delays)
        return delays[len(delays) * 19 // 20]

    @property
    def retransmitter(self) -> Retransmitter:
        return self.egress.forwarders[0].retransmitter


async def watch(
    world: World,
    conditions: Conditions,
    seconds: int = 15,
    *,
    has_rtx: bool = True,
    estimates: bool = True,
) -> Watched:
    """Let a browser watch a stream from its beginning."""
    source, way = Source(), Way(world, conditions, round_trip=2 * conditions.delay)
    egress = Egress(way.connection, "live")
    codecs = (VIEWER_VP8, RTX) if has_rtx else (VIEWER_VP8,)
    sent = egress.add(taken(*codecs))
    browser = Browser(way, sent.ssrc, VIEWER_VP8.payload_type, estimates)
    egress.start(ReportRounds())
    egress.forwarders[0].watch(Feed(source.encoding, {}, GopBudget()))
    # Key frames do not coincide with reports.
    await asyncio.sleep(0.4)
    for number in range(FRAME_RATE * seconds):
        is_key_frame = number % GOP == 0
        count = KEY_PACKETS if is_key_frame else PACKETS
        first = KEY if is_key_frame else DELTA
        source.send(*(p + bytes(OCTETS) for p in (first, *[MORE] * (count - 1))))
        source.encoding.tick(world.now)
        await asyncio.sleep(1 / FRAME_RATE)
    # What was lost at the end may still come.
    source.send(DELTA)
    await asyncio.sleep(1)
    egress.stop()
    rewriter = egress.forwarders[0].rewriter
    octets = rewriter.octets + 12 * rewriter.packets
    return Watched(browser, egress, way, octets)


@pytest.fixture
def without_copies(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Switches copies off."""
    return lambda: monkeypatch.setattr(retransmitter, "COPY_DELAYS", ())


@pytest.mark.virtual_time
async def test_a_clean_path(world: World) -> None:
    """Not one octet more."""
    watched = await watch(world, Conditions(delay=0.01))
    assert watched.beside == 0
    assert watched.browser.frozen == 0


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("loss", "beside"), [(0.01, 0.03), (0.02, 0.07), (0.05, 0.15), (0.1, 0.4)]
)
async def test_random_loss(world: World, loss: float, beside: float) -> None:
    """Never frozen, and no more copies than it takes."""
    watched = await watch(world, Conditions(loss=loss, delay=0.001))
    assert watched.browser.frozen == 0
    assert watched.browser.late <= 6
    assert watched.browser.lost == 0
    assert loss / 2 < watched.beside < beside


@pytest.mark.parametrize("has_rtx", [True, False])
@for_seeds(4)
def test_a_loss_of_a_fifth(
    seed: int, has_rtx: bool, without_copies: Callable[[], None]
) -> None:
    """What it is with copies, and without."""
    conditions = Conditions(loss=0.2, delay=0.001)
    world = World(seed)
    mended = run(world, watch(world, conditions, has_rtx=has_rtx))
    without_copies()
    world = World(seed)
    bare = run(world, watch(world, conditions, has_rtx=has_rtx))
    assert mended.browser.frozen <= 0.5 < 2 < bare.browser.frozen
    assert mended.browser.late <= 40 < 100 < bare.browser.late
    assert mended.slowest < 0.1 < 0.2 < bare.slowest
    assert mended.browser.lost == 0
    assert mended.beside < 1
    assert bare.retransmitter.copies == 0


@pytest.mark.parametrize(("delay", "frozen"), [(0.025, 0.5), (0.075, 1.5)])
@for_seeds(3)
def test_a_long_way(
    seed: int, delay: float, frozen: float, without_copies: Callable[[], None]
) -> None:
    """A tenth is lost, with a round trip of 50 and of 150 ms."""
    conditions = Conditions(loss=0.1, delay=delay)
    world = World(seed)
    mended = run(world, watch(world, conditions))
    without_copies()
    world = World(seed)
    bare = run(world, watch(world, conditions))
    assert mended.browser.frozen <= frozen
    assert mended.browser.frozen < bare.browser.frozen
    assert mended.egress.round_trip.smoothed == pytest.approx(2 * delay, abs=0.005)


@pytest.mark.virtual_time
async def test_reordering_is_no_loss(world: World) -> None:
    """It is requested by browsers, but gets no copies."""
    conditions = Conditions(reordering=0.1, hold_up=0.01, delay=0.001)
    watched = await watch(world, conditions)
    assert watched.retransmitter.retransmitted > 100
    assert watched.retransmitter.copies == 0


@pytest.mark.parametrize("estimates", [True, False])
@pytest.mark.parametrize("queue", [0.1, 0.5])
def test_a_thin_path(
    queue: float, estimates: bool, without_copies: Callable[[], None]
) -> None:
    """The stream does not fit: copies add hardly any octets, whatever is lost by that.

    Args:
        queue: in seconds.
        estimates: whether the viewer sends estimates; the queue is seen without, too.
    """
    rate = 250_000
    conditions = Conditions(delay=0.02, rate=rate, queue=round(queue * rate))
    world = World()
    watched = run(world, watch(world, conditions, estimates=estimates))
    without_copies()
    world = World()
    bare = run(world, watch(world, conditions, estimates=estimates))
    # Frames are left out instead, if the queue is long enough to be seen.
    is_thinned = queue > 0.2
    assert (watched.way.down.overflowed > 500) is not is_thinned
    assert watched.retransmitter.copies < 0.06 * watched.way.sent
    assert watched.way.octets < 1.06 * bare.way.octets
    assert watched.beside < MAX_SHARE
