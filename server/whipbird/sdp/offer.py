"""SDP offers: parsed, and validated by the rules of WHIP (RFC 9725) or WHEP."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from .candidate import Candidate
from .errors import UnacceptableSdp, quote
from .media import OfferedMedia, RejectedMedia
from .parser import Section, SessionDescription, parse_description
from .role import PUBLISHER, Role
from .sections import Sections, choose_sections
from .transport import (
    Fingerprint,
    IceCredentials,
    candidates,
    fingerprints,
    ice_credentials,
)

_SETUP_ROLES = ("actpass", "active", "passive")

_NO_ICE: frozenset[IceCredentials] = frozenset()


@dataclass(frozen=True)
class Offer:
    """An offer that can be answered.

    Attributes:
        role: the role of the offerer.
        sections: its media sections in order, with those that the answer rejects.
        bundle: the mids of the accepted sections, in order, the tagged one first; empty
            if the offer does not bundle them.
        setup: ``actpass``, ``active`` or ``passive``.
        candidates: the candidates in the offer, usable or not.
        unused_ice: the ICE credentials of rejected sections with a transport of their
            own: the client may still send candidates for them.
    """

    role: Role
    sections: tuple[OfferedMedia | RejectedMedia, ...]
    bundle: tuple[str, ...]
    ice: IceCredentials
    ice_lite: bool
    fingerprints: tuple[Fingerprint, ...]
    setup: str
    candidates: tuple[Candidate, ...] = ()
    unused_ice: frozenset[IceCredentials] = frozenset()
    extmap_allow_mixed: bool = False
    # For ``rejecting``.
    _description: SessionDescription = field(
        default_factory=SessionDescription, compare=False, repr=False
    )
    _refused: frozenset[int] = frozenset()

    @cached_property
    def media(self) -> tuple[OfferedMedia, ...]:
        """The sections that the answer accepts, and that carry something, in order."""
        return tuple(m for m in self._accepted if not m.is_inactive)

    @cached_property
    def tagged(self) -> OfferedMedia:
        """The section whose transport the bundle uses (RFC 9143 section 7.3.1)."""
        if self.bundle:
            return next(m for m in self._accepted if m.mid == self.bundle[0])
        return self._accepted[0]

    @cached_property
    def _accepted(self) -> tuple[OfferedMedia, ...]:
        return tuple(m for m in self.sections if isinstance(m, OfferedMedia))

    @cached_property
    def has_media(self) -> bool:
        """Whether audio or video is offered, not only data channels."""
        return any(m.kind != "application" for m in self.media)

    def line(self, kind: str) -> int | None:
        """The index of the accepted section of a kind; None without one."""
        found = (m for m in self.media if m.kind == kind)
        return next((self.sections.index(media) for media in found), None)

    def sending_stereo(self) -> "Offer":
        """This offer, with an answer that announces Opus in stereo."""
        sections = tuple(
            replace(m, sends_stereo=True) if isinstance(m, OfferedMedia) else m
            for m in self.sections
        )
        return replace(self, sections=sections)

    def rejecting(self, media: OfferedMedia) -> "Offer":
        """This offer with one more section that the answer rejects.

        Raises:
            UnacceptableSdp: when the answer would accept no media.
        """
        refused = self._refused | {self.sections.index(media)}
        return _offer(self._description, self.role, refused)


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
    _check_single_stream(description)
    return _offer(description, role, frozenset())


def _offer(
    description: SessionDescription, role: Role, refused: frozenset[int]
) -> Offer:
    chosen = choose_sections(description, role, refused)
    # All accepted sections share the transport of the tagged one. Where the offer has
    # another one for this, that one may be the only one with a transport.
    tagged = description.media[chosen.tagged]
    offered_tag = description.media[chosen.offered_tag]
    transport = (tagged, description, offered_tag)
    ice = ice_credentials(*transport)
    if ice is None:
        raise UnacceptableSdp(
            "No ICE credentials",
            '"a=ice-ufrag" and "a=ice-pwd" are missing.',
            section="RFC 8839 section 5.4",
            line=tagged.line,
        )
    prints = fingerprints(*transport)
    if not prints:
        raise UnacceptableSdp(
            "No fingerprint",
            '"a=fingerprint" is missing: the connection could not be secured.',
            section="RFC 8827 section 6.5",
            line=tagged.line,
        )
    found = candidates(tagged)
    if offered_tag is not tagged and ice_credentials(offered_tag) in (None, ice):
        found += tuple(c for c in candidates(offered_tag) if c not in found)
    return Offer(
        role=role,
        sections=chosen.all,
        bundle=chosen.bundle,
        ice=ice,
        ice_lite=description.has("ice-lite"),
        fingerprints=prints,
        setup=_setup(tagged, description, offered_tag),
        candidates=found,
        unused_ice=_unused_ice(description, chosen, ice),
        extmap_allow_mixed=description.has("extmap-allow-mixed"),
        _description=description,
        _refused=refused,
    )


def _unused_ice(
    description: SessionDescription, chosen: Sections, used: IceCredentials
) -> frozenset[IceCredentials]:
    pairs = zip(description.media, chosen.all, strict=True)
    rejected = [s for s, media in pairs if isinstance(media, RejectedMedia)]
    if not rejected:
        return _NO_ICE
    found = (ice_credentials(section) for section in rejected)
    return frozenset(ice for ice in found if ice is not None and ice != used)


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


def _setup(*sections: Section) -> str:
    """The offered DTLS role (RFC 8842 section 5.2), in the first section with one."""
    found = (section.first("setup") for section in sections)
    attribute = next((a for a in found if a is not None), None)
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
