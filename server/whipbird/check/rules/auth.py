"""Section 4.7: authentication with a Bearer token."""

from aiohttp import hdrs

from ..endpoint import Endpoint
from ..exchange import Exchange
from ..offers import write_offer
from ..rule import Absent, Failed, Level, Skipped, rule

WRONG = {hdrs.AUTHORIZATION: "Bearer whipbird-check-wrong-token"}


async def _without_token(endpoint: Endpoint) -> Exchange:
    """A good POST without the token.

    Raises:
        Skipped: when there is no token that could be left out.
        Absent: when the endpoint does not ask for it.
    """
    if endpoint.options.token is None:
        raise Skipped("needs --token")
    offer = write_offer(await endpoint.unconnected_transport(), endpoint.shape).encode()
    exchange = await endpoint.post(offer, authorized=False)
    if exchange.is_success:
        raise Absent("the endpoint asks for no token")
    return exchange


@rule(
    "auth-http",
    "4.7",
    Level.MUST,
    "HTTP authentication is supported (RFC 9110 section 11): who has no token is "
    "answered with 401 and a challenge.",
)
async def auth_http(endpoint: Endpoint) -> str:
    exchange = await endpoint.shared(_without_token)
    if exchange.status != 401:
        raise Failed(f"{exchange}, not with 401", exchange)
    challenge = exchange.received.get(hdrs.WWW_AUTHENTICATE)
    if challenge is None:
        raise Failed("there is no WWW-Authenticate", exchange)
    return f"WWW-Authenticate: {challenge}"


@rule(
    "auth-bearer",
    "4.7",
    Level.MUST,
    "Bearer tokens are supported: the right one is taken, a wrong one is answered "
    "with 401 and a Bearer challenge (RFC 6750 section 3).",
)
async def auth_bearer(endpoint: Endpoint) -> None:
    await endpoint.shared(_without_token)
    offer = write_offer(await endpoint.unconnected_transport(), endpoint.shape).encode()
    exchange = await endpoint.post(offer, headers=WRONG)
    if exchange.status != 401:
        raise Failed(f"with a wrong token {exchange}, not with 401", exchange)
    challenge = exchange.received.get(hdrs.WWW_AUTHENTICATE)
    # Without any challenge another rule is broken.
    if challenge is not None and not challenge.lower().startswith("bearer"):
        raise Failed(f"WWW-Authenticate: {challenge}", exchange)


@rule(
    "auth-required",
    "4.7.1",
    Level.MAY,
    "The endpoint requires a Bearer token.",
)
async def auth_required(endpoint: Endpoint) -> None:
    await endpoint.shared(_without_token)


@rule(
    "auth-session",
    "4.7.1",
    Level.MAY,
    "Sessions require the token too: without it nobody can change or end them.",
)
async def auth_session(endpoint: Endpoint) -> None:
    await endpoint.shared(_without_token)
    session = await endpoint.open()
    patched = await endpoint.patch(session, session.fragment(), authorized=False)
    deleted = await endpoint.request("DELETE", session.url, authorized=False)
    for exchange in (patched, deleted):
        if exchange.status != 401:
            raise Absent(f"without the token {exchange}")


@rule(
    "auth-preflight",
    "4.7.1",
    Level.MUST,
    "CORS preflights need no token: browsers cannot send one with them.",
)
async def auth_preflight(endpoint: Endpoint) -> None:
    await endpoint.shared(_without_token)
    exchange = await endpoint.preflight("content-type, authorization")
    if not exchange.is_success:
        raise Failed(str(exchange), exchange)
