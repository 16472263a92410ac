"""Maps the RTP timestamps of several sources to one timeline."""

from dataclasses import dataclass

# Seconds: if the timestamps step by so much more than the time of arrival, the source
# has restarted its timestamps.
MAX_STEP = 5.0
# Seconds by which sender reports may correct the position estimated from the arrival; a
# larger correction means that the sender has a separate clock for each source.
MAX_CORRECTION = 3.0
# Seconds: smaller corrections are not made, so that the distances of frames are kept.
TOLERANCE = 0.005

# The shortest time between frames, in seconds: Matroska counts milliseconds.
MIN_STEP = 0.001


@dataclass(slots=True)
class Timeline:
    """The timeline of a recording, in seconds from its beginning.

    Audio is never moved, because that would be audible; video is moved to match it.

    Attributes:
        start: the beginning, in the clock of arrival times.
        reference: a moment in the sender's NTP time and on this timeline, in seconds;
            None before a sender report on the audio.
    """

    start: float
    reference: tuple[float, float] | None = None


class TrackClock:
    """Places the frames of one track, from changing sources, on the timeline.

    Args:
        timeline: the timeline of all tracks.
        rate: the RTP clock rate of the track, in Hz.
        is_reference: whether other tracks are moved to match this one.
    """

    def __init__(self, timeline: Timeline, rate: int, *, is_reference: bool) -> None:
        self.rate = rate
        self._timeline = timeline
        self._is_reference = is_reference
        self._timestamp: int | None = None
        self._arrival = 0.0
        # Ticks since the source began; the shift to the timeline; the last position.
        self._elapsed = 0
        self._shift = 0
        self._position: int | None = None
        # The first position: nothing is shown before it.
        self._first = 0

    def restart(self) -> None:
        """Start another source, with unrelated timestamps."""
        self._timestamp = None

    def place(
        self, timestamp: int, now: float, sender_clock: tuple[int, int] | None = None
    ) -> int:
        """Place a frame on the timeline.

        Args:
            timestamp: its RTP timestamp.
            now: its time of arrival.
            sender_clock: the NTP and RTP timestamps of the source's last sender report
                (RFC 3550 section 6.4.1); None without one.

        Returns:
            Its position in ticks. Frames whose timestamps increase have increasing
            positions; a frame with an earlier timestamp than the one before (a B-frame)
            keeps its distance from it.
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
        if self._position is None:
            self._first = position
        elif step < 0 and self._position + step > self._first:
            position = self._position + step
        else:
            # After late frames, playback catches up at twice the speed at most.
            least = max(step // 2, round(MIN_STEP * self.rate))
            position = max(position, self._position + least)
        self._position = position
        return position

    def _synchronize(self, timestamp: int, ntp: int, rtp: int) -> None:
        """Apply the NTP and RTP timestamps of a sender report."""
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
    """Ticks from ``before`` to ``timestamp``, across a wrap (RFC 3550 section 5.1)."""
    return ((timestamp - before + 0x80000000) & 0xFFFFFFFF) - 0x80000000
