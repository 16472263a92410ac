"""The marker ``virtual_time``."""

from tests.netem.plugin import pytest_asyncio_loop_factories, pytest_configure, world

__all__ = ["pytest_asyncio_loop_factories", "pytest_configure", "world"]
