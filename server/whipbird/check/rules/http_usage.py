"""Section 4.1: GET, HEAD, and problem details of errors."""

from yarl import URL

from ..endpoint import Endpoint
from ..rule import Absent, Failed, Level, rule

PROBLEM = "application/problem+json"


async def _has_no_content(endpoint: Endpoint, method: str, url: URL | None) -> str:
    exchange = await endpoint.request(method, url)
    if not exchange.is_success:
        raise Failed(f"{exchange}, not with a success", exchange)
    if exchange.content:
        raise Failed(f"{exchange}, with {len(exchange.content)} octets", exchange)
    return str(exchange)


@rule(
    "get-endpoint",
    "4.1",
    Level.MUST,
    "GET of the endpoint succeeds (2xx) and has no content.",
)
async def get_endpoint(endpoint: Endpoint) -> str:
    return await _has_no_content(endpoint, "GET", None)


@rule(
    "get-session",
    "4.1",
    Level.MUST,
    "GET of a session succeeds (2xx) and has no content.",
)
async def get_session(endpoint: Endpoint) -> str:
    session = await endpoint.open()
    return await _has_no_content(endpoint, "GET", session.url)


@rule(
    "head",
    "4.1",
    Level.MUST,
    "Being origin servers, endpoint and session answer HEAD as they answer GET "
    "(RFC 9110 section 9.1).",
)
async def head(endpoint: Endpoint) -> None:
    session = await endpoint.open()
    for url in (endpoint.url, session.url):
        get = await endpoint.request("GET", url)
        answered = await endpoint.request("HEAD", url)
        if answered.status != get.status:
            raise Failed(f"{answered}, and {get}", answered, get)


@rule(
    "problem-details",
    "4.1",
    Level.MAY,
    "Errors are explained by a problem detail (RFC 9457), as sections 4.4.2 and 4.4.3 "
    "recommend for refused offers.",
)
async def problem_details(endpoint: Endpoint) -> None:
    exchange = await endpoint.post(b"hello")
    if exchange.content_type != PROBLEM:
        raise Absent(f"errors are {exchange.content_type or 'without content'}")
