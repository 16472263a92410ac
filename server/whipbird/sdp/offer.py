"""An SDP offer to WHIP: what it says, and whether it may be answered (RFC 9725)."""

from dataclasses import dataclass

from .candidate import Candidate
from .codecs import Codec, accepted_codecs
from .errors import MalformedSdp, UnacceptableSdp, quote
from .parser import (
    TOKEN,
    MediaSection,
    Section,
    SessionDescription,
    is_number,
    parse_description,
)
from .transport import (
    Fingerprint,
    IceCredentials,
    candidates,
    fingerprints,
    ice_credentials,
)

# Transport protocols of RTP that an offerer may write (RFC 9429 section 5.1.2).
_RTP_PROTOCOLS = frozenset(
    {"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP"}
    | {"TCP/DTLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVP"}
)
_SCTP_PROTOCOLS = frozenset({"UDP/DTLS/SCTP", "TCP/DTLS/SCTP"})
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_SETUP_ROLES = ("actpass", "active", "passive")

# RTP header extensions that are answered; ids must be the offer's (RFC 8285).
_EXTENSIONS = frozenset({"urn:ietf:params:rtp-hdrext:sdes:mid"})

DEFAULT_SCTP_PORT = 5000
# RFC 8841 section 6: what to assume of a peer that does not say.
DEFAULT_MAX_MESSAGE_SIZE = 65536


@dataclass(frozen=True, slots=True)
class OfferedMedia:
    """One media section of an offer that can be answered.

    Attributes:
        mid: its identification tag; None when it has none.
        codecs: the payload types that are taken; empty for a data channel.
        extensions: the RTP header extensions that are taken, (id, URI) each.
        sctp_port: the peer's SCTP port; data channels only.
        max_message_size: octets that the peer can take in one data-channel message,
            0 for any number; data channels only.
    """

    kind: str
    mid: str | None
    protocol: str
    codecs: tuple[Codec, ...] = ()
    extensions: tuple[tuple[int, str], ...] = ()
    bundle_only: bool = False
    sctp_port: int = DEFAULT_SCTP_PORT
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that can be answered.

    Attributes:
        bundle: the mids of its BUNDLE group, in order; empty when it has none.
        setup: ``actpass``, ``active`` or ``passive``.
        candidates: those that the offer already carries, usable or not.
    """

    media: tuple[OfferedMedia, ...]
    bundle: tuple[str, ...]
    ice: IceCredentials
    ice_lite: bool
    fingerprints: tuple[Fingerprint, ...]
    setup: str
    candidates: tuple[Candidate, ...] = ()
    extmap_allow_mixed: bool = False

    @property
    def tagged(self) -> OfferedMedia:
        """The section whose transport the bundle uses (RFC 9143 section 7.2)."""
        if self.bundle:
            return next(m for m in self.media if m.mid == self.bundle[0])
        return self.media[0]

    @property
    def has_media(self) -> bool:
        """Whether audio or video is offered, not only data channels."""
        return any(m.kind != "application" for m in self.media)


def parse_offer(text: str) -> Offer:
    """Parse an offer and judge it by the rules of WHIP.

    Args:
        text: the body of the POST.

    Raises:
        MalformedSdp: when it is not SDP, or breaks the grammar of an attribute.
        UnacceptableSdp: when it asks for what WHIP, or this server, does not do.
    """
    description = parse_description(text)
    if not description.media:
        raise UnacceptableSdp(
            "Nothing offered",
            "The offer has no media section; it needs audio, video or a data channel.",
            section="RFC 9725 section 4.4.2",
        )
    _check_counts(description)
    bundle = _bundle(description)
    _check_single_stream(description)
    media = tuple(_offered_media(m, description) for m in description.media)
    _check_payload_types(description, media)
    # With max-bundle all sections share the transport of the tagged one.
    tagged = next(
        (
            section
            for section, offered in zip(description.media, media, strict=True)
            if bundle and offered.mid == bundle[0]
        ),
        description.media[0],
    )
    ice = ice_credentials(tagged, description)
    if ice is None:
        raise UnacceptableSdp(
            "No ICE credentials",
            '"a=ice-ufrag" and "a=ice-pwd" are missing.',
            section="RFC 8839 section 5.4",
            line=tagged.line,
        )
    prints = fingerprints(tagged, description)
    if not prints:
        raise UnacceptableSdp(
            "No fingerprint",
            '"a=fingerprint" is missing: the connection could not be secured.',
            section="RFC 8827 section 6.5",
            line=tagged.line,
        )
    return Offer(
        media=media,
        bundle=bundle,
        ice=ice,
        ice_lite=description.has("ice-lite"),
        fingerprints=prints,
        setup=_setup(tagged, description),
        candidates=candidates(tagged),
        extmap_allow_mixed=description.has("extmap-allow-mixed"),
    )


def _check_counts(description: SessionDescription) -> None:
    """At most one audio and one video track, and one SCTP association."""
    seen: set[str] = set()
    for media in description.media:
        if media.kind not in ("audio", "video", "application"):
            raise UnacceptableSdp(
                "Unsupported media",
                f'"{quote(media.kind)}" is not audio, video or application.',
                section="RFC 9725 section 4.4.3",
                line=media.line,
            )
        if media.kind in seen:
            raise UnacceptableSdp(
                f"More than one {media.kind} section",
                f"WHIP takes at most one {media.kind} section in an offer.",
                section="RFC 9725 section 4.4.2",
                line=media.line,
            )
        seen.add(media.kind)
        if media.port == 0 and not media.has("bundle-only"):
            raise UnacceptableSdp(
                "Disabled media section",
                'Port 0 without "a=bundle-only" offers nothing.',
                section="RFC 9725 section 4.4.3",
                line=media.line,
            )


def _bundle(description: SessionDescription) -> tuple[str, ...]:
    """The mids of the BUNDLE group; it must hold all sections if there are several."""
    mids: list[str] = []
    for media in description.media:
        mid = media.first("mid")
        if mid is None:
            continue
        if not TOKEN.fullmatch(mid.value) or mid.value in mids:
            problem = "is used twice" if mid.value in mids else "is not a token"
            raise MalformedSdp(
                "Malformed mid",
                f'The mid "{quote(mid.value)}" {problem}.',
                section="RFC 5888 section 4",
                line=mid.line,
            )
        mids.append(mid.value)
    for group in description.all("group"):
        semantics, _, rest = group.value.partition(" ")
        if semantics != "BUNDLE":
            continue
        members = rest.split()
        unknown = [m for m in members if m not in mids]
        if unknown or len(set(members)) != len(members):
            raise MalformedSdp(
                "Malformed BUNDLE group",
                "It must name mids of the offer, each once.",
                section="RFC 9143 section 7.2",
                line=group.line,
            )
        if members and len(members) == len(description.media):
            return tuple(members)
    if len(description.media) > 1:
        raise UnacceptableSdp(
            "Not bundled",
            'All media sections must be in one "a=group:BUNDLE".',
            section="RFC 9725 section 4.4.1",
            line=description.media[1].line,
        )
    return ()


def _check_single_stream(description: SessionDescription) -> None:
    """All tracks must be of one MediaStream."""
    stream: str | None = None
    for media in description.media:
        for msid in media.all("msid"):
            identifier = msid.value.split(" ")[0]
            if stream is not None and identifier != stream:
                raise UnacceptableSdp(
                    "More than one MediaStream",
                    f'The msid "{quote(identifier)}" differs from "{quote(stream)}".',
                    section="RFC 9725 section 4.4.2",
                    line=msid.line,
                )
            stream = identifier


def _check_payload_types(
    description: SessionDescription, media: tuple[OfferedMedia, ...]
) -> None:
    """In a bundle a payload type tells the section that a packet belongs to."""
    seen: set[int] = set()
    for section, offered in zip(description.media, media, strict=True):
        for codec in offered.codecs:
            if codec.payload_type in seen:
                raise UnacceptableSdp(
                    "Payload type used twice",
                    f"Payload type {codec.payload_type} stands in two bundled media "
                    "sections.",
                    section="RFC 9143 section 9.1",
                    line=section.line,
                )
        seen.update(codec.payload_type for codec in offered.codecs)


def _setup(tagged: MediaSection, session: Section) -> str:
    """The DTLS role that is offered (RFC 8842 section 5.2)."""
    attribute = tagged.first("setup") or session.first("setup")
    if attribute is None:
        # RFC 4145 section 4: without the attribute, the offerer is active.
        return "active"
    if attribute.value not in _SETUP_ROLES:
        raise UnacceptableSdp(
            "Unsupported setup role",
            f'"a=setup:{quote(attribute.value)}" is not one of '
            f"{', '.join(_SETUP_ROLES)}.",
            section="RFC 9725 section 4.4.4",
            line=attribute.line,
        )
    return attribute.value


def _offered_media(media: MediaSection, session: Section) -> OfferedMedia:
    attribute = media.first("mid")
    mid = attribute.value if attribute else None
    if media.kind == "application":
        return _offered_channel(media, mid)
    if media.protocol not in _RTP_PROTOCOLS:
        raise UnacceptableSdp(
            "Unsupported transport",
            f'"{quote(media.protocol)}" is not secure RTP with feedback '
            "(UDP/TLS/RTP/SAVPF).",
            section="RFC 9429 section 5.1.2",
            line=media.line,
        )
    if not media.has("rtcp-mux"):
        raise UnacceptableSdp(
            "RTCP is not multiplexed",
            '"a=rtcp-mux" is missing.',
            section="RFC 9725 section 4.4.1",
            line=media.line,
        )
    attributes = (*media.attributes, *session.attributes)
    direction = next((a for a in attributes if a.name in _DIRECTIONS), None)
    if direction is not None and direction.name in ("recvonly", "inactive"):
        raise UnacceptableSdp(
            "Nothing would be sent",
            f'"a={direction.name}" must not be offered: a WHIP client sends '
            '("a=sendonly", or "a=sendrecv").',
            section="RFC 9725 section 4.2",
            line=direction.line,
        )
    return OfferedMedia(
        kind=media.kind,
        mid=mid,
        protocol=media.protocol,
        codecs=accepted_codecs(media),
        extensions=_extensions(media),
        bundle_only=media.has("bundle-only"),
    )


def _offered_channel(media: MediaSection, mid: str | None) -> OfferedMedia:
    if media.protocol not in _SCTP_PROTOCOLS or media.formats != (
        "webrtc-datachannel",
    ):
        raise UnacceptableSdp(
            "Unsupported data channel",
            "A data channel is offered as "
            '"m=application <port> UDP/DTLS/SCTP webrtc-datachannel".',
            section="RFC 8841 section 4",
            line=media.line,
        )
    return OfferedMedia(
        kind=media.kind,
        mid=mid,
        protocol=media.protocol,
        bundle_only=media.has("bundle-only"),
        sctp_port=_number(media, "sctp-port", DEFAULT_SCTP_PORT, 65535),
        max_message_size=_number(
            media, "max-message-size", DEFAULT_MAX_MESSAGE_SIZE, 2**64
        ),
    )


def _number(media: MediaSection, name: str, default: int, largest: int) -> int:
    attribute = media.first(name)
    if attribute is None:
        return default
    if not is_number(attribute.value) or len(attribute.value) > 20:
        value = -1
    else:
        value = int(attribute.value)
    if not 0 <= value <= largest or (name == "sctp-port" and value == 0):
        raise MalformedSdp(
            f"Malformed {name}",
            f'"a={name}:{quote(attribute.value)}" is not a number, or out of range.',
            section="RFC 8841 section 5"
            if name == "sctp-port"
            else "RFC 8841 section 6",
            line=attribute.line,
        )
    return value


def _extensions(media: MediaSection) -> tuple[tuple[int, str], ...]:
    """The header extensions that are taken, (id, URI) each (RFC 8285 section 8)."""
    taken = []
    for attribute in media.all("extmap"):
        identifier, _, rest = attribute.value.partition(" ")
        number = identifier.partition("/")[0]
        if not is_number(number[:5]) or not 1 <= int(number) <= 4096 or not rest:
            raise MalformedSdp(
                "Malformed extmap",
                '"a=extmap" is an id and the URI of a header extension.',
                section="RFC 8285 section 8",
                line=attribute.line,
            )
        uri = rest.split(" ")[0]
        if uri in _EXTENSIONS and int(number) <= 14:
            taken.append((int(number), uri))
    return tuple(taken)
