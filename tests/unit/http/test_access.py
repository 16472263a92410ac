"""The log of requests: what was asked, and nothing secret."""

import logging

import pytest
from pytest_aiohttp.plugin import AiohttpClient

from whipbird.app import create_app
from whipbird.config import Settings


async def test_requests_are_logged_without_the_ids_of_sessions(
    aiohttp_client: AiohttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "whipbird.http.access")
    client = await aiohttp_client(create_app(Settings()))
    await client.delete("/whip/live/0123456789abcdef0123456789abcdef")
    (record,) = [r for r in caplog.records if r.name == "whipbird.http.access"]
    assert record.getMessage() == "DELETE /whip/live/01234567 from 127.0.0.1: 404"


async def test_nothing_is_logged_otherwise(
    aiohttp_client: AiohttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "whipbird.http.access")
    client = await aiohttp_client(create_app(Settings()))
    await client.get("/healthz")
    assert not [r for r in caplog.records if r.name == "whipbird.http.access"]
