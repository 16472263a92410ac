"""Section 4.3.3: ICE restarts, and the media path across them."""

from aiohttp import hdrs

from ...rtc.probe import fall_silent
from ..checks import CHECK_LIMIT, answers
from ..endpoint import Endpoint
from ..exchange import STRONG_TAG
from ..offers import new_credentials
from ..presence import CANNOT_TELL
from ..requests import SDP_FRAGMENT
from ..restart import Restart, first_restart, refused_restarts, restart_elsewhere
from ..rule import Absent, Failed, Level, Skipped, rule

# Seconds that a server may wait for a restart to succeed when consent has expired.
RESTART_ALLOWANCE = 20.0


async def _supported(endpoint: Endpoint) -> Restart:
    restart = await endpoint.shared(first_restart)
    if not restart.is_supported:
        raise Absent("ICE restarts are not supported")
    return restart


async def _granted(endpoint: Endpoint) -> Restart:
    restart = await _supported(endpoint)
    if restart.exchange.status != 200:
        raise Skipped(f"the {restart.exchange}", restart.exchange)
    return restart


@rule(
    "restart",
    "4.3",
    Level.SHOULD,
    "ICE restarts are supported (RECOMMENDED here, OPTIONAL in 4.4.5).",
)
async def restart(endpoint: Endpoint) -> None:
    await _supported(endpoint)


@rule(
    "restart-200",
    "4.3.3",
    Level.MUST,
    "A PATCH with new ICE credentials is taken for an ICE restart, whatever RFC 8840 "
    'says, and where restarts are supported it is answered with "200 OK". Its '
    "If-Match is an asterisk.",
)
async def restart_200(endpoint: Endpoint) -> None:
    exchange = (await _supported(endpoint)).exchange
    if exchange.status != 200:
        raise Failed(f"{exchange}, not with 200", exchange)


@rule(
    "restart-type",
    "4.3.3",
    Level.MUST,
    "The answer to a restart is of type application/trickle-ice-sdpfrag.",
)
async def restart_type(endpoint: Endpoint) -> None:
    exchange = (await _granted(endpoint)).exchange
    if exchange.content_type != SDP_FRAGMENT:
        raise Failed(f'it is "{exchange.content_type}"', exchange)


@rule(
    "restart-credentials",
    "4.3.3",
    Level.MUST,
    "The answer to a restart has a new username fragment and a new password.",
)
async def restart_credentials(endpoint: Endpoint) -> None:
    restart = await _granted(endpoint)
    if restart.theirs is None:
        raise Failed("it has no ICE credentials", restart.exchange)
    if not restart.has_new_credentials:
        raise Failed("they are the old ones", restart.exchange)


@rule(
    "restart-candidates",
    "4.3.3",
    Level.MAY,
    "The answer to a restart has a new set of the media server's candidates.",
)
async def restart_candidates(endpoint: Endpoint) -> str:
    restart = await _granted(endpoint)
    count = sum(candidate.is_usable for candidate in restart.candidates)
    if not count:
        raise Absent("the answer to a restart has no candidates")
    return f"{count}"


@rule(
    "restart-etag",
    "4.3.3",
    Level.MUST,
    "The answer to a restart has a new strong ETag, another one for every ICE session "
    "(4.3.1 asks for a unique one).",
)
async def restart_etag(endpoint: Endpoint) -> None:
    restart = await _granted(endpoint)
    if restart.etag is None:
        raise Failed("it has no ETag", restart.exchange)
    if not STRONG_TAG.fullmatch(restart.etag):
        raise Failed(f"{restart.etag} is no strong entity tag", restart.exchange)
    if restart.etag == restart.connected.session.etag:
        raise Failed(f"{restart.etag} is the old entity tag", restart.exchange)
    again = restart.again
    if again is not None and again.status == 200:
        third = again.received.get(hdrs.ETAG)
        if third in (restart.etag, restart.connected.session.etag):
            raise Failed(f"{third} comes again", restart.exchange, again)


@rule(
    "restart-412",
    "4.3.3",
    Level.MUST,
    "After a restart a PATCH with the old entity tag is outdated (412), and one with "
    "the new tag is not.",
)
async def restart_412(endpoint: Endpoint) -> None:
    restart = await _granted(endpoint)
    stale, current = restart.stale, restart.current
    if stale is None or current is None:
        raise Skipped("there is an entity tag missing")
    if restart.etag == restart.connected.session.etag:
        raise Skipped("there is no new entity tag")
    if 404 in (stale.status, current.status):
        raise Skipped("the session has ended")
    if stale.status != 412:
        raise Failed(f"with the old tag {stale}, not with 412", stale)
    if current.status == 412:
        raise Failed(f"with the new tag {current}", current)


@rule(
    "restart-connects",
    "4.3.3",
    Level.MUST,
    "The new ICE session works: its checks are answered with the new credentials, and "
    "a pair is nominated.",
)
async def restart_connects(endpoint: Endpoint) -> None:
    restart = await _granted(endpoint)
    if restart.nominated is None:
        raise Skipped("there are no new credentials")
    if not restart.nominated:
        raise Failed(
            f"no new pair within {endpoint.options.timeout:g} seconds", restart.exchange
        )


@rule(
    "restart-media",
    "4.3.3",
    Level.MUST,
    "What was negotiated beside ICE stays: the same DTLS session and what goes over it "
    "go on before, during and after a restart.",
)
async def restart_media(endpoint: Endpoint) -> None:
    restart = await _granted(endpoint)
    if not restart.before:
        raise Skipped("nothing came back before the restart")
    for moment in ("during", "after"):
        if not getattr(restart, moment):
            raise Failed(f"nothing comes back {moment} the restart", restart.exchange)


@rule(
    "restart-attributes",
    "4.3.3",
    Level.MUST,
    "The answer to a restart has the same ice-options, ice-pacing and ice-lite as the "
    "SDP answer.",
)
async def restart_attributes(endpoint: Endpoint) -> None:
    restart = await _granted(endpoint)
    was = restart.connected.session.answer.transport_attributes()
    if restart.attributes != was:
        raise Failed(
            f"{restart.attributes or 'there are none'}, but the answer has {was}",
            restart.exchange,
        )


@rule(
    "restart-replaces",
    "4.3.3",
    Level.MUST,
    "A restart replaces the client's candidates: the new ones are checked, and those "
    "that are not among them are not.",
)
async def restart_replaces(endpoint: Endpoint) -> None:
    elsewhere = await endpoint.shared(restart_elsewhere)
    restart = elsewhere.restart
    if restart.connected.session.answer.is_ice_lite:
        raise Skipped("the server is ICE lite, and sends no checks")
    if not restart.has_new_credentials:
        raise Skipped("there are no new credentials")
    if not elsewhere.alive:
        raise Skipped("the session has ended")
    if elsewhere.check is None:
        raise Failed(
            "no check with the new credentials came to the new candidate within "
            f"{CHECK_LIMIT:g} seconds",
            restart.exchange,
        )
    if elsewhere.replaced is not None:
        raise Failed("an old candidate is checked for it", restart.exchange)


@rule(
    "restart-consent",
    "4.3.3",
    Level.MUST,
    "When a restart fails and consent expires, the session ends (RFC 7675, 5.1).",
    slow=True,
)
async def restart_consent(endpoint: Endpoint) -> None:
    elsewhere = await restart_elsewhere(endpoint)
    if not elsewhere.alive:
        raise Failed(
            "media has stopped before the restart has failed",
            elsewhere.restart.exchange,
        )
    session = elsewhere.restart.connected.session
    witness = await endpoint.presence.witness(session)
    fall_silent(elsewhere.restart.connected.client.peer)
    limit = endpoint.options.consent_limit + RESTART_ALLOWANCE
    gone = await endpoint.presence.goes(session, limit, witness, in_silence=True)
    if gone is None:
        raise Skipped(CANNOT_TELL)
    if not gone:
        raise Failed(
            f"it is still there {limit:g} seconds after the client has fallen silent",
            elsewhere.restart.exchange,
        )


@rule(
    "restart-refused",
    "4.3.3",
    Level.MUST,
    "A restart that cannot be satisfied is answered with an HTTP error.",
)
async def restart_refused(endpoint: Endpoint) -> None:
    refused = await endpoint.shared(refused_restarts)
    for exchange in refused.exchanges:
        if exchange.status < 400:
            raise Failed(f"{exchange}, not with an error", exchange)


@rule(
    "restart-refused-stays",
    "4.3.3",
    Level.MUST,
    "A restart that cannot be satisfied does not end the session: its ICE session "
    "stays, and media goes on.",
)
async def restart_refused_stays(endpoint: Endpoint) -> None:
    refused = await endpoint.shared(refused_restarts)
    if not refused.before:
        raise Skipped("nothing came back before it")
    if not refused.after:
        raise Failed("nothing comes back after it", *refused.exchanges)
    unsupported = await endpoint.shared(first_restart)
    if not unsupported.is_supported and not unsupported.after:
        raise Failed("nothing comes back after it", unsupported.exchange)


@rule(
    "stun-mismatch",
    "4.3.3",
    Level.MUST,
    "STUN requests with other ICE credentials than the session's are dropped.",
)
async def stun_mismatch(endpoint: Endpoint) -> None:
    session = await endpoint.open()
    probe = await endpoint.probe(session)
    if not await answers(probe, session):
        raise Skipped("the server answers no check from a lone candidate")
    if await answers(probe, session, new_credentials().pwd):
        raise Failed("a check with a wrong password is answered", session.exchange)
