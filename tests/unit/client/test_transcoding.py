"""Packets that are decoded and encoded anew."""

from collections.abc import Callable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import pytest
from av.video.frame import VideoFrame

from tests.media_files import B_FRAMES, never, write_media
from whipbird.client.encoders import OpusEncoder, VideoEncoder
from whipbird.client.media import EncodedFrame
from whipbird.client.pipelines import AnyPacket, DamagedError, Pipeline
from whipbird.client.transcoding import MAX_SKIPPED, AudioPipeline, VideoPipeline

RATE = Fraction(30)


def video_lane(is_late: Callable[[Fraction], bool] = never) -> VideoPipeline:
    return VideoPipeline(VideoEncoder("VP8", 500_000, RATE), RATE, is_late)


def picture(pts: int | None) -> VideoFrame:
    frame = VideoFrame(32, 32, "yuv420p")
    frame.pts, frame.time_base = pts, Fraction(1, 30)
    return frame


def through(pipeline: Pipeline, path: Path, kind: str) -> list[EncodedFrame]:
    """The frames that a pipeline makes of all packets of a kind."""
    frames: list[EncodedFrame] = []
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        pipeline.begin(stream)
        for packet in container.demux(stream):
            if packet.size:
                assert packet.pts is not None
                time = packet.pts * packet.time_base
                frames.extend(pipeline.process(packet, Fraction(time)))
        frames.extend(pipeline.end())
    return frames


def test_pictures_come_in_the_order_in_which_they_are_shown(tmp_path: Path) -> None:
    """Whatever order they are decoded in; the last ones at the end."""
    path = write_media(tmp_path / "a.mp4", "libx264", options=B_FRAMES)
    pipeline = video_lane()
    frames = [*through(pipeline, path, "video"), *pipeline.flush()]
    assert [frame.timestamp for frame in frames] == [n * 3000 for n in range(15)]


def test_pictures_that_do_not_say_when() -> None:
    pipeline = video_lane()
    stamps = [
        frame.timestamp
        for pts in (10, None, None, 20, None)
        for frame in pipeline.encode(picture(pts))
    ]
    assert stamps == [n * 3000 for n in (10, 11, 12, 20, 21)]


def test_pictures_that_are_late() -> None:
    """They are left out while it is late, but for one now and then."""
    late = range(5, 5 + 2 * MAX_SKIPPED)
    pipeline = video_lane(lambda due: due * RATE in late)
    shown = [
        frame.timestamp // 3000
        for number in range(20)
        for frame in pipeline.encode(picture(number))
    ]
    now_and_then = late[MAX_SKIPPED]
    assert shown == [n for n in range(20) if n not in late or n == now_and_then]
    assert pipeline.skipped == 20 - len(shown)


def test_sound_at_its_time(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", None, "pcm_s16le", sample_rate=44100)
    pipeline = AudioPipeline(OpusEncoder())
    frames = [*through(pipeline, path, "audio"), *pipeline.flush()]
    assert [f.timestamp for f in frames] == [n * 960 for n in range(len(frames))]
    # Half a second, the last packet filled up.
    assert len(frames) in (25, 26)


@pytest.mark.parametrize(
    ("name", "video", "audio", "pipeline"),
    [
        ("a.mkv", "libvpx", None, video_lane()),
        ("a.mp4", None, "aac", AudioPipeline(OpusEncoder())),
    ],
)
def test_what_cannot_be_decoded(
    tmp_path: Path, name: str, video: str | None, audio: str | None, pipeline: Pipeline
) -> None:
    """It is told, maybe a little later, and what follows is decoded."""
    path = write_media(tmp_path / name, video, audio)
    kind = "video" if video else "audio"
    damaged: AnyPacket = av.Packet(b"\xff" * 50)
    damaged.pts, damaged.time_base = 0, Fraction(1, 1000)
    with av.open(str(path)) as container:
        pipeline.begin(container.streams[0])
        with pytest.raises(DamagedError):
            list(chain(pipeline.process(damaged, Fraction(0)), pipeline.end()))
    assert len(through(pipeline, path, kind)) >= 14
