"""The rules for WHEP endpoints: those of WHIP that the draft repeats, and its own."""

from collections.abc import Mapping

from aiohttp import hdrs

from ...sdp.remote_media import is_rejected
from ..endpoint import Endpoint
from ..protocol import WHEP, WHIP
from ..requests import SDP
from ..rule import RULES, Absent, Failed, Level, Rule, rule

# Seconds within which media of a stream comes.
MEDIA_LIMIT = 5.0

# The rules of WHIP that hold for WHEP too, by section.
_SAME: Mapping[str, tuple[str, ...]] = {
    "4.1": ("get-endpoint", "get-session", "problem-details"),
    "4.3.1": (
        *("post-201", "post-type", "post-location", "post-answer", "post-connects"),
    ),
    "4.3.4": ("post-other-type", "post-malformed"),
    "4.3.5": ("offer-sendrecv",),
    "4.3.8": ("dtls-close", "consent-checks", "consent-expiry"),
    "4.4": (
        *("delete-200", "delete-removes", "delete-ends-ice", "delete-revokes"),
        *("options-cors", "cors-response", "options-accept-post", "options-session"),
    ),
    "4.5": ("trickle", "restart"),
    "4.5.1": (
        *("patch-other-type", "patch-malformed", "patch-422", "etag-201"),
        *("etag-strong", "patch-428", "patch-412", "patch-if-match", "patch-overlap"),
        "delete-ignores-etag",
    ),
    "4.5.2": (
        *("trickle-204", "trickle-no-etag", "trickle-used", "trickle-unusable"),
        *("trickle-forms", "answer-candidates", "offer-no-candidates"),
    ),
    "4.5.3": (
        *("restart-200", "restart-type", "restart-credentials", "restart-candidates"),
        *("restart-etag", "restart-412", "restart-connects", "restart-media"),
        *("restart-attributes", "restart-replaces", "restart-consent"),
        *("restart-refused", "restart-refused-stays", "stun-mismatch"),
    ),
    "4.6.1": (
        *("answer-bundle", "answer-rtcp-mux", "answer-rtcp-mux-only"),
        "offer-bundle-only",
    ),
    "4.7": ("redirect-301", "redirect-307", "busy-503"),
    "4.8": ("ice-servers", "ice-server-links"),
    "4.9": ("auth-http", "auth-bearer"),
    "4.9.1": ("auth-required", "auth-session", "auth-preflight"),
    "4.10": ("extension-links", "extension-urns", "extensions-optional"),
    "5": ("https", "session-urls", "post-rate", "patch-rate", "delete-rate"),
}

# What those ask, where RFC 9725 is named, or other words are right.
_TEXTS: Mapping[str, str] = {
    "problem-details": "Errors are explained by a problem detail (RFC 9457).",
    "offer-sendrecv": "An offer may be sendrecv instead of recvonly.",
    "options-cors": "The endpoint answers OPTIONS for CORS: a preflight is told that "
    "pages of any origin that may use it can POST, with the header fields that WHEP "
    "needs.",
    "trickle": "Trickle ICE is supported (RECOMMENDED).",
    "restart": "ICE restarts are supported (RECOMMENDED).",
    "etag-201": "The 201 response has the entity tag of the ICE session, where PATCH "
    "is supported.",
    "restart-etag": "The answer to a restart has a new strong ETag, another one for "
    "every ICE session.",
    "extension-urns": "The URN of an extension begins with urn:ietf:params:whep:ext.",
    "extensions-optional": "No extension has to be used: a client that knows none "
    "watches.",
}


def _repeat() -> None:
    for section, names in _SAME.items():
        for name in names:
            known = RULES[WHIP.name, name]
            RULES[WHEP.name, name] = Rule(
                id=name,
                section=section,
                level=known.level,
                text=_TEXTS.get(name, known.text),
                trial=known.trial,
                slow=known.slow,
                flood=known.flood,
                protocol=WHEP,
            )


_repeat()


@rule(
    "head-type",
    "4.2",
    Level.SHOULD,
    "HEAD of the endpoint is answered with 200 and Content-Type: application/sdp, by "
    "which players know it.",
    protocol=WHEP,
)
async def head_type(endpoint: Endpoint) -> None:
    exchange = await endpoint.request("HEAD")
    if exchange.status != 200:
        raise Failed(f"{exchange}, not with 200", exchange)
    if exchange.content_type != SDP:
        raise Failed(f'Content-Type is "{exchange.content_type}"', exchange)


@rule(
    "head-as-get",
    "4.2",
    Level.MUST,
    "HEAD of the endpoint has the header fields that GET has, Content-Type among them.",
    protocol=WHEP,
)
async def head_as_get(endpoint: Endpoint) -> None:
    head = await endpoint.request("HEAD")
    if not head.is_success:
        raise Absent("HEAD is not supported")
    get = await endpoint.request("GET")
    name = hdrs.CONTENT_TYPE
    if head.received.get(name) != get.received.get(name):
        raise Failed(
            f"{name} of HEAD is {head.received.get(name)}, of GET "
            f"{get.received.get(name)}",
            *(head, get),
        )


@rule(
    "answer-sendonly",
    "4.3.5",
    Level.MUST,
    "The answer is sendonly in every section of audio or video.",
    protocol=WHEP,
)
async def answer_sendonly(endpoint: Endpoint) -> None:
    session = endpoint.session()
    answer = session.answer
    for media in answer.media:
        if media.kind == "application" or answer.is_rejected(media):
            continue
        direction = answer.direction(media)
        # A stream without sound, say, has nothing to send there.
        if direction not in ("sendonly", "inactive"):
            raise Failed(f"{media.kind} is answered with {direction}", session.exchange)


@rule(
    "answer-one-stream",
    "4.6.2",
    Level.MUST,
    "Every section of the answer that sends has an msid, and all name one MediaStream.",
    protocol=WHEP,
)
async def answer_one_stream(endpoint: Endpoint) -> None:
    session = endpoint.session()
    answer = session.answer
    streams: set[str] = set()
    for media in answer.media:
        rejected = is_rejected(media, answer.bundle)
        if rejected or answer.direction(media) not in ("sendonly", "sendrecv"):
            continue
        msids = [msid.value.split()[0] for msid in media.all("msid") if msid.value]
        # Before RFC 8830, the name of the stream was in the lines of the sources.
        if not msids:
            raise Failed(f"{media.kind} has no msid", session.exchange)
        streams.update(msids)
    if len(streams) > 1:
        raise Failed(f"they name {len(streams)} MediaStreams", session.exchange)


@rule(
    "media-comes",
    "4.3.1",
    Level.MAY,
    "Media comes once the connection is there; it does if a stream is published.",
    protocol=WHEP,
)
async def media_comes(endpoint: Endpoint) -> str:
    connected = await endpoint.connect()
    kinds = await connected.client.received(MEDIA_LIMIT)
    if not kinds:
        raise Absent(
            f"nothing came within {MEDIA_LIMIT:g} seconds: publish a stream there"
        )
    return ", ".join(sorted(kinds))
