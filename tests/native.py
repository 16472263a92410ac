"""The compiled packet path in tests: each way is tried where it is built."""

import pytest

from whipbird.native import Native, find_native

NATIVE = find_native("auto")

needs_native = pytest.mark.skipif(
    NATIVE is None, reason="the compiled packet path is not built: make native"
)

# For ``pytest.mark.parametrize`` and fixtures: what sends packets.
WAYS = [
    pytest.param(None, id="python"),
    pytest.param(NATIVE, id="compiled", marks=needs_native),
]


def native() -> Native:
    """The compiled packet path, for tests that need it."""
    assert NATIVE is not None
    return NATIVE
