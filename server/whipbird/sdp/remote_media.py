"""A media section of the other side's answer or offer, read leniently."""

from collections.abc import Sequence
from dataclasses import dataclass

from .codecs import Codec, fmtp_parameters
from .media import DEFAULT_MAX_MESSAGE_SIZE, DEFAULT_SCTP_PORT
from .parser import MediaSection, Section, is_number

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

# Payload types that need no rtpmap (RFC 3551 section 6).
_STATIC = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000"}

_MAX_PAYLOAD_TYPE = 127
# RFC 8285 section 5: of the two-byte form.
_MAX_EXTENSION = 255


@dataclass(frozen=True, slots=True)
class RemoteMedia:
    """A media section of the other side.

    Attributes:
        mid: its identification tag; None when it has none.
        direction: as the other side sees it.
        is_rejected: whether it is refused, or offers nothing.
        codecs: the payload types whose codec it says; what is malformed is left out.
        extensions: the RTP header extensions, (id, URI) each.
        retransmission_sources: SSRC of RTX -> SSRC whose packets it repeats.
        reduced_size: whether it takes RTCP packets that are no compound (RFC 5506).
        sctp_port: of data channels.
        max_message_size: octets that it takes in one data-channel message, 0 for any
            number.
    """

    kind: str
    mid: str | None
    protocol: str
    direction: str
    is_rejected: bool
    codecs: tuple[Codec, ...] = ()
    extensions: tuple[tuple[int, str], ...] = ()
    retransmission_sources: tuple[tuple[int, int], ...] = ()
    reduced_size: bool = False
    sctp_port: int = DEFAULT_SCTP_PORT
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE


def remote_media(
    media: MediaSection, session: Section, bundle: Sequence[str]
) -> RemoteMedia:
    """Read a media section, and leave out what is malformed or unknown.

    Args:
        session: the session part, whose direction is the default of every section.
        bundle: the mids of the BUNDLE group.
    """
    is_media = media.kind in ("audio", "video")
    return RemoteMedia(
        kind=media.kind,
        mid=mid_of(media),
        protocol=media.protocol,
        direction=direction_of(media, session),
        is_rejected=is_rejected(media, bundle),
        codecs=_codecs(media) if is_media else (),
        extensions=_extensions(media),
        retransmission_sources=_retransmission_sources(media),
        reduced_size=media.has("rtcp-rsize"),
        sctp_port=_number(media, "sctp-port", 65535) or DEFAULT_SCTP_PORT,
        max_message_size=_max_message_size(media),
    )


def _codecs(media: MediaSection) -> tuple[Codec, ...]:
    rtpmaps, fmtps = _by_payload_type(media, "rtpmap"), _by_payload_type(media, "fmtp")
    codecs = []
    for value in media.formats:
        payload_type = _small_number(value)
        if payload_type is None or payload_type > _MAX_PAYLOAD_TYPE:
            continue
        rtpmap = rtpmaps.get(payload_type) or _STATIC.get(payload_type, "")
        if not _is_rtpmap(rtpmap):
            continue
        fmtp = fmtps.get(payload_type, "")
        codec = Codec(payload_type, rtpmap, fmtp, _feedback(media, value))
        if codec.name == "rtx":
            repeated = _small_number(fmtp_parameters(fmtp).get("apt", ""))
            if repeated is None:
                continue
            codec = Codec(payload_type, rtpmap, fmtp, retransmits=repeated)
        codecs.append(codec)
    return tuple(codecs)


def _small_number(text: str) -> int | None:
    """A number of at most three digits."""
    return int(text) if is_number(text) and len(text) <= 3 else None


def _is_rtpmap(value: str) -> bool:
    """Whether it is an encoding name, a clock rate and maybe a number of channels."""
    name, *numbers = value.split("/")
    return bool(name) and len(numbers) in (1, 2) and all(map(is_number, numbers))


def _by_payload_type(media: MediaSection, name: str) -> dict[int, str]:
    found = {}
    for attribute in media.all(name):
        first, _, value = attribute.value.partition(" ")
        if (payload_type := _small_number(first)) is not None:
            found[payload_type] = value.strip()
    return found


def _feedback(media: MediaSection, payload_type: str) -> tuple[str, ...]:
    pairs = (attribute.value.partition(" ") for attribute in media.all("rtcp-fb"))
    kinds = (kind for pt, _, kind in pairs if pt in ("*", payload_type))
    return tuple(dict.fromkeys(kinds))


def _extensions(media: MediaSection) -> tuple[tuple[int, str], ...]:
    """The header extensions (RFC 8285 section 8)."""
    found = []
    for attribute in media.all("extmap"):
        identifier, _, rest = attribute.value.partition(" ")
        number = _small_number(identifier.partition("/")[0])
        uri = rest.partition(" ")[0]
        if number is not None and 1 <= number <= _MAX_EXTENSION and uri:
            found.append((number, uri))
    return tuple(found)


def _retransmission_sources(media: MediaSection) -> tuple[tuple[int, int], ...]:
    """What ``a=ssrc-group:FID`` says (RFC 5576 section 4.2, RFC 4588 section 8.3)."""
    found = []
    for attribute in media.all("ssrc-group"):
        match attribute.value.split():
            case ["FID", original, repair] if is_number(original) and is_number(repair):
                found.append((int(repair[:10]), int(original[:10])))
    return tuple(found)


def _number(media: MediaSection, name: str, largest: int) -> int | None:
    attribute = media.first(name)
    if attribute is None or not is_number(attribute.value[:20]):
        return None
    return min(int(attribute.value[:20]), largest)


def _max_message_size(media: MediaSection) -> int:
    size = _number(media, "max-message-size", 2**64)
    return DEFAULT_MAX_MESSAGE_SIZE if size is None else size


def mid_of(media: MediaSection) -> str | None:
    """The identification tag of a section."""
    attribute = media.first("mid")
    return attribute.value if attribute else None


def direction_of(media: MediaSection, session: Section) -> str:
    """The direction of a section (RFC 8866 section 6.7)."""
    attributes = (*media.attributes, *session.attributes)
    return next((a.name for a in attributes if a.name in DIRECTIONS), "sendrecv")


def is_rejected(media: MediaSection, bundle: Sequence[str]) -> bool:
    """Whether a section is refused: port 0, unless it is bundled (RFC 9143)."""
    bundled = media.has("bundle-only") and mid_of(media) in bundle
    return media.port == 0 and not bundled
