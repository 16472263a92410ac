"""Media files for the tests, made with FFmpeg's own encoders and muxers."""

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from whipbird.client.media import EncodedFrame
from whipbird.client.media_file import MediaFile

RATE = 30
SIZE = 64

# The quickest settings of each encoder, and no pictures out of order.
QUICK: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "ultrafast", "tune": "zerolatency"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
}

# ... and settings with pictures that refer to later ones.
B_FRAMES = {"preset": "medium", "bf": "2", "b-adapt": "0"}


def write_media(
    path: Path,
    video: str | None = None,
    audio: str | None = None,
    *,
    frames: int = 15,
    pixels: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    layout: str = "stereo",
    sample_rate: int = 48000,
    container_options: Mapping[str, str] | None = None,
    picture: VideoFrame | None = None,
    degrees: int = 0,
) -> Path:
    """Write a file; a key frame every 5 pictures, as much sound as pictures.

    Args:
        video: an encoder; None for no video.
        audio: likewise.
        frames: pictures, 30 of them a second.
        options: of the video encoder, instead of the quickest ones.
        picture: is shown all the time, instead of moving ones.
        degrees: by which a player is to turn the pictures, counterclockwise.

    Returns:
        The path.
    """
    with av.open(str(path), "w", options=dict(container_options or {})) as container:
        pictures: VideoStream | None = None
        sound: AudioStream | None = None
        if video is not None:
            encoder = dict(QUICK.get(video, {}) if options is None else options)
            stream = container.add_stream(video, rate=RATE, options=encoder)
            assert isinstance(stream, VideoStream)
            pictures = stream
            pictures.width = picture.width if picture else SIZE
            pictures.height = picture.height if picture else SIZE
            if degrees:
                pictures.set_display_rotation(degrees)
            pictures.pix_fmt = pixels
            pictures.gop_size = 5
        if audio is not None:
            stream = container.add_stream(audio, rate=sample_rate, layout=layout)
            assert isinstance(stream, AudioStream)
            sound = stream
        for number in range(frames):
            if pictures is not None:
                shown = picture or _moving(pixels, number)
                shown.pts, shown.time_base = number, Fraction(1, RATE)
                container.mux(pictures.encode(shown))
            if sound is not None:
                container.mux(sound.encode(_sound(number, layout, sample_rate)))
        if pictures is not None:
            container.mux(pictures.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))
    return path


def noise(width: int, height: int) -> VideoFrame:
    """A picture that is hard to compress, always the same one."""
    frame = VideoFrame(width, height, "yuv420p")
    source = random.Random(0)
    for plane in frame.planes:
        plane.update(source.randbytes(plane.buffer_size))
    return frame


def _moving(pixels: str, number: int) -> VideoFrame:
    """A bar that moves over noise that does not."""
    frame = noise(SIZE, SIZE)
    for plane in frame.planes:
        octets = bytearray(plane)
        start = number * plane.line_size % len(octets)
        octets[start : start + plane.line_size] = bytes(plane.line_size)
        plane.update(bytes(octets))
    return frame.reformat(format=pixels)


def _sound(number: int, layout: str, rate: int) -> AudioFrame:
    samples = rate // RATE
    frame = AudioFrame("s16", layout, samples)
    noise = random.Random(number)
    for plane in frame.planes:
        plane.update(noise.randbytes(plane.buffer_size))
    frame.sample_rate = rate
    frame.pts, frame.time_base = number * samples, Fraction(1, rate)
    return frame


def packets_of(path: Path, kind: str) -> list[bytes]:
    """The packets of the first stream of a kind, as the file has them."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [bytes(p) for p in container.demux(stream) if p.size]


def never(_: Fraction) -> bool:
    """Nothing is late."""
    return False


def frames_of(source: MediaFile, kind: str) -> list[EncodedFrame]:
    """All frames of a kind, at once."""
    return [frame for frame in source.frames(never) if frame.kind == kind]


def decoded(frames: Sequence[EncodedFrame], decoder: str) -> int:
    """How many pictures or pieces of sound a decoder makes of the frames."""
    context = av.CodecContext.create(decoder, "r")
    count = 0
    for frame in frames:
        count += len(context.decode(av.Packet(frame.data)))  # type: ignore[attr-defined]
    return count + len(context.decode(None))  # type: ignore[attr-defined]


def nal_units(data: bytes) -> list[bytes]:
    """The NAL units of an access unit in Annex B."""
    return [unit.rstrip(b"\0") for unit in data.split(b"\0\0\1")[1:]]


def sized_nal_units(data: bytes) -> list[bytes]:
    """The NAL units of an access unit as MP4 and Matroska have them: size, unit."""
    units = []
    while data:
        size = int.from_bytes(data[:4], "big")
        units.append(data[4 : 4 + size])
        data = data[4 + size :]
    return units
