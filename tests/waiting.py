"""Waiting for what no event announces."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], timeout: float = 60.0) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: when it does not in time.
    """
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - any condition, not an event
            await asyncio.sleep(0.005)
