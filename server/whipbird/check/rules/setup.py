"""Section 4.2: the POST, and the answer."""

from aiohttp import hdrs

from ...sdp.errors import SdpError
from ...sdp.remote_media import mid_of
from ..answer import Answer
from ..client import NotConnected
from ..endpoint import Endpoint, answer_of
from ..exchange import Exchange, location_of
from ..offers import Shape, malformed, write_offer
from ..requests import SDP, SDP_FRAGMENT
from ..rule import Failed, Level, Skipped, rule

OTHER_TYPES = ("text/plain", "application/json", SDP_FRAGMENT)


@rule(
    "post-201",
    "4.2",
    Level.MUST,
    'A valid offer is answered with "201 Created".',
)
async def post_201(endpoint: Endpoint) -> str:
    exchange = endpoint.standard
    if exchange.status != 201:
        raise Failed(f"{exchange}, not with 201", exchange)
    return f"offered: {', '.join(endpoint.shape.kinds)}"


@rule("post-type", "4.2", Level.MUST, "The answer is of type application/sdp.")
async def post_type(endpoint: Endpoint) -> None:
    exchange = endpoint.standard
    if exchange.content_type != SDP:
        raise Failed(f'the answer is "{exchange.content_type}"', exchange)


@rule(
    "post-location",
    "4.2",
    Level.MUST,
    "The Location of the 201 response is the URL of the new session.",
)
async def post_location(endpoint: Endpoint) -> None:
    exchange = endpoint.standard
    location = location_of(exchange)
    if location is None:
        value = exchange.received.get(hdrs.LOCATION)
        problem = f'Location is "{value}"' if value else "there is no Location"
        raise Failed(problem, exchange)
    if location in (exchange.url, endpoint.url):
        raise Failed("Location is the URL of the endpoint itself", exchange)


@rule(
    "post-answer",
    "4.2",
    Level.MUST,
    "The body is an answer by the rules of JSEP (RFC 9429 section 5.3.1): the offer's "
    "media sections in order, with its mids and payload types, an ICE and a DTLS side.",
)
async def post_answer(endpoint: Endpoint) -> None:
    exchange = endpoint.standard
    try:
        answer = Answer.parse(exchange.text)
    except SdpError as error:
        line = f" (line {error.line})" if error.line else ""
        raise Failed(
            f"the answer is not SDP: {error.detail}{line}", exchange
        ) from error
    if problem := _problem_of(answer, Answer.parse(exchange.body.decode())):
        raise Failed(problem, exchange)


def _problem_of(answer: Answer, offer: Answer) -> str | None:
    """A description of the error in an answer, or None."""
    kinds, offered = [[m.kind for m in side.media] for side in (answer, offer)]
    if kinds != offered:
        return f"the answer has sections {kinds}, the offer {offered}"
    for ours, theirs in zip(offer.media, answer.media, strict=True):
        if answer.is_rejected(theirs):
            continue
        if mid_of(theirs) != mid_of(ours):
            return f"mid {mid_of(ours)} is answered as {mid_of(theirs)}"
        if foreign := set(theirs.formats) - set(ours.formats):
            return f"payload types {sorted(foreign)} were not offered"
    if answer.ice is None:
        return "the answer has no ICE credentials"
    if not answer.fingerprints:
        return "the answer has no fingerprint"
    if answer.setup not in ("active", "passive"):
        return f'"a=setup:{answer.setup}" does not answer "actpass"'
    return None


@rule(
    "post-connects",
    "4.2",
    Level.MUST,
    "After the exchange the server sets up ICE and DTLS with the client.",
)
async def post_connects(endpoint: Endpoint) -> str:
    offered = await endpoint.offer()
    session, client = offered.session, offered.client
    try:
        await client.accept(session.answer)
        await client.connected(endpoint.options.timeout)
    except NotConnected as error:
        raise Failed(str(error), session.exchange) from error
    if not await client.is_alive(endpoint.echoes):
        raise Failed("connected, but nothing comes back", session.exchange)
    kind = "messages are echoed" if endpoint.echoes else "consent checks are answered"
    return f"{', '.join(client.kinds)}; {kind}"


@rule(
    "post-other-type",
    "4.2",
    Level.MUST,
    "A POST of another content type than application/sdp is refused with 4xx.",
)
async def post_other_type(endpoint: Endpoint) -> str:
    offer = write_offer(await endpoint.unconnected_transport(), endpoint.shape).encode()
    statuses = set()
    for content_type in OTHER_TYPES:
        exchange = await endpoint.post(offer, content_type=content_type)
        _expect_refusal(exchange, f"an offer as {content_type}")
        statuses.add(exchange.status)
    return _listed(statuses)


@rule("post-malformed", "4.2", Level.MUST, "Malformed SDP is refused with 4xx.")
async def post_malformed(endpoint: Endpoint) -> str:
    offer = write_offer(await endpoint.unconnected_transport(), endpoint.shape)
    statuses = set()
    for name, body in malformed(offer).items():
        exchange = await endpoint.post(body)
        _expect_refusal(exchange, name)
        statuses.add(exchange.status)
    return _listed(statuses)


@rule(
    "offer-sends-nothing",
    "4.2",
    Level.MUST,
    "An offer that is recvonly or inactive, which WHIP forbids, is refused with 4xx.",
)
async def offer_sends_nothing(endpoint: Endpoint) -> str:
    statuses = set()
    for direction in ("recvonly", "inactive"):
        shape = Shape(_media_kinds(endpoint), direction=direction)
        exchange = await endpoint.post_shape(shape)
        _expect_refusal(exchange, f'"a={direction}"')
        statuses.add(exchange.status)
    return _listed(statuses)


@rule(
    "offer-sendrecv",
    "4.2",
    Level.MUST,
    "An offer may be sendrecv instead of sendonly; it is answered with recvonly too.",
)
async def offer_sendrecv(endpoint: Endpoint) -> None:
    shape = Shape(_media_kinds(endpoint), direction="sendrecv")
    exchange = await endpoint.post_shape(shape)
    if not exchange.is_success:
        raise Failed(f"{exchange}, not with 201", exchange)
    # The direction of the answer is checked by another rule.


@rule(
    "answer-recvonly",
    "4.2",
    Level.MUST,
    "The answer is recvonly in every section of audio or video.",
)
async def answer_recvonly(endpoint: Endpoint) -> None:
    kinds = _media_kinds(endpoint)
    for direction in ("sendonly", "sendrecv"):
        exchange = await endpoint.post_shape(Shape(kinds, direction=direction))
        if not exchange.is_success:
            continue
        answer = answer_of(exchange)
        for media in answer.media:
            answered = answer.direction(media)
            if not answer.is_rejected(media) and answered != "recvonly":
                raise Failed(
                    f"{direction} {media.kind} is answered with {answered}", exchange
                )


def _media_kinds(endpoint: Endpoint) -> tuple[str, ...]:
    """The kinds of the usual offer that are media, with a direction."""
    kinds = tuple(k for k in endpoint.shape.kinds if k != "application")
    if not kinds:
        raise Skipped("the endpoint takes data channels only")
    return kinds


def _expect_refusal(exchange: Exchange, what: str) -> None:
    if not exchange.is_refusal:
        raise Failed(f"{what}: {exchange}, not with 4xx", exchange)


def _listed(statuses: set[int]) -> str:
    return f"refused with {', '.join(str(s) for s in sorted(statuses))}"
