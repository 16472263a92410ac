"""The publisher of most tests."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.recording.publisher import VIDEO, Publisher


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    made = Publisher(VIDEO["libvpx"])
    yield made
    await made.rig.stop()
