"""The grammar of SDP (RFC 8866 section 5): lines, attributes, media sections."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from .errors import MalformedSdp, quote

GRAMMAR = "RFC 8866 section 5"

# Far above what any client offers: a browser's longest line has about 200 characters,
# but lists of thousands of sources or formats have been seen in one line.
MAX_LINE_LENGTH = 65536
MAX_LINES = 4096

# An attribute's name and a mid are tokens (RFC 8866 section 9).
TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+")

# Control characters, and characters that some parsers treat as line ends.
_CONTROL = "\\x00-\\x08\\x0a-\\x1f\\x7f\\x85\\u2028\\u2029"
_UNPRINTABLE = re.compile(f"[{_CONTROL}]")

_LINE = re.compile(f"([A-Za-z])=([^{_CONTROL}]*)")

_MEDIA_LINE = re.compile(r"([^ ]+) ([0-9]{1,5})(?:/[0-9]+)? ([^ ]+)((?: [^ ]+)+)")


class Attribute(NamedTuple):
    """An ``a=`` line: ``name`` alone, or ``name:value``."""

    name: str
    value: str
    line: int


@dataclass(slots=True)
class Section:
    """The attributes of the session level or of one media section, in order."""

    attributes: list[Attribute] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Attribute]:
        """All attributes with a name."""
        return (a for a in self.attributes if a.name == name)

    def first(self, name: str) -> Attribute | None:
        """The first attribute with a name, or None."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        return None

    def has(self, name: str) -> bool:
        """Whether there is an attribute with a name."""
        return self.first(name) is not None


@dataclass(slots=True)
class MediaSection(Section):
    """An ``m=`` line, and the lines up to the next one."""

    kind: str = ""
    port: int = 0
    protocol: str = ""
    formats: tuple[str, ...] = ()
    line: int = 0


@dataclass(slots=True)
class SessionDescription(Section):
    """A whole SDP document, or an SDP fragment (RFC 8840 section 9)."""

    media: list[MediaSection] = field(default_factory=list)


def is_number(text: str) -> bool:
    """Whether a text is a decimal number, in ASCII digits."""
    return text.isascii() and text.isdigit()


def parse_description(text: str) -> SessionDescription:
    """Parse a complete session description.

    Args:
        text: the document; lines may end in CRLF or in LF alone.

    Raises:
        MalformedSdp: when it does not follow the grammar.
    """
    lines = list(_lines(text))
    if not lines:
        raise MalformedSdp("Empty SDP", "There is no SDP here.", section=GRAMMAR)
    number, kind, value = lines[0]
    if (kind, value) != ("v", "0"):
        raise MalformedSdp(
            "Not an SDP document",
            'An SDP document begins with "v=0".',
            section="RFC 8866 section 5.1",
            line=number,
        )
    seen = {kind for _, kind, _ in lines}
    for kind, name in (("o", "origin"), ("s", "session name"), ("t", "time")):
        if kind not in seen:
            raise MalformedSdp(
                "Incomplete SDP",
                f'The {name} line "{kind}=" is missing.',
                section=GRAMMAR,
            )
    return _sections(lines)


def parse_sections(text: str) -> SessionDescription:
    """Parse an SDP fragment: attributes and media sections, without session lines.

    Raises:
        MalformedSdp: when it does not follow the grammar.
    """
    return _sections(list(_lines(text)))


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (line number, type, value) for every line that is not empty."""
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise MalformedSdp(
            "SDP too long",
            f"There are {len(lines)} lines; at most {MAX_LINES} are read.",
            section=GRAMMAR,
        )
    for number, raw in enumerate(lines, start=1):
        line = raw.removesuffix("\r")
        match = _LINE.fullmatch(line) if len(line) <= MAX_LINE_LENGTH else None
        if match is not None:
            yield number, match[1], match[2]
        elif line.strip():
            raise _malformed(number, line)


def _malformed(number: int, line: str) -> MalformedSdp:
    """What is wrong with a line."""
    if len(line) > MAX_LINE_LENGTH:
        return MalformedSdp(
            "SDP line too long",
            f"It has {len(line)} characters; at most {MAX_LINE_LENGTH} are read.",
            section=GRAMMAR,
            line=number,
        )
    if _UNPRINTABLE.search(line):
        return MalformedSdp(
            "Malformed SDP line",
            "It contains a control character.",
            section="RFC 8866 section 9",
            line=number,
        )
    return MalformedSdp(
        "Malformed SDP line",
        f'"{quote(line)}" is not of the form <type>=<value>.',
        section=GRAMMAR,
        line=number,
    )


def _sections(lines: list[tuple[int, str, str]]) -> SessionDescription:
    description = SessionDescription()
    current: Section = description
    for number, kind, value in lines:
        if kind == "m":
            media = _media_section(number, value)
            description.media.append(media)
            current = media
        elif kind == "a":
            name, _, rest = value.partition(":")
            if not TOKEN.fullmatch(name):
                raise MalformedSdp(
                    "Malformed SDP attribute",
                    f'"{quote(name)}" is not the name of an attribute.',
                    section="RFC 8866 section 5.13",
                    line=number,
                )
            current.attributes.append(Attribute(name, rest.rstrip(" "), number))
    return description


def _media_section(number: int, value: str) -> MediaSection:
    match = _MEDIA_LINE.fullmatch(value.rstrip(" "))
    if match is None or int(match[2]) > 65535:
        raise MalformedSdp(
            "Malformed media line",
            f'"m={quote(value)}" is not of the form m=<media> <port> <proto> <fmt> ...',
            section="RFC 8866 section 5.14",
            line=number,
        )
    return MediaSection(
        kind=match[1],
        port=int(match[2]),
        protocol=match[3],
        formats=tuple(match[4].split()),
        line=number,
    )
