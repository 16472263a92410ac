"""Pictures that are shown in another order than they are decoded in (B-frames)."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from tests.encoders import EncodedFrame
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
from whipbird.recording.reordering import PictureOrder, reorder_depth
from whipbird.recording.segments import SegmentLimits
from whipbird.recording.timeline import Timeline, TrackClock
from whipbird.rtp.codecs import payload_format

PICTURES = 150
X264 = (
    (("tune", "film"), ("bf", "2"), ("b-pyramid", "none")),
    (("tune", "film"), ("bf", "3"), ("b-pyramid", "normal"), ("b-adapt", "2")),
    (("tune", "film"), ("bf", "8"), ("b-pyramid", "normal"), ("b-adapt", "0")),
    (("tune", "film"), ("bf", "2"), ("x264-params", "open-gop=1")),
)
X265 = tuple(
    (("tune", "grain"), ("x265-params", f"log-level=none:{params}"))
    for params in ("bframes=2:b-pyramid=0", "bframes=4:b-pyramid=1", "open-gop=0")
)
ENCODERS = [
    *(("libx264", options) for options in X264),
    *(("libx265", options) for options in X265),
]


def encoded(encoder: str, options: Any) -> tuple[EncodedFrame, ...]:
    frames = video_frames(
        encoder,
        width=128,
        height=96,
        frames=PICTURES,
        key_interval=50,
        options=options,
    )
    numbers = [frame.number for frame in frames]
    # Otherwise nothing is tested.
    assert numbers != sorted(numbers)
    return frames


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("encoder", "options"), ENCODERS)
async def test_every_picture_is_shown_when_it_should_be(
    tmp_path: Path, encoder: str, options: Any, suffix: str
) -> None:
    frames = encoded(encoder, options)
    sound = "opus" if suffix == "mp4" else "pcmu"
    publisher = Publisher(VIDEO[encoder], AUDIO[sound])
    folder = RecordingFolder(tmp_path)
    recording = Recording(publisher.stream(), folder, SegmentLimits())
    for _ in range(10):
        publisher.send_sound(opus_packets()[0], 960)
    publisher.send_shown(frames, FRAME_TICKS)
    await recording.close()
    assert (recording.problem, recording.left_out) == (None, 0)
    (path,) = files_in(tmp_path)
    assert path.suffix == f".{suffix}"
    with av.open(str(path)) as container:
        times = [
            (packet.pts * packet.time_base, (packet.dts or 0) * packet.time_base)
            for packet in container.demux(video=0)
            if packet.pts is not None and packet.size
        ]
    begin = min(pts for pts, _ in times)
    shown = [float(pts - begin) for pts, _ in times]
    assert shown == pytest.approx([f.number / 30 for f in frames], abs=0.0011)
    if suffix == "mp4":
        assert all(dts <= pts for pts, dts in times)
        assert all(a[1] < b[1] for a, b in pairwise(times))
    with av.open(str(path)) as container:
        decoded = [
            float((picture.pts or 0) * (picture.time_base or 0))
            for picture in container.decode(video=0)
        ]
    assert decoded == pytest.approx(
        [n / 30 + float(begin) for n in range(PICTURES)], abs=0.0011
    )
    await publisher.rig.stop()


async def test_files_that_follow_each_other_have_all_pictures(tmp_path: Path) -> None:
    frames = encoded("libx264", X264[1])
    publisher = Publisher(VIDEO["libx264"])
    recording = Recording(
        publisher.stream(), RecordingFolder(tmp_path), SegmentLimits(seconds=1)
    )
    publisher.send_shown(frames, FRAME_TICKS)
    await recording.close()
    shown = []
    for path in files_in(tmp_path):
        with av.open(str(path)) as container:
            shown.append(len(list(container.decode(video=0))))
    assert shown == [50, 50, 50]
    await publisher.rig.stop()


@pytest.mark.parametrize(
    ("encoder", "options", "depth"),
    [
        ("libx264", (), 0),
        ("libx264", (("profile", "baseline"),), 0),
        ("libx264", (("profile", "high444"), ("bf", "0")), 0),
        ("libx264", X264[0], 1),
        ("libx264", X264[1], 2),
        ("libx265", (), 0),
        ("libx265", X265[0], 1),
        ("libx265", X265[1], 2),
    ],
)
def test_how_far_the_order_may_change(encoder: str, options: Any, depth: int) -> None:
    name = VIDEO[encoder].name
    format_ = payload_format(name)
    assert format_ is not None
    frames = video_frames(encoder, options=options)
    assert reorder_depth(name, format_.join(frames[0].payloads)) == depth
    assert reorder_depth(name, format_.join(frames[1].payloads)) is None


def test_without_a_promise_the_buffer_of_the_level_is_the_limit() -> None:
    """H.264 section A.3.1: level 4.0 has room for four pictures of 1920x1080.

    The SPS is that of a camera: High, level 4.0, 1920x1088, without VUI.
    """
    bits = "1" + "010" + "1" + "1" + "00" + "1" + "1" + "1" + "010" + "0"
    bits += "0000001111000" + "0000001000100" + "1" + "1" + "0" + "0" + "1"
    bits += "0" * (-len(bits) % 8)
    sps = bytes([0x67, 100, 0, 40]) + int(bits, 2).to_bytes(len(bits) // 8)
    assert reorder_depth("h264", b"\0\0\0\1" + sps) == 4


def test_codecs_that_show_pictures_as_they_come() -> None:
    assert reorder_depth("vp8", b"") == 0


@pytest.mark.parametrize("name", ["h264", "h265"])
def test_parameter_sets_that_cannot_be_read(name: str) -> None:
    for size in range(1, 40):
        for octet in (0x00, 0x55, 0xFF):
            header = b"\x67" if name == "h264" else b"\x42\x01"
            found = reorder_depth(name, b"\0\0\0\1" + header + bytes([octet] * size))
            assert found is None or 0 <= found <= 16


def order(depth: int, times: list[int]) -> list[tuple[int, int, int]]:
    pictures: PictureOrder[int] = PictureOrder()
    pictures.depth = depth
    timed = [t for pts in times for t in pictures.push(pts, pts)]
    timed += pictures.flush()
    assert [t.item for t in timed] == times
    return [(t.pts, t.dts, t.duration) for t in timed]


def test_without_reordering_nothing_waits() -> None:
    pictures: PictureOrder[int] = PictureOrder()
    for pts in (0, 3000, 6000):
        (timed,) = pictures.push(pts, pts)
        assert (timed.pts, timed.dts) == (pts, pts)


def test_a_picture_waits_for_those_before_it_and_no_longer() -> None:
    pictures: PictureOrder[int] = PictureOrder()
    pictures.depth = 2
    waiting = []
    for number, pts in enumerate([0, 4, 2, 1, 3, 8, 6, 5, 7]):
        released = list(pictures.push(number, 3000 * pts))
        waiting.append(number + 1 - sum(1 for _ in released))
        assert len(released) == (1 if number >= 2 else 0)


def test_decoding_times_increase_and_are_not_late() -> None:
    times = [3000 * n for n in (0, 4, 2, 1, 3, 8, 6, 5, 7)]
    found = order(2, times)
    assert [pts for pts, _, _ in found] == times
    decoding = [dts for _, dts, _ in found]
    assert decoding == sorted(set(decoding))
    assert all(dts <= pts for pts, dts, _ in found)
    assert found[0][:2] == (0, 0)
    assert [duration for *_, duration in found[-4:]] == [3000] * 4


@pytest.mark.parametrize("depth", [0, 1, 16])
def test_a_stream_that_breaks_its_promise_has_valid_times(depth: int) -> None:
    found = order(depth, [9000, 0, 0, 12000, 3000, 3000, 90000, 1, 2, 91000])
    decoding = [dts for _, dts, _ in found]
    assert decoding == sorted(set(decoding))
    assert all(dts <= pts for pts, dts, _ in found)
    assert found[-1][0] == 91000


def test_positions_of_a_track_keep_the_order_in_which_it_is_shown() -> None:
    clock = TrackClock(Timeline(0.0), 90000, is_reference=False)
    sent = [2**32 - 9000 + 3000 * n for n in (0, 3, 1, 2, 6, 4, 5)]
    places = [clock.place(t % 2**32, 0.1 * (n > 0)) for n, t in enumerate(sent)]
    clock.settle(float("inf"))
    begin, *found = [place.position for place in places]
    assert begin is not None
    assert [Fraction((p or 0) - begin, 3000) for p in found] == [3, 1, 2, 6, 4, 5]
