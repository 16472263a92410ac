"""SDP offers: parsed, and validated by the rules of WHIP (RFC 9725) or WHEP."""

from dataclasses import dataclass

from .candidate import Candidate
from .errors import MalformedSdp, UnacceptableSdp, quote
from .media import OfferedMedia, offered_media
from .parser import (
    TOKEN,
    MediaSection,
    Section,
    SessionDescription,
    parse_description,
)
from .role import PUBLISHER, Role
from .transport import (
    Fingerprint,
    IceCredentials,
    candidates,
    fingerprints,
    ice_credentials,
)

_SETUP_ROLES = ("actpass", "active", "passive")


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that can be answered.

    Attributes:
        role: the role of the offerer.
        bundle: the mids of its BUNDLE group, in order; empty if it has none.
        setup: ``actpass``, ``active`` or ``passive``.
        candidates: the candidates in the offer, usable or not.
    """

    role: Role
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


def parse_offer(text: str, role: Role = PUBLISHER) -> Offer:
    """Parse an offer, and validate it by the rules of WHIP or of WHEP.

    Args:
        text: the body of the POST.
        role: the role of the offerer.

    Raises:
        MalformedSdp: when it is not SDP, or an attribute is malformed.
        UnacceptableSdp: when it requests something that WHIP, WHEP or this server does
            not support.
    """
    description = parse_description(text)
    if not description.media:
        raise UnacceptableSdp(
            "Nothing offered",
            "The offer has no media section; it needs audio, video or a data channel.",
            section="RFC 9725 section 4.4.2",
        )
    _check_counts(description, role)
    bundle = _bundle(description)
    _check_single_stream(description)
    media = tuple(offered_media(m, description, role) for m in description.media)
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
        role=role,
        media=media,
        bundle=bundle,
        ice=ice,
        ice_lite=description.has("ice-lite"),
        fingerprints=prints,
        setup=_setup(tagged, description),
        candidates=candidates(tagged),
        extmap_allow_mixed=description.has("extmap-allow-mixed"),
    )


def _check_counts(description: SessionDescription, role: Role) -> None:
    """Check for at most one audio track, video track and SCTP association."""
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
                f"{role.protocol} takes at most one {media.kind} section in an offer.",
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
    if role.needs_media and seen == {"application"}:
        raise UnacceptableSdp(
            role.title,
            f"The offer has data channels alone: a {role.protocol} client "
            f"{role.does} audio or video.",
            section="draft-ietf-wish-whep-03 section 4.6.2",
            line=description.media[0].line,
        )


def _bundle(description: SessionDescription) -> tuple[str, ...]:
    """The mids of the BUNDLE group; it must contain all of several sections."""
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
    """Check that all tracks belong to one MediaStream."""
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
    """Check that payload types are unique: they identify the section of a packet."""
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
    """The offered DTLS role (RFC 8842 section 5.2)."""
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
