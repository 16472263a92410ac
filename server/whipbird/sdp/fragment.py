"""SDP fragments: the bodies of PATCH requests (RFC 8840 section 9)."""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from .candidate import Candidate
from .errors import MalformedSdp
from .parser import Section, parse_sections
from .transport import IceCredentials, candidates, ice_credentials


@dataclass(frozen=True, slots=True)
class Fragment:
    """The content of a client's PATCH: trickled candidates or an ICE restart.

    Attributes:
        ice: the credentials of its ICE session; None for the current ICE session.
        candidates: the client's new candidates, usable or not.
        end_of_candidates: whether no more candidates will follow.
    """

    ice: IceCredentials | None
    candidates: tuple[Candidate, ...] = ()
    end_of_candidates: bool = False


def parse_fragment(text: str, unused: Container[IceCredentials] = ()) -> Fragment:
    """Parse the body of a PATCH request.

    Credentials may be at session level, in a media section, or both (RFC 8840
    section 9.2). All sections share one transport, so all credentials must be equal.

    Args:
        unused: the ICE credentials of sections that the answer has rejected: sections
            with them are ignored.

    Raises:
        MalformedSdp: when it does not follow the grammar or contradicts itself.
    """
    description = parse_sections(text)
    if not any(section.attributes for section in [*description.media, description]):
        raise MalformedSdp(
            "Empty SDP fragment",
            "The fragment has no attributes.",
            section="RFC 8840 section 9",
        )
    default = ice_credentials(description)
    media_sections = [
        media
        for media in description.media
        if (ice_credentials(media) or default) not in unused
    ]
    sections: list[Section] = [*media_sections]
    if default not in unused:
        sections.append(description)
    found = {ice for section in sections if (ice := ice_credentials(section))}
    if len(found) > 1:
        raise MalformedSdp(
            "Contradictory ICE credentials",
            "The sections of the fragment have different ICE credentials, but share "
            "one transport.",
            section="RFC 8840 section 4.4",
        )
    if any(section.has("candidate") for section in media_sections):
        for media in media_sections:
            if not media.has("mid"):
                raise MalformedSdp(
                    "Candidates of an unknown section",
                    '"a=mid" is missing.',
                    section="RFC 8840 section 9.2",
                    line=media.line,
                )
    return Fragment(
        ice=next(iter(found), None),
        candidates=tuple(c for section in sections for c in candidates(section)),
        end_of_candidates=any(s.has("end-of-candidates") for s in sections),
    )


def write_fragment(
    media_line: str,
    mid: str | None,
    ice: IceCredentials,
    new_candidates: tuple[Candidate, ...],
    *,
    bundle: tuple[str, ...] = (),
    ice_attributes: Iterable[str] = (),
    end_of_candidates: bool = True,
) -> str:
    """Write the body of a PATCH request or of its response.

    Args:
        media_line: the value of the tagged section's ``m=`` line.
        mid: its mid; None if it has none.
        bundle: the mids of the BUNDLE group; empty for none.
        ice_attributes: those of ``ice-lite``, ``ice-options`` and ``ice-pacing`` that
            the offer or answer has (RFC 9725 section 4.3.3).
    """
    lines = [f"a={attribute}" for attribute in ice_attributes]
    if bundle:
        lines.append(f"a=group:BUNDLE {' '.join(bundle)}")
    lines.append(f"m={media_line}")
    if mid is not None:
        lines.append(f"a=mid:{mid}")
    lines += [f"a=ice-ufrag:{ice.ufrag}", f"a=ice-pwd:{ice.pwd}"]
    lines += [f"a=candidate:{candidate}" for candidate in new_candidates]
    if end_of_candidates:
        lines.append("a=end-of-candidates")
    return "\r\n".join(lines) + "\r\n"
