"""A published stream, as one worker describes it to another (no I/O)."""

from collections.abc import Mapping
from typing import Any

from ..media.track import Track
from ..rtp import extensions
from ..sdp.codecs import Codec
from ..sdp.media import OfferedMedia
from ..sdp.simulcast import Rid, Simulcast
from ..streams import LayerChoice, Stream

# Header extensions by which a sender's sources are told apart, and its path is
# measured: neither is of use behind the first worker.
_OF_SENDER = (
    *(extensions.MID, extensions.RID, extensions.REPAIRED_RID),
    *(extensions.TRANSPORT_CC, extensions.ABS_SEND_TIME),
)

_PROTOCOL = "UDP/TLS/RTP/SAVPF"


def describe_stream(stream: Stream) -> dict[str, Any]:
    """Describe a stream; JSON can say it."""
    return {
        "tracks": [describe_track(track) for track in stream.source.tracks],
        "layers": None if stream.layers is None else list(stream.layers),
    }


def describe_track(track: Track) -> dict[str, Any]:
    """Describe a track: what ``media_of`` needs."""
    return {
        "kind": track.kind,
        "codecs": [[c.payload_type, c.rtpmap, c.fmtp] for c in track.codecs],
        "extensions": {
            uri: identifier
            for uri, identifier in track.extension_map.items()
            if uri not in _OF_SENDER
        },
        "rids": list(track.rids),
    }


def media_of(described: Mapping[str, Any]) -> OfferedMedia:
    """The media section of a track that another worker has described.

    Nothing gets lost between workers, so packets are not requested; key frames are.
    """
    kind = described["kind"]
    feedback = ("nack pli",) if kind == "video" else ()
    rids = tuple(Rid(rid) for rid in described["rids"])
    return OfferedMedia(
        kind=kind,
        mid=None,
        protocol=_PROTOCOL,
        codecs=tuple(
            Codec(payload_type, rtpmap, fmtp, feedback)
            for payload_type, rtpmap, fmtp in described["codecs"]
        ),
        extensions=tuple(
            (identifier, uri) for uri, identifier in described["extensions"].items()
        ),
        simulcast=Simulcast(rids, "") if rids else None,
        reduced_size=True,
    )


def describe_choice(choice: LayerChoice) -> list[Any]:
    """Describe a choice of layers; JSON can say it."""
    return [choice.rid, choice.max_width, choice.max_height]


def choice_of(described: list[Any]) -> LayerChoice:
    """The choice that another worker has described."""
    return LayerChoice(*described)
