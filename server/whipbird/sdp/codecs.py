"""The codecs of an offer that are accepted, and their SDP (RFC 8866 section 6.6)."""

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from .errors import MalformedSdp, UnacceptableSdp, quote
from .parser import MediaSection, is_number

# Static payload types of accepted codecs: they need no rtpmap (RFC 3551 section 6).
_STATIC = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000"}

# With rtcp-mux these conflict with RTCP packet types (RFC 5761 section 4).
_RTCP_CONFLICTS = range(64, 96)

# Media is not decoded, so any profile is accepted. Receivers of Opus take one channel
# and two, whatever an offer says or leaves out (RFC 7587 section 7). One channel is
# the default of other audio (RFC 8866 section 6.6).
_ACCEPTED: Mapping[str, re.Pattern[str]] = {
    "audio": re.compile(
        r"opus/48000(?:/[12])?|multiopus/48000(?:/[1-9][0-9]?)?"
        r"|(?:pcmu|pcma|g722)/8000(?:/1)?"
    ),
    "video": re.compile(r"(?:vp8|vp9|h264|h265|av1)/90000"),
}
_RETRANSMISSION = re.compile(r"rtx/[0-9]{1,6}(?:/[0-9]+)?")
# Redundancy (RFC 2198), accepted for Opus, and its format parameters: the payload types
# of the blocks (section 5).
_REDUNDANCY = re.compile(r"red/48000(?:/[12])?")
_BLOCK_TYPES = re.compile(r"([0-9]{1,3})(?:/\1){0,31}")

# The format parameter that says which bitstreams a receiver decodes, and its default
# (RFC 9628 section 6.1, the RTP payload format of AV1, RFC 7798 section 7.1). Decoders
# of H.264 and H.265 read the profile from the stream: it is only a preference there.
_PROFILE: Mapping[str, tuple[str, str]] = {
    "vp9": ("profile-id", "0"),
    "av1": ("profile", "0"),
    "h265": ("profile-id", "1"),
}
_STRICT_PROFILES = frozenset({"vp9", "av1"})

# Modes of H.264 (RFC 6184 sections 6.2 and 6.3): fragments and aggregates are in mode 1
# alone. Mode 2, the interleaved one, is not supported.
SINGLE_NAL_UNIT, NON_INTERLEAVED = 0, 1
_MODES = {"0": SINGLE_NAL_UNIT, "1": NON_INTERLEAVED}

# The accepted codecs, for error messages.
ACCEPTED_NAMES: Mapping[str, str] = {
    "audio": "Opus, PCMU, PCMA, G.722",
    "video": "H.264 (not interleaved), H.265, VP8, VP9, AV1",
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
        carries: for RED, the payload type of the frames in it (RFC 2198); else None.
    """

    payload_type: int
    rtpmap: str
    fmtp: str = ""
    feedback: tuple[str, ...] = ()
    retransmits: int | None = None
    carries: int | None = None

    @property
    def is_auxiliary(self) -> bool:
        """Whether it is no codec itself, but RTX or RED of one."""
        return self.retransmits is not None or self.carries is not None

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
        """The number of audio channels; 0 if it is not known.

        Opus always has two, in SDP (RFC 7587 section 7). For "multiopus" without a
        number it is that of the channel mapping.
        """
        _, _, *channels = self.rtpmap.split("/")
        if self.name == "opus":
            return 2
        if channels:
            return int(channels[0])
        if self.name == "multiopus":
            mapping = fmtp_parameters(self.fmtp).get("channel_mapping", "")
            return len(mapping.split(",")) if mapping else 0
        return 1

    @property
    def packetization_mode(self) -> int | None:
        """The packetization mode of H.264 (RFC 6184 section 8.1); None without one."""
        mode = fmtp_parameters(self.fmtp).get("packetization-mode", "")
        return _MODES.get(mode)


def accepted_codecs(
    media: MediaSection, known_feedback: Container[str]
) -> tuple[Codec, ...]:
    """The accepted codecs of an audio or video section, in the offer's order.

    RTX and RED are accepted together with their codec, RED for Opus alone; forward
    error correction is not.

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
    media_types = {pt for pt, c in known.items() if _is_accepted(c, media.kind)}
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
    opus_types = {pt for pt in media_types if known[pt].name == "opus"}
    redundancy = {
        pt: carried
        for pt, codec in known.items()
        if (carried := _carries(codec)) in opus_types
    }
    accepted = []
    for payload_type, codec in known.items():
        if payload_type in media_types:
            accepted.append(codec)
        elif payload_type in redundancy:
            accepted.append(replace(codec, carries=redundancy[payload_type]))
        elif (original := _retransmits(codec)) in media_types | redundancy.keys():
            accepted.append(
                Codec(payload_type, codec.rtpmap, codec.fmtp, retransmits=original)
            )
    return tuple(accepted)


def answer_fmtp(codec: Codec, *, sends_stereo: bool = False) -> str:
    """The format parameters for the answer: those of the offer.

    For Opus, ``stereo=1`` is added if the sender offers stereo: it may send stereo only
    if the answer requests it (RFC 7587 section 6.1).

    Args:
        sends_stereo: whether this side sends Opus in stereo: ``sprop-stereo`` says so
            then.
    """
    if codec.name != "opus":
        return codec.fmtp
    parameters = fmtp_parameters(codec.fmtp)
    if sends_stereo and parameters.get("sprop-stereo") != "1":
        items = (item for item in codec.fmtp.split(";") if item.strip())
        kept = [i for i in items if i.partition("=")[0].strip() != "sprop-stereo"]
        return ";".join([*kept, "sprop-stereo=1"])
    if parameters.get("sprop-stereo") == "1" and "stereo" not in parameters:
        return f"{codec.fmtp};stereo=1"
    return codec.fmtp


def best_match(sent: Codec, offered: Iterable[Codec]) -> Codec | None:
    """The offered codec with which a receiver can decode packets of another codec.

    Only statements can disagree: what an offer leaves out says nothing about what its
    sender takes. Any profile of H.264 and H.265 matches, since decoders read it from
    the stream. A receiver of H.264 in packetization mode 1 takes the packets of mode 0,
    too (RFC 6184 section 6.3).

    Args:
        sent: the codec of the packets.
        offered: the receiver's codecs, in its order of preference.

    Returns:
        The best match, which has the same profile and packetization mode 1 if possible;
        None if the receiver cannot decode the packets.
    """
    same = [codec for codec in offered if _is_same(sent, codec)]
    return max(same, key=lambda codec: _fitness(sent, codec), default=None)


def _is_accepted(codec: Codec, kind: str) -> bool:
    if not _ACCEPTED[kind].fullmatch(codec.rtpmap.lower()):
        return False
    match codec.name:
        case "multiopus":
            return codec.channels > 0
        case "h264":
            return fmtp_parameters(codec.fmtp).get("packetization-mode") != "2"
    return True


def _is_same(sent: Codec, offered: Codec) -> bool:
    if (sent.name, sent.clock_rate, sent.channels) != (
        offered.name,
        offered.clock_rate,
        offered.channels,
    ):
        return False
    if sent.name == "h264":
        modes = (sent.packetization_mode, offered.packetization_mode)
        return modes != (NON_INTERLEAVED, SINGLE_NAL_UNIT)
    if sent.name in _STRICT_PROFILES:
        name, _ = _PROFILE[sent.name]
        stated = {fmtp_parameters(codec.fmtp).get(name) for codec in (sent, offered)}
        return len(stated - {None}) < 2
    return True


def _fitness(sent: Codec, offered: Codec) -> tuple[bool, bool]:
    """How well two codecs match: equal profiles first."""
    return (
        _profile(sent) == _profile(offered),
        # A sender in mode 0, or in none, may be one of mode 1 nevertheless.
        offered.packetization_mode != SINGLE_NAL_UNIT,
    )


def _profile(codec: Codec) -> str:
    """The profile: of H.264 its profile_idc and constraints (RFC 6184 section 8.1)."""
    parameters = fmtp_parameters(codec.fmtp)
    if codec.name == "h264":
        return parameters.get("profile-level-id", "42000a")[:4].lower()
    name, default = _PROFILE.get(codec.name, ("", ""))
    return parameters.get(name, default) if name else ""


def _retransmits(codec: Codec) -> int | None:
    apt = fmtp_parameters(codec.fmtp).get("apt", "")
    if _RETRANSMISSION.fullmatch(codec.rtpmap.lower()) and is_number(apt[:4]):
        return int(apt[:4])
    return None


def _carries(codec: Codec) -> int | None:
    """The payload type of all blocks of RED; None if it is not RED."""
    types = _BLOCK_TYPES.fullmatch(codec.fmtp.replace(" ", ""))
    if types and _REDUNDANCY.fullmatch(codec.rtpmap.lower()):
        return int(types[1])
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
