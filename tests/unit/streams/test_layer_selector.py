"""Layer selection: smaller layers at once, larger ones by trial."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from whipbird.streams.layer_selector import (
    GROWTH_TIME,
    LOSS_DELAY,
    MAX_PAUSE,
    MIN_PAUSE,
    SETTLING_TIME,
    LayerSelector,
)

LAYERS = [("q", 150e3), ("h", 500e3), ("f", 2500e3)]


@dataclass
class Viewer:
    """Asks once a second; what was chosen is what it gets the next time."""

    selector: LayerSelector[str] = field(default_factory=LayerSelector)
    now: float = 100.0
    seen: list[str] = field(default_factory=list)
    # Another layer, when no key frame has come since.
    sent: str | None = None

    def asks(
        self,
        estimate: float | None = None,
        lost: float = 0.0,
        layers: list[tuple[str, float]] = LAYERS,
    ) -> str:
        chosen = self.selector.choose(
            layers,
            sent=self.seen[-1] if self.sent is None and self.seen else self.sent,
            estimate=estimate,
            lost=lost,
            now=self.now,
        )
        self.now += 1
        self.seen.append(chosen)
        return chosen


@dataclass
class Network:
    """A viewer's network, and the estimate of a browser behind it.

    The estimate grows by 8 % a second, to one and a half of what comes and no further,
    and falls to 85 % of what gets through when more is sent than fits.
    """

    capacity: float
    estimate: float = 300e3

    def takes(self, bitrate: float) -> float:
        received = min(bitrate, self.capacity)
        if bitrate > self.capacity:
            self.estimate = 0.85 * received
        else:
            self.estimate = min(1.08 * self.estimate, 1.5 * received + 10e3)
        return self.estimate


def watch(viewer: Viewer, network: Network, seconds: int) -> list[str]:
    for _ in range(seconds):
        current = viewer.seen[-1] if viewer.seen else "q"
        viewer.asks(network.takes(dict(LAYERS)[current]))
    return viewer.seen[-seconds:]


def test_the_largest_until_the_viewer_says_otherwise() -> None:
    assert Viewer().asks() == "f"


@pytest.mark.parametrize(
    ("estimate", "chosen"),
    [(10e6, "f"), (2500e3, "f"), (2e6, "h"), (499e3, "q"), (10e3, "q")],
)
def test_the_largest_that_fits(estimate: float, chosen: str) -> None:
    assert Viewer().asks(estimate) == chosen


def test_down_at_once_as_far_as_it_takes() -> None:
    viewer = Viewer()
    assert viewer.asks(5e6) == "f"
    assert viewer.asks(300e3) == "q"


def test_a_little_too_low_is_no_reason() -> None:
    """The first estimate is what has just come; bitrates vary."""
    viewer = Viewer()
    viewer.asks()
    assert viewer.asks(0.9 * 2500e3) == "f"
    assert viewer.asks(0.84 * 2500e3) == "h"


def test_down_for_losses() -> None:
    viewer = Viewer()
    for _ in range(5):
        viewer.asks()
    assert viewer.asks(lost=0.09) == "f"
    assert viewer.asks(lost=0.2) == "h"


def test_losses_of_the_layer_before_do_not_count() -> None:
    """They are reported for a while after the change."""
    viewer = Viewer()
    for _ in range(5):
        viewer.asks()
    seen = [viewer.asks(lost=0.5) for _ in range(int(LOSS_DELAY) + 1)]
    assert seen == ["h"] * int(LOSS_DELAY) + ["q"]


def test_nothing_is_decided_before_a_change_takes_effect() -> None:
    viewer = Viewer()
    viewer.asks(5e6)
    viewer.sent = "f"
    assert viewer.asks(600e3) == "h"
    # It is not forwarded yet: estimate and loss are those of the other layer.
    for _ in range(10):
        assert viewer.asks(200e3, lost=0.9) == "h"
    viewer.sent = None
    assert viewer.asks(600e3, lost=0.9) == "h"
    assert viewer.asks(200e3) == "q"


def test_going_down_twice_is_one_failure() -> None:
    """So the next trial comes no later than after going down once."""
    viewer = Viewer()
    viewer.asks(5e6)
    assert viewer.asks(600e3) == "h"
    assert viewer.asks(160e3) == "q"
    began = viewer.now
    while viewer.asks(200e3) == "q":
        pass
    assert viewer.now - began == pytest.approx(2 * MIN_PAUSE, abs=1)


def test_up_by_a_trial_that_the_estimate_follows() -> None:
    network = Network(capacity=20e6)
    seen = watch(Viewer(), network, 60)
    assert seen[0] == "q"
    # Never back, and never over a layer.
    assert seen == sorted(seen, key=["q", "h", "f"].index)
    assert set(seen) == {"q", "h", "f"}
    assert seen[40] == "f"


def test_a_network_that_carries_no_more_is_left_alone() -> None:
    """Trials fail, and are made less and less often."""
    network = Network(capacity=800e3)
    seen = watch(Viewer(), network, 600)
    assert seen.count("f") < 30
    ups = [n for n in range(1, 600) if seen[n - 1] == "h" and seen[n] == "f"]
    pauses = [b - a for a, b in pairwise(ups)]
    # The first one was to 'h', and has succeeded.
    assert pauses[1:] == sorted(pauses[1:])
    assert MAX_PAUSE / 2 < pauses[-1] <= MAX_PAUSE + 30
    assert seen.count("h") > 500


def test_a_network_that_recovers_is_used_again() -> None:
    viewer, network = Viewer(), Network(capacity=800e3)
    watch(viewer, network, 120)
    network.capacity = 20e6
    assert "f" in watch(viewer, network, int(MAX_PAUSE) + 30)[-5:]


def test_no_trial_where_the_estimate_has_not_grown() -> None:
    viewer = Viewer()
    viewer.asks(200e3)
    for _ in range(100):
        assert viewer.asks(150e3) == "q"


def test_no_trial_with_losses() -> None:
    viewer = Viewer()
    viewer.asks(200e3)
    for _ in range(100):
        assert viewer.asks(225e3, lost=0.05) == "q"
    assert viewer.asks(225e3) == "h"


def test_a_trial_that_comes_to_nothing_ends() -> None:
    viewer = Viewer()
    viewer.asks(200e3)
    while viewer.asks(235e3) == "q":
        pass
    began = viewer.now
    while viewer.asks(235e3) == "h":
        pass
    assert viewer.now - began == pytest.approx(GROWTH_TIME, abs=2)


def test_a_trial_ends_as_soon_as_the_estimate_falls() -> None:
    viewer = Viewer()
    viewer.asks(200e3)
    while viewer.asks(235e3) == "q":
        pass
    assert viewer.asks(300e3) == "h"
    assert viewer.asks(290e3) == "h"
    assert viewer.asks(270e3) == "q"


def test_without_estimates_losses_decide() -> None:
    viewer = Viewer()
    for _ in range(int(LOSS_DELAY)):
        viewer.asks()
    viewer.asks(lost=0.5)
    assert viewer.asks() == "h"
    for _ in range(int(MIN_PAUSE + SETTLING_TIME) + 2):
        viewer.asks()
    assert viewer.seen[-1] == "f"
    # It has settled: another loss is another matter.
    viewer.now += 60
    assert viewer.asks(lost=0.5) == "h"
    for _ in range(int(MIN_PAUSE) + 1):
        viewer.asks()
    assert viewer.seen[-1] == "f"


def test_layers_come_and_go() -> None:
    viewer = Viewer()
    assert viewer.asks(5e6) == "f"
    assert viewer.asks(5e6, layers=LAYERS[:2]) == "h"
    # Back: by a trial, for it may have gone because of the publisher's network.
    for _ in range(int(MIN_PAUSE) + 2):
        viewer.asks(5e6)
    assert viewer.seen[-1] == "f"


def test_what_the_viewer_has_asked_for_is_tried_when_it_asks_no_more() -> None:
    """The estimate may be that of a smaller layer still."""
    viewer = Viewer()
    viewer.asks(150e3)
    for _ in range(3):
        assert viewer.asks(120e3, layers=LAYERS[1:2]) == "h"
    for estimate in (130e3, 140e3, 150e3):
        assert viewer.asks(estimate) == "h"
    for _ in range(int(GROWTH_TIME)):
        assert viewer.asks(150e3) == "h"
    assert viewer.asks(150e3) == "q"


def test_before_the_bitrates_are_known() -> None:
    unknown = [(name, 0.0) for name, _ in LAYERS]
    assert Viewer().asks(layers=unknown) == "f"
    assert Viewer().asks(1e6, layers=unknown) == "f"
