"""What the arrival of frames says about when they were taken."""

from dataclasses import dataclass, field

# Seconds after which the least delay in them replaces a smaller one of before; and the
# greatest one, a greater.
WINDOW = 2.0

# Seconds by which a frame is later than is usual that may come after a stall. If a
# later one is on time again, they were delayed.
LATE = 0.04
ON_TIME = 0.02
# Seconds: the most that is usual, however the packets come.
MAX_USUAL = 0.2

# Seconds since a frame was less late than those before it, by so much, after which late
# frames were taken after a stall; where reports are trusted, the next one usually tells
# sooner. While each is less late, they were held up, and come quickly now; but not for
# longer than so many seconds: what waits is in memory.
MAX_DECISION = 2.0
DECISION = 0.5
LESS_LATE = 0.02
MAX_CATCH_UP = 10.0


class Arrivals:
    """The arrival of the frames of one source.

    A frame comes late by a delay that varies. The least delay is what counts: the
    moment at which RTP time 0 would have come, by the frames that came soonest.

    Attributes:
        begin: that moment, in seconds.
        is_settled: whether there were enough frames to know it well.
    """

    def __init__(self) -> None:
        self.begin = 0.0
        self.is_settled = False
        # The soonest frame in this window, and the beginning of the window.
        self._soonest = 0.0
        self._since = 0.0
        # The greatest delays, in the window before and in this one.
        self._delays = (0.0, 0.0)

    @property
    def usual_delay(self) -> float:
        """The greatest delay beyond the least one that was seen lately, in seconds."""
        return max(self._delays)

    def add(self, begin: float, now: float) -> None:
        """Add a frame.

        Args:
            begin: when RTP time 0 would have come, by this frame.
            now: its time of arrival.
        """
        self._soonest = min(self._soonest, begin)
        if begin < self.begin:
            self.begin = begin
        elif now - self._since >= WINDOW:
            self.begin = self._soonest
            self._soonest, self._since = begin, now
            self._delays = self._delays[1], 0.0
            self.is_settled = True
        self.note_delay(begin - self.begin)

    def note_delay(self, delay: float) -> None:
        """Note how much later a frame came than the soonest."""
        before, delays = self._delays
        self._delays = before, max(delays, min(delay, MAX_USUAL))

    def jump(self, begin: float, now: float) -> None:
        """Begin anew: the source's clock has jumped."""
        self.begin = self._soonest = begin
        self._since = now
        self.is_settled = False


@dataclass(slots=True)
class Placement:
    """The place of a frame.

    Attributes:
        ticks: its RTP timestamp, without wraps.
        step: ticks since the frame before; 0 if the source is new.
        position: its position on the timeline, in ticks; None until it is decided.
    """

    ticks: int
    step: int
    position: int | None = None


@dataclass(slots=True)
class LateFrames:
    """Late frames of which it is not known yet whether they were delayed.

    Attributes:
        since: when the first of them came.
        least: when RTP time 0 would have come, by the one that was least late.
        most: the same, by the one that was most late.
        frames: their places.
    """

    since: float
    least: float
    most: float
    frames: list[Placement] = field(default_factory=list)
    _improved: float = field(init=False)
    _improved_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._improved, self._improved_at = self.least, self.since

    def add(self, placement: Placement, begin: float, now: float) -> None:
        """Add a frame (see ``Arrivals.add``)."""
        self.frames.append(placement)
        self.least = min(self.least, begin)
        self.most = max(self.most, begin)
        if begin < self._improved - LESS_LATE:
            self._improved, self._improved_at = begin, now

    def is_stall(self, now: float, *, has_reports: bool) -> bool:
        """Whether they have been late for so long that they were taken later."""
        if now - self.since >= MAX_CATCH_UP:
            return True
        patience = MAX_DECISION if has_reports else DECISION
        return now - self._improved_at >= patience
