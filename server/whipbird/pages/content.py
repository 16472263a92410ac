"""Something that is sent to browsers, plain or compressed."""

import base64
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass, field, replace

# What the tables of a system may lack.
_TYPES = {
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_TEXT = ("text/", "image/svg+xml", "application/manifest+json")

# Fewer octets fit into one packet anyway.
_WORTHWHILE = 1000


@dataclass(frozen=True, slots=True)
class Inline:
    """What stands in an HTML file: the texts between its tags."""

    scripts: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Content:
    """The body of a response.

    Attributes:
        body: the octets.
        compressed: the same in gzip; None where that is hardly smaller.
        content_type: the media type, without parameters.
        tag: names this content, for entity tags and file names.
        policy: the directives of the Content-Security-Policy for what stands in it.
    """

    body: bytes
    compressed: bytes | None
    content_type: str
    tag: str
    policy: str = ""

    @classmethod
    def of(
        cls, body: bytes, name: str, level: int = 9, inline: Inline | None = None
    ) -> "Content":
        """Make the content of a file.

        Args:
            body: the octets.
            name: the file's name, which tells the type.
            level: how much work compression is worth, 1 to 9.
            inline: what stands in it.
        """
        extension = name[name.rfind(".") :]
        content_type = (
            _TYPES.get(extension)
            or mimetypes.guess_type(name)[0]
            or "application/octet-stream"
        )
        compressed = None
        if content_type.startswith(_TEXT) and len(body) > _WORTHWHILE:
            compressed = gzip.compress(body, level, mtime=0)
        tag = hashlib.sha256(body).hexdigest()[:16]
        policy = _policy_for(inline) if inline else ""
        return cls(body, compressed, content_type, tag, policy)

    def changed(self, old: str, new: str, name: str) -> "Content":
        """The same with another text in one place, outside what stands in it.

        Raises:
            ValueError: when the text is not there once.
        """
        if self.body.count(old.encode()) != 1:
            raise ValueError(f"{old!r} is not in {name} once")
        body = self.body.replace(old.encode(), new.encode())
        return replace(Content.of(body, name), policy=self.policy)


def _policy_for(inline: Inline) -> str:
    """Permit what stands in a page by its hashes (CSP 3, section 2.3.1)."""
    kinds = {"script-src": inline.scripts, "style-src": inline.styles}
    return "".join(
        f"{kind} 'self' {' '.join(map(_source_of, texts))}; "
        for kind, texts in kinds.items()
        if texts
    )


def _source_of(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
