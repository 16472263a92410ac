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
    message = record.getMessage()
    assert message.startswith("DELETE /whip/live/01234567 from 127.0.0.1: 404, ")
    assert record.__dict__["octets"] > 100


async def test_a_log_of_all_requests(
    aiohttp_client: AiohttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "whipbird.http.access")
    client = await aiohttp_client(create_app(Settings(access_log=True)))
    await client.get("/api/recordings/x.mp4?ticket=hush")
    (record,) = [r for r in caplog.records if r.name == "whipbird.http.access"]
    assert "/api/recordings/x.mp4 from 127.0.0.1: 404" in record.getMessage()
    assert "hush" not in record.getMessage()
    assert record.__dict__["status"] == 404


async def test_nothing_is_logged_otherwise(
    aiohttp_client: AiohttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "whipbird.http.access")
    client = await aiohttp_client(create_app(Settings()))
    await client.get("/healthz")
    assert not [r for r in caplog.records if r.name == "whipbird.http.access"]
