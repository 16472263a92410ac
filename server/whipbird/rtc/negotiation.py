"""Offer and answer (RFC 3264): from transceivers to sections and to agreements.

These functions compute, and change nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..rtp import extensions
from ..sdp.answer import LocalSource
from ..sdp.codecs import Codec, best_match
from ..sdp.errors import UnacceptableSdp, quote
from ..sdp.local_description import SCTP_PROTOCOL, LocalMedia
from ..sdp.media import OfferedMedia
from ..sdp.remote_description import RemoteDescription
from ..sdp.remote_media import RemoteMedia
from .capabilities import preferred_codecs
from .sender import SendParameters
from .transceiver import Transceiver

# The header extensions that are offered. Bundled sections share the identifiers.
_EXTENSIONS: Mapping[str, tuple[tuple[int, str], ...]] = MappingProxyType(
    {
        "audio": ((1, extensions.MID), (2, extensions.AUDIO_LEVEL)),
        "video": ((1, extensions.MID), (3, extensions.ABS_SEND_TIME)),
    }
)
# ... and those that whoever passes the packets on needs beside them.
_RECEIVED: Mapping[str, tuple[tuple[int, str], ...]] = MappingProxyType(
    {
        "audio": (),
        "video": (
            (4, extensions.VIDEO_ORIENTATION),
            (5, extensions.PLAYOUT_DELAY),
            (6, extensions.DEPENDENCY_DESCRIPTOR),
        ),
    }
)

# Whether this side may send, and receive, by direction.
_CAN = {
    "inactive": (False, False),
    "sendonly": (True, False),
    "recvonly": (False, True),
    "sendrecv": (True, True),
}
_DIRECTION = {can: direction for direction, can in _CAN.items()}


@dataclass(frozen=True, slots=True)
class Identity:
    """The names that a peer gives to the media that it sends.

    Attributes:
        stream: the name of its MediaStream.
        cname: see ``LocalSource``.
    """

    stream: str
    cname: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides agree on for the section of one transceiver.

    Attributes:
        mid: the mid of the section.
        direction: this side's direction.
        sends: how its track is sent; None when it is not.
        receives: how its receiver is configured; None when nothing is received.
    """

    transceiver: Transceiver
    mid: str
    direction: str
    sends: SendParameters | None
    receives: OfferedMedia | None


# This side's sections


def offered_media(
    transceivers: Iterable[Transceiver], has_channels: bool, identity: Identity
) -> tuple[LocalMedia, ...]:
    """The sections of an offer: one for each transceiver, then the data channels'."""
    media: list[LocalMedia] = []
    for transceiver in transceivers:
        if transceiver.stopped:
            continue
        kind, direction = transceiver.kind, transceiver.direction
        media.append(
            LocalMedia(
                kind=kind,
                mid=str(len(media)),
                direction=direction,
                codecs=_codecs(transceiver),
                extensions=_extensions(kind, direction),
                source=_source(transceiver, direction, identity),
            )
        )
    if has_channels:
        media.append(LocalMedia("application", str(len(media)), SCTP_PROTOCOL))
    return tuple(media)


def answered_media(
    remote: RemoteDescription,
    transceivers: Sequence[Transceiver],
    identity: Identity,
) -> tuple[LocalMedia, ...]:
    """The sections of the answer to an offer.

    Args:
        transceivers: for each audio and video section, in order (see
            ``match_transceivers``).

    Raises:
        UnacceptableSdp: when there is a section that cannot be accepted.
    """
    media = []
    left = iter(transceivers)
    for index, section in enumerate(remote.media):
        mid = str(index) if section.mid is None else section.mid
        if section.kind == "application":
            media.append(LocalMedia(section.kind, mid, section.protocol))
            continue
        transceiver = next(left)
        direction = common_direction(transceiver.direction, section)
        ours = _codecs(transceiver)
        uris = {uri for _, uri in _extensions(section.kind, direction)}
        media.append(
            LocalMedia(
                kind=section.kind,
                mid=mid,
                protocol=section.protocol,
                direction=direction,
                codecs=common_codecs(ours, section),
                extensions=tuple(x for x in section.extensions if x[1] in uris),
                source=_source(transceiver, direction, identity),
            )
        )
    return tuple(media)


def _extensions(kind: str, direction: str) -> tuple[tuple[int, str], ...]:
    """The header extensions that this side offers, or takes."""
    received = _RECEIVED[kind] if direction == "recvonly" else ()
    return _EXTENSIONS[kind] + received


def _codecs(transceiver: Transceiver) -> tuple[Codec, ...]:
    """The codecs that a transceiver negotiates."""
    preferred = preferred_codecs(transceiver.kind, transceiver.codec_preferences)
    return preferred + transceiver.undecoded


def match_transceivers(
    remote: RemoteDescription, transceivers: Iterable[Transceiver]
) -> list[Transceiver | None]:
    """Which transceiver each audio and video section of an offer is for.

    Returns:
        None for a section that has none yet: a new one has to be made, to receive.

    Raises:
        UnacceptableSdp: when a section is neither audio nor video nor data channels,
            or offers nothing.
    """
    free = [t for t in transceivers if not t.stopped]
    found: list[Transceiver | None] = []
    for section in remote.media:
        if section.kind not in ("audio", "video", "application") or section.is_rejected:
            raise UnacceptableSdp(
                "Unsupported media",
                f'A section of "{quote(section.kind)}" cannot be accepted.',
                section="RFC 3264 section 6",
            )
        if section.kind != "application":
            mids = (None, section.mid)
            same = (t for t in free if t.kind == section.kind and t.mid in mids)
            match = next(same, None)
            found.append(match)
            if match is not None:
                free.remove(match)
    return found


# What both sides agree on


def agreements(
    local: Sequence[LocalMedia],
    remote: RemoteDescription,
    transceivers: Sequence[Transceiver],
    cname: str,
) -> list[Agreement]:
    """What is agreed on for each audio and video section.

    Args:
        local: this side's sections, offered or answered.
        remote: the other side's description, with as many.
        transceivers: for each audio and video section, in order.

    Raises:
        UnacceptableSdp: when there is no codec that both sides have.
    """
    pairs = zip(local, remote.media, strict=True)
    media = [(ours, theirs) for ours, theirs in pairs if ours.kind != "application"]
    found = []
    for transceiver, (ours, theirs) in zip(transceivers, media, strict=True):
        direction = common_direction(ours.direction, theirs)
        sends, receives = _CAN[direction]
        found.append(
            Agreement(
                transceiver=transceiver,
                mid=ours.mid,
                direction=direction,
                sends=send_parameters(ours, theirs, cname) if sends else None,
                receives=received_media(ours, theirs) if receives else None,
            )
        )
    return found


def common_direction(direction: str, remote: RemoteMedia) -> str:
    """This side's direction in a section, as far as both sides want it.

    Args:
        direction: the direction that this side wants.
    """
    sends, receives = _CAN[direction]
    remote_sends, remote_receives = _CAN[remote.direction]
    if remote.is_rejected:
        return "inactive"
    return _DIRECTION[sends and remote_receives, receives and remote_sends]


def receives(direction: str, remote: RemoteMedia) -> bool:
    """Whether the other side will send in a section.

    Args:
        direction: the direction that this side wants.
    """
    _, receives = _CAN[common_direction(direction, remote)]
    return receives


def common_codecs(ours: Sequence[Codec], remote: RemoteMedia) -> tuple[Codec, ...]:
    """The codecs that both sides have, with the other side's payload types and order.

    Raises:
        UnacceptableSdp: when there are none.
    """
    known = {codec.payload_type: codec for codec in ours}
    plain = [codec for codec in ours if codec.retransmits is None]
    with_rtx = {codec.retransmits for codec in ours}
    common: dict[int, Codec] = {}
    common_with_rtx: set[int] = set()
    for codec in remote.codecs:
        payload_type, own = codec.payload_type, known.get(codec.payload_type)
        if codec.retransmits is not None:
            continue
        if own is None or own.name != codec.name:
            # With another payload type the codec must be described in full. Either side
            # must be able to decode what the other one sends.
            own = best_match(codec, [c for c in plain if best_match(c, (codec,))])
        if own is None:
            continue
        if own.payload_type in with_rtx:
            common_with_rtx.add(payload_type)
        feedback = tuple(f for f in codec.feedback if f in own.feedback)
        common[payload_type] = Codec(payload_type, codec.rtpmap, codec.fmtp, feedback)
    if not common:
        theirs = ", ".join(dict.fromkeys(codec.name for codec in remote.codecs))
        raise UnacceptableSdp(
            f"No common {remote.kind} codec",
            f"The other side's {remote.kind} codecs ({quote(theirs or 'none', 200)}) "
            f"are not those of this side "
            f"({', '.join(dict.fromkeys(codec.name for codec in plain))}).",
            section="RFC 3264 section 6.1",
        )
    for codec in remote.codecs:
        if codec.retransmits in common_with_rtx:
            common.setdefault(codec.payload_type, codec)
    return tuple(common.values())


def send_parameters(
    local: LocalMedia, remote: RemoteMedia, cname: str
) -> SendParameters:
    """How to send in a section, with the other side's codecs and identifiers.

    Args:
        local: this side's section, offered or answered.
        remote: the other side's.

    Raises:
        UnacceptableSdp: when there is no codec that both have.
    """
    codecs = common_codecs(local.codecs, remote)
    codec = next(c for c in codecs if c.retransmits is None)
    rtx = (c.payload_type for c in codecs if c.retransmits == codec.payload_type)
    uris = {uri for _, uri in local.extensions}
    return SendParameters(
        codec=codec,
        cname=cname,
        rtx_payload_type=next(rtx, None),
        mid=local.mid,
        extensions={uri: n for n, uri in remote.extensions if uri in uris},
    )


def received_media(local: LocalMedia, remote: RemoteMedia) -> OfferedMedia:
    """A negotiated section, for ``Receiver.configure``.

    The other side sends with the payload types of this side's description.
    """
    return OfferedMedia(
        kind=local.kind,
        mid=local.mid,
        protocol=local.protocol,
        codecs=local.codecs,
        extensions=local.extensions,
        retransmission_sources=remote.retransmission_sources,
        reduced_size=remote.reduced_size,
    )


def _source(
    transceiver: Transceiver, direction: str, identity: Identity
) -> LocalSource | None:
    """The source that is described; None if nothing is sent."""
    sends, _ = _CAN[direction]
    if not sends:
        return None
    sender = transceiver.sender
    return LocalSource(
        msid=f"{identity.stream} {sender.track_id}",
        cname=identity.cname,
        ssrc=sender.ssrc,
        rtx_ssrc=sender.repair_ssrc,
    )
