"""Section 4.2: the end of a session, by DELETE, by DTLS, or by loss of consent."""

import asyncio
from dataclasses import dataclass

from ...rtc.probe import fall_silent, tap
from ..checks import answers
from ..endpoint import Endpoint
from ..exchange import Exchange, NoResponse
from ..presence import CANNOT_TELL
from ..rule import Failed, Level, Skipped, rule
from ..session import Connected

# Seconds within which a server says that it has ended a session.
NOTIFY_LIMIT = 2.0

# Seconds after which the checks of a new connection are over.
SETTLE = 2.0

# Seconds to wait for a consent check, sent about every 5 s (RFC 7675 section 5.1).
CONSENT_CHECK_LIMIT = 15.0


@dataclass(frozen=True, slots=True)
class Deletion:
    """A DELETE of a session over which media went.

    Attributes:
        gone: whether the session is gone afterwards; None if nothing tells.
        told: whether the client was told by DTLS.
        answered: whether the server answers checks of the session still; None when
            it did not answer them before either.
    """

    exchange: Exchange
    after: Exchange | None
    gone: bool | None
    told: bool
    answered: bool | None


async def _deletion(endpoint: Endpoint) -> Deletion:
    connected = await endpoint.connect()
    session, publisher = connected.session, connected.client
    probe = await endpoint.probe(session)
    before = await answers(probe, session)
    exchange = await endpoint.request("DELETE", session.url)
    told = await publisher.closed_by_peer(NOTIFY_LIMIT)
    after = await _after(endpoint, connected)
    answered = await answers(probe, session) if before else None
    gone = await endpoint.presence.is_gone(session)
    if gone is None and (told or answered is False):
        gone = True
    if gone is None:
        gone = await endpoint.presence.has_gone(session)
    return Deletion(exchange, after, gone, told, answered)


async def _after(endpoint: Endpoint, connected: Connected) -> Exchange | None:
    """GET of a session that has ended; None without a response."""
    try:
        return await endpoint.request("GET", connected.session.url)
    except NoResponse:
        return None


@rule("delete-200", "4.2", Level.MUST, 'DELETE of a session is answered with "200 OK".')
async def delete_200(endpoint: Endpoint) -> None:
    session = await endpoint.open()
    exchange = await endpoint.request("DELETE", session.url)
    if exchange.status != 200:
        raise Failed(f"{exchange}, not with 200", exchange)


@rule(
    "delete-removes",
    "4.2",
    Level.MUST,
    "After DELETE the session is removed: its URL names nothing any more.",
)
async def delete_removes(endpoint: Endpoint) -> str:
    deletion = await endpoint.shared(_deletion)
    after = deletion.after
    shown = [exchange for exchange in (deletion.exchange, after) if exchange]
    # A page for any URL says nothing of the session, but no content is a session's.
    if after is not None and after.is_success and not after.content:
        raise Failed(f"after it {after}", *shown)
    if deletion.gone is None:
        raise Skipped(CANNOT_TELL)
    if not deletion.gone:
        raise Failed("it is still there", *shown)
    return f"after it {after}" if after else "it is gone"


@rule(
    "delete-ends-ice",
    "4.2",
    Level.MUST,
    "DELETE frees the media server's side: its ICE session ends, and answers no check.",
)
async def delete_ends_ice(endpoint: Endpoint) -> None:
    deletion = await endpoint.shared(_deletion)
    if deletion.answered is None:
        raise Skipped("the server answers checks from one address only")
    if deletion.answered:
        raise Failed("it still answers STUN checks", deletion.exchange)


@rule(
    "delete-revokes",
    "4.2",
    Level.MUST,
    "A server that ends a session revokes consent at once (RFC 7675 section 5.2): it "
    "closes DTLS, so that the client stops sending.",
)
async def delete_revokes(endpoint: Endpoint) -> None:
    deletion = await endpoint.shared(_deletion)
    if not deletion.told:
        raise Failed(
            f"no DTLS close_notify came within {NOTIFY_LIMIT:g} seconds",
            deletion.exchange,
        )


@rule(
    "dtls-close",
    "4.2",
    Level.MUST,
    "A client ends its session by closing DTLS, too.",
)
async def dtls_close(endpoint: Endpoint) -> None:
    connected = await endpoint.connect()
    witness = await endpoint.presence.witness(connected.session)
    await connected.client.close()
    limit = endpoint.options.timeout
    gone = await endpoint.presence.goes(connected.session, limit, witness)
    if gone is None:
        raise Skipped(CANNOT_TELL)
    if not gone:
        raise Failed(
            f"it is still there {limit:g} seconds after the DTLS close_notify",
            connected.session.exchange,
        )


@rule(
    "consent-checks",
    "4.2",
    Level.MUST,
    "A server with full ICE asks the client for its consent to be sent to (RFC 7675).",
    slow=True,
)
async def consent_checks(endpoint: Endpoint) -> None:
    connected = await endpoint.connect()
    _require_full_ice(connected)
    arrivals = tap(connected.client.peer)
    # Wait until the checks of the connection setup are over.
    await asyncio.sleep(SETTLE)
    settled = len(arrivals.requests)
    own = connected.session.local.ice
    found = await arrivals.wait_for(
        lambda r: r in arrivals.requests[settled:] and r.is_authentic(own.pwd),
        CONSENT_CHECK_LIMIT,
    )
    if found is None:
        raise Failed(
            f"no check came within {CONSENT_CHECK_LIMIT:g} seconds",
            connected.session.exchange,
        )
    await endpoint.end(connected)


@rule(
    "consent-expiry",
    "4.2",
    Level.MUST,
    "A client that vanishes without a word is noticed when its consent expires, and "
    "its session ends (RFC 7675 section 5.1: after 30 seconds).",
    slow=True,
)
async def consent_expiry(endpoint: Endpoint) -> None:
    connected = await endpoint.connect()
    _require_full_ice(connected)
    witness = await endpoint.presence.witness(connected.session)
    fall_silent(connected.client.peer)
    limit = endpoint.options.consent_limit
    gone = await endpoint.presence.goes(
        connected.session, limit, witness, in_silence=True
    )
    if gone is None:
        raise Skipped(CANNOT_TELL)
    if not gone:
        raise Failed(
            f"it is still there {limit:g} seconds after the client has fallen silent",
            connected.session.exchange,
        )


def _require_full_ice(connected: Connected) -> None:
    if connected.session.answer.is_ice_lite:
        raise Skipped("the server is ICE lite, and sends no checks")
