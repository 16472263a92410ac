"""Section 4.2: OPTIONS, and CORS."""

from aiohttp import hdrs

from ..endpoint import Endpoint
from ..exchange import Exchange
from ..requests import ORIGIN, SDP
from ..rule import Absent, Failed, Level, rule


@rule(
    "options-cors",
    "4.2",
    Level.MUST,
    "The endpoint answers OPTIONS for CORS: a preflight is told that pages of any "
    "origin that may use it can POST, with the header fields that WHIP needs.",
)
async def options_cors(endpoint: Endpoint) -> None:
    wanted = ["content-type"]
    if endpoint.options.token:
        wanted.append("authorization")
    exchange = await endpoint.preflight(", ".join(wanted))
    if not exchange.is_success:
        raise Failed(f"{exchange}, not with a success", exchange)
    if problem := _origin_problem(exchange):
        raise Failed(problem, exchange)
    allowed = exchange.members(hdrs.ACCESS_CONTROL_ALLOW_HEADERS)
    # The asterisk does not include Authorization (Fetch section 4.9).
    missing = [
        name
        for name in wanted
        if name not in allowed and not ("*" in allowed and name != "authorization")
    ]
    if missing:
        raise Failed(f"{', '.join(missing)} must not be sent", exchange)


@rule(
    "cors-response",
    "4.2",
    Level.MUST,
    "CORS lets pages read the 201 response: its Location, and its ETag and Link "
    "where it has them.",
)
async def cors_response(endpoint: Endpoint) -> None:
    exchange = endpoint.standard
    if problem := _origin_problem(exchange):
        raise Failed(problem, exchange)
    exposed = exchange.members(hdrs.ACCESS_CONTROL_EXPOSE_HEADERS)
    wanted = [n for n in (hdrs.LOCATION, hdrs.ETAG, "Link") if n in exchange.received]
    hidden = [n for n in wanted if n.lower() not in exposed and "*" not in exposed]
    if hidden:
        raise Failed(f"pages cannot read {', '.join(hidden)}", exchange)


@rule(
    "options-accept-post",
    "4.2",
    Level.SHOULD,
    "Every successful OPTIONS of the endpoint has Accept-Post: application/sdp.",
)
async def options_accept_post(endpoint: Endpoint) -> None:
    for exchange in (
        await endpoint.request("OPTIONS"),
        await endpoint.preflight("content-type"),
    ):
        which = "preflight" if hdrs.ORIGIN in exchange.sent else "OPTIONS"
        if not exchange.is_success:
            raise Failed(f"{which}: {exchange}", exchange)
        if SDP not in exchange.members("Accept-Post"):
            raise Failed(f"the response to {which} has no such Accept-Post", exchange)


@rule(
    "options-session",
    "4.2",
    Level.MAY,
    "Sessions answer preflights as well, so that pages can PATCH and DELETE them.",
)
async def options_session(endpoint: Endpoint) -> None:
    session = await endpoint.open()
    exchange = await endpoint.preflight("content-type, if-match", session.url)
    methods = set(exchange.members(hdrs.ACCESS_CONTROL_ALLOW_METHODS))
    if (
        not exchange.is_success
        or _origin_problem(exchange)
        or not {"patch", "*"} & methods
    ):
        raise Absent("a preflight for PATCH is not answered with consent")


def _origin_problem(exchange: Exchange) -> str | None:
    allowed = exchange.received.get(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN)
    if allowed in ("*", ORIGIN):
        return None
    if allowed is None:
        return "there is no Access-Control-Allow-Origin"
    return f"only {allowed} may use it, not {ORIGIN}"
