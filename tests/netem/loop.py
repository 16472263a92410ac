"""asyncio in the time of a `World`.

`run` runs one coroutine in it::

    world = World(seed)
    run(world, scenario(world))

The marker ``virtual_time`` does so with an async test and its async fixtures, for which
a ``conftest.py`` takes over the hooks of `tests.netem.plugin`. What virtual time is,
`whipbird.testing.virtual_time` says.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.netem.world import World
from whipbird.testing import virtual_time
from whipbird.testing.virtual_time import DeadlockError

__all__ = ["DeadlockError", "VirtualTimeLoop", "run"]

_T = TypeVar("_T")


class VirtualTimeLoop(virtual_time.VirtualTimeLoop):
    """An event loop whose clock is a World's.

    Attributes:
        world: whose time it is.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        super().__init__(world)


def run(world: World, main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine in virtual time (see ``virtual_time.run``)."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(world)) as runner:
        return runner.run(main)
