"""Coroutines of aiortc that do not wait, run at once."""

from collections.abc import Coroutine
from typing import Any


def run_to_completion(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine of aiortc's within a callback.

    Much of aiortc is written as coroutines that wait for nothing but the transport
    below, and ours does not wait.

    Raises:
        RuntimeError: when it did wait, which a new version of aiortc may do.
    """
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("aiortc waits where it did not before")
