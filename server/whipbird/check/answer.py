"""The answer of a server, for the rules to look at."""

from dataclasses import dataclass

from ..sdp.candidate import Candidate
from ..sdp.parser import MediaSection, SessionDescription, parse_description
from ..sdp.remote_description import bundle_of, tagged_section
from ..sdp.remote_media import direction_of, is_rejected
from ..sdp.transport import (
    Fingerprint,
    IceCredentials,
    candidates,
    fingerprints,
    ice_credentials,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An SDP answer.

    Attributes:
        bundle: the mids of its BUNDLE group.
        ice: the credentials of the tagged section; None when there are none.
        candidates: those of the tagged section, usable or not.
    """

    text: str
    description: SessionDescription
    bundle: tuple[str, ...]
    ice: IceCredentials | None
    fingerprints: tuple[Fingerprint, ...]
    candidates: tuple[Candidate, ...]

    @classmethod
    def parse(cls, text: str) -> "Answer":
        """Parse an answer.

        Raises:
            SdpError: when it does not follow the grammar.
        """
        description = parse_description(text)
        bundle = bundle_of(description)
        tagged = tagged_section(description.media, bundle)
        sections = (tagged, description) if tagged is not None else (description,)
        return cls(
            text=text,
            description=description,
            bundle=bundle,
            ice=ice_credentials(*sections),
            fingerprints=fingerprints(*sections),
            candidates=candidates(tagged) if tagged is not None else (),
        )

    @property
    def media(self) -> list[MediaSection]:
        """The media sections, in order."""
        return self.description.media

    @property
    def is_ice_lite(self) -> bool:
        """Whether the server only answers checks (RFC 8445 section 2.5)."""
        return self.description.has("ice-lite")

    @property
    def usable_candidates(self) -> list[Candidate]:
        """The candidates to which a check can be sent."""
        return [c for c in self.candidates if c.is_usable]

    @property
    def setup(self) -> str:
        """The DTLS role of the server (RFC 8842); empty when it gives none."""
        for section in (*self.media, self.description):
            if (attribute := section.first("setup")) is not None:
                return attribute.value
        return ""

    def direction(self, media: MediaSection) -> str:
        """The direction of a section (RFC 8866 section 6.7)."""
        return direction_of(media, self.description)

    def is_rejected(self, media: MediaSection) -> bool:
        """Whether a section is refused: port 0, unless it is bundled (RFC 9143)."""
        return is_rejected(media, self.bundle)

    @property
    def rejected(self) -> list[str]:
        """The kinds of the sections that are refused."""
        return [media.kind for media in self.media if self.is_rejected(media)]

    def transport_attributes(self) -> dict[str, str]:
        """What a restart must repeat (section 4.3.3): options, pacing, lite."""
        found: dict[str, str] = {}
        for section in (self.description, *self.media):
            for name in ("ice-options", "ice-pacing", "ice-lite"):
                attribute = section.first(name)
                if attribute is not None:
                    value = " ".join(sorted(attribute.value.split()))
                    found.setdefault(name, value)
        return found
