"""Link: the STUN and TURN servers that clients are told to use (section 4.6)."""

import pytest
from aiohttp import ClientResponse, hdrs
from pytest_aiohttp.plugin import AiohttpClient

from tests import offers
from tests.conformance.exchange import ORIGIN, Client, post, problem_of, token_list
from whipbird.app import create_app
from whipbird.config import Settings
from whipbird.sdp.link import IceServer, ice_servers, parse_links

SERVERS = (
    IceServer("stun:stun.example:3478"),
    IceServer("turn:turn.example?transport=udp", "user", 'pa,s;s"w\\ord'),
    IceServer("turns:turn.example?transport=tcp", "user", "password"),
)

ENDPOINTS = ["/whip", "/whip/live"]


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    """An HTTP client of a server with ICE servers to name."""
    return await aiohttp_client(create_app(Settings(ice_servers=SERVERS)))


def links(response: ClientResponse) -> list[str]:
    return response.headers.getall(hdrs.LINK, [])


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_of_a_new_session(client: Client, path: str) -> None:
    """Section 4.6: "A reference to each STUN/TURN server will be returned using the
    "Link" header field with a "rel" attribute value of "ice-server"", in the 201.
    """
    response = await post(client, offers.CHROMIUM_DATA, path)
    assert response.status == 201
    assert len(links(response)) == len(SERVERS)
    assert ice_servers(parse_links(links(response))) == SERVERS


async def test_how_it_is_written(client: Client) -> None:
    """Section 4.6, the example: a field for each server, attributes in quotes."""
    response = await post(client, offers.CHROMIUM_DATA)
    assert links(response) == [
        '<stun:stun.example:3478>; rel="ice-server"',
        '<turn:turn.example?transport=udp>; rel="ice-server"; username="user"; '
        'credential="pa,s;s\\"w\\\\ord"; credential-type="password"',
        '<turns:turn.example?transport=tcp>; rel="ice-server"; username="user"; '
        'credential="password"; credential-type="password"',
    ]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("headers", [{}, {"Origin": ORIGIN}])
async def test_of_options(client: Client, path: str, headers: dict[str, str]) -> None:
    """Section 4.6: "the WHIP endpoint MAY also include the STUN/TURN server
    configuration on the responses to OPTIONS request".
    """
    response = await client.options(path, headers=headers)
    assert response.status == 200
    assert ice_servers(parse_links(links(response))) == SERVERS


async def test_a_page_can_ask_with_options(client: Client) -> None:
    """A browser asks first whether it may (Fetch 4.8), and lets the page read Link."""
    response = await client.options(
        "/whip/live",
        headers={
            hdrs.ORIGIN: ORIGIN,
            hdrs.ACCESS_CONTROL_REQUEST_METHOD: "OPTIONS",
            hdrs.ACCESS_CONTROL_REQUEST_HEADERS: "authorization",
        },
    )
    assert response.status == 200
    methods = response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS]
    assert "OPTIONS" in token_list(methods)
    response = await client.options("/whip/live", headers={hdrs.ORIGIN: ORIGIN})
    assert response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] in ("*", ORIGIN)
    exposed = response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS].lower()
    assert token_list(exposed) >= {"link", "accept-post"}


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("headers", ["", "content-type", "link"])
@pytest.mark.parametrize("method", ["POST", "GET", "OPTIONS", "PUT"])
async def test_not_of_a_preflight(
    client: Client, path: str, method: str, headers: str
) -> None:
    """Section 4.6: "the WHIP endpoint SHOULD NOT return the STUN/TURN server
    configuration if the OPTIONS request is a preflight request for CORS".
    """
    asked: dict[str, str] = {
        hdrs.ORIGIN: ORIGIN,
        hdrs.ACCESS_CONTROL_REQUEST_METHOD: method,
        hdrs.ACCESS_CONTROL_REQUEST_HEADERS: headers,
    }
    response = await client.options(path, headers=asked)
    assert response.status in (200, 403)
    assert links(response) == []


async def test_not_of_a_session_or_an_error(client: Client) -> None:
    """Section 4.6 names the 201, and OPTIONS "sent to the WHIP endpoint URL"."""
    response = await post(client, offers.CHROMIUM_DATA)
    location = response.headers["Location"]
    for method in ("OPTIONS", "GET", "DELETE"):
        response = await client.request(method, location)
        assert response.ok
        assert links(response) == []
    response = await post(client, "nonsense")
    await problem_of(response, 400)
    assert links(response) == []
    response = await client.options("/whip/a:b")
    await problem_of(response, 404)
    assert links(response) == []


async def test_credentials_are_for_those_who_may_publish(
    aiohttp_client: AiohttpClient,
) -> None:
    """Section 4.7.1: OPTIONS that are no preflights are authenticated, too."""
    settings = Settings.model_validate({"ice_servers": SERVERS, "token": "secret"})
    client = await aiohttp_client(create_app(settings))
    response = await client.options("/whip/live")
    await problem_of(response, 401)
    assert links(response) == []
    headers = {hdrs.AUTHORIZATION: "Bearer secret"}
    response = await client.options("/whip/live", headers=headers)
    assert len(links(response)) == len(SERVERS)


async def test_no_server_is_named_by_default(aiohttp_client: AiohttpClient) -> None:
    """Section 4.9: a Link is for what there is."""
    client = await aiohttp_client(create_app(Settings()))
    assert links(await post(client, offers.CHROMIUM_DATA)) == []
    assert links(await client.options("/whip/live")) == []
