"""Simulcast: several encodings of a track, identified by rid (RFC 8853, RFC 8851)."""

import re
from dataclasses import dataclass

from .parser import MediaSection

# RFC 8851 section 10; the maximum length is that of browsers.
_RID = re.compile(r"[A-Za-z0-9_-]{1,16}")

# Encodings per track, at most: more than clients send; each needs memory.
MAX_ENCODINGS = 8


@dataclass(frozen=True, slots=True)
class Rid:
    """An offered encoding.

    Attributes:
        identifier: its rid.
        restrictions: its restrictions, as ``max-width=640;max-height=360``; may be
            empty.
    """

    identifier: str
    restrictions: str = ""


@dataclass(frozen=True, slots=True)
class Simulcast:
    """The encodings of a media section; all are accepted.

    Attributes:
        rids: the encodings.
        streams: the list in SDP: separated by semicolons, alternatives by commas,
            with a tilde before paused ones.
    """

    rids: tuple[Rid, ...]
    streams: str


def offered_simulcast(media: MediaSection) -> Simulcast | None:
    """The offered simulcast of a media section; None if there is none.

    Encodings without ``a=rid`` and malformed ones are ignored (RFC 8853
    section 5.3.2).
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
