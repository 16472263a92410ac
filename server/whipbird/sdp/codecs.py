"""The codecs of an offer that are accepted, and their SDP (RFC 8866 section 6.6)."""

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from .errors import MalformedSdp, UnacceptableSdp, quote
from .parser import MediaSection, is_number

# Static payload types of accepted codecs: they need no rtpmap (RFC 3551 section 6).
_STATIC = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000"}

# With rtcp-mux these conflict with RTCP packet types (RFC 5761 section 4).
_RTCP_CONFLICTS = range(64, 96)

# Media is not decoded, so any profile and mode is accepted.
_ACCEPTED: Mapping[str, re.Pattern[str]] = {
    # One channel is the default, and may be explicit (RFC 8866 section 6.6).
    "audio": re.compile(
        r"opus/48000/2|multiopus/48000/[1-9][0-9]?|(?:pcmu|pcma|g722)/8000(?:/1)?"
    ),
    "video": re.compile(r"(?:vp8|vp9|h264|h265|av1)/90000"),
}
_RETRANSMISSION = re.compile(r"rtx/[0-9]{1,6}(?:/[0-9]+)?")

# Format parameters that must be equal for a decoder to accept a stream, and their
# defaults (RFC 6184, RFC 9628 and the RTP payload format of AV1).
_MUST_AGREE: Mapping[str, Mapping[str, str]] = {
    "h264": {"packetization-mode": "0"},
    "vp9": {"profile-id": "0"},
    "av1": {"profile": "0"},
}

# The accepted codecs, for error messages.
ACCEPTED_NAMES: Mapping[str, str] = {
    "audio": "Opus, PCMU, PCMA, G.722",
    "video": "H.264, H.265, VP8, VP9, AV1",
}


@dataclass(frozen=True, slots=True)
class Codec:
    """A payload type of an m-section and its codec.

    Attributes:
        rtpmap: encoding name, clock rate and channels, as ``opus/48000/2``.
        fmtp: the format parameters, as offered; may be empty.
        feedback: the accepted RTCP feedback, as ``nack pli``.
        retransmits: for RTX, the payload type that it retransmits (RFC 4588
            section 8.1); else None.
    """

    payload_type: int
    rtpmap: str
    fmtp: str = ""
    feedback: tuple[str, ...] = ()
    retransmits: int | None = None

    @property
    def name(self) -> str:
        """The encoding name, in lower case."""
        return self.rtpmap.partition("/")[0].lower()

    @property
    def registered_name(self) -> str:
        """The encoding name as registered with IANA."""
        return self.name if "opus" in self.name else self.name.upper()

    @property
    def clock_rate(self) -> int:
        """The RTP clock rate, in Hz."""
        return int(self.rtpmap.split("/")[1])

    @property
    def channels(self) -> int:
        """The number of audio channels in the rtpmap."""
        _, _, *channels = self.rtpmap.split("/")
        return int(channels[0]) if channels else 1


def accepted_codecs(
    media: MediaSection, known_feedback: Container[str]
) -> tuple[Codec, ...]:
    """The accepted codecs of an audio or video section, in the offer's order.

    RTX is accepted together with its codec; redundancy and forward error correction
    are not.

    Args:
        known_feedback: the RTCP feedback to accept, as ``nack pli``.

    Raises:
        MalformedSdp: when a payload type or its rtpmap does not follow the grammar.
        UnacceptableSdp: when none is supported.
    """
    rtpmaps = _by_payload_type(media, "rtpmap")
    fmtps = _by_payload_type(media, "fmtp")
    feedback = _feedback(media, known_feedback)
    known: dict[int, Codec] = {}
    for value in media.formats:
        if not is_number(value) or int(value) > 127:
            raise MalformedSdp(
                "Malformed payload type",
                f'"{quote(value)}" is not a payload type (0 to 127).',
                section="RFC 3551 section 3",
                line=media.line,
            )
        payload_type = int(value)
        rtpmap = rtpmaps.get(payload_type) or _STATIC.get(payload_type)
        if rtpmap is not None and payload_type not in _RTCP_CONFLICTS:
            known[payload_type] = Codec(
                payload_type,
                rtpmap,
                fmtps.get(payload_type, ""),
                _of(feedback, payload_type),
            )
    pattern = _ACCEPTED[media.kind]
    media_types = {pt for pt, c in known.items() if pattern.fullmatch(c.rtpmap.lower())}
    if not media_types:
        names = dict.fromkeys(rtpmap.split("/")[0] for rtpmap in rtpmaps.values())
        offered = quote(", ".join(names) or "none", 200)
        raise UnacceptableSdp(
            f"No supported {media.kind} codec",
            f"The offered {media.kind} codecs ({offered}) are not supported; "
            f"these are: {ACCEPTED_NAMES[media.kind]}.",
            section="RFC 9725 section 4.4.3",
            line=media.line,
        )
    accepted = []
    for payload_type, codec in known.items():
        if payload_type in media_types:
            accepted.append(codec)
        elif (original := _retransmits(codec)) in media_types:
            accepted.append(
                Codec(payload_type, codec.rtpmap, codec.fmtp, retransmits=original)
            )
    return tuple(accepted)


def answer_fmtp(codec: Codec) -> str:
    """The format parameters for the answer: those of the offer.

    For Opus, ``stereo=1`` is added if the sender offers stereo: it may send stereo only
    if the answer requests it (RFC 7587 section 6.1).
    """
    parameters = fmtp_parameters(codec.fmtp)
    if parameters.get("sprop-stereo") == "1" and "stereo" not in parameters:
        return f"{codec.fmtp};stereo=1"
    return codec.fmtp


def best_match(sent: Codec, offered: Iterable[Codec]) -> Codec | None:
    """The offered codec with which a receiver can decode packets of another codec.

    Any profile of H.264 matches, since decoders read it from the stream; the
    packetization mode must be equal (RFC 6184 section 8.2.2).

    Args:
        sent: the codec of the packets.
        offered: the receiver's codecs, in its order of preference.

    Returns:
        The best match; None if the receiver cannot decode the packets.
    """
    same = [codec for codec in offered if _is_same(sent, codec)]
    wanted = _profile(sent)
    return next((c for c in same if _profile(c) == wanted), same[0] if same else None)


def _is_same(sent: Codec, offered: Codec) -> bool:
    if (sent.name, sent.clock_rate, sent.channels) != (
        offered.name,
        offered.clock_rate,
        offered.channels,
    ):
        return False
    defaults = _MUST_AGREE.get(sent.name, {})
    ours, theirs = fmtp_parameters(sent.fmtp), fmtp_parameters(offered.fmtp)
    return all(ours.get(n, d) == theirs.get(n, d) for n, d in defaults.items())


def _profile(codec: Codec) -> str:
    """The profile_idc and constraints of H.264 (RFC 6184 section 8.1)."""
    return fmtp_parameters(codec.fmtp).get("profile-level-id", "42000a")[:4].lower()


def _retransmits(codec: Codec) -> int | None:
    apt = fmtp_parameters(codec.fmtp).get("apt", "")
    if _RETRANSMISSION.fullmatch(codec.rtpmap.lower()) and is_number(apt[:4]):
        return int(apt[:4])
    return None


def _feedback(media: MediaSection, known: Container[str]) -> list[tuple[str, str]]:
    """The accepted RTCP feedback: pairs of a payload type or ``*`` and a type."""
    pairs = (a.value.partition(" ") for a in media.all("rtcp-fb"))
    return [(pt, kind) for pt, _, kind in pairs if kind in known]


def _of(feedback: list[tuple[str, str]], payload_type: int) -> tuple[str, ...]:
    offered = [kind for pt, kind in feedback if pt in ("*", str(payload_type))]
    return tuple(dict.fromkeys(offered))


def _by_payload_type(media: MediaSection, name: str) -> dict[int, str]:
    """Map payload types to their ``rtpmap`` or ``fmtp`` values."""
    found = {}
    for attribute in media.all(name):
        payload_type, _, value = attribute.value.partition(" ")
        if not is_number(payload_type) or not value.strip():
            raise MalformedSdp(
                f"Malformed {name}",
                f'"a={name}" is a payload type, a space and a value.',
                section="RFC 8866 section 6.6"
                if name == "rtpmap"
                else "RFC 8866 section 6.15",
                line=attribute.line,
            )
        found[int(payload_type)] = value.strip()
    return found


def fmtp_parameters(fmtp: str) -> dict[str, str]:
    """The parameters of an fmtp value, names in lower case."""
    items = (item.partition("=") for item in fmtp.split(";"))
    return {key.strip().lower(): value.strip() for key, _, value in items}
