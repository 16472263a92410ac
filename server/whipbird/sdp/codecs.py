"""Which codecs of an offer are taken, and how SDP writes them (RFC 8866, 6.6)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import MalformedSdp, UnacceptableSdp, quote
from .parser import MediaSection, is_number

# Payload types that need no rtpmap (RFC 3551 section 6), of the codecs taken here.
_STATIC = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000"}

# With rtcp-mux these would look like RTCP packet types (RFC 5761 section 4).
_RTCP_CONFLICTS = range(64, 96)

_ACCEPTED: Mapping[str, frozenset[str]] = {
    # One channel is the default, and may be written (RFC 8866 section 6.6).
    "audio": frozenset({"opus/48000/2", "pcmu/8000", "pcma/8000", "g722/8000"})
    | {"pcmu/8000/1", "pcma/8000/1", "g722/8000/1"},
    "video": frozenset({"vp8/90000", "h264/90000"}),
}

# Of H.264, what aiortc can describe: packetization mode 1 and these profiles.
_H264_PROFILES = frozenset({"baseline", "constrained baseline"})

# RFC 6184 section 8.1: without profile-level-id, baseline level 1.
H264_DEFAULT_PROFILE = "42000a"

_PROFILE_LEVEL_ID = re.compile(r"[0-9A-Fa-f]{6}")

# What a refusal tells the client to offer instead.
ACCEPTED_NAMES: Mapping[str, str] = {
    "audio": "Opus, PCMU, PCMA, G.722",
    "video": "VP8, H.264 ((constrained) baseline, packetization-mode=1)",
}


@dataclass(frozen=True, slots=True)
class Codec:
    """A payload type of an m-section and the codec that it stands for.

    Attributes:
        rtpmap: encoding name, clock rate and channels, as ``opus/48000/2``.
        fmtp: the format parameters, as offered; empty when there are none.
    """

    payload_type: int
    rtpmap: str
    fmtp: str = ""

    @property
    def is_h264(self) -> bool:
        """Whether its parameters matter: a profile of H.264."""
        return self.rtpmap.lower() == "h264/90000"


def accepted_codecs(media: MediaSection) -> tuple[Codec, ...]:
    """The codecs of an audio or video section that are taken, in the offer's order.

    Raises:
        MalformedSdp: when a payload type or its rtpmap does not follow the grammar.
        UnacceptableSdp: when none is supported.
    """
    rtpmaps = _by_payload_type(media, "rtpmap")
    fmtps = _by_payload_type(media, "fmtp")
    taken = []
    for value in media.formats:
        if not is_number(value) or int(value) > 127:
            raise MalformedSdp(
                "Malformed payload type",
                f'"{quote(value)}" is not a payload type (0 to 127).',
                section="RFC 3551 section 3",
                line=media.line,
            )
        payload_type = int(value)
        if payload_type in _RTCP_CONFLICTS:
            continue
        rtpmap = rtpmaps.get(payload_type) or _STATIC.get(payload_type)
        if rtpmap is None:
            continue
        codec = Codec(payload_type, rtpmap, fmtps.get(payload_type, ""))
        if codec not in taken and _is_accepted(media.kind, codec):
            taken.append(codec)
    if not taken:
        names = dict.fromkeys(rtpmap.split("/")[0] for rtpmap in rtpmaps.values())
        offered = quote(", ".join(names) or "none", 200)
        raise UnacceptableSdp(
            f"No supported {media.kind} codec",
            f"The offered {media.kind} codecs ({offered}) are not supported; "
            f"these are: {ACCEPTED_NAMES[media.kind]}.",
            section="RFC 9725 section 4.4.3",
            line=media.line,
        )
    return tuple(taken)


def _by_payload_type(media: MediaSection, name: str) -> dict[int, str]:
    """Map payload types to the value of their ``rtpmap`` or ``fmtp``."""
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


def _is_accepted(kind: str, codec: Codec) -> bool:
    if codec.rtpmap.lower() not in _ACCEPTED[kind]:
        return False
    return not codec.is_h264 or _is_accepted_h264(codec.fmtp)


def _is_accepted_h264(fmtp: str) -> bool:
    parameters = fmtp_parameters(fmtp)
    if parameters.get("packetization-mode", "0") != "1":
        return False
    profile_level_id = parameters.get("profile-level-id", H264_DEFAULT_PROFILE)
    return h264_profile(profile_level_id) in _H264_PROFILES


def fmtp_parameters(fmtp: str) -> dict[str, str]:
    """The parameters of an fmtp value, names in lower case."""
    items = (item.partition("=") for item in fmtp.split(";"))
    return {key.strip().lower(): value.strip() for key, _, value in items}


def h264_profile(profile_level_id: str) -> str | None:
    """Name the H.264 profile (RFC 6184 section 8.1, table 5), or None if unknown.

    Args:
        profile_level_id: six hexadecimal digits: profile_idc, profile-iop, level_idc.
    """
    if not _PROFILE_LEVEL_ID.fullmatch(profile_level_id):
        return None
    profile_idc, iop, _level = bytes.fromhex(profile_level_id)
    if iop & 0x0F:
        return None
    set0, set1 = bool(iop & 0x80), bool(iop & 0x40)
    match profile_idc:
        case 0x42:
            return "constrained baseline" if set1 else "baseline"
        case 0x4D:
            return "constrained baseline" if set0 else "main"
        case 0x58:
            if set0:
                return "constrained baseline" if set1 else "baseline"
            return "extended"
        case 0x64:
            return "high"
        case _:
            return None
