"""A remote description: the other side's answer or offer, read leniently (RFC 9429).

It is read for a peer of our own, which must connect to servers and applications of all
kinds. What a WHIP endpoint takes is decided more strictly, by ``offer``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .candidate import Candidate
from .errors import MalformedSdp, UnacceptableSdp, quote
from .local_description import LocalMedia
from .parser import (
    MediaSection,
    Section,
    SessionDescription,
    parse_description,
)
from .remote_media import RemoteMedia, is_rejected, mid_of, remote_media
from .transport import Fingerprint, IceCredentials, fingerprints, ice_credentials

Type = Literal["offer", "answer"]

# What the setup attribute may be, the first when it is missing (RFC 4145 section 4).
_SETUPS: dict[Type, tuple[str, ...]] = {
    "offer": ("active", "passive", "actpass"),
    "answer": ("passive", "active"),
}


@dataclass(frozen=True, slots=True)
class RemoteDescription:
    """All that the other side says.

    Attributes:
        media: the sections, in order; all that are accepted share one transport.
        ice_lite: whether it only answers checks (RFC 8445 section 2.5).
        setup: its DTLS role: ``active``, ``passive``; in offers ``actpass``, too.
        candidates: those of all sections, usable or not, each once.
    """

    media: tuple[RemoteMedia, ...]
    ice: IceCredentials
    ice_lite: bool
    fingerprints: tuple[Fingerprint, ...]
    setup: str
    candidates: tuple[Candidate, ...]

    @property
    def channels(self) -> RemoteMedia | None:
        """The section of the data channels; None when there is none, or refused."""
        found = (m for m in self.media if m.kind == "application" and not m.is_rejected)
        return next(found, None)


def parse_remote_offer(text: str) -> RemoteDescription:
    """Read an offer.

    Raises:
        MalformedSdp: when it is not SDP.
        UnacceptableSdp: when no connection can be made by it.
    """
    return _remote_description(parse_description(text), "offer")


def parse_remote_answer(text: str, offered: Sequence[LocalMedia]) -> RemoteDescription:
    """Read the answer to an offer of this side.

    Args:
        offered: the sections of the offer.

    Raises:
        MalformedSdp: when it is not SDP, or does not answer these sections.
        UnacceptableSdp: when no connection can be made by it.
    """
    description = parse_description(text)
    _check_sections(description, offered)
    return _remote_description(description, "answer")


def _check_sections(
    description: SessionDescription, offered: Sequence[LocalMedia]
) -> None:
    """An answer has the offer's sections, in their order (RFC 9429 section 5.3.1)."""
    kinds = [section.kind for section in description.media]
    wanted = [section.kind for section in offered]
    if kinds != wanted:
        raise MalformedSdp(
            "Other sections than offered",
            f"The answer has sections of {quote(', '.join(kinds) or 'nothing', 200)}; "
            f"offered were {', '.join(wanted)}.",
            section="RFC 9429 section 5.3.1",
        )
    for ours, theirs in zip(offered, description.media, strict=True):
        mid = theirs.first("mid")
        if mid is not None and mid.value != ours.mid and theirs.port:
            raise MalformedSdp(
                "Other mids than offered",
                f'The section "{ours.mid}" is answered as "{quote(mid.value)}".',
                section="RFC 9429 section 5.3.1",
                line=mid.line,
            )


def _remote_description(
    description: SessionDescription, type_: Type
) -> RemoteDescription:
    bundle = bundle_of(description)
    accepted = [m for m in description.media if not is_rejected(m, bundle)]
    if not accepted:
        raise UnacceptableSdp(
            "Nothing accepted",
            f"No media section of the {type_} is accepted.",
            section="RFC 3264 section 6",
        )
    tagged = tagged_section(accepted, bundle)
    assert tagged is not None
    # Some say it once, in whichever section.
    sections = (tagged, description, *accepted)
    ice = ice_credentials(*sections)
    if ice is None:
        raise UnacceptableSdp(
            "No ICE credentials",
            f'The {type_} has no "a=ice-ufrag" and "a=ice-pwd".',
            section="RFC 8839 section 5.4",
        )
    prints = fingerprints(*sections)
    if not prints:
        raise UnacceptableSdp(
            "No fingerprint",
            f'The {type_} has no "a=fingerprint": the connection could not be secured.',
            section="RFC 8827 section 6.5",
        )
    return RemoteDescription(
        media=tuple(remote_media(m, description, bundle) for m in description.media),
        ice=ice,
        ice_lite=any(s.has("ice-lite") for s in (description, *description.media)),
        fingerprints=prints,
        setup=_setup(sections, type_),
        candidates=_candidates((*accepted, description)),
    )


def _setup(sections: Iterable[Section], type_: Type) -> str:
    """The DTLS role (RFC 8842 section 5)."""
    known = _SETUPS[type_]
    found = (attribute for s in sections if (attribute := s.first("setup")))
    attribute = next(found, None)
    if attribute is None:
        return known[0]
    if attribute.value not in known:
        raise UnacceptableSdp(
            "Unusable setup role",
            f'"a=setup:{quote(attribute.value)}" of the {type_} is not one of '
            f"{', '.join(sorted(known))}.",
            section="RFC 8842 section 5",
            line=attribute.line,
        )
    return attribute.value


def _candidates(sections: Iterable[Section]) -> tuple[Candidate, ...]:
    """Those that follow the grammar: the others say of no address."""
    found: dict[Candidate, None] = {}
    for section in sections:
        for attribute in section.all("candidate"):
            try:
                found[Candidate.parse(attribute.value)] = None
            except ValueError:
                continue
    return tuple(found)


def bundle_of(description: SessionDescription) -> tuple[str, ...]:
    """The mids of the BUNDLE group (RFC 9143), in order; empty for none."""
    bundle: tuple[str, ...] = ()
    for group in description.all("group"):
        semantics, _, mids = group.value.partition(" ")
        if semantics == "BUNDLE":
            bundle = tuple(mids.split())
    return bundle


def tagged_section(
    media: Sequence[MediaSection], bundle: Sequence[str]
) -> MediaSection | None:
    """The section whose transport the bundle uses (RFC 9143 section 7.2).

    Without one it is the first; None when there are no sections.
    """
    tagged = (m for m in media if bundle and mid_of(m) == bundle[0])
    return next(tagged, media[0] if media else None)
