"""How the timestamps for viewers differ from a source's, so that players go on.

Frames may come seconds late from one to the next: their source was frozen, and goes on
with timestamps that do not show it; or something on their way has held them up, and
lets them through at once or by and by. Players take lateness for the jitter of the
network. Chromium leaves out pictures until it has learnt the delay, from 150 of them.
It buffers as much sound as was held up, for a long time, and then delays the pictures
for that.
"""

from collections import deque

from ..rtp.source_clock import difference

# Seconds by which a frame must be late, or too soon, for its timestamp to be moved:
# players smooth what is less.
LATE = 0.5
# Seconds after the last move in which timestamps are moved back while the source
# catches up.
CATCH_UP = 60.0
# Seconds by which what catches up is too soon when it is moved back: pictures, and
# sound. Sound is cut then, so it is done seldom.
EARLY_PICTURE, EARLY_SOUND = 0.02, 0.2
# The shortest time between frames that are moved back, in seconds.
MIN_STEP = 0.001
# Seconds after which the least delay in them replaces a smaller one of before.
WINDOW = 2.0
# Seconds after the frame that is shown last in which those that come are shown before
# it: pictures in decoding order. Later ones are of a clock that was set back.
REORDERED = 1.0
# Moves that are remembered for sender reports.
MAX_MOVES = 16


class ViewerClock:
    """Moves the timestamps of one encoding for its viewers.

    A frame that comes too late gets a timestamp for when it came, and those after it
    are moved by as much. If they come sooner than their timestamps say, they were held
    up: then the distance shrinks, but no frame gets a timestamp before the last one.
    So a pause is seen as one, and what was held up is played as it comes.

    Args:
        rate: the RTP clock rate, in Hz.
        is_video: whether the frames are pictures.

    Attributes:
        shift: ticks to be added to the timestamps of the source.
    """

    __slots__ = (
        "_arrival",
        "_begin",
        "_debt",
        "_early",
        "_is_moving_back",
        "_is_settled",
        "_moves",
        "_rate",
        "_since",
        "_soonest",
        "_ticks",
        "_timestamp",
        "_until",
        "shift",
    )

    def __init__(self, rate: int, *, is_video: bool) -> None:
        self.shift = 0
        self._rate = rate
        self._early = EARLY_PICTURE if is_video else EARLY_SOUND
        # The frame that is shown last: its timestamp, and its arrival. All frames count
        # from the first one, in ticks.
        self._timestamp: int | None = None
        self._arrival = 0.0
        self._ticks = 0
        # When a frame with tick 0 would have come, by those that came soonest lately;
        # and in the window that began then.
        self._begin = self._soonest = self._since = 0.0
        self._is_settled = False
        # By how many ticks frames may be moved back, until when, and whether they are.
        self._debt = 0
        self._is_moving_back = False
        self._until = float("-inf")
        # The middle of each pause, and the shift before it.
        self._moves: deque[tuple[float, int]] = deque(maxlen=MAX_MOVES)

    def frame(self, timestamp: int, now: float) -> None:
        """Take the next frame, in decoding order; ``shift`` is then for it.

        Args:
            timestamp: of the source, 32 bits.
            now: its time of arrival, in seconds.
        """
        if self._timestamp is None:
            self._timestamp, self._arrival = timestamp, now
            self._begin = self._soonest = self._since = now
            return
        step = difference(timestamp, self._timestamp)
        if step < 0 and now - self._arrival < REORDERED:
            return
        pause = (self._arrival + now) / 2
        self._timestamp, self._arrival = timestamp, now
        self._ticks += step
        begin = now - (self._ticks + self.shift) / self._rate
        late = begin - self._begin
        if late > LATE:
            self._move(late, pause)
            self._debt += round(late * self._rate)
            self._until = now + CATCH_UP
        elif self._debt:
            self._catch_up(-late, step, now)
        elif late < -LATE and self._is_settled:
            self._move(late, pause)
        else:
            self._follow(begin, now)

    def shift_at(self, reported: float | None) -> int:
        """The shift for a sender report: that of the packets which it describes.

        Args:
            reported: when it came. Reports that are trusted are from the beginning of a
                pause or from its end. None for the last packet.
        """
        if reported is not None:
            for pause, before in self._moves:
                if reported < pause:
                    return before
        return self.shift

    def _move(self, late: float, pause: float) -> None:
        """Move the timestamps to the time of arrival."""
        self._moves.append((pause, self.shift))
        self.shift += round(late * self._rate)

    def _catch_up(self, early: float, step: int, now: float) -> None:
        """Move the timestamps back: the source is less late than it was."""
        if early > self._early:
            self._is_moving_back = True
        elif early <= 0:
            self._is_moving_back = False
        if self._is_moving_back and step > 0:
            least = round(MIN_STEP * self._rate)
            ticks = min(round(early * self._rate), self._debt, max(step - least, 0))
            self.shift -= ticks
            self._debt -= ticks
            self._until = now + CATCH_UP
        elif now >= self._until:
            self._debt = 0

    def _follow(self, begin: float, now: float) -> None:
        """Follow the least delay."""
        self._soonest = min(self._soonest, begin)
        if begin < self._begin:
            self._begin = begin
        elif now - self._since >= WINDOW:
            self._begin = self._soonest
            self._soonest, self._since = begin, now
            self._is_settled = True
