"""Codec parameters of tracks for FFmpeg's muxers.

A muxer needs the codec of a track, and the header that a decoder needs. PyAV can copy
both from a stream of another file. So a small file is made for each track, in memory:
from the first key frame, which FFmpeg analyses, or from a header.
"""

import struct
from collections.abc import Callable
from io import BytesIO

import av
from av.container.input import InputContainer

from ..sdp.codecs import Codec, fmtp_parameters
from .pcm import sampling_rate

# Encoding name -> FFmpeg's format for an elementary stream, or the four-character code
# of the codec in an IVF file.
_BARE = {"h264": "h264", "h265": "hevc"}
_IVF = {"vp8": b"VP80", "vp9": b"VP90", "av1": b"AV01"}

# Encoding name -> whether the first octet is that of a parameter set (H.264 table 7-1:
# SPS, PPS, SPS extension; H.265 table 7-1: VPS, SPS, PPS); and start codes.
_PARAMETER_SETS: dict[str, Callable[[int], bool]] = {
    "h264": lambda octet: octet & 0x1F in (7, 8, 13),
    "h265": lambda octet: octet >> 1 & 0x3F in (32, 33, 34),
}
_START_CODE = b"\0\0\0\1"

_OPUS_RATE = 48000


class UnusableError(Exception):
    """No track can be made: the codec parameters are missing or invalid."""


def template(codec: Codec, frame: bytes = b"") -> InputContainer:
    """Make a file with one stream that has the codec parameters of a track.

    Args:
        codec: the codec of the track.
        frame: for video, its first key frame, as returned by ``join``.

    Returns:
        The file; the caller closes it.

    Raises:
        UnusableError: when the frame has no valid codec parameters.
    """
    name = codec.name
    options: dict[str, str] = {}
    if name in _BARE:
        format_, data = _BARE[name], frame
    elif name in _IVF:
        format_, data = "ivf", _ivf(_IVF[name], frame)
    elif (rate := sampling_rate(codec)) is not None:
        format_, data = "s16le", bytes(rate // 5)
        options = {"sample_rate": str(rate), "ch_layout": "mono"}
    else:
        format_, data = "matroska", _matroska(_opus_head(codec))
    try:
        container = av.open(BytesIO(data), "r", format=format_, options=options)
    except av.FFmpegError as error:
        raise UnusableError(f"no {codec.registered_name}: {error.strerror}") from error
    if any(video.width == 0 for video in container.streams.video):
        container.close()
        raise UnusableError(f"{codec.registered_name} without a size")
    return container


def nal_units(frame: bytes) -> list[bytes]:
    """The NAL units of an access unit, as returned by ``join``; none is empty."""
    return [unit for unit in frame.split(_START_CODE) if unit]


def parameter_sets(codec: Codec, frame: bytes) -> frozenset[bytes]:
    """The parameter sets in an access unit, as returned by ``join``.

    Other codecs than H.264 and H.265 have none.
    """
    is_set = _PARAMETER_SETS.get(codec.name)
    if is_set is None:
        return frozenset()
    return frozenset(unit for unit in nal_units(frame) if is_set(unit[0]))


def without_parameter_sets(codec: Codec, frame: bytes) -> bytes:
    """An access unit without its parameter sets."""
    is_set = _PARAMETER_SETS[codec.name]
    units = [unit for unit in nal_units(frame) if not is_set(unit[0])]
    return b"".join(_START_CODE + unit for unit in units)


def _ivf(four_characters: bytes, frame: bytes) -> bytes:
    """An IVF file with one frame; FFmpeg reads the picture size from the frame."""
    header = b"DKIF", 0, 32, four_characters, 0, 0, 30, 1, 1, 0
    return (
        struct.pack("<4sHH4sHHIIII", *header)
        + struct.pack("<IQ", len(frame), 0)
        + frame
    )


def _opus_head(codec: Codec) -> bytes:
    """The Opus identification header (RFC 7845 section 5.1).

    The pre-skip is 0, since a recording does not start with the encoder's first output.
    """
    parameters = fmtp_parameters(codec.fmtp)
    if codec.name != "multiopus":
        family, mapping = 0, b""
    else:
        # The format parameters of Chromium's offers for surround sound.
        try:
            order = [int(index) for index in parameters["channel_mapping"].split(",")]
            streams = int(parameters["num_streams"])
            mapping = bytes([streams, int(parameters["coupled_streams"]), *order])
        except (KeyError, ValueError):
            raise UnusableError("multiopus without a channel mapping") from None
        if len(order) != codec.channels:
            raise UnusableError("multiopus with a wrong channel mapping")
        family = 1
    channels = codec.channels
    head = 1, channels, 0, _OPUS_RATE, 0, family
    return b"OpusHead" + struct.pack("<BBHIhB", *head) + mapping


def _matroska(opus_head: bytes) -> bytes:
    """A Matroska file (RFC 9559) with an empty Opus track."""
    rate = _element("b5", struct.pack(">d", _OPUS_RATE))
    channels = _element("9f", opus_head[9:10])
    track = b"".join(
        [
            _element("d7", b"\1"),  # TrackNumber
            _element("73c5", b"\1"),  # TrackUID
            _element("83", b"\2"),  # TrackType: audio
            _element("86", b"A_OPUS"),
            _element("63a2", opus_head),
            _element("e1", rate + channels),
        ]
    )
    segment = (
        _element("1549a966", b"")  # Info
        + _element("1654ae6b", _element("ae", track))
        + _element("1f43b675", _element("e7", b"\0"))  # Cluster
    )
    head = _element("1a45dfa3", _element("4282", b"matroska"))
    return head + _element("18538067", segment)


def _element(identifier: str, content: bytes) -> bytes:
    """An EBML element (RFC 8794), with a size field of four octets."""
    size = (0x10000000 | len(content)).to_bytes(4)
    return bytes.fromhex(identifier) + size + content
