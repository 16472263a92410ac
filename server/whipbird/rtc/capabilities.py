"""The codecs of aiortc, as they are offered: with payload types and feedback."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count
from types import MappingProxyType

from aiortc import RTCRtpCodecCapability, RTCRtpSender

from ..sdp.codecs import Codec

# The RTCP feedback that is offered.
_FEEDBACK: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"audio": ("nack",), "video": ("nack", "nack pli", "goog-remb")}
)

# RFC 3551 section 6
_STATIC_PAYLOAD_TYPES = {"pcmu": 0, "pcma": 8, "g722": 9}
_DYNAMIC_PAYLOAD_TYPE = 96


def preferred_codecs(
    kind: str, preferences: Sequence[RTCRtpCodecCapability] = ()
) -> tuple[Codec, ...]:
    """The codecs that aiortc can encode, as they are offered.

    Args:
        preferences: only these, most preferred first; empty for all.
    """
    known = _codecs()[kind]
    if not preferences:
        return tuple(codec for _, codec in known)
    has_rtx = any(p.name.lower() == "rtx" for p in preferences)
    chosen: list[Codec] = []
    for preference in preferences:
        for capability, codec in known:
            if capability != preference or codec.retransmits is not None:
                continue
            rtx = (c for _, c in known if c.retransmits == codec.payload_type)
            wanted = [codec, *rtx] if has_rtx else [codec]
            chosen += (c for c in wanted if c not in chosen)
    return tuple(chosen)


@cache
def _codecs() -> Mapping[str, list[tuple[RTCRtpCodecCapability, Codec]]]:
    """aiortc's capabilities by kind, with payload types that no two of them share."""
    dynamic = count(_DYNAMIC_PAYLOAD_TYPE)
    found: dict[str, list[tuple[RTCRtpCodecCapability, Codec]]] = {}
    for kind in ("audio", "video"):
        capabilities = RTCRtpSender.getCapabilities(kind).codecs
        rtx = next((c for c in capabilities if c.name.lower() == "rtx"), None)
        found[kind] = []
        for capability in capabilities:
            if capability is rtx:
                continue
            static = _STATIC_PAYLOAD_TYPES.get(capability.name.lower())
            payload_type = next(dynamic) if static is None else static
            codec = Codec(
                payload_type, _rtpmap(capability), _fmtp(capability), _FEEDBACK[kind]
            )
            found[kind].append((capability, codec))
            if rtx is not None:
                codec = Codec(
                    next(dynamic),
                    f"{rtx.name}/{capability.clockRate}",
                    f"apt={payload_type}",
                    retransmits=payload_type,
                )
                found[kind].append((rtx, codec))
    return found


def _rtpmap(capability: RTCRtpCodecCapability) -> str:
    channels = f"/{capability.channels}" if (capability.channels or 1) > 1 else ""
    return f"{capability.name}/{capability.clockRate}{channels}"


def _fmtp(capability: RTCRtpCodecCapability) -> str:
    return ";".join(
        name if value is None else f"{name}={value}"
        for name, value in capability.parameters.items()
    )
