"""Codecs as offers write them: in other letters, without channels, without fmtp."""

from dataclasses import replace
from pathlib import Path

import av
import pytest

from tests.unit.recording.publisher import (
    AUDIO,
    VIDEO,
    Publisher,
    files_in,
    opus_packets,
    read,
    video_frames,
)
from whipbird.recording.files import RecordingFolder
from whipbird.recording.recording import Recording
from whipbird.recording.segments import SegmentLimits
from whipbird.recording.snapshots import Snapshots
from whipbird.recording.templates import template
from whipbird.sdp.codecs import Codec


@pytest.mark.parametrize("encoder", VIDEO)
async def test_they_are_recorded(tmp_path: Path, encoder: str) -> None:
    described = VIDEO[encoder]
    video = replace(described, rtpmap=described.rtpmap.lower(), fmtp="")
    publisher = Publisher(video, Codec(111, "OPUS/48000"))
    stream = publisher.stream()
    recording = Recording(stream, RecordingFolder(tmp_path), SegmentLimits())
    for number, frame in enumerate(video_frames(encoder)):
        publisher.send_frame(frame.payloads)
        publisher.send_sound(opus_packets()[number % 25], 960)
    await recording.close()
    assert recording.writer.frames == {"audio": 30, "video": 30}
    (path,) = files_in(tmp_path)
    assert read(path).decoded == 30
    with av.open(path) as container:
        assert container.streams.audio[0].codec_context.layout.name == "stereo"
    await publisher.rig.stop()


@pytest.mark.parametrize("encoder", VIDEO)
async def test_they_are_pictured(encoder: str) -> None:
    described = VIDEO[encoder]
    publisher = Publisher(replace(described, rtpmap=described.rtpmap.lower(), fmtp=""))
    stream = publisher.stream()
    frames = video_frames(encoder)
    publisher.send_frame(frames[0].payloads)
    encoding = publisher.encoding("video")
    kept: list[object] = []
    encoding.subscribe(kept.append)
    for frame in frames[10:20]:
        publisher.send_frame(frame.payloads)
    snapshots = Snapshots(lambda *_: kept)  # type: ignore[arg-type]
    assert (await snapshots.take(stream))[:3] == b"\xff\xd8\xff"
    await snapshots.close()
    await publisher.rig.stop()


@pytest.mark.parametrize(
    ("codec", "channels"),
    [
        (Codec(96, "opus/48000"), 2),
        (Codec(96, "OPUS/48000/1"), 2),
        (Codec(96, "pcmu/8000/1"), 1),
        (replace(AUDIO["g722"], rtpmap="g722/8000"), 1),
        (
            Codec(
                96,
                "multiopus/48000",
                "channel_mapping=0,4,1,2,3,5;num_streams=4;coupled_streams=2",
            ),
            6,
        ),
    ],
)
def test_channels_in_a_file(codec: Codec, channels: int) -> None:
    with template(codec) as container:
        assert container.streams.audio[0].codec_context.channels == channels
