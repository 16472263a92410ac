"""Fixtures: a server in this process, and a client of its HTTP."""

import os

import pytest
import pytest_asyncio
from pytest_aiohttp.plugin import AiohttpClient

from tests.conformance.exchange import Client
from whipbird.app import create_app
from whipbird.config import Settings


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore the developer's own settings of a server."""
    for name in [name for name in os.environ if name.startswith("WHIPBIRD_")]:
        monkeypatch.delenv(name)


@pytest_asyncio.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    """An HTTP client of a server with the default settings."""
    return await aiohttp_client(create_app(Settings()))
