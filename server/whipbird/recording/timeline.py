"""When frames are shown: RTP timestamps of several sources, on one time line."""

from dataclasses import dataclass

# Seconds by which a source's timestamps may differ from its arrival in one step; else
# it counts from somewhere else now.
MAX_STEP = 5.0
# Seconds by which sender reports may correct what was guessed from the arrival; who
# says more has another clock for each source.
MAX_CORRECTION = 3.0
# Seconds: nobody sees less, and the frames keep their distances.
TOLERANCE = 0.005

# Seconds from one frame to the next, at least: Matroska counts milliseconds.
MIN_STEP = 0.001


@dataclass(slots=True)
class Timeline:
    """The time of a recording: seconds since it has begun, by the sound's clock.

    Sound is never moved, because that is heard; pictures are moved to it.

    Attributes:
        start: when it has begun, by the clock of arrivals.
        reference: one moment in the sender's NTP time and on this line, in seconds;
            None while the sender of the sound has not reported.
    """

    start: float
    reference: tuple[float, float] | None = None


class TrackClock:
    """Places the frames of one track, whichever sources it has one after another.

    Args:
        timeline: that of all tracks.
        rate: ticks of its timestamps per second.
        is_reference: whether the others are moved to it.
    """

    def __init__(self, timeline: Timeline, rate: int, *, is_reference: bool) -> None:
        self.rate = rate
        self._timeline = timeline
        self._is_reference = is_reference
        self._timestamp: int | None = None
        self._arrival = 0.0
        # Since the source began; what is to be added for the time line; what was told.
        self._elapsed = 0
        self._shift = 0
        self._position: int | None = None

    def restart(self) -> None:
        """Another source begins: its timestamps have nothing to do with the last."""
        self._timestamp = None

    def place(
        self, timestamp: int, now: float, sender_clock: tuple[int, int] | None = None
    ) -> int:
        """When a frame is shown.

        Args:
            timestamp: its RTP timestamp.
            now: when it came.
            sender_clock: one moment in the source's NTP time and its RTP time (RFC 3550
                section 6.4.1), if it has reported.

        Returns:
            Ticks since the beginning, more than for the frame before.
        """
        step = 0
        if self._timestamp is not None:
            step = _difference(timestamp, self._timestamp)
        is_lost = abs(step / self.rate - (now - self._arrival)) > MAX_STEP
        if self._timestamp is None or is_lost:
            self._elapsed = step = 0
            self._shift = round((now - self._timeline.start) * self.rate)
        else:
            self._elapsed += step
        self._timestamp, self._arrival = timestamp, now
        if sender_clock is not None:
            self._synchronize(timestamp, *sender_clock)
        position = self._elapsed + self._shift
        if self._position is not None:
            # Pictures that were late are caught up with at twice their speed at most.
            least = max(step // 2, round(MIN_STEP * self.rate))
            position = max(position, self._position + least)
        self._position = position
        return position

    def _synchronize(self, timestamp: int, ntp: int, rtp: int) -> None:
        """Use what a sender report says: a moment in NTP and in RTP time."""
        reported = self._elapsed + _difference(rtp, timestamp)
        sent = ntp / (1 << 32)
        if self._is_reference:
            self._timeline.reference = sent, (reported + self._shift) / self.rate
        elif self._timeline.reference is not None:
            reference_sent, reference_time = self._timeline.reference
            time = reference_time + sent - reference_sent
            shift = round(time * self.rate) - reported
            correction = abs(shift - self._shift) / self.rate
            if TOLERANCE < correction < MAX_CORRECTION:
                self._shift = shift


def _difference(timestamp: int, before: int) -> int:
    """Ticks from one timestamp to another, over wraps (RFC 3550 section 5.1)."""
    return ((timestamp - before + 0x80000000) & 0xFFFFFFFF) - 0x80000000
