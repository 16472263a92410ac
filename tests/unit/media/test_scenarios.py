"""Bad networks: what a viewer gets of a stream through them, in virtual time."""

from dataclasses import dataclass
from statistics import mean

import pytest

from tests.netem.broadcast import watch
from tests.netem.link import Conditions
from tests.netem.publication import publish
from tests.netem.seeds import for_seeds
from tests.netem.viewing import SECONDS, Outcome


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
    # The viewer asks at once: it does not know whether a packet is lost or late.
    assert outcome.beside <= 0.08


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
