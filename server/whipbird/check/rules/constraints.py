"""Sections 4.4 and 4.8: constraints on SDP, and simulcast."""

from collections.abc import Iterator
from dataclasses import dataclass

from ...sdp.parser import MediaSection
from ..answer import Answer
from ..endpoint import Endpoint, answer_of
from ..exchange import Exchange
from ..offers import RIDS, STREAM, Shape
from ..rule import Absent, Failed, Level, Skipped, rule

REFUSED = (400, 422)


def _rtp_sections(answer: Answer) -> Iterator[MediaSection]:
    return (
        media
        for media in answer.media
        if media.kind != "application" and not answer.is_rejected(media)
    )


def _needs(endpoint: Endpoint, *kinds: str) -> None:
    """Raise Skipped if the endpoint does not accept all of these kinds at once."""
    missing = [kind for kind in kinds if kind not in endpoint.shape.kinds]
    if missing:
        raise Skipped(f"the endpoint takes no {' and '.join(missing)}")


def _expect_refused(exchange: Exchange, what: str) -> str:
    """Check that an offer is refused as a whole, with one of two statuses."""
    if exchange.is_success:
        rejected = answer_of(exchange).rejected
        part = f", and {', '.join(rejected)} rejected" if rejected else ""
        raise Failed(f"{what}: {exchange}{part}, not with 400 or 422", exchange)
    if exchange.status not in REFUSED:
        raise Failed(f"{what}: {exchange}, not with 400 or 422", exchange)
    return f"refused with {exchange.status}"


def _unless_all_taken(exchange: Exchange, what: str) -> None:
    """Raise Absent if an offer that exceeds WHIP's limits is accepted as a whole."""
    if exchange.is_success and not answer_of(exchange).rejected:
        raise Absent(f"the endpoint says that it takes {what}")


@rule(
    "answer-bundle",
    "4.4.1",
    Level.MUST,
    "The endpoint bundles all that it accepts (max-bundle, RFC 9143).",
)
async def answer_bundle(endpoint: Endpoint) -> None:
    _needs(endpoint, "audio", "video")
    session = endpoint.session()
    accepted = [m for m in session.answer.media if not session.answer.is_rejected(m)]
    mids = [mid.value for m in accepted if (mid := m.first("mid")) is not None]
    outside = [mid for mid in mids if mid not in session.answer.bundle]
    if outside or len(mids) < len(accepted):
        raise Failed(
            f"the BUNDLE group of the answer is {list(session.answer.bundle)}, "
            f"its mids are {mids}",
            session.exchange,
        )


@rule(
    "bundle-media",
    "4.4.1",
    Level.MUST,
    "The media server takes audio and video multiplexed on one transport, and RTCP "
    "with them.",
)
async def bundle_media(endpoint: Endpoint) -> str:
    _needs(endpoint, "audio", "video")
    received = await endpoint.shared(_usual_reception)
    if not received.alive:
        raise Failed("nothing comes back any more", received.exchange)
    if not received.reported:
        return "connected; the server sends no receiver reports"
    if missing := {"audio", "video"} - received.reported:
        raise Failed(
            f"receiver reports came, but none of {', '.join(sorted(missing))}",
            received.exchange,
        )
    return "receiver reports of both"


@rule(
    "bundle-mid",
    "4.4.1",
    Level.MUST,
    "Bundled media is assigned to its section by its mid (RFC 9143 section 9.2), where "
    "the offer has no a=ssrc.",
)
async def bundle_mid(endpoint: Endpoint) -> str:
    _needs(endpoint, "audio", "video")
    usual = await endpoint.shared(_usual_reception)
    if not usual.alive:
        raise Skipped("with a=ssrc nothing comes back either")
    try:
        received = await _reception(endpoint, describes_sources=False)
    except Skipped as problem:
        raise Failed(problem.reason, *problem.exchanges) from None
    if not received.alive:
        raise Failed("nothing comes back any more", received.exchange)
    if missing := usual.reported - received.reported:
        raise Failed(
            f"no receiver reports of {', '.join(sorted(missing))}, which came with "
            "a=ssrc",
            received.exchange,
        )
    if not usual.reported:
        return "connected; the server sends no receiver reports"
    return "receiver reports as with a=ssrc"


@dataclass(frozen=True, slots=True)
class _Reception:
    """A session over which media was sent.

    Attributes:
        exchange: the POST.
        reported: the kinds of which receiver reports came.
        alive: whether the connection worked afterwards.
    """

    exchange: Exchange
    reported: set[str]
    alive: bool


async def _reception(endpoint: Endpoint, *, describes_sources: bool) -> _Reception:
    connected = await endpoint.connect(describes_sources=describes_sources)
    reported = await connected.client.reported()
    alive = await endpoint.is_alive(connected)
    await endpoint.end(connected)
    return _Reception(connected.session.exchange, reported, alive)


async def _usual_reception(endpoint: Endpoint) -> _Reception:
    """Send media in the shape of browsers and encoders."""
    return await _reception(endpoint, describes_sources=True)


@rule(
    "offer-bundle-only",
    "4.4.1",
    Level.MUST,
    "RFC 9143 is supported: sections with port 0 and bundle-only are accepted with "
    "the bundle.",
)
async def offer_bundle_only(endpoint: Endpoint) -> None:
    _needs(endpoint, "audio", "video")
    exchange = await endpoint.post_shape(Shape(endpoint.shape.kinds, bundle_only=True))
    if not exchange.is_success:
        raise Failed(f"{exchange}, not with 201", exchange)
    if rejected := answer_of(exchange).rejected:
        raise Failed(f"{', '.join(rejected)} rejected", exchange)


@rule(
    "offer-unbundled",
    "4.4.1",
    Level.SHOULD,
    "Sections that are not bundled cannot be taken with max-bundle, and by 4.4.3 the "
    "whole offer is refused with 400 or 422.",
)
async def offer_unbundled(endpoint: Endpoint) -> str:
    _needs(endpoint, "audio", "video")
    exchange = await endpoint.post_shape(Shape(endpoint.shape.kinds, bundle=False))
    return _expect_refused(exchange, "no BUNDLE group")


@rule(
    "answer-rtcp-mux",
    "4.4.1",
    Level.MUST,
    "RTP and RTCP are multiplexed in every section of the answer.",
)
async def answer_rtcp_mux(endpoint: Endpoint) -> None:
    session = endpoint.session()
    for media in _rtp_sections(session.answer):
        if not media.has("rtcp-mux"):
            raise Failed(f"{media.kind} has no rtcp-mux", session.exchange)


@rule(
    "answer-rtcp-mux-only",
    "4.4.1",
    Level.MUST,
    "Every bundled section of the answer has rtcp-mux-only (RFC 8858).",
)
async def answer_rtcp_mux_only(endpoint: Endpoint) -> None:
    session = endpoint.session()
    for media in _rtp_sections(session.answer):
        if not media.has("rtcp-mux-only"):
            raise Failed(f"{media.kind} has no rtcp-mux-only", session.exchange)


@rule(
    "offer-no-rtcp-mux",
    "4.4.1",
    Level.SHOULD,
    "Sections without rtcp-mux cannot be taken, and by 4.4.3 the whole offer is "
    "refused with 400 or 422.",
)
async def offer_no_rtcp_mux(endpoint: Endpoint) -> str:
    exchange = await endpoint.post_shape(Shape(endpoint.shape.kinds, rtcp_mux=False))
    return _expect_refused(exchange, "no rtcp-mux")


@rule(
    "offer-two-streams",
    "4.4.2",
    Level.MUST,
    "An offer of more than one MediaStream (differing msid) is refused with 400 or 422 "
    "where it is not supported.",
)
async def offer_two_streams(endpoint: Endpoint) -> str:
    _needs(endpoint, "audio", "video")
    shape = Shape(endpoint.shape.kinds, streams=(STREAM, f"{STREAM}-2"))
    exchange = await endpoint.post_shape(shape)
    _unless_all_taken(exchange, "several MediaStreams")
    return _expect_refused(exchange, "two MediaStreams")


@rule(
    "offer-two-tracks",
    "4.4.2",
    Level.MUST,
    "An offer of more than one audio or video track is refused with 400 or 422 where "
    "it is not supported.",
)
async def offer_two_tracks(endpoint: Endpoint) -> None:
    kinds = [kind for kind in ("audio", "video") if kind in endpoint.shape.kinds]
    for kind in kinds:
        exchange = await endpoint.post_shape(Shape((*kinds, kind)))
        _unless_all_taken(exchange, f"several {kind} tracks")
        _expect_refused(exchange, f"two {kind} tracks")


@rule(
    "offer-no-track",
    "4.4.2",
    Level.MUST,
    "An offer of nothing at all, which has no track, is refused with 4xx.",
)
async def offer_no_track(endpoint: Endpoint) -> None:
    exchange = await endpoint.post_shape(Shape(()))
    if not exchange.is_refusal:
        raise Failed(f"{exchange}, not with 4xx", exchange)


@rule(
    "no-partial-answer",
    "4.4.3",
    Level.SHOULD,
    "No section of an offer is rejected alone: when one cannot be taken, the whole "
    "offer is refused with 400 or 422.",
)
async def no_partial_answer(endpoint: Endpoint) -> str:
    session = endpoint.session()
    if rejected := session.answer.rejected:
        raise Failed(f"{', '.join(rejected)} rejected", session.exchange)
    _needs(endpoint, "audio", "video")
    shape = Shape(endpoint.shape.kinds, impossible="video")
    exchange = await endpoint.post_shape(shape)
    return _expect_refused(exchange, "video of an unknown codec")


@rule(
    "setup-active",
    "4.4.4",
    Level.SHOULD,
    "An offer with the DTLS role active is taken, or refused with 400 or 422.",
)
async def setup_active(endpoint: Endpoint) -> str:
    shape = Shape(endpoint.shape.kinds, setup="active")
    exchange = await endpoint.post_shape(shape)
    if not exchange.is_success:
        return _expect_refused(exchange, "setup:active")
    if (role := answer_of(exchange).setup) != "passive":
        raise Failed(f'"active" is answered with "{role}"', exchange)
    await endpoint.expect_connection(setup="active")
    return "taken, and connected"


@rule(
    "full-ice",
    "4.4.5",
    Level.SHOULD,
    "The media server supports full ICE; ICE lite is for servers that every client "
    "can reach.",
)
async def full_ice(endpoint: Endpoint) -> None:
    if endpoint.session().answer.is_ice_lite:
        raise Absent("the server is ICE lite, which is right where clients reach it")


async def _simulcast(endpoint: Endpoint) -> tuple[Exchange, MediaSection]:
    """The answer to an offer of video with three encodings."""
    _needs(endpoint, "video")
    shape = Shape(endpoint.shape.kinds, simulcast=True)
    exchange = await endpoint.post_shape(shape)
    if not exchange.is_success:
        raise Absent(f"an offer of it: {exchange}")
    for media in answer_of(exchange).media:
        if media.has("simulcast"):
            return exchange, media
    raise Absent("the answer to an offer of it has no simulcast")


@rule("simulcast", "4.8", Level.MAY, "Simulcast is supported (RFC 8853).")
async def simulcast(endpoint: Endpoint) -> None:
    await endpoint.shared(_simulcast)


@rule(
    "simulcast-answer",
    "4.8",
    Level.MUST,
    "Simulcast is answered by RFC 8853 section 5.3.2: the layers that are received "
    "are among those offered, each with a rid of its own.",
)
async def simulcast_answer(endpoint: Endpoint) -> None:
    exchange, media = await endpoint.shared(_simulcast)
    attribute = media.first("simulcast")
    assert attribute is not None
    direction, _, layers = attribute.value.partition(" ")
    received = {
        rid.lstrip("~") for layer in layers.split(";") for rid in layer.split(",")
    }
    rids = [rid.value.split() for rid in media.all("rid")]
    described = {rid[0] for rid in rids if rid[1:2] == ["recv"]}
    if direction != "recv" or not received <= set(RIDS) or not received <= described:
        raise Failed(f"it has a=simulcast:{attribute.value}", exchange)
