"""Recorded files, played in a browser: one for all sizes, pictures in their order."""

from pathlib import Path
from typing import Any

import pytest

from tests.server import ServerProcess
from tests.unit.recording.publisher import (
    AUDIO,
    FRAME_TICKS,
    VIDEO,
    Publisher,
    files_in,
    opus_packets,
    video_frames,
)
from whipbird.recording.files import RecordingFolder
from whipbird.recording.recording import Recording
from whipbird.recording.segments import SegmentLimits

from .conftest import OpenPage, StartServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZES = [(192, 108), (384, 216), (256, 144)]
B_FRAMES: Any = (("tune", "film"), ("bf", "3"), ("b-pyramid", "normal"))

# Plays a file to its end, then seeks into its middle.
PLAY = """
async (url) => {
  const video = document.createElement('video');
  const sizes = [];
  video.muted = true;
  video.onresize = () => sizes.push([video.videoWidth, video.videoHeight]);
  const ended = new Promise((resolve, reject) => {
    video.onended = resolve;
    video.onerror = () => reject(new Error(video.error.message));
  });
  video.src = url;
  document.body.append(video);
  await video.play();
  await ended;
  const { totalVideoFrames, corruptedVideoFrames } = video.getVideoPlaybackQuality();
  const played = [...sizes];
  const { duration } = video;
  const seeked = new Promise((resolve) => { video.onseeked = resolve; });
  const shown = new Promise((resolve) => { video.requestVideoFrameCallback(resolve); });
  video.currentTime = duration / 2;
  await Promise.all([seeked, shown]);
  const seekedTo = [video.videoWidth, video.videoHeight];
  video.remove();
  return { played, totalVideoFrames, corruptedVideoFrames, duration, seekedTo };
}
"""


async def play(page: OpenPage, server: ServerProcess, path: Path) -> Any:
    frame = await page(server)
    await frame.open("/")
    return await frame.page.evaluate(PLAY, f"/api/recordings/{path.name}")


@pytest.mark.parametrize("sound", ["opus", "pcmu"])
@pytest.mark.parametrize("encoder", ["libx264", "libvpx", "libvpx-vp9"])
async def test_a_file_with_pictures_of_several_sizes(
    start_server: StartServer,
    open_page: OpenPage,
    tmp_path: Path,
    encoder: str,
    sound: str,
) -> None:
    """The codecs and containers in which browsers' pictures are recorded."""
    # Encoded before: what takes time meanwhile would be a pause of the publisher's.
    parts = [video_frames(encoder, width=w, height=h) for w, h in SIZES]
    publisher = Publisher(VIDEO[encoder], AUDIO[sound])
    folder = RecordingFolder(tmp_path)
    recording = Recording(publisher.stream(), folder, SegmentLimits())
    for part in parts:
        for frame in part:
            publisher.send_frame(frame.payloads)
            if sound == "opus":
                publisher.send_sound(opus_packets()[0], 1600)
            else:
                publisher.send_sound(bytes(266), 266)
    await recording.close()
    await publisher.rig.stop()
    (path,) = files_in(tmp_path)
    server = await start_server("--record", str(tmp_path))
    found = await play(open_page, server, path)
    assert found["played"] == [list(size) for size in SIZES]
    assert found["seekedTo"] == list(SIZES[1])
    assert (found["totalVideoFrames"], found["corruptedVideoFrames"]) == (90, 0)
    assert found["duration"] == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("sound", ["opus", "pcmu"])
async def test_a_file_with_b_frames(
    start_server: StartServer, open_page: OpenPage, tmp_path: Path, sound: str
) -> None:
    frames = video_frames("libx264", frames=60, key_interval=30, options=B_FRAMES)
    publisher = Publisher(VIDEO["libx264"], AUDIO[sound])
    folder = RecordingFolder(tmp_path)
    recording = Recording(publisher.stream(), folder, SegmentLimits())
    publisher.send_sound(opus_packets()[0] if sound == "opus" else bytes(160), 960)
    publisher.send_shown(frames, FRAME_TICKS)
    await recording.close()
    await publisher.rig.stop()
    (path,) = files_in(tmp_path)
    server = await start_server("--record", str(tmp_path))
    found = await play(open_page, server, path)
    assert (found["totalVideoFrames"], found["corruptedVideoFrames"]) == (60, 0)
    assert found["duration"] == pytest.approx(2, abs=0.1)
