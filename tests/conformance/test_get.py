"""GET and HEAD: success, and nothing in it."""

import pytest

from tests.conformance.exchange import Client, open_session, problem_of


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/whip", "/whip/live"])
async def test_of_an_endpoint(client: Client, method: str, path: str) -> None:
    """Section 4.1: "WHIP endpoints and sessions MUST return a 2XX successful response
    with no content when a GET request is received".
    """
    response = await client.request(method, path)
    assert 200 <= response.status < 300
    assert await response.read() == b""
    assert "Content-Type" not in response.headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_of_a_session(client: Client, method: str) -> None:
    """Section 4.1: "WHIP endpoints and sessions MUST return a 2XX successful response
    with no content when a GET request is received".
    """
    session = await open_session(client)
    response = await client.request(method, session.location)
    assert 200 <= response.status < 300
    assert await response.read() == b""


@pytest.mark.parametrize("path", ["/whip/live/no-such-session", "/whip/a%20b"])
async def test_of_nothing(client: Client, path: str) -> None:
    """A nonexistent resource gets 404 (RFC 9110 section 15.5.5)."""
    await problem_of(await client.get(path), 404)


@pytest.mark.parametrize("path", ["/whip/live/no-such-session", "/no-such-page"])
async def test_head_of_nothing_has_no_body(client: Client, path: str) -> None:
    """A response to HEAD has no content, an error neither (RFC 9110 section 9.3.2)."""
    response = await client.head(path)
    assert response.status == 404
    assert await response.read() == b""


async def test_opens_no_session(client: Client) -> None:
    """GET is safe (RFC 9110 section 9.2.1)."""
    await client.get("/whip/live")
    status = await (await client.get("/api/status")).json()
    assert status["sessions"]["total"] == 0
