"""Which sender reports are trusted."""

from collections.abc import Callable
from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whipbird.rtp.source_clock import SourceClock, share_offset

NTP = 3_900_000_000.0
NTP_OF_1970 = 2_208_988_800.0
# The receiver's clock is so far from the sender's.
OFFSET = -NTP + 5000.0
RATE = 90000
FIRST = 2**32 - 150_000

Report = Callable[[float], tuple[float, float]]


class Sender:
    """A source that sends 50 frames per second, and their reports.

    Attributes:
        now: seconds since it began.
        stalled: seconds for which its RTP clock stood still.
    """

    def __init__(self, rate: int = RATE, latency: float = 0.02) -> None:
        self.clock = SourceClock(rate)
        self.now = 0.0
        self.stalled = 0.0
        self._rate = rate
        self._latency = latency
        self._last: tuple[int, float] | None = None

    def ticks(self, seconds: float) -> int:
        return round(FIRST + seconds * self._rate) & 0xFFFFFFFF

    @property
    def timestamp(self) -> int:
        """The RTP timestamp of now."""
        return self.ticks(self.now - self.stalled)

    def send(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now += 0.02
            self._last = self.timestamp, self.now + NTP + OFFSET + self._latency

    def stall(self, seconds: float) -> None:
        self.now += seconds
        self.stalled += seconds

    def say(self, ntp: float, timestamp: int, delay: float = 0.0) -> None:
        """A report comes."""
        assert self._last is not None
        arrival = self.now + NTP + OFFSET + delay
        self.clock.report(
            round(ntp * 2**32), timestamp & 0xFFFFFFFF, arrival, *self._last
        )
        share_offset([self.clock])

    def report(self, delay: float = 0.0) -> None:
        """A true report comes."""
        self.say(NTP + self.now, self.timestamp, delay)

    @property
    def error(self) -> float | None:
        """Seconds by which the clock is wrong about now; None without trust."""
        assert self._last is not None
        anchor = self.clock.anchor(*self._last)
        if anchor is None:
            return None
        ticks = (self.timestamp - anchor.timestamp + 2**31) % 2**32 - 2**31
        return anchor.sent + ticks / self._rate - NTP - self.now


def run(
    sender: Sender, say: Callable[[Sender], None], reports: int = 10
) -> list[float]:
    """Send for a second before each of some reports; the errors where trusted."""
    errors = []
    for _ in range(reports):
        sender.send(1.0)
        say(sender)
        sender.send(0.1)
        if sender.error is not None:
            errors.append(abs(sender.error))
    return errors


def test_the_first_report_is_trusted_at_once_and_timestamps_wrap() -> None:
    sender = Sender()
    sender.send(1.0)
    assert sender.error is None
    sender.report()
    assert sender.error == pytest.approx(0.0, abs=1e-3)
    assert max(run(sender, Sender.report)) < 1e-3


def test_the_moment_is_in_the_receivers_clock() -> None:
    sender = Sender()
    sender.send(1.0)
    sender.report(delay=0.05)
    anchor = sender.clock.anchor(sender.timestamp, 0.0)
    assert anchor is not None
    # As if the report had taken no time.
    assert anchor.moment == pytest.approx(sender.now + NTP + OFFSET + 0.05, abs=1e-3)
    assert anchor.reported == pytest.approx(anchor.moment, abs=1e-3)
    sender.send(1.0)
    sender.report()
    anchor = sender.clock.anchor(sender.timestamp, 0.0)
    assert anchor is not None
    assert anchor.moment == pytest.approx(sender.now + NTP + OFFSET, abs=1e-3)


def test_no_packet_no_comparison() -> None:
    """Without a report, and without packets after it, nothing is trusted."""
    assert SourceClock(RATE).anchor(0, 0.0) is None


@pytest.mark.parametrize("seconds", [0.03, 0.1, 0.5, 2.0, 4.0, 20.0, 60.0])
def test_a_stall_is_followed_at_the_first_report_after_it(seconds: float) -> None:
    sender = Sender()
    run(sender, Sender.report)
    sender.stall(seconds)
    sender.send(0.02)
    sender.report()
    assert sender.error == pytest.approx(0.0, abs=0.025)
    assert max(run(sender, Sender.report)) < 0.025


@pytest.mark.parametrize("seconds", [0.5, 4.0, 60.0])
def test_a_report_may_come_before_the_packets_that_confirm_it(seconds: float) -> None:
    sender = Sender()
    run(sender, Sender.report)
    sender.stall(seconds)
    sender.report()
    sender.send(0.02)
    assert sender.error == pytest.approx(0.0, abs=0.025)


@pytest.mark.parametrize("seconds", [0.5, 4.0, 60.0])
def test_reports_from_within_a_stall_are_not_believed(seconds: float) -> None:
    """They say when the clock stood still, and not when it went on."""
    sender = Sender()
    run(sender, Sender.report)
    for _ in range(4):
        sender.stall(seconds / 5)
        sender.report()
    sender.stall(seconds / 5)
    sender.send(1.0)
    # It still says what was true when the stall began.
    assert sender.error == pytest.approx(-seconds, abs=0.13)
    sender.report()
    assert sender.error == pytest.approx(0.0, abs=0.025)


@pytest.mark.parametrize("rate", [0.0, 1 / 90, 0.5, 48 / 90, 0.9, 0.98, 1.03, 1.5, 2.0])
@pytest.mark.parametrize("begins_right", [True, False])
def test_a_wrong_rate_does_not_move_the_clock(rate: float, begins_right: bool) -> None:
    sender = Sender()
    if begins_right:
        run(sender, Sender.report)
    began = sender.now

    def say(sender: Sender) -> None:
        sender.say(NTP + sender.now, sender.ticks(began + (sender.now - began) * rate))

    errors = run(sender, say, 30)
    assert max(errors, default=0.0) < (0.15 if begins_right else 1.1)
    assert sender.error is None
    # Once it says the truth twice, it is trusted again.
    run(sender, Sender.report, 2)
    assert sender.error == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("rate", [0.995, 0.999, 1.0019, 1.01])
def test_a_slightly_wrong_rate_does_little_in_the_long_run(rate: float) -> None:
    sender = Sender()

    def say(sender: Sender) -> None:
        sender.say(NTP + sender.now, sender.ticks(sender.now * rate))

    assert max(run(sender, say, 1000)) < 0.6


def test_a_clock_that_drifts_is_followed() -> None:
    """The RTP clock is 0.1 % too quick, and so are the timestamps of the packets."""
    sender = Sender()
    sender.clock = SourceClock(round(RATE * 0.999))
    assert len(run(sender, Sender.report, 300)) == 300
    anchor = sender.clock.anchor(sender.timestamp, 0.0)
    assert anchor is not None
    assert anchor.sent > NTP + sender.now - 2


@pytest.mark.parametrize("timestamp", [0xFFFFFFFF, 0, 2**31, 123_456_789])
def test_the_timestamp_of_something_else(timestamp: int) -> None:
    """OBS sent 0xFFFFFFFF before its first frame."""
    sender = Sender()
    sender.send(10.0)
    sender.say(NTP + sender.now, timestamp)
    sender.send(1.0)
    assert sender.error is None
    sender.report()
    assert sender.error == pytest.approx(0.0, abs=1e-3)
    sender.say(NTP + sender.now, timestamp)
    assert max(run(sender, Sender.report)) < 1e-3


def test_a_first_report_that_is_a_little_wrong_is_outvoted() -> None:
    sender = Sender()
    sender.send(1.0)
    sender.say(NTP + sender.now, sender.timestamp + 30_000)
    run(sender, Sender.report, 2)
    assert sender.error == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("ntp", [0.0, 1.0, NTP_OF_1970, NTP_OF_1970 + 0.5, NTP])
def test_a_clock_that_stands_still(ntp: float) -> None:
    sender = Sender()
    run(sender, lambda sender: sender.say(ntp, sender.timestamp))
    assert sender.error is None


def test_a_clock_that_was_never_set_but_runs() -> None:
    """It is as good as any other, once it is known to run (RFC 3550 section 6.4.1)."""
    sender = Sender()
    sender.send(1.0)
    sender.say(NTP_OF_1970 + sender.now, sender.timestamp)
    assert sender.error is None
    sender.send(1.0)
    sender.say(NTP_OF_1970 + sender.now, sender.timestamp)
    assert sender.error == pytest.approx(NTP_OF_1970 - NTP, abs=1e-3)


@pytest.mark.parametrize("step", [-1000.0, -1.0, 1.0, 1000.0])
def test_a_clock_that_was_set_is_trusted_at_its_second_report(step: float) -> None:
    sender = Sender()
    run(sender, Sender.report)
    sender.send(1.0)
    sender.say(NTP + step + sender.now, sender.timestamp)
    assert sender.error == pytest.approx(0.0, abs=1e-3)
    sender.send(1.0)
    sender.say(NTP + step + sender.now, sender.timestamp)
    assert sender.error == pytest.approx(step, abs=1e-3)
    before = sender.clock.anchor(sender.timestamp, 0.0)
    assert before is not None
    assert before.moment == pytest.approx(sender.now + NTP + OFFSET, abs=1e-3)


def test_reports_that_jump_about() -> None:
    sender = Sender()
    run(sender, Sender.report)
    count = 0

    def say(sender: Sender) -> None:
        nonlocal count
        count += 1
        sender.say(NTP + sender.now, sender.timestamp + (-1) ** count * count * 20_000)

    assert max(run(sender, say)) < 1e-3
    assert sender.error is None


def test_a_report_repeated_or_out_of_order_changes_nothing() -> None:
    sender = Sender()
    run(sender, Sender.report)
    ntp, timestamp = NTP + sender.now, sender.timestamp
    sender.say(ntp, timestamp)
    sender.send(0.1)
    sender.say(ntp, timestamp)
    sender.say(ntp - 1, timestamp - RATE)
    assert max(run(sender, Sender.report)) < 1e-3


@settings(deadline=None)
@given(
    reports=st.lists(
        st.tuples(
            st.sampled_from([0, 1, 2**64 - 1, round(NTP * 2**32)])
            | st.integers(0, 2**64 - 1),
            st.integers(0, 2**32 - 1),
            st.floats(0, 100),
            st.integers(0, 2**32 - 1),
            st.floats(0, 100),
        )
    )
)
def test_whatever_is_reported(
    reports: list[tuple[int, int, float, int, float]],
) -> None:
    one, other = SourceClock(RATE), SourceClock(48000)
    for index, (ntp, rtp, now, timestamp, arrival) in enumerate(reports):
        clock = one if index % 3 else other
        clock.report(ntp, rtp, now, timestamp, arrival)
        share_offset([one, other])
        anchor = clock.anchor(timestamp, arrival + 1)
        assert anchor is None or isfinite(anchor.moment)


class TestCommonClock:
    """Sources of one sender should have one NTP clock."""

    @staticmethod
    def offsets(
        difference: float, reports: int, delay: float = 0.0
    ) -> set[float | None]:
        audio, video = Sender(48000), Sender()
        for number in range(reports):
            audio.send(1.0)
            video.send(1.0)
            audio.report()
            video.say(
                NTP + difference + video.now, video.timestamp, delay * (number % 3)
            )
            share_offset([audio.clock, video.clock])
        return {audio.clock.offset, video.clock.offset}

    def test_one_clock(self) -> None:
        [offset] = self.offsets(0.0, 1)
        assert offset == pytest.approx(OFFSET, abs=1e-3)
        [offset] = self.offsets(0.0, 20, delay=0.2)
        assert offset == pytest.approx(OFFSET, abs=1e-3)

    @pytest.mark.parametrize("difference", [-29_630.0, -3.1, -1.2, 1.1, 2.5, 1e6])
    def test_two_clocks(self, difference: float) -> None:
        assert self.offsets(difference, 1) == {None}
        assert self.offsets(difference, 20) == {None}

    @pytest.mark.parametrize("difference", [-0.4, 0.2])
    def test_two_clocks_that_are_close(self, difference: float) -> None:
        assert self.offsets(difference, 3) == {None}

    def test_an_untrusted_source_is_not_asked(self) -> None:
        audio, silent = Sender(48000), SourceClock(RATE)
        audio.send(1.0)
        audio.report()
        share_offset([audio.clock, silent])
        assert silent.offset is not None
        assert audio.error == pytest.approx(0.0, abs=1e-3)
        share_offset([silent])
        assert silent.offset is None
