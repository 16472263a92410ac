"""A media section of an offer: audio, video or data channels (RFC 9725 section 4.4)."""

import re
from dataclasses import dataclass, replace

from ..rtp import extensions
from .codecs import Codec, accepted_codecs
from .errors import MalformedSdp, UnacceptableSdp, quote
from .extmap import ExtensionMap
from .parser import MediaSection, Section, is_number
from .role import PUBLISHER, Role
from .simulcast import Simulcast, offered_simulcast

# RTP transport protocols in offers (RFC 9429 section 5.1.2).
_RTP_PROTOCOLS = frozenset(
    {"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP"}
    | {"TCP/DTLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVP"}
)
_SCTP_PROTOCOLS = frozenset({"UDP/DTLS/SCTP", "TCP/DTLS/SCTP"})
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

# Accepted RTP header extensions; the answer has the ids of the offer (RFC 8285).
_OF_MEDIA = frozenset(
    {
        extensions.ABS_SEND_TIME,
        extensions.PLAYOUT_DELAY,
        extensions.DEPENDENCY_DESCRIPTOR,
        extensions.VIDEO_ORIENTATION,
        extensions.AUDIO_LEVEL,
    }
)
_OF_SOURCES = frozenset(
    {
        extensions.MID,
        extensions.RID,
        extensions.REPAIRED_RID,
        extensions.TRANSPORT_CC,
    }
)
# By the direction in the answer.
EXTENSIONS = {"recvonly": _OF_MEDIA | _OF_SOURCES, "sendonly": _OF_MEDIA}

# Accepted RTCP feedback, likewise (RFC 4585, RFC 5104; REMB, transport-cc and rrtr are
# Google's). Packets to viewers have no transport-wide sequence numbers: viewers
# estimate the bandwidth themselves, and send REMB. With rrtr a viewer says that it
# sends reference times (RFC 3611), to which it gets answers.
_REMB, _TRANSPORT_CC = "goog-remb", "transport-cc"
_REQUESTS = ("nack", "nack pli", "ccm fir", _REMB)
_FEEDBACK = {
    "recvonly": (*_REQUESTS, _TRANSPORT_CC),
    "sendonly": (*_REQUESTS, "rrtr"),
}

_RECEIVER_RTT = re.compile(r"(?<![^ ])rcvr-rtt=(all|sender)(?=[: ]|$)")

DEFAULT_SCTP_PORT = 5000
# RFC 8841 section 6: the default of a=max-message-size.
DEFAULT_MAX_MESSAGE_SIZE = 65536


@dataclass(frozen=True, slots=True)
class OfferedMedia:
    """One media section of an offer that can be answered.

    Attributes:
        mid: its identification tag; None if it has none.
        codecs: the accepted payload types; empty for data channels.
        extensions: the accepted RTP header extensions: (id, URI).
        one_way_extensions: the ids of those that are offered in one direction only.
        simulcast: its encodings; None without simulcast.
        retransmission_sources: pairs of an RTX SSRC and the SSRC of its RTP stream, if
            the offer has them (RFC 5576 section 4.2, RFC 4588 section 8.3).
        reduced_size: whether the peer accepts reduced-size RTCP (RFC 5506).
        reference_times: who would send receiver reference times, ``all`` or
            ``sender`` (RFC 3611 section 5.1); None when it is not offered.
        sctp_port: the peer's SCTP port; data channels only.
        max_message_size: the largest data-channel message that the peer accepts, in
            octets, 0 for any size; data channels only.
        is_inactive: whether it carries no media, but the transport of others.
        sends_stereo: whether the answer says that this side sends Opus in stereo.
    """

    kind: str
    mid: str | None
    protocol: str
    codecs: tuple[Codec, ...] = ()
    extensions: tuple[tuple[int, str], ...] = ()
    one_way_extensions: frozenset[int] = frozenset()
    simulcast: Simulcast | None = None
    retransmission_sources: tuple[tuple[int, int], ...] = ()
    reduced_size: bool = False
    reference_times: str | None = None
    sctp_port: int = DEFAULT_SCTP_PORT
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    is_inactive: bool = False
    sends_stereo: bool = False


@dataclass(frozen=True, slots=True)
class RejectedMedia:
    """A media section that the answer rejects (RFC 9429 section 5.3.1).

    Attributes:
        formats: those of the ``m=`` line.
    """

    kind: str
    mid: str | None
    protocol: str
    formats: tuple[str, ...]


def offered_media(
    media: MediaSection,
    session: Section,
    role: Role,
    extension_map: ExtensionMap,
    *,
    is_inactive: bool = False,
) -> OfferedMedia:
    """Validate a media section by the rules of WHIP or of WHEP.

    Args:
        session: the session-level section, with the default direction.
        extension_map: the header extensions of the offer.
        is_inactive: whether to answer it as inactive, whatever its direction.

    Raises:
        MalformedSdp: when an attribute is malformed.
        UnacceptableSdp: when it requests something that WHIP, WHEP or this server does
            not support.
    """
    attribute = media.first("mid")
    mid = attribute.value if attribute else None
    if media.kind == "application":
        return _offered_channel(media, mid)
    if media.protocol not in _RTP_PROTOCOLS:
        raise UnacceptableSdp(
            "Unsupported transport",
            f'"{quote(media.protocol)}" is not secure RTP with feedback '
            "(UDP/TLS/RTP/SAVPF).",
            section="RFC 9429 section 5.1.2",
            line=media.line,
        )
    if not media.has("rtcp-mux"):
        raise UnacceptableSdp(
            "RTCP is not multiplexed",
            '"a=rtcp-mux" is missing.',
            section="RFC 9725 section 4.4.1",
            line=media.line,
        )
    attributes = (*media.attributes, *session.attributes)
    direction = next((a for a in attributes if a.name in _DIRECTIONS), None)
    is_refused = direction is not None and direction.name in role.refused
    if direction is not None and is_refused and not is_inactive:
        raise UnacceptableSdp(
            role.title,
            f'"a={direction.name}" must not be offered: a {role.protocol} client '
            f'{role.does} ("a={role.direction}", or "a=sendrecv").',
            section=role.section,
            line=direction.line,
        )
    accepted = extension_map.accepted(media, EXTENSIONS[role.answer], role)
    is_numbered = any(uri == extensions.TRANSPORT_CC for _, uri in accepted.extensions)
    codecs = tuple(
        _with_one_estimate(codec, is_numbered=is_numbered)
        for codec in accepted_codecs(media, _FEEDBACK[role.answer])
    )
    return OfferedMedia(
        kind=media.kind,
        mid=mid,
        protocol=media.protocol,
        codecs=codecs,
        extensions=accepted.extensions,
        one_way_extensions=accepted.one_way,
        simulcast=(
            offered_simulcast(
                media,
                has_rid=any(uri == extensions.RID for _, uri in accepted.extensions),
            )
            if role is PUBLISHER
            else None
        ),
        retransmission_sources=_retransmission_sources(media),
        reduced_size=media.has("rtcp-rsize"),
        # Publishers are asked for nothing: they answer to ours as it is.
        reference_times=None if role is PUBLISHER else _reference_times(media, session),
        is_inactive=is_inactive,
    )


def _reference_times(media: MediaSection, session: Section) -> str | None:
    """The mode of ``rcvr-rtt`` in ``a=rtcp-xr`` (RFC 3611 section 5.1)."""
    for attribute in (*media.all("rtcp-xr"), *session.all("rtcp-xr")):
        if found := _RECEIVER_RTT.search(attribute.value):
            return found[1]
    return None


def _with_one_estimate(codec: Codec, *, is_numbered: bool) -> Codec:
    """A codec with one of the two kinds of feedback on the bandwidth.

    A sender that gets both is held back by the lower estimate. Its own one, from
    transport-wide feedback, is the better one; it needs numbered packets.

    Args:
        is_numbered: whether the packets have transport-wide sequence numbers.
    """
    unused = _TRANSPORT_CC
    if is_numbered and _TRANSPORT_CC in codec.feedback:
        unused = _REMB
    kept = tuple(kind for kind in codec.feedback if kind != unused)
    return replace(codec, feedback=kept)


def _offered_channel(media: MediaSection, mid: str | None) -> OfferedMedia:
    if media.protocol not in _SCTP_PROTOCOLS or media.formats != (
        "webrtc-datachannel",
    ):
        raise UnacceptableSdp(
            "Unsupported data channel",
            "A data channel is offered as "
            '"m=application <port> UDP/DTLS/SCTP webrtc-datachannel".',
            section="RFC 8841 section 4",
            line=media.line,
        )
    return OfferedMedia(
        kind=media.kind,
        mid=mid,
        protocol=media.protocol,
        sctp_port=_number(media, "sctp-port", DEFAULT_SCTP_PORT, 65535),
        max_message_size=_number(
            media, "max-message-size", DEFAULT_MAX_MESSAGE_SIZE, 2**64
        ),
    )


def _number(media: MediaSection, name: str, default: int, largest: int) -> int:
    attribute = media.first(name)
    if attribute is None:
        return default
    if not is_number(attribute.value) or len(attribute.value) > 20:
        value = -1
    else:
        value = int(attribute.value)
    if not 0 <= value <= largest or (name == "sctp-port" and value == 0):
        raise MalformedSdp(
            f"Malformed {name}",
            f'"a={name}:{quote(attribute.value)}" is not a number, or out of range.',
            section="RFC 8841 section 5"
            if name == "sctp-port"
            else "RFC 8841 section 6",
            line=attribute.line,
        )
    return value


def _retransmission_sources(media: MediaSection) -> tuple[tuple[int, int], ...]:
    """The pairs in ``a=ssrc-group:FID``; malformed ones are ignored."""
    found = []
    for attribute in media.all("ssrc-group"):
        match attribute.value.split():
            case ["FID", original, rtx] if is_number(original) and is_number(rtx):
                found.append((int(rtx[:10]), int(original[:10])))
    return tuple(found)
