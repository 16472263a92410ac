"""Simulcast: one track in several encodings, told apart by rid (RFC 8853, RFC 8851)."""

import re
from dataclasses import dataclass

from .parser import MediaSection

# RFC 8851 section 10; the length is what browsers allow.
_RID = re.compile(r"[A-Za-z0-9_-]{1,16}")

# More than any client sends, and each has a state of its own.
MAX_ENCODINGS = 8


@dataclass(frozen=True, slots=True)
class Rid:
    """An encoding that is offered.

    Attributes:
        restrictions: what is said of it, as ``max-width=640;max-height=360``; may be
            empty.
    """

    identifier: str
    restrictions: str = ""


@dataclass(frozen=True, slots=True)
class Simulcast:
    """The encodings of a media section, all of which are taken.

    Attributes:
        streams: as SDP lists them: separated by semicolons, alternatives by commas,
            and a tilde before what is paused.
    """

    rids: tuple[Rid, ...]
    streams: str


def offered_simulcast(media: MediaSection) -> Simulcast | None:
    """What a media section offers to send in several encodings; None for one encoding.

    Encodings that are not described, and what does not follow the grammar, are left
    out, as if they had not been offered (RFC 8853 section 5.3.2).
    """
    attribute = media.first("simulcast")
    if attribute is None:
        return None
    words = attribute.value.split()
    offered = dict(zip(words[::2], words[1::2], strict=False)).get("send", "")
    described = {
        identifier: Rid(identifier, restrictions)
        for a in media.all("rid")
        for identifier, _, rest in [a.value.partition(" ")]
        for direction, _, restrictions in [rest.partition(" ")]
        if direction == "send" and _RID.fullmatch(identifier)
    }
    streams: list[str] = []
    rids: dict[str, Rid] = {}
    for stream in offered.split(";"):
        known = [a for a in stream.split(",") if a.removeprefix("~") in described]
        names = [alternative.removeprefix("~") for alternative in known]
        if known and len(rids.keys() | set(names)) <= MAX_ENCODINGS:
            streams.append(",".join(known))
            rids |= {name: described[name] for name in names}
    return Simulcast(tuple(rids.values()), ";".join(streams)) if streams else None
