"""Sections 4.3 and 4.3.2: trickle ICE."""

from dataclasses import dataclass, replace

from aiohttp import hdrs

from ...rtc.probe import BindingRequest
from ...sdp.candidate import Candidate
from ..checks import CHECK_LIMIT, check_of
from ..endpoint import Endpoint
from ..exchange import UNSUPPORTED, Exchange
from ..rule import Absent, Failed, Level, Skipped, rule
from ..session import OpenSession

# Seconds by which unusable candidates may delay a response.
DELAY_LIMIT = 2.0

# Candidates that a server cannot use, or need not use (RFC 8839 section 5.1).
UNUSABLE = (
    "1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
    "2 1 udp 2122260222 4c0d3f52-97b6-4a41-8c1c-2f0f3b1e5a77.local 50000 typ host",
    "3 1 udp 2122260221 no-such-host.invalid 50001 typ host",
    "4 2 udp 2122260220 192.0.2.1 50002 typ host",
    "5 1 x-none 2122260219 192.0.2.1 50003 typ host",
)


@dataclass(frozen=True, slots=True)
class Trickled:
    """A PATCH with a candidate of ours, and the check that it received.

    Attributes:
        is_supported: whether trickle ICE is supported, as far as the status tells.
        check: the first check with the credentials of the session; None for none.
        others: how many checks were received instead, if ``check`` is None.
    """

    session: OpenSession
    exchange: Exchange
    check: BindingRequest | None
    others: int

    @property
    def is_supported(self) -> bool:
        return self.exchange.status not in UNSUPPORTED


async def first_trickle(endpoint: Endpoint) -> Trickled:
    """Trickle a usable candidate."""
    return await _trickle(endpoint)


async def mixed_trickle(endpoint: Endpoint) -> Trickled:
    """Trickle a usable candidate among many unusable ones."""
    return await _trickle(endpoint, *UNUSABLE)


async def _trickle(endpoint: Endpoint, *unusable: str) -> Trickled:
    session = await endpoint.open()
    probe = await endpoint.probe(session)
    body = session.fragment(*unusable, probe.candidate)
    exchange = await endpoint.patch(session, body)
    check, others = None, 0
    if exchange.is_success and not session.answer.is_ice_lite:
        check = await check_of(probe, session.local.ice, session.answer.ice)
        others = len(probe.arrivals.requests) if check is None else 0
    return Trickled(session, exchange, check, others)


async def _supported(endpoint: Endpoint) -> Trickled:
    trickled = await endpoint.shared(first_trickle)
    if not trickled.is_supported:
        raise Absent("trickle ICE is not supported")
    return trickled


def _expect_check(endpoint: Endpoint, trickled: Trickled) -> None:
    if trickled.session.answer.is_ice_lite:
        raise Skipped("the server is ICE lite, and sends no checks")
    if not trickled.exchange.is_success:
        raise Skipped(f"the {trickled.exchange}")
    if trickled.check is None:
        wrong = f", only {trickled.others} others" if trickled.others else ""
        raise Failed(
            "no check with the session's credentials came to the candidate within "
            f"{CHECK_LIMIT:g} seconds{wrong}",
            trickled.exchange,
        )


@rule(
    "trickle",
    "4.3",
    Level.SHOULD,
    "Trickle ICE is supported (RECOMMENDED here, OPTIONAL in 4.4.5).",
)
async def trickle(endpoint: Endpoint) -> None:
    await _supported(endpoint)


@rule(
    "trickle-204",
    "4.3.2",
    Level.MUST,
    'New candidates are answered with "204 No Content", without a body.',
)
async def trickle_204(endpoint: Endpoint) -> None:
    exchange = (await _supported(endpoint)).exchange
    if exchange.status != 204:
        raise Failed(f"{exchange}, not with 204", exchange)
    if exchange.content:
        raise Failed(f"the body has {len(exchange.content)} octets", exchange)


@rule(
    "trickle-no-etag",
    "4.3.2",
    Level.MUST,
    "The answer to new candidates has no ETag: the ICE session is the same.",
)
async def trickle_no_etag(endpoint: Endpoint) -> None:
    exchange = (await _supported(endpoint)).exchange
    if hdrs.ETAG in exchange.received:
        raise Failed(f"it has ETag: {exchange.received[hdrs.ETAG]}", exchange)


@rule(
    "trickle-used",
    "4.3.2",
    Level.MUST,
    "New candidates are used: the server sends checks to them, with the credentials "
    "of the ICE session.",
)
async def trickle_used(endpoint: Endpoint) -> None:
    _expect_check(endpoint, await _supported(endpoint))


@rule(
    "trickle-unusable",
    "4.3.2",
    Level.MUST,
    "Candidates that cannot be used, because of their transport or because their name "
    "cannot be resolved, are dropped without an error; the rest of the PATCH counts.",
)
async def trickle_unusable(endpoint: Endpoint) -> None:
    usual = await _supported(endpoint)
    mixed = await endpoint.shared(mixed_trickle)
    exchange = mixed.exchange
    if not exchange.is_success:
        raise Failed(f"{exchange}, not with 204", exchange)
    if exchange.seconds > usual.exchange.seconds + DELAY_LIMIT:
        raise Failed(f"they delay it by {exchange.seconds:.1f} seconds", exchange)
    if usual.check is not None and mixed.check is None:
        raise Failed("the usable candidate among them is not used", exchange)


@rule(
    "trickle-forms",
    "4.3.2",
    Level.MUST,
    "Fragments are read by RFC 8840 section 4.4: credentials at session or at media "
    "level, no candidate, several, or one that was sent before, and the end of them.",
)
async def trickle_forms(endpoint: Endpoint) -> None:
    await _supported(endpoint)
    session = await endpoint.open()
    probe = await endpoint.probe(session)
    for name, body in fragments(session, probe.candidate).items():
        exchange = await endpoint.patch(session, body)
        if not exchange.is_success:
            raise Failed(f"{name}: {exchange}, not with 204", exchange)


def fragments(session: OpenSession, candidate: Candidate) -> dict[str, bytes]:
    """Valid bodies of PATCH, by a description."""
    usual = session.fragment(candidate)
    media_line = next(
        line for line in usual.decode().splitlines() if line.startswith("m=")
    )
    ice = session.local.ice
    at_session_level = [
        f"a=ice-ufrag:{ice.ufrag}",
        f"a=ice-pwd:{ice.pwd}",
        media_line,
        "a=mid:0",
        f"a=candidate:{candidate}",
    ]
    return {
        "one candidate": usual,
        "the same again": usual,
        "no candidate": session.fragment(),
        "several candidates": session.fragment(
            candidate, replace(candidate, foundation="2", port=candidate.port ^ 1)
        ),
        "the end of candidates": session.fragment() + b"a=end-of-candidates\r\n",
        "credentials at session level": "".join(
            f"{line}\r\n" for line in at_session_level
        ).encode(),
        "extensions of a candidate": session.fragment(
            f"{candidate} generation 0 ufrag {ice.ufrag} network-id 1"
        ),
        "ICE options": b"a=ice-options:trickle ice2\r\n" + usual,
    }


@rule(
    "answer-candidates",
    "4.3.2",
    Level.MUST,
    "The answer has all candidates of the media server; none can follow.",
)
async def answer_candidates(endpoint: Endpoint) -> str:
    session = endpoint.session()
    count = len(session.answer.usable_candidates)
    if not count:
        raise Failed("the answer has no candidate that can be used", session.exchange)
    return f"{count}"


@rule(
    "offer-no-candidates",
    "4.3.2",
    Level.MUST,
    "An offer may have no candidate at all; the server finds the client all the same.",
)
async def offer_no_candidates(endpoint: Endpoint) -> None:
    if not endpoint.session().answer.usable_candidates:
        raise Skipped("the answer has no usable candidate")
    await endpoint.expect_connection(candidates=False)
