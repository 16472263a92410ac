"""Addresses as users and libraries write them."""

import pytest
from aiohttp.test_utils import TestClient

from tests import offers
from tests.unit.http.in_process import Server
from whipbird.app import create_app
from whipbird.config import Settings


@pytest.mark.parametrize(
    ("path", "offer"),
    [("/whip/live/", offers.CHROMIUM_DATA), ("/whip/", offers.CHROMIUM_DATA)],
)
async def test_a_slash_at_the_end(path: str, offer: str) -> None:
    async with TestClient(Server(create_app(Settings()))) as client:
        response = await client.post(
            path, data=offer, headers={"Content-Type": "application/sdp"}
        )
        assert response.status == 201
        location = response.headers["Location"]
        assert "//" not in location
        if path == "/whip/live/":
            assert location.startswith("/whip/live/")
        assert (await client.get(f"{location}/")).status == 204
        assert (await client.delete(f"{location}/")).status == 200
        assert (await client.get(location)).status == 404


@pytest.mark.parametrize("prefix", ["/whip", "/whep"])
async def test_a_name_with_a_slash(prefix: str) -> None:
    """It looks like a session."""
    async with TestClient(Server(create_app(Settings()))) as client:
        response = await client.post(
            f"{prefix}/a/b", data="", headers={"Content-Type": "application/sdp"}
        )
        assert response.status == 405
        assert "PATCH" in response.headers["Allow"]
        assert "the name has no slash" in (await response.json())["detail"]


async def test_another_method_is_not_taken_for_that() -> None:
    async with TestClient(Server(create_app(Settings()))) as client:
        detail = (await (await client.put("/whip/a/b")).json())["detail"]
        assert "slash" not in detail


@pytest.mark.parametrize(
    "names", ["traceparent", "sentry-trace, baggage", "x-requested-with,content-type"]
)
async def test_headers_of_tracing_libraries_pass_the_preflight(names: str) -> None:
    async with TestClient(Server(create_app(Settings()))) as client:
        response = await client.options(
            "/whep/live",
            headers={
                "Origin": "https://studio.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": names,
            },
        )
        assert response.status == 200
        allowed = response.headers["Access-Control-Allow-Headers"].lower()
        wanted = {name.strip() for name in names.split(",")}
        assert {name.strip() for name in allowed.split(",")} == wanted
