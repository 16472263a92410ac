"""Something that is sent to browsers, plain or compressed."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass

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
class Content:
    """The body of a response.

    Attributes:
        body: the octets.
        compressed: the same in gzip; None where that is hardly smaller.
        content_type: the media type, without parameters.
        tag: names this content, for entity tags and file names.
    """

    body: bytes
    compressed: bytes | None
    content_type: str
    tag: str

    @classmethod
    def of(cls, body: bytes, name: str, level: int = 9) -> "Content":
        """Make the content of a file.

        Args:
            body: the octets.
            name: the file's name, which tells the type.
            level: how much work compression is worth, 1 to 9.
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
        return cls(body, compressed, content_type, tag)
