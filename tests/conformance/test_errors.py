"""Errors: the right status, and a problem detail that explains it (RFC 9457)."""

import pytest
from aiohttp import hdrs
from yarl import URL

from tests import offers
from tests.conformance.exchange import (
    SDP,
    Client,
    open_session,
    problem_of,
    token_list,
)


@pytest.mark.parametrize("path", ["/whip", "/whip/live"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
async def test_methods_that_an_endpoint_has_not(
    client: Client, path: str, method: str
) -> None:
    """A 405 says which methods there are (RFC 9110 section 15.5.6)."""
    response = await client.request(method, path)
    await problem_of(response, 405, "RFC 9110 section 15.5.6")
    assert token_list(response.headers[hdrs.ALLOW]) == {
        "GET",
        "HEAD",
        "OPTIONS",
        "POST",
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "TRACE"])
async def test_methods_that_a_session_has_not(client: Client, method: str) -> None:
    """A 405 says which methods there are (RFC 9110 section 15.5.6)."""
    session = await open_session(client)
    response = await client.request(method, session.location)
    await problem_of(response, 405, "RFC 9110 section 15.5.6")
    assert token_list(response.headers[hdrs.ALLOW]) == {
        "DELETE",
        "GET",
        "HEAD",
        "OPTIONS",
        "PATCH",
    }


@pytest.mark.parametrize("path", ["/healthz", "/api/status", "/"])
async def test_methods_of_what_is_only_read(client: Client, path: str) -> None:
    """A 405 says which methods there are (RFC 9110 section 15.5.6)."""
    response = await client.post(path)
    await problem_of(response, 405, "RFC 9110 section 15.5.6")
    assert token_list(response.headers[hdrs.ALLOW]) >= {"GET", "HEAD"}


@pytest.mark.parametrize(
    "path",
    [
        "/no-such-page",
        "/whip/live/session/more",
        "/whep/",
        "/whep/live/session/more",
        "/api/",
        "/%ff",
        "/%00",
        "/..%2Fpyproject.toml",
    ],
)
async def test_what_is_not_there(client: Client, path: str) -> None:
    """Section 4.1: "convey finer-grained error information by a problem statement json
    object", here too.
    """
    await problem_of(await client.get(URL(path, encoded=True)), 404)


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_what_is_not_there_has_no_methods(client: Client, method: str) -> None:
    """405 is for what "the target resource" does not support (RFC 9110 15.5.6); where
    GET finds none, there is none.
    """
    response = await client.request(method, "/whip/live/session/more")
    await problem_of(response, 404)


@pytest.mark.parametrize("path", ["/" + "x" * 300, "/x" * 3000, "/whip/" + "x" * 300])
async def test_long_paths(client: Client, path: str) -> None:
    """A path longer than any file's name is just not there."""
    response = await client.get(path)
    assert response.status in (404, 414)
    await problem_of(response, response.status)


@pytest.mark.parametrize("value", ["bytes=zz", "bytes=99999999-"])
async def test_ranges_of_the_page(client: Client, value: str) -> None:
    """A range that cannot be had is a 416, or is ignored (RFC 9110 section 14.2)."""
    response = await client.get("/", headers={hdrs.RANGE: value})
    if response.status != 200:
        await problem_of(response, 416)


async def test_unknown_expectations(client: Client) -> None:
    """A 417 is for an Expect that cannot be met (RFC 9110 section 10.1.1)."""
    response = await client.post(
        "/whip/live",
        data=offers.CHROMIUM_DATA.encode(),
        headers={hdrs.CONTENT_TYPE: SDP, hdrs.EXPECT: "a-miracle"},
    )
    if response.status != 201:
        await problem_of(response, 417)


async def test_an_offer_after_100_continue(client: Client) -> None:
    """Clients may ask before they send (RFC 9110 section 10.1.1)."""
    response = await client.post(
        "/whip/live",
        data=offers.CHROMIUM_DATA.encode(),
        headers={hdrs.CONTENT_TYPE: SDP},
        expect100=True,
    )
    assert response.status == 201


async def test_errors_quote_nothing_that_is_not_printable(client: Client) -> None:
    """An error's text may end in a log or a terminal."""
    response = await client.post(
        "/whip/live",
        data="v=0\r\n\u202e\u0007evil\r\n".encode(),
        headers={hdrs.CONTENT_TYPE: SDP},
    )
    problem = await problem_of(response, 400)
    assert problem["detail"].isprintable()
    assert len(problem["detail"]) < 400
