"""Maps the RTP timestamps of several sources to one timeline.

Two things tell when a frame was taken: its arrival, which is late by a delay that
varies, and sender reports (``rtp.source_clock``), which are exact but rare. A source
that stalls may go on without a gap in its timestamps. At first that looks as if its
packets were late, so its frames wait until a report or later frames tell which it is.
"""

from dataclasses import dataclass

from ..rtp.source_clock import Anchor, difference
from .arrivals import LATE, MAX_USUAL, ON_TIME, Arrivals, LateFrames, Placement

# Seconds: if the timestamps step by so much less or more than the time of arrival, or
# if a frame comes so much too soon, the source has restarted its timestamps.
MAX_STEP = 60.0
MAX_LEAP = 0.5

# Seconds by which a track must be out of place to be moved: by reports, video and
# audio; by arrival, either.
TOLERANCE = 0.005
MIN_PAUSE = 0.04
ARRIVAL_TOLERANCE = 0.1
# Seconds by which the arrival of what leads may change for nothing.
ARRIVAL_NOISE = 0.05
# Seconds for which video must be out of place by arrival to be moved.
PATIENCE = 2.0

# The shortest time between frames, in seconds: Matroska counts milliseconds.
MIN_STEP = 0.001


@dataclass(slots=True)
class Timeline:
    """The timeline of a recording, in seconds from its beginning.

    Audio is the reference. It is moved only to show a pause, because anything else
    would be audible. Video is moved to match it, and leads when there is no audio.

    Attributes:
        by_arrival: seconds to add to a time of arrival.
        by_report: seconds to add to a moment by sender reports; None while those on
            the audio are not trusted.
        has_reference: whether there is audio.
    """

    by_arrival: float
    by_report: float | None = None
    has_reference: bool = False


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
        # The last frame: its timestamp, its arrival, and its ticks.
        self._timestamp: int | None = None
        self._arrival = 0.0
        self._ticks = 0
        # The moment of tick 0, by arrival; by the last report; and by arrival when
        # that report was taken over.
        self._arrivals = Arrivals()
        self._anchor: Anchor | None = None
        self._reported = 0.0
        self._arrived_then = 0.0
        # Reports that came until then say nothing new.
        self._stale_until = float("-inf")
        self._late: LateFrames | None = None
        # Tick 0 on the timeline, in seconds; None for a new source.
        self._shift: float | None = None
        self._has_jumped = False
        self._misplaced_since = 0.0
        self._position: int | None = None
        # The first position: nothing is shown before it.
        self._first = 0

    def restart(self) -> None:
        """Start another source, with unrelated timestamps."""
        self._decide()
        self._timestamp = self._anchor = None
        self._stale_until = float("-inf")

    def place(
        self, timestamp: int, now: float, anchor: Anchor | None = None
    ) -> Placement:
        """Place a frame on the timeline.

        Args:
            timestamp: its RTP timestamp.
            now: its time of arrival.
            anchor: a moment in the clock of the source (``Reception.anchor``).

        Returns:
            Its place. The position is decided at once, or when later frames are placed,
            or by ``settle``. Frames whose timestamps increase have increasing
            positions; a frame with an earlier timestamp than the one before (a B-frame)
            keeps its distance from it.
        """
        arrivals, step = self._arrivals, 0
        if self._timestamp is not None:
            step = difference(timestamp, self._timestamp)
        gap = now - self._arrival - step / self.rate
        self._ticks += step
        begin = now - self._ticks / self.rate
        is_new = self._timestamp is None or abs(gap) > MAX_STEP
        # What comes first may have been late, but not after a while.
        if is_new or (arrivals.is_settled and begin < arrivals.begin - MAX_LEAP):
            self._decide()
            if self._timestamp is not None:
                self._stale_until = max(self._stale_until, self._arrival)
            self._jump(begin, now)
            self._shift, step = None, 0
        self._timestamp, self._arrival = timestamp, now
        placement = Placement(self._ticks, step)
        is_late = min(gap, begin - arrivals.begin) > LATE + arrivals.usual_delay
        if self._late is not None and is_late:
            # Those before it came after a gap of their own.
            self._part(self._late)
        if self._late is not None or is_late:
            self._wait(placement, anchor, begin, now)
        else:
            arrivals.add(begin, now)
            self._adopt(anchor, begin)
            self._synchronize()
            self._assign(placement)
        return placement

    def settle(self, now: float) -> None:
        """Decide about frames that have waited too long for later ones."""
        if self._late is not None and self._late.is_stall(now, has_reports=True):
            self._decide()

    # By arrival

    def _wait(
        self, placement: Placement, anchor: Anchor | None, begin: float, now: float
    ) -> None:
        """Keep a late frame until it is known whether it was delayed."""
        if self._late is None:
            self._late = LateFrames(now, begin, begin)
        late, arrivals = self._late, self._arrivals
        late.add(placement, begin, now)
        if self._adopt(anchor, begin):
            self._release()
        elif begin - arrivals.begin <= ON_TIME + arrivals.usual_delay:
            arrivals.note_delay(late.most - arrivals.begin)
            self._release()
        elif late.is_stall(now, has_reports=self._anchor is not None):
            self._decide()

    def _part(self, late: LateFrames) -> None:
        """Decide about the frames that wait, before others do."""
        if late.least - self._arrivals.begin > MAX_USUAL:
            self._decide()
        else:
            self._release()

    def _decide(self) -> None:
        """Decide that the frames that wait were taken after a stall."""
        if self._late is not None:
            self._stale_until = max(self._stale_until, self._late.since)
            self._jump(self._late.least, self._arrival)
            self._release()

    def _release(self) -> None:
        """Place the frames that wait."""
        late, self._late = self._late, None
        self._synchronize()
        if late is not None:
            for placement in late.frames:
                self._assign(placement)

    def _jump(self, begin: float, now: float) -> None:
        """Note that the source's clock has jumped."""
        jump = begin - self._arrivals.begin
        self._reported += jump
        self._arrived_then += jump
        self._arrivals.jump(begin, now)
        self._has_jumped = True

    # By report

    def _adopt(self, anchor: Anchor | None, begin: float) -> bool:
        """Take over the last trusted report.

        Args:
            anchor: what it says.
            begin: the moment of tick 0 by the arrival of the newest frame.

        Returns:
            Whether it tells where the frames that wait belong.
        """
        if anchor is None or self._timestamp is None:
            self._anchor = None
            return False
        if anchor.reported <= self._stale_until:
            return False
        late, arrivals = self._late, self._arrivals
        ticks = self._ticks + difference(anchor.timestamp, self._timestamp)
        reported = anchor.sent - ticks / self.rate
        is_later = late is not None and anchor.reported > late.since
        if self._anchor is None or self._anchor.epoch != anchor.epoch:
            if late is not None:
                return False
        elif (pause := reported - self._reported) > MIN_PAUSE:
            if begin - self._arrived_then < pause / 2:
                # This frame was taken before the pause.
                return False
            self._jump(max(arrivals.begin, self._arrived_then + pause), self._arrival)
        elif late is not None and not is_later:
            return False
        self._anchor, self._reported = anchor, reported
        self._stale_until = anchor.reported
        self._arrived_then = arrivals.begin
        # A report from within a pause does not tell its end.
        is_on_time = begin - arrivals.begin <= LATE + arrivals.usual_delay
        return is_later or is_on_time

    def _synchronize(self) -> None:
        """Move the track, if it is out of place."""
        timeline = self._timeline
        leads = self._is_reference or not timeline.has_reference
        if self._anchor is None or timeline.by_report is None:
            place = self._arrivals.begin + timeline.by_arrival
            is_urgent, tolerance = leads or self._has_jumped, ARRIVAL_TOLERANCE
        else:
            place = self._reported + timeline.by_report
            is_urgent, tolerance = True, MIN_PAUSE if leads else TOLERANCE
        self._has_jumped = False
        error = 0.0 if self._shift is None else place - self._shift
        if abs(error) <= tolerance:
            self._misplaced_since = self._arrival
        is_due = is_urgent or self._arrival - self._misplaced_since >= PATIENCE
        # What leads is not moved back.
        is_movable = error > tolerance or (error < -tolerance and not leads)
        if self._shift is None or (is_movable and is_due):
            self._shift = place
        by_arrival = self._shift - self._arrivals.begin
        if leads and abs(by_arrival - timeline.by_arrival) > ARRIVAL_NOISE:
            timeline.by_arrival = by_arrival
        if self._is_reference:
            timeline.has_reference = True
            timeline.by_report = (
                None if self._anchor is None else self._shift - self._reported
            )

    def _assign(self, placement: Placement) -> None:
        """Decide the position of a frame."""
        assert self._shift is not None
        position = placement.ticks + round(self._shift * self.rate)
        if self._position is None:
            self._first = position
        elif placement.step < 0 and self._position + placement.step > self._first:
            position = self._position + placement.step
        else:
            # After late frames, playback catches up at twice the speed at most.
            least = max(placement.step // 2, round(MIN_STEP * self.rate))
            position = max(position, self._position + least)
        self._position = placement.position = position
