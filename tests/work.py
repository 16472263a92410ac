"""Counts the work of a function, to check that it grows no faster than its input.

Wall clocks tell nothing on a busy machine; executed lines and calls are the same each
time.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

# The work for an input of twice the size may be that much larger: linear, with room for
# what depends on the number of digits.
_MOST = 2.3


def work_of(function: Callable[[], object]) -> int:
    """Lines executed, and functions of C called, until a function returns or raises."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    def profile(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "c_call"

    before = sys.gettrace(), sys.getprofile()
    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        function()
    except Exception:
        pass
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return count


def assert_linear(
    make: Callable[[int], Callable[[], object]], sizes: Sequence[int] = (60, 120, 240)
) -> None:
    """Check that the work grows at most as the size does.

    Args:
        make: returns the function that takes an input of that size.
        sizes: each is twice the one before.
    """
    for function in map(make, sizes[:1]):
        # What is compiled or imported once.
        work_of(function)
    found = [work_of(make(size)) for size in sizes]
    # The last two are the least disturbed by what has a fixed amount.
    assert found[-1] <= _MOST * found[-2], f"work {found} for sizes {list(sizes)}"


def assert_linear_in_c(make: Callable[[int], Callable[[], object]], size: int) -> None:
    """Check that the CPU time of four times the input is not that of a square.

    It is for what the interpreter does not see: regular expressions, copies of octets.

    Args:
        make: returns the function that takes an input of that size.
        size: so large that it takes a millisecond.
    """
    small, large = (min(map(_cpu, 3 * [make(n)])) for n in (size, 4 * size))
    # Of a square it would be 16 times.
    assert large <= 8 * small + 0.001, f"{small * 1e3} ms, then {large * 1e3} ms"


def _cpu(function: Callable[[], object]) -> float:
    """Seconds of CPU time of this thread."""
    began = time.thread_time()
    # What comes of it is for other tests.
    with contextlib.suppress(Exception):
        function()
    return time.thread_time() - began
