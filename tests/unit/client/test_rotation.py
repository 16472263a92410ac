"""Rotated pictures are sent upright."""

from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from tests.media_files import frames_of, write_media
from whipbird.client.media_file import MediaFile
from whipbird.client.rotation import Rotator, rotation

WIDTH, HEIGHT = 64, 32
BLACK, WHITE, GREY = 16, 235, 128


def corner_picture() -> VideoFrame:
    """Black, but for the quarter at the top left."""
    frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
    luma, *chroma = frame.planes
    octets = bytearray([BLACK]) * luma.buffer_size
    for row in range(HEIGHT // 2):
        start = row * luma.line_size
        octets[start : start + WIDTH // 2] = bytes([WHITE]) * (WIDTH // 2)
    luma.update(bytes(octets))
    for plane in chroma:
        plane.update(bytes([GREY]) * plane.buffer_size)
    return frame


def white_corner(frame: VideoFrame) -> str:
    """The name of the white corner."""
    luma = frame.planes[0]
    octets = bytes(luma)
    corners = {
        f"{vertical} {horizontal}"
        for vertical, y in (("top", 2), ("bottom", frame.height - 3))
        for horizontal, x in (("left", 2), ("right", frame.width - 3))
        if octets[y * luma.line_size + x] > GREY
    }
    [corner] = corners
    return corner


@pytest.mark.parametrize(
    ("degrees", "size", "corner"),
    [
        (0, (64, 32), "top left"),
        (90, (32, 64), "bottom left"),
        (180, (64, 32), "bottom right"),
        (-90, (32, 64), "top right"),
    ],
)
def test_pictures_are_sent_upright(
    tmp_path: Path, degrees: int, size: tuple[int, int], corner: str
) -> None:
    path = write_media(
        tmp_path / "a.mp4",
        "libx264",
        picture=corner_picture(),
        degrees=degrees,
    )
    source = MediaFile(str(path))
    [video] = source.streams
    assert video.is_encoded == bool(degrees)
    if degrees:
        assert (
            video.reason
            == f"players would have to rotate it by {degrees % 360} degrees"
        )
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    frames = [
        picture
        for frame in frames_of(source, "video")
        for picture in decoder.decode(av.Packet(frame.data))
    ]
    assert len(frames) == 15
    assert {(frame.width, frame.height) for frame in frames} == {size}
    assert {white_corner(frame) for frame in frames} == {corner}


def test_pictures_that_are_upright_are_left_alone() -> None:
    frame = corner_picture()
    assert rotation(frame) == 0
    assert Rotator().rotate(frame, 0) is frame


def test_pictures_that_change_their_size(tmp_path: Path) -> None:
    """A file may do so in the middle."""
    turner = Rotator()
    for width, height in ((64, 32), (32, 96)):
        path = write_media(
            tmp_path / "a.mp4",
            "libx264",
            picture=VideoFrame(width, height, "yuv420p"),
            degrees=90,
        )
        with av.open(str(path)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                turned = turner.rotate(frame, rotation(frame))
                assert (turned.width, turned.height) == (height, width)
                assert turned.time_base is not None
                time = Fraction(turned.pts or 0) * turned.time_base
                assert time == Fraction(number, 30)
