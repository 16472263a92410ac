"""asyncio in virtual time.

`asyncio.sleep` and timeouts take no real time. Threads do: while the loop waits for
`run_in_executor`, and inside `VirtualTimeLoop.real_wait`, the virtual clock stands
still. Sockets on the loopback address may be used between tasks of one loop; other
processes answer too late for a clock that leaps.
"""

import asyncio
import contextlib
import math
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from typing import Any, Protocol, TypeVar, TypeVarTuple

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")
_Ready = list[tuple[selectors.SelectorKey, int]]

# Real seconds to wait for a thread.
_REAL_LIMIT = 120.0


class DeadlockError(RuntimeError):
    """Every task waits, and nothing is going to happen."""


class VirtualClock(Protocol):
    """A clock that a loop advances, perhaps with events of its own.

    Attributes:
        now: seconds.
    """

    now: float

    @property
    def next_event(self) -> float:
        """The time of its next event; infinite when there is none."""

    def step(self, limit: float) -> None:
        """Go to the next event and run it, or to `limit` if that comes first."""


class Clock:
    """A clock without events of its own.

    Attributes:
        now: seconds since its beginning.
    """

    next_event = math.inf

    def __init__(self) -> None:
        self.now = 0.0

    def step(self, limit: float) -> None:
        """Go to `limit`, in seconds."""
        self.now = max(self.now, limit)


class _VirtualSelector(selectors.DefaultSelector):
    """Lets virtual time pass where a selector would wait.

    Attributes:
        awaited: how many results of threads are waited for.
    """

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.awaited = 0
        self._clock = clock

    def select(self, timeout: float | None = None) -> _Ready:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.awaited:
            return self._wait_really()
        clock = self._clock
        if timeout is not None:
            clock.step(clock.now + timeout)
        elif (when := clock.next_event) < math.inf:
            clock.step(when)
        elif threading.active_count() > 1:
            return self._wait_really()
        else:
            raise DeadlockError(f"all wait for nothing, at {clock.now:.3f} s")
        return []

    def _wait_really(self) -> _Ready:
        ready = super().select(_REAL_LIMIT)
        if not ready:
            raise DeadlockError(f"no thread has done anything in {_REAL_LIMIT} s")
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop with a virtual clock.

    When nothing is ready, it advances the clock to the clock's next event, or to the
    next timer of this loop, whichever is earlier.

    Args:
        clock: the clock; a new one by default.
    """

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self._clock = clock or Clock()
        self._virtual_selector = _VirtualSelector(self._clock)
        super().__init__(self._virtual_selector)
        # A timer runs when it is due to within this. asyncio's nanosecond is lost in
        # the rounding of a clock that shows some months.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """The time of the clock."""
        return self._clock.now

    @contextlib.contextmanager
    def real_wait(self) -> Iterator[None]:
        """While a thread is awaited, virtual time stands still."""
        self._virtual_selector.awaited += 1
        try:
            yield
        finally:
            self._virtual_selector.awaited -= 1

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*_Ts], _T],
        *args: *_Ts,
    ) -> asyncio.Future[_T]:
        """Run a function in a thread, which takes no virtual time."""
        future = super().run_in_executor(executor, func, *args)
        wait = self.real_wait()
        wait.__enter__()
        future.add_done_callback(lambda _: wait.__exit__(None, None, None))
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Join the threads of the default executor."""
        with self.real_wait():
            await super().shutdown_default_executor(*args)


def run(main: Coroutine[Any, Any, _T], clock: VirtualClock | None = None) -> _T:
    """Run a coroutine in virtual time.

    Returns:
        its result.

    Raises:
        DeadlockError: when it waits for what cannot happen.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(clock)) as runner:
        return runner.run(main)
