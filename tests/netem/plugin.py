"""The marker ``virtual_time`` for async tests.

A ``conftest.py`` takes over what is here for the tests beside and below it::

    from tests.netem.plugin import *  # noqa: F403

A test with the marker, and all its async fixtures, run on a `VirtualTimeLoop`; the
fixture ``world`` is the World whose time it is.
"""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from tests.netem.loop import VirtualTimeLoop
from tests.netem.world import World

__all__ = ["pytest_asyncio_loop_factories", "pytest_configure", "world"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "virtual_time: run this async test in virtual time (tests.netem)"
    )


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.get_closest_marker("virtual_time"):
        return {"virtual": lambda: VirtualTimeLoop(World())}
    return {"real": asyncio.new_event_loop}


@pytest.fixture
async def world() -> World:
    """The World of a test in virtual time."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop), "the test needs the marker virtual_time"
    return loop.world
