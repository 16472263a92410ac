"""The answer of a server: what it says, and its plain form for our own peer."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..sdp.candidate import Candidate
from ..sdp.parser import MediaSection, SessionDescription, parse_description
from ..sdp.transport import (
    Fingerprint,
    IceCredentials,
    candidates,
    fingerprints,
    ice_credentials,
)

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

# Attributes of codecs, which the plain form keeps as they are.
_KEPT = ("rtpmap", "fmtp", "rtcp-fb", "sctp-port", "max-message-size")


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
        bundle: tuple[str, ...] = ()
        for group in description.all("group"):
            semantics, _, mids = group.value.partition(" ")
            if semantics == "BUNDLE":
                bundle = tuple(mids.split())
        tagged = next(
            (m for m in description.media if bundle and mid_of(m) == bundle[0]),
            description.media[0] if description.media else None,
        )
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
        for section in (media, self.description):
            for attribute in section.attributes:
                if attribute.name in DIRECTIONS:
                    return attribute.name
        return "sendrecv"

    def is_rejected(self, media: MediaSection) -> bool:
        """Whether a section is refused: port 0, unless it is bundled (RFC 9143)."""
        bundled = media.has("bundle-only") and mid_of(media) in self.bundle
        return media.port == 0 and not bundled

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


def mid_of(media: MediaSection) -> str | None:
    """The identification tag of a section."""
    attribute = media.first("mid")
    return attribute.value if attribute else None


def plain_answer(answer: Answer) -> str:
    """Write an answer as our own peer reads it best, without its candidates.

    Raises:
        ValueError: when it lacks what a connection needs.
    """
    if answer.ice is None or not answer.fingerprints:
        raise ValueError("the answer has no ICE credentials, or no fingerprint")
    if answer.setup not in ("active", "passive"):
        raise ValueError(f'the answer has "a=setup:{answer.setup}"')
    mids = [mid_of(m) or str(i) for i, m in enumerate(answer.media)]
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    lines.append(f"a=group:BUNDLE {' '.join(mids)}")
    if answer.is_ice_lite:
        lines.append("a=ice-lite")
    for mid, media in zip(mids, answer.media, strict=True):
        lines += _section(mid, media, answer)
    return "\r\n".join(lines) + "\r\n"


def _section(mid: str, media: MediaSection, answer: Answer) -> Iterator[str]:
    assert answer.ice is not None
    yield f"m={media.kind} 9 {media.protocol} {' '.join(media.formats)}"
    yield f"a=mid:{mid}"
    if media.kind != "application":
        yield f"a={answer.direction(media)}"
        # aiortc reads rtcp-mux only beside a=rtcp.
        yield "a=rtcp:9 IN IP4 0.0.0.0"
        yield "a=rtcp-mux"
    for name in _KEPT:
        for attribute in media.all(name):
            yield f"a={name}:{attribute.value}"
    yield f"a=ice-ufrag:{answer.ice.ufrag}"
    yield f"a=ice-pwd:{answer.ice.pwd}"
    for fingerprint in answer.fingerprints:
        yield f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}"
    yield f"a=setup:{answer.setup}"
