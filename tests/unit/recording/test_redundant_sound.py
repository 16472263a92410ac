"""Recordings of sound with redundancy (RFC 2198): plain Opus, without what was lost."""

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
from tests.unit.rtc.media import rtp
from whipbird.recording.files import RecordingFolder
from whipbird.recording.recording import Recording
from whipbird.recording.segments import SegmentLimits
from whipbird.rtp.red import write_red
from whipbird.sdp.codecs import Codec

RED = Codec(63, "red/48000/2", "111/111", carries=111)
TICKS = 960
COUNT = 50


def send_redundant(publisher: Publisher, number: int, *, is_lost: bool) -> None:
    """Send a packet of sound with the two before it."""
    source = publisher.audio
    before = [
        (n * TICKS, opus_packets()[(number - n) % 25]) for n in (2, 1) if n <= number
    ]
    payload = write_red(111, opus_packets()[number % 25], before)
    if not is_lost:
        packet = rtp(63, source.sequence, source.timestamp, source.ssrc, payload)
        publisher.rig.push(packet)
    source.sequence += 1
    source.timestamp += TICKS


@pytest.mark.parametrize("encoder", ["libx264", "libvpx", None])
async def test_the_file_has_plain_opus(tmp_path: Path, encoder: str | None) -> None:
    publisher = Publisher(VIDEO.get(encoder or ""), AUDIO["opus"], redundancy=RED)
    folder = RecordingFolder(tmp_path)
    recording = Recording(publisher.stream(), folder, SegmentLimits())
    frames = video_frames(encoder) if encoder else ()
    for number in range(COUNT):
        if number < len(frames):
            publisher.send_frame(frames[number].payloads)
        # Bursts of two.
        send_redundant(publisher, number, is_lost=number % 7 in (3, 4))
    await recording.close()
    (path,) = files_in(tmp_path)
    file = read(path)
    assert file.codecs["audio"] == "opus"
    last = COUNT - 1
    assert last % 7 not in (3, 4)
    assert [data for _, data, _ in file.packets["audio"]] == [
        opus_packets()[n % 25] for n in range(COUNT)
    ]
    begin = file.times("audio")[0]
    assert file.times("audio") == pytest.approx(
        [begin + 0.02 * n for n in range(COUNT)], abs=0.002
    )
    with av.open(str(path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    # FFmpeg leaves out what an encoder needs to begin.
    assert COUNT * TICKS - 2 * TICKS <= samples <= COUNT * TICKS
    await publisher.rig.stop()
