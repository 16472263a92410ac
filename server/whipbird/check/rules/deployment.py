"""Sections 4.5, 4.6 and 4.9: redirections, load, ICE servers, protocol extensions."""

import re
from email.utils import parsedate_to_datetime

from aiohttp import hdrs
from yarl import URL

from ...sdp.link import ICE_SERVER, Link, ice_servers, parse_links
from ..endpoint import Endpoint
from ..exchange import Exchange
from ..protocol import WHIP
from ..rule import Absent, Failed, Level, rule

# After the protocol's prefix (RFC 9725 section 6.3.1): "ext", then one or more names.
EXTENSION = re.compile(r"ext(?::[^:\s]+)+")


def _links(exchange: Exchange) -> list[Link]:
    return parse_links(exchange.received.getall("Link", []))


def _ice_links(exchange: Exchange) -> list[Link]:
    return [link for link in _links(exchange) if ICE_SERVER in link.relations]


@rule(
    "redirect-301",
    "4.5",
    Level.MUST,
    "A POST is never redirected with 301 or 302, which make a GET of it.",
)
async def redirect_301(endpoint: Endpoint) -> None:
    for exchange in endpoint.redirections:
        if exchange.status in (301, 302):
            raise Failed(str(exchange), exchange)


@rule("redirect-307", "4.5", Level.MAY, "A POST is redirected with 307.")
async def redirect_307(endpoint: Endpoint) -> str:
    statuses = {exchange.status for exchange in endpoint.redirections}
    if not statuses & {307, 308}:
        raise Absent("no POST was redirected so")
    return f"to {endpoint.standard.url.origin()}"


@rule(
    "busy-503",
    "4.5",
    Level.MAY,
    "A server that is busy says so with 503, and may say by Retry-After for how long.",
)
async def busy_503(endpoint: Endpoint) -> str:
    busy = [exchange for exchange in endpoint.http.busy if exchange.status == 503]
    if not busy:
        raise Absent("the server was not busy")
    for exchange in busy:
        value = exchange.received.get(hdrs.RETRY_AFTER)
        if value is not None and not _is_retry_after(value):
            raise Failed(f"Retry-After: {value}", exchange)
    return f"{len(busy)} times"


def _is_retry_after(value: str) -> bool:
    """Whether a value is a number of seconds or a date (RFC 9110 section 10.2.3)."""
    if value.isascii() and value.isdigit():
        return True
    try:
        parsedate_to_datetime(value)
    except ValueError:
        return False
    return True


@rule(
    "ice-servers",
    "4.6",
    Level.MAY,
    "The 201 response names STUN and TURN servers for the client.",
)
async def ice_servers_201(endpoint: Endpoint) -> str:
    links = _ice_links(endpoint.standard)
    if not links:
        raise Absent("the 201 response has no ice-server")
    return ", ".join(link.target for link in links)


@rule(
    "ice-server-links",
    "4.6",
    Level.MUST,
    'An ICE server is a Link with rel="ice-server": its target is a stun or turn URI '
    "(RFC 7064, 7065), and a TURN server has username and credential.",
)
async def ice_server_links(endpoint: Endpoint) -> None:
    links = _ice_links(endpoint.standard)
    if not links:
        raise Absent("the 201 response has no ice-server")
    for link in links:
        other = link.parameters.get("credential-type", "password") != "password"
        if not other and not ice_servers([link]):
            raise Failed(
                f"<{link.target}> cannot be used as it is described", endpoint.standard
            )


@rule(
    "options-ice-servers",
    "4.6",
    Level.MAY,
    "The response to OPTIONS names the STUN and TURN servers too.",
)
async def options_ice_servers(endpoint: Endpoint) -> None:
    exchange = await endpoint.request("OPTIONS")
    if not _ice_links(exchange):
        raise Absent("the response to OPTIONS has no ice-server")


@rule(
    "preflight-ice-servers",
    "4.6",
    Level.SHOULD,
    "The response to a CORS preflight names no STUN or TURN servers.",
)
async def preflight_ice_servers(endpoint: Endpoint) -> None:
    exchange = await endpoint.preflight("content-type")
    if links := _ice_links(exchange):
        raise Failed(f"it names {len(links)}", exchange)


def _extensions(endpoint: Endpoint) -> list[Link]:
    """The links with a relation of the protocol's."""
    prefix = endpoint.protocol.urn
    return [
        link
        for link in _links(endpoint.standard)
        if any(relation.startswith(prefix) for relation in link.relations)
    ]


@rule(
    "extension-links",
    "4.9",
    Level.MUST,
    "A protocol extension is announced in the 201 response by a Link of its own, with "
    "the extension's URN as rel and the URL of its resource.",
)
async def extension_links(endpoint: Endpoint) -> str:
    links = _extensions(endpoint)
    if not links:
        raise Absent("no extension is announced")
    seen: set[str] = set()
    for link in links:
        [relation, *others] = link.relations
        try:
            target = endpoint.standard.url.join(URL(link.target))
        except ValueError:
            target = URL()
        if others or relation in seen or target.scheme not in ("http", "https"):
            raise Failed(
                f'<{link.target}>; rel="{" ".join(link.relations)}"', endpoint.standard
            )
        seen.add(relation)
    return ", ".join(sorted(seen))


@rule(
    "extension-urns",
    "4.9",
    Level.MUST,
    f"The URN of an extension begins with {WHIP.urn}ext.",
)
async def extension_urns(endpoint: Endpoint) -> None:
    links = _extensions(endpoint)
    if not links:
        raise Absent("no extension is announced")
    for link in links:
        for relation in link.relations:
            if not EXTENSION.fullmatch(relation.removeprefix(endpoint.protocol.urn)):
                raise Failed(f'rel="{relation}"', endpoint.standard)


@rule(
    "extensions-optional",
    "4.9",
    Level.MUST,
    "No extension has to be used: a client that knows none publishes.",
)
async def extensions_optional(endpoint: Endpoint) -> None:
    await endpoint.expect_connection()
