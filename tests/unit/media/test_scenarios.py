"""Bad networks: what a viewer gets of a stream through them, in virtual time."""

import asyncio
from dataclasses import dataclass
from statistics import mean

import pytest

from tests.netem.broadcast import Broadcast, watch
from tests.netem.link import Conditions
from tests.netem.loop import run
from tests.netem.picture import VIDEO_RATE
from tests.netem.publication import publish
from tests.netem.seeds import for_seeds
from tests.netem.viewing import SECONDS, Outcome
from tests.netem.world import World


@dataclass(frozen=True, slots=True)
class Bound:
    """What a path may cost a viewer in 15 s, whatever the seed.

    Attributes:
        frozen: seconds.
        concealed: share of the sound.
        beside: octets beside those of the stream, as a share of these.
    """

    frozen: float
    concealed: float
    beside: float


#: Loss, and the round trip in seconds.
BOUNDS = {
    (0.0, 0.0): Bound(frozen=0.0, concealed=0.0, beside=0.012),
    (0.0, 0.15): Bound(frozen=0.0, concealed=0.0, beside=0.012),
    (0.02, 0.0): Bound(frozen=0.3, concealed=0.01, beside=0.12),
    (0.05, 0.0): Bound(frozen=0.4, concealed=0.01, beside=0.26),
    (0.1, 0.0): Bound(frozen=0.4, concealed=0.015, beside=0.5),
    (0.2, 0.0): Bound(frozen=0.5, concealed=0.04, beside=1.1),
    (0.1, 0.05): Bound(frozen=0.5, concealed=0.015, beside=0.5),
    (0.1, 0.15): Bound(frozen=1.5, concealed=0.015, beside=0.5),
}


def through(seed: int, loss: float, round_trip: float) -> Outcome:
    back = Conditions(delay=round_trip / 2)
    return watch(seed, Conditions(loss=loss, delay=round_trip / 2), back)


@pytest.mark.parametrize(("loss", "round_trip"), BOUNDS)
@for_seeds(2)
def test_random_loss(seed: int, loss: float, round_trip: float) -> None:
    outcome, bound = through(seed, loss, round_trip), BOUNDS[loss, round_trip]
    assert outcome.frozen <= bound.frozen
    assert outcome.concealed <= bound.concealed
    assert outcome.beside <= bound.beside
    # Of a frozen second a viewer may miss the frames.
    assert outcome.frames >= outcome.frames_sent - 30 * bound.frozen - 1


@for_seeds(2)
def test_bursts(seed: int) -> None:
    outcome = watch(seed, Conditions(burst=20, delay=0.0), Conditions(delay=0.0))
    assert outcome.frozen <= 0.5
    assert outcome.beside <= 0.35


@for_seeds(2)
def test_what_is_reordered_is_sent_once(seed: int) -> None:
    down = Conditions(delay=0.0, reordering=0.05, hold_up=0.03)
    outcome = watch(seed, down, Conditions(delay=0.0))
    assert outcome.frozen == 0
    # The viewer asks at once: it does not know whether a packet is lost or late. Its
    # reports come with what it asks for, so sound has the frame before for a moment.
    assert outcome.beside <= 0.11


#: The same of a publisher's path: 15 s of 100 packets in each second.
PUBLISHER_BOUNDS = {
    (0.0, 0.0): Bound(frozen=0.0, concealed=0.0, beside=0.0),
    (0.0, 0.15): Bound(frozen=0.0, concealed=0.0, beside=0.0),
    (0.1, 0.0): Bound(frozen=0.0, concealed=0.005, beside=0.16),
    (0.2, 0.0): Bound(frozen=0.3, concealed=0.02, beside=0.35),
    (0.1, 0.05): Bound(frozen=0.8, concealed=0.04, beside=0.2),
}


@pytest.mark.parametrize(("loss", "round_trip"), PUBLISHER_BOUNDS)
@for_seeds(2)
def test_random_loss_on_a_publishers_way(
    seed: int, loss: float, round_trip: float
) -> None:
    bound = PUBLISHER_BOUNDS[loss, round_trip]
    back = Conditions(delay=round_trip / 2)
    outcome = publish(seed, Conditions(loss=loss, delay=round_trip / 2), back)
    assert outcome.frozen <= bound.frozen
    assert outcome.concealed <= bound.concealed
    assert outcome.beside <= bound.beside
    assert outcome.frames >= outcome.frames_sent - 20 * bound.frozen - 1


def test_equal_seeds_give_equal_runs() -> None:
    outcomes = [through(5, 0.1, 0.0) for _ in range(2)]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0] != through(6, 0.1, 0.0)
    assert outcomes[0].frames_sent == pytest.approx(SECONDS * 30, abs=1)
    assert mean(o.bitrate for o in outcomes) > 2_000_000


#: A link's rate, as a share of the picture's 2.33 Mb/s; there is sound beside it. How
#: many frames of 450 come at least: a key frame every two seconds, and as many of those
#: after it as fit.
THIN_BOUNDS = {
    0.3: (Bound(frozen=10.5, concealed=0.03, beside=0.0), 36),
    0.6: (Bound(frozen=7.0, concealed=0.03, beside=0.0), 150),
    0.9: (Bound(frozen=4.8, concealed=0.03, beside=0.0), 270),
}


def thin(share: float) -> Conditions:
    return Conditions(rate=share * 2_330_000 / 8, queue=62_500)


@pytest.mark.parametrize("share", THIN_BOUNDS)
@for_seeds(2)
def test_a_link_that_does_not_carry_the_stream(seed: int, share: float) -> None:
    outcome = watch(seed, thin(share), Conditions())
    bound, frames = THIN_BOUNDS[share]
    assert outcome.frozen <= bound.frozen
    assert outcome.concealed <= bound.concealed
    assert outcome.beside <= bound.beside
    assert outcome.frames >= frames


@dataclass(frozen=True, slots=True)
class Second:
    """What came in a second.

    Attributes:
        frames: shown.
        delay: seconds from when the newest one was sent until it was shown.
        nacks: packets that the viewer has requested.
        is_limited: whether its path was taken for too thin at the end.
    """

    frames: int
    delay: float
    nacks: int
    is_limited: bool


def watch_changes(
    seed: int, seconds: int, changes: dict[int, Conditions]
) -> list[Second]:
    """Watch through a link that changes at some seconds."""
    world, found = World(seed), list[Second]()

    async def watching() -> None:
        broadcast = Broadcast(world, Conditions(), Conditions())
        viewing = broadcast.viewing
        (forwarder,) = (f for f in viewing.egress.forwarders if f.kind == "video")
        picture = viewing.receiver.picture
        for second in range(seconds):
            if second in changes:
                viewing.wire.there.conditions = changes[second]
            frames, nacks = len(picture.shown), picture.nacks
            await asyncio.sleep(1.0)
            newest = forwarder.timestamp_at(world.now)
            assert newest is not None
            delay = ((newest - picture.last_timestamp) & 0xFFFFFFFF) / VIDEO_RATE
            found.append(
                Second(
                    len(picture.shown) - frames,
                    delay,
                    picture.nacks - nacks,
                    forwarder.is_limited,
                )
            )
        broadcast.stop()

    run(world, watching())
    return found


@pytest.mark.parametrize("share", THIN_BOUNDS)
@for_seeds(2)
def test_a_link_that_is_wide_again(seed: int, share: float) -> None:
    seconds = watch_changes(seed, 40, {2: thin(share), 17: Conditions()})
    assert not any(s.is_limited for s in seconds[:2])
    limited = [n for n, s in enumerate(seconds) if s.is_limited]
    # Noticed within three seconds, and over within thirteen.
    assert limited[0] <= 4
    assert limited[-1] < 17 + 13
    assert sum(s.frames for s in seconds[30:]) == pytest.approx(300, abs=2)
    # What is left out makes no gap: nothing is requested, once the queue has drained.
    assert sum(s.nacks for s in seconds[8:17]) == 0
    # No frame waits for longer than the server holds it back; then the next GOP comes.
    assert max(s.delay for s in seconds[8:17]) < 3


@pytest.mark.parametrize("loss", [0.05, 0.1, 0.2])
@for_seeds(2)
def test_loss_is_not_a_thin_link(seed: int, loss: float) -> None:
    seconds = watch_changes(seed, 20, {1: Conditions(loss=loss)})
    assert not any(s.is_limited for s in seconds)


@for_seeds(2)
def test_bursts_and_a_varying_delay_are_no_thin_link(seed: int) -> None:
    bad = Conditions(burst=20, jitter=0.06, reordering=0.05, hold_up=0.03)
    assert not any(s.is_limited for s in watch_changes(seed, 20, {1: bad}))
