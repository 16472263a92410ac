"""Section 4.3.1: PATCH, entity tags and conditions."""

import asyncio

from aiohttp import hdrs

from ..endpoint import Endpoint
from ..exchange import STRONG_TAG, Exchange
from ..requests import SDP
from ..restart import first_restart
from ..rule import Absent, Failed, Level, Skipped, rule
from ..session import OpenSession
from .trickle import first_trickle

STALE = '"stale-whipbird-check"'

MALFORMED = {
    "text": b"hello, world\r\n",
    "octets": bytes(range(256)),
    "a broken media line": b"m=audio\r\na=mid:0\r\n",
}
OVERLAPPING = 4


def require_etag(session: OpenSession) -> str:
    """The entity tag of a session.

    Raises:
        Skipped: when it has none that could be stale.
    """
    if session.etag is None or not STRONG_TAG.fullmatch(session.etag):
        raise Skipped("the session has no strong entity tag")
    return session.etag


async def require_patch(endpoint: Endpoint) -> None:
    """Raise Absent if neither trickle ICE nor ICE restarts are supported."""
    trickle = (await endpoint.shared(first_trickle)).is_supported
    if not trickle and not (await endpoint.shared(first_restart)).is_supported:
        raise Absent("neither trickle ICE nor ICE restarts are supported")


@rule(
    "patch-other-type",
    "4.3.1",
    Level.MUST,
    "A PATCH of another content type than application/trickle-ice-sdpfrag is refused "
    "with 4xx.",
)
async def patch_other_type(endpoint: Endpoint) -> None:
    session = await endpoint.open()
    for content_type in (SDP, "text/plain"):
        exchange = await endpoint.patch(
            session, session.fragment(), content_type=content_type
        )
        if not exchange.is_refusal:
            raise Failed(f"{content_type}: {exchange}, not with 4xx", exchange)


@rule("patch-malformed", "4.3.1", Level.MUST, "A malformed SDP fragment gets 4xx.")
async def patch_malformed(endpoint: Endpoint) -> None:
    session = await endpoint.open()
    for name, body in MALFORMED.items():
        exchange = await endpoint.patch(session, body)
        if not exchange.is_refusal:
            raise Failed(f"{name}: {exchange}, not with 4xx", exchange)


@rule(
    "patch-422",
    "4.3.1",
    Level.MUST,
    "A session that supports only one of trickle ICE and ICE restarts answers a PATCH "
    "that asks for the other with 422.",
)
async def patch_422(endpoint: Endpoint) -> None:
    trickle = await endpoint.shared(first_trickle)
    restart = await endpoint.shared(first_restart)
    if trickle.is_supported == restart.is_supported:
        both = "both are" if trickle.is_supported else "neither is"
        raise Absent(f"does not apply: {both} supported")
    refused = restart.exchange if trickle.is_supported else trickle.exchange
    if refused.status != 422:
        raise Failed(f"{refused}, not with 422", refused)


@rule(
    "etag-201",
    "4.3.1",
    Level.MUST,
    "The 201 response has the entity tag of the ICE session, where PATCH is supported "
    "(4.3.2 asks the same for trickle ICE).",
)
async def etag_201(endpoint: Endpoint) -> None:
    if hdrs.ETAG not in endpoint.standard.received:
        await require_patch(endpoint)
        raise Failed("there is no ETag", endpoint.standard)


@rule(
    "etag-strong",
    "4.3.1",
    Level.MUST,
    "The entity tag is a strong one (RFC 9110 section 8.8.3).",
)
async def etag_strong(endpoint: Endpoint) -> None:
    etag = endpoint.standard.received.get(hdrs.ETAG)
    if etag is None:
        await require_patch(endpoint)
        raise Skipped("there is no ETag")
    if not STRONG_TAG.fullmatch(etag):
        kind = "a weak one" if etag.startswith("W/") else "none"
        raise Failed(f"{etag} is {kind}", endpoint.standard)


@rule(
    "patch-428",
    "4.3.1",
    Level.MUST,
    'A PATCH without If-Match is answered with "428 Precondition Required".',
)
async def patch_428(endpoint: Endpoint) -> None:
    await require_patch(endpoint)
    session = await endpoint.open()
    _expect(await endpoint.patch(session, session.fragment(), if_match=None), 428)


@rule(
    "patch-412",
    "4.3.1",
    Level.MUST,
    'A PATCH whose If-Match is outdated is answered with "412 Precondition Failed".',
)
async def patch_412(endpoint: Endpoint) -> None:
    await require_patch(endpoint)
    session = await endpoint.open()
    _expect(await endpoint.patch(session, session.fragment(), if_match=STALE), 412)


@rule(
    "patch-if-match",
    "4.3.1",
    Level.MUST,
    "If-Match is read as HTTP says (RFC 9110 section 13.1.1): of a list one tag has to "
    "match, and a weak tag never does.",
)
async def patch_if_match(endpoint: Endpoint) -> None:
    trickle = await endpoint.shared(first_trickle)
    if not trickle.is_supported:
        raise Absent("trickle ICE is not supported")
    session = await endpoint.open()
    etag = require_etag(session)
    body = session.fragment()
    listed = await endpoint.patch(session, body, if_match=f"{STALE}, {etag}")
    if not listed.is_success:
        raise Failed(f"with a list of tags {listed}", listed)
    _expect(await endpoint.patch(session, body, if_match=f"W/{etag}"), 412)


@rule(
    "patch-overlap",
    "4.3.1",
    Level.MUST,
    "Overlapping PATCH requests to one session are all answered.",
)
async def patch_overlap(endpoint: Endpoint) -> None:
    trickle = await endpoint.shared(first_trickle)
    if not trickle.is_supported:
        raise Absent("trickle ICE is not supported")
    session = await endpoint.open()
    own = await endpoint.probe(session)
    body = session.fragment(own.candidate)
    for exchange in await asyncio.gather(
        *(endpoint.patch(session, body) for _ in range(OVERLAPPING))
    ):
        if not exchange.is_success:
            raise Failed(f"one of {OVERLAPPING} {exchange}", exchange)


@rule(
    "delete-ignores-etag",
    "4.3.1",
    Level.MUST,
    "DELETE ignores entity tags: it ends the session whatever If-Match says.",
)
async def delete_ignores_etag(endpoint: Endpoint) -> None:
    session = await endpoint.open()
    exchange = await endpoint.request(
        "DELETE", session.url, headers={hdrs.IF_MATCH: STALE}
    )
    if not exchange.is_success:
        raise Failed(f"{exchange}, because of If-Match", exchange)


def _expect(exchange: Exchange, status: int) -> None:
    if exchange.status != status:
        raise Failed(f"{exchange}, not with {status}", exchange)
