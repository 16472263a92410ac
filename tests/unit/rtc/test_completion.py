"""Coroutines that do not wait, run at once."""

import asyncio

import pytest

from whipbird.rtc.completion import run_to_completion


async def test_a_coroutine_that_waits_is_an_error() -> None:
    done = []

    async def waits() -> None:
        await asyncio.sleep(1)

    async def does_not() -> None:
        done.append(True)

    run_to_completion(does_not())
    assert done
    with pytest.raises(RuntimeError, match="waits"):
        run_to_completion(waits())
