"""A virtual clock, its events, and one seed for everything random."""

import heapq
import math
import random
from collections.abc import Callable

from tests.netem.seeds import how_to_replay

# Events at one time, after which it is taken that time will not go on: a deadline in
# the past that is set again and again.
_MAX_SIMULTANEOUS = 100_000

# Cancelled timers are removed from the heap when they are more than this and more
# than half of it.
_MIN_CANCELLED = 64


class Timer:
    """A callback that is to run at a time; it may be cancelled.

    Attributes:
        when: the virtual time at which it runs.
    """

    __slots__ = ("_args", "_callback", "_world", "when")

    def __init__(
        self,
        world: "World",
        when: float,
        callback: Callable[..., object],
        args: tuple[object, ...],
    ) -> None:
        self.when = when
        self._world = world
        self._callback: Callable[..., object] | None = callback
        self._args = args

    @property
    def is_pending(self) -> bool:
        """Whether it has neither run nor been cancelled."""
        return self._callback is not None

    def cancel(self) -> None:
        """Do not run. Harmless when it has run."""
        if self._callback is not None:
            self._callback = None
            self._args = ()
            self._world._count_cancelled()


class World:
    """Virtual time: it stands still while events run, and leaps from one to the next.

    Equal seeds and equal calls give equal runs. Events of the same time run in the
    order in which they were scheduled.

    Attributes:
        seed: what all randomness of this world derives from.
        now: seconds since the world began.
        rng: randomness for the scenario itself.
        events: how many events have run.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.now = 0.0
        self.rng = random.Random(seed)
        self.events = 0
        self._heap: list[tuple[float, int, Timer]] = []
        self._scheduled = 0
        self._cancelled = 0

    def derive_rng(self, name: str) -> random.Random:
        """Randomness for one part of the world.

        What one part draws does not change what another one gets.
        """
        return random.Random(f"{self.seed}/{name}")

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object
    ) -> Timer:
        """Run a callback at a virtual time, or now when that has passed."""
        if when < self.now:
            when = self.now
        timer = Timer(self, when, callback, args)
        self._scheduled += 1
        heapq.heappush(self._heap, (when, self._scheduled, timer))
        return timer

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: object
    ) -> Timer:
        """Run a callback after so many seconds."""
        return self.call_at(self.now + delay, callback, *args)

    @property
    def next_event(self) -> float:
        """The time of the next event; infinite when there is none."""
        heap = self._heap
        while heap and heap[0][2]._callback is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else math.inf

    def run_for(self, seconds: float) -> None:
        """Run all events of the next seconds; the clock ends at their end."""
        self._run(self.now + seconds, None)

    def run_until(self, condition: Callable[[], object], limit: float) -> None:
        """Run events until a condition holds.

        Args:
            condition: is checked after every event.
            limit: how many virtual seconds that may take.

        Raises:
            TimeoutError: when it takes longer.
        """
        if condition() or self._run(self.now + limit, condition):
            return
        raise TimeoutError(
            f"the condition did not hold within {limit} s, at {self.now:.3f} s "
            f"({how_to_replay(self.seed)})"
        )

    def step(self, limit: float) -> None:
        """Run the next event; or move the clock to `limit` when that comes first.

        Args:
            limit: a virtual time, not infinite unless there is an event.
        """
        when = self.next_event
        if when > limit:
            self.now = max(self.now, limit)
        else:
            self._run(when, lambda: True)

    def _run(self, end: float, condition: Callable[[], object] | None) -> bool:
        heap = self._heap
        pop = heapq.heappop
        events = since_leap = 0
        try:
            while heap and heap[0][0] <= end:
                when, _, timer = pop(heap)
                callback = timer._callback
                if callback is None:
                    self._cancelled -= 1
                    continue
                timer._callback = None
                events += 1
                if when > self.now:
                    self.now = when
                    since_leap = events
                elif events - since_leap > _MAX_SIMULTANEOUS:
                    raise RuntimeError("time does not go on")
                callback(*timer._args)
                if condition is not None and condition():
                    return True
        except BaseException as error:
            error.add_note(f"at {self.now:.3f} s; {how_to_replay(self.seed)}")
            raise
        finally:
            self.events += events
        self.now = max(self.now, end)
        return False

    def _count_cancelled(self) -> None:
        self._cancelled += 1
        heap = self._heap
        if self._cancelled > _MIN_CANCELLED and self._cancelled * 2 > len(heap):
            heap[:] = [entry for entry in heap if entry[2]._callback is not None]
            heapq.heapify(heap)
            self._cancelled = 0
