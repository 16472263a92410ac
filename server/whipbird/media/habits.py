"""What the sender of an encoding does that viewers may notice, by its packets alone."""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean
from typing import NamedTuple

from ..rtp.reception import Reception
from ..rtp.source_clock import difference

# Seconds that shares are of: so many measurements, one a second.
WINDOW = 10

# Frames whose order and rhythm are looked at, at most and at least.
FRAMES = 64
MIN_FRAMES = 16
# Seconds between two frames that are a pause.
MAX_STEP = 2.0

# Octets: an Opus packet of 20 ms that is no longer has no sound in it.
SILENT_OPUS = 8
# RFC 6464 section 3: the level of digital silence, in -dBov.
SILENT_LEVEL = 127

# Seconds: a key frame that comes so soon after a request answers it.
ANSWER_TIME = 1.5
# Requests without an answer that show that there is none.
MIN_UNANSWERED = 2


class _Measurement(NamedTuple):
    """Counts at a moment."""

    expected: int
    missing: int
    given_up: int


_NOTHING = _Measurement(0, 0, 0)


@dataclass(frozen=True, slots=True)
class HabitStats:
    """What a sender does, at a moment.

    Attributes:
        missing: the part of the packets of the last seconds that did not come at first.
        lost: the part of them that never came.
        reordered: the part of the frames that are to be shown before the frame that
            was sent before them: B-frames.
        unevenness: by how much the time between two frames differs from its mean, as a
            part of the mean; None before it is known.
        completed: key frames that lacked their parameter sets.
        answers: whether requests for key frames are answered; None if it is not known.
        key_frame_age: seconds since the last key frame; None before the first one.
        silence: seconds since the last packet.
        quiet: audio: seconds for which its packets have had no sound in them.
        delay: seconds from a moment by the sender's clock to the arrival of its
            packets, of which only the difference between tracks has a meaning; None
            if no sender report is trusted.
    """

    missing: float = 0.0
    lost: float = 0.0
    reordered: float = 0.0
    unevenness: float | None = None
    completed: int = 0
    answers: bool | None = None
    key_frame_age: float | None = None
    silence: float = 0.0
    quiet: float = 0.0
    delay: float | None = None


class Habits:
    """Notes what the sender of an encoding does.

    Args:
        now: the time, in seconds of the caller's clock.

    Attributes:
        frame: called with the timestamp of each frame of video, in ticks, 32 bits.
        level_due: when the level of the sound is to be noted next.
    """

    __slots__ = (
        "_answered",
        "_key_frame_at",
        "_loud_at",
        "_measurements",
        "_reception",
        "_requested_at",
        "_timestamps",
        "_unanswered",
        "frame",
        "level_due",
    )

    def __init__(self, now: float) -> None:
        self.level_due = now
        # It runs for each frame: what is made of it waits until somebody asks.
        self._timestamps: deque[int] = deque(maxlen=FRAMES)
        self.frame = self._timestamps.append
        self._loud_at = now
        self._key_frame_at: float | None = None
        self._requested_at: float | None = None
        # Requests for key frames.
        self._answered = self._unanswered = 0
        self._reception: Reception | None = None
        self._measurements: deque[_Measurement] = deque(maxlen=WINDOW + 1)

    def key_frame(self, now: float) -> None:
        """Note a key frame."""
        if self._requested_at is not None and self._key_frame_at is not None:
            self._settle(now)
        self._requested_at = None
        self._key_frame_at = now

    def requested(self, now: float, last_packet_at: float) -> None:
        """Note that a key frame was requested.

        Args:
            last_packet_at: when the last packet came: a sender that is paused, or cut
                off, has not refused.
        """
        if now - last_packet_at > ANSWER_TIME:
            self._requested_at = None
        elif self._requested_at is None:
            self._requested_at = now
        elif now - self._requested_at > ANSWER_TIME:
            if self._key_frame_at is not None:
                self._settle(now)
            self._requested_at = now

    def _settle(self, now: float) -> None:
        """Count the last request as answered, or not."""
        assert self._requested_at is not None
        if now - self._requested_at <= ANSWER_TIME:
            self._answered += 1
        else:
            self._unanswered += 1

    def sound(self, octets: int, level: int | None, now: float) -> None:
        """Note a packet of Opus, from ``level_due`` on each until one has sound.

        Args:
            octets: the length of its payload.
            level: the level in its header extension (RFC 6464); None without one.
        """
        if octets > SILENT_OPUS if level is None else level != SILENT_LEVEL:
            self._loud_at = now
            self.level_due = now + 1.0

    def restart(self) -> None:
        """Begin anew with another codec or source."""
        self._timestamps.clear()
        self._measurements.clear()

    def measure(self, reception: Reception) -> None:
        """Note the counts of a second."""
        if reception is not self._reception:
            self._reception = reception
            self._measurements.clear()
        missing = reception.missing
        counts = _Measurement(reception.expected, missing.found, missing.given_up)
        self._measurements.append(counts)

    @property
    def _answers(self) -> bool | None:
        if self._answered >= max(self._unanswered, 1):
            return True
        # One may be late on a busy machine.
        return False if self._unanswered >= MIN_UNANSWERED else None

    def _rhythm(self, clock_rate: int) -> tuple[float, float | None]:
        """The part of the frames that are reordered, and the unevenness."""
        timestamps = self._timestamps
        if len(timestamps) < MIN_FRAMES:
            return 0.0, None
        steps = [difference(after, before) for before, after in pairwise(timestamps)]
        forward = [step for step in steps if 0 <= step < MAX_STEP * clock_rate]
        middle = mean(forward) if forward else 0.0
        unevenness = None
        if middle:
            unevenness = mean(abs(step - middle) for step in forward) / middle
        return sum(step < 0 for step in steps) / len(steps), unevenness

    def stats(
        self,
        now: float,
        last_packet_at: float,
        clock_rate: int,
        completed: int,
        delay: float | None,
    ) -> HabitStats:
        """A snapshot."""
        first = last = _NOTHING
        if self._measurements:
            first, last = self._measurements[0], self._measurements[-1]
        expected = max(last.expected - first.expected, 1)
        reordered, unevenness = self._rhythm(clock_rate)
        key_frame_at = self._key_frame_at
        return HabitStats(
            missing=(last.missing - first.missing) / expected,
            lost=(last.given_up - first.given_up) / expected,
            reordered=reordered,
            unevenness=unevenness,
            completed=completed,
            answers=self._answers,
            key_frame_age=None if key_frame_at is None else now - key_frame_at,
            silence=now - last_packet_at,
            quiet=last_packet_at - self._loud_at,
            delay=delay,
        )
