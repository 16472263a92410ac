"""The test pattern: pictures that move and sound, encoded."""

from itertools import islice

import av
import pytest
from av.video.codeccontext import VideoCodecContext

from tests.media_files import never
from whipbird.client.media import MediaError, VideoCodec
from whipbird.client.pattern import Pattern, _filters


@pytest.mark.parametrize(("codec", "decoder"), [("H264", "h264"), ("VP8", "libvpx")])
def test_pictures_that_move(codec: VideoCodec, decoder: str) -> None:
    pattern = Pattern((320, 240), 10, codec, 200_000)
    assert [s.codec for s in pattern.streams] == [codec, "opus"]
    assert pattern.streams[0].description == "320x240, 10 frames/s"
    frames = list(islice(pattern.frames(never), 60))
    video = [f for f in frames if f.kind == "video"]
    assert [f.timestamp for f in video] == [n * 9000 for n in range(len(video))]
    context = av.CodecContext.create(decoder, "r")
    assert isinstance(context, VideoCodecContext)
    pictures = [p for f in video for p in context.decode(av.Packet(f.data))]
    assert len(pictures) >= len(video) - 1
    assert {(p.width, p.height) for p in pictures} == {(320, 240)}
    shown = {bytes(p.planes[0]) for p in pictures}
    assert len(shown) == len(pictures)
    audio = [f for f in frames if f.kind == "audio"]
    assert [f.timestamp for f in audio] == [n * 960 for n in range(len(audio))]
    # Five pieces of sound to each picture.
    assert abs(len(audio) - 5 * len(video)) <= 5


def test_late_pictures_are_left_out() -> None:
    pattern = Pattern((64, 64), 30)
    assert pattern.skipped == 0
    frames = list(islice(pattern.frames(lambda _: True), 40))
    video = [f for f in frames if f.kind == "video"]
    assert pattern.skipped >= 5 * (len(video) - 1)
    assert video


def test_a_filter_that_is_missing() -> None:
    with pytest.raises(MediaError, match="FFmpeg's filter no-such-filter: no filter"):
        _filters(("no-such-filter", None), ("buffersink", None))


def test_a_filter_that_does_not_take_its_arguments() -> None:
    with pytest.raises(MediaError, match="FFmpeg's filter testsrc2: "):
        _filters(("testsrc2", "size=none"), ("buffersink", None))
