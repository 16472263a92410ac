"""How long the steps of a session's setup take."""

import pytest

from whipbird.sessions.setup import Setup, SetupStep, SetupTimes

POST, ICE, DTLS = SetupStep.POST, SetupStep.ICE, SetupStep.DTLS
CHANNEL, MEDIA = SetupStep.CHANNEL, SetupStep.MEDIA


class Watch:
    """A clock of the test in place of the system's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("whipbird.sessions.setup.time.monotonic", lambda: self.now)

    def passed(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


def test_each_step_begins_where_the_last_has_ended(watch: Watch) -> None:
    noted: list[tuple[SetupStep, float]] = []
    setup = Setup(lambda step, seconds: noted.append((step, seconds)))
    for step, seconds in ((POST, 1), (ICE, 2), (DTLS, 4), (CHANNEL, 8)):
        watch.passed(seconds)
        setup.reached(step)
    # It follows DTLS too.
    watch.passed(1)
    setup.reached(MEDIA)
    assert noted == [(POST, 1), (ICE, 2), (DTLS, 4), (CHANNEL, 8), (MEDIA, 9)]
    assert setup.seconds == dict(noted)


def test_only_the_first_time_counts(watch: Watch) -> None:
    """ICE may be completed again, after a restart."""
    times = SetupTimes()
    setup = Setup(times.observe)
    for step in (POST, ICE, DTLS, ICE, POST, MEDIA, MEDIA):
        watch.passed(1)
        setup.reached(step)
    assert setup.seconds == {POST: 1, ICE: 1, DTLS: 1, MEDIA: 3}
    assert sum(times.stats[ICE].counts) == sum(times.stats[MEDIA].counts) == 1


def test_a_step_that_nobody_noted_took_no_time(watch: Watch) -> None:
    setup = Setup(lambda _step, _seconds: None)
    watch.passed(1)
    setup.reached(POST)
    watch.passed(2)
    setup.reached(DTLS)
    watch.passed(1)
    setup.reached(ICE)
    assert setup.seconds == {POST: 1, ICE: 0, DTLS: 2}


def test_all_steps_are_there_before_the_first_session() -> None:
    stats = SetupTimes().stats
    assert set(stats) == set(SetupStep)
    assert all(not sum(histogram.counts) for histogram in stats.values())
