"""Simulcast: several encodings of a track, told by rid or by SSRC (RFC 8853, RFC 8851).

Senders without the rid header extension say in the offer which SSRCs there are. Older
ones group them (``a=ssrc-group:SIM``, never standardized). Others describe simulcast in
the form of draft-ietf-mmusic-sdp-simulcast-03: ``a=simulcast: send rid=h;l``.
"""

import re
from dataclasses import dataclass

from .parser import MediaSection, is_number

# RFC 8851 section 10; the maximum length is that of browsers.
_RID = re.compile(r"[A-Za-z0-9_-]{1,16}")

# Encodings per track, at most: more than clients send; each needs memory.
MAX_ENCODINGS = 8

# What precedes the list of rids in the form of the draft.
_DRAFT_PREFIX = "rid="

# Groups of SSRCs whose first one is a source, and whose others repair it (RFC 5576
# section 4.2, RFC 5956 section 4.3).
_REPAIRS = ("FID", "FEC", "FEC-FR")


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
        rids: the encodings. Those that are offered as SSRCs alone have numbers for
            names, from 0.
        streams: the list in SDP: separated by semicolons, alternatives by commas,
            with a tilde before paused ones. Empty if SSRCs alone are offered.
        sources: pairs of an SSRC and the rid of its encoding, where the offer has them.
        prefix: what precedes the list in SDP.
    """

    rids: tuple[Rid, ...]
    streams: str
    sources: tuple[tuple[int, str], ...] = ()
    prefix: str = ""

    @property
    def recv(self) -> str:
        """The value of ``a=simulcast`` in the answer, in the form of the offer."""
        space = " " if self.prefix else ""
        return f"{space}recv {self.prefix}{self.streams}"


def offered_simulcast(media: MediaSection, *, has_rid: bool) -> Simulcast | None:
    """The offered simulcast of a media section; None if there is none.

    Encodings without ``a=rid`` and malformed ones are ignored (RFC 8853
    section 5.3.2). It is none, too, when nothing would tell the encodings from each
    other: then the sender sends one.

    Args:
        has_rid: whether packets have the header extension for the rid (RFC 8852).
    """
    group = _simulcast_group(media)
    rids, streams, prefix = _described(media)
    if streams:
        # Of alternatives, one is sent.
        names = [stream.split(",")[0].removeprefix("~") for stream in streams]
        ssrcs = group or _sources(media)
        is_told = len(ssrcs) == len(names)
        sources = tuple(zip(ssrcs, names, strict=True)) if is_told else ()
        if has_rid or is_told:
            return Simulcast(rids, ";".join(streams), sources, prefix)
    if len(group) < 2:
        return None
    numbered = tuple((ssrc, str(number)) for number, ssrc in enumerate(group))
    return Simulcast(tuple(Rid(name) for _, name in numbered), "", numbered)


def _described(media: MediaSection) -> tuple[tuple[Rid, ...], list[str], str]:
    """The encodings in ``a=simulcast``: their rids, the list, and what precedes it."""
    attribute = media.first("simulcast")
    words = attribute.value.split() if attribute else []
    send = words.index("send") + 1 if "send" in words else len(words)
    offered = words[send] if send < len(words) else ""
    prefix = _DRAFT_PREFIX if offered.startswith(_DRAFT_PREFIX) else ""
    described = {
        identifier: Rid(identifier, restrictions)
        for a in media.all("rid")
        for identifier, _, rest in [a.value.partition(" ")]
        for direction, _, restrictions in [rest.partition(" ")]
        if direction == "send" and _RID.fullmatch(identifier)
    }
    streams: list[str] = []
    rids: dict[str, Rid] = {}
    for stream in offered.removeprefix(prefix).split(";"):
        known = [
            alternative
            for alternative in dict.fromkeys(stream.split(","))
            if alternative.removeprefix("~") in described.keys() - rids.keys()
        ]
        names = [alternative.removeprefix("~") for alternative in known]
        if known and len(rids.keys() | set(names)) <= MAX_ENCODINGS:
            streams.append(",".join(known))
            rids |= {name: described[name] for name in names}
    return tuple(rids.values()), streams, prefix


def _simulcast_group(media: MediaSection) -> list[int]:
    """The SSRCs of the first ``a=ssrc-group:SIM``; none if it is malformed."""
    for attribute in media.all("ssrc-group"):
        semantics, *ssrcs = attribute.value.split()[: MAX_ENCODINGS + 1] or [""]
        if semantics == "SIM":
            return [int(s) for s in dict.fromkeys(ssrcs) if _is_ssrc(s)]
    return []


def _sources(media: MediaSection) -> list[int]:
    """The SSRCs of the RTP streams in ``a=ssrc``, without those that repair others."""
    repairs = {
        ssrc
        for attribute in media.all("ssrc-group")
        for semantics, _, *others in [(attribute.value + " - -").split()]
        if semantics in _REPAIRS
        for ssrc in others
    }
    found = (a.value.partition(" ")[0] for a in media.all("ssrc"))
    ssrcs = dict.fromkeys(s for s in found if s not in repairs and _is_ssrc(s))
    return [int(ssrc) for ssrc in ssrcs]


def _is_ssrc(text: str) -> bool:
    return is_number(text) and len(text) <= 10
