"""What FFmpeg must know of a track before it writes a file with it.

Its muxers want to know the codec and what a decoder needs first. PyAV can copy that
from a stream of another file, so a tiny file is made up for each track, in memory: of
the first key frame, of which FFmpeg finds all out by itself, or of a header.
"""

import struct
from io import BytesIO

import av
from av.container.input import InputContainer

from ..sdp.codecs import Codec, fmtp_parameters
from .pcm import sampling_rate

# By encoding name: FFmpeg's format of bare frames, and the four characters by which
# IVF, the format of the others, knows the codec.
_BARE = {"h264": "h264", "h265": "hevc"}
_IVF = {"vp8": b"VP80", "vp9": b"VP90", "av1": b"AV01"}

# NAL unit types of the parameter sets (H.265 table 7-1), and what is before a unit.
_H265_PARAMETER_SETS = range(32, 35)
_START_CODE = b"\0\0\0\1"

_OPUS_RATE = 48000


class UnusableError(Exception):
    """No track can be made of it."""


def template(codec: Codec, frame: bytes = b"") -> InputContainer:
    """A file with one stream, to copy the parameters of a track from.

    Args:
        codec: that of the track.
        frame: of video its first key frame, as ``join`` gives it.

    Returns:
        The file, to be closed.

    Raises:
        UnusableError: when the frame lacks what a decoder needs, or makes no sense.
    """
    name = codec.name
    options: dict[str, str] = {}
    if name in _BARE:
        form, data = _BARE[name], frame
    elif name in _IVF:
        form, data = "ivf", _ivf(_IVF[name], frame)
    elif (rate := sampling_rate(codec)) is not None:
        form, data = "s16le", bytes(rate // 5)
        options = {"sample_rate": str(rate), "ch_layout": "mono"}
    else:
        form, data = "matroska", _matroska(_opus_head(codec))
    try:
        container = av.open(BytesIO(data), "r", format=form, options=options)
    except av.FFmpegError as error:
        raise UnusableError(f"no {codec.registered_name}: {error.strerror}") from error
    if any(video.width == 0 for video in container.streams.video):
        container.close()
        raise UnusableError(f"{codec.registered_name} without a size")
    return container


def parameter_sets(codec: Codec, frame: bytes) -> frozenset[bytes]:
    """What of a key frame may be in the beginning of a file alone: of H.265 some units.

    All other codecs have it in their key frames as well.

    Args:
        frame: as ``join`` gives it.
    """
    if codec.name != "h265":
        return frozenset()
    units = frame.split(_START_CODE)
    return frozenset(u for u in units if u and u[0] >> 1 & 63 in _H265_PARAMETER_SETS)


def _ivf(four_characters: bytes, frame: bytes) -> bytes:
    """A file of one frame in libvpx's simple format; FFmpeg finds the size itself."""
    header = b"DKIF", 0, 32, four_characters, 0, 0, 30, 1, 1, 0
    return (
        struct.pack("<4sHH4sHHIIII", *header)
        + struct.pack("<IQ", len(frame), 0)
        + frame
    )


def _opus_head(codec: Codec) -> bytes:
    """The identification header (RFC 7845 section 5.1).

    Nothing is skipped at the beginning: it is not that of the encoder's output.
    """
    parameters = fmtp_parameters(codec.fmtp)
    if codec.name != "multiopus":
        family, mapping = 0, b""
    else:
        # What Chromium writes into its offers for surround sound.
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
    """A Matroska file (RFC 9559) with a track of Opus, and nothing in it."""
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
    """An element of EBML (RFC 8794), with a size of four octets."""
    size = (0x10000000 | len(content)).to_bytes(4)
    return bytes.fromhex(identifier) + size + content
