"""The rotation of phones' pictures is kept in recordings and snapshots."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import av
import pytest

from tests.unit.recording.publisher import VIDEO, Publisher, files_in, video_frames
from tests.unit.rtc.media import rtp
from tests.waiting import until
from whipbird.media.frames import FrameAssembler, RtpFrame
from whipbird.recording.files import RecordingFolder
from whipbird.recording.recording import Recording
from whipbird.recording.segments import SegmentLimits
from whipbird.recording.snapshots import Snapshots
from whipbird.rtp import extensions
from whipbird.rtp.packet import RtpPacket

ORIENTATION = 5


def publisher_of(encoder: str) -> Publisher:
    return Publisher(
        VIDEO[encoder], extensions=((ORIENTATION, extensions.VIDEO_ORIENTATION),)
    )


def rotation(file: Path | BytesIO) -> int:
    """Degrees counterclockwise by which a player rotates the first picture."""
    source = str(file) if isinstance(file, Path) else file
    with av.open(source, "r") as container:
        return next(container.decode(video=0)).rotation % 360


@pytest.mark.parametrize("encoder", ["libx264", "libvpx"])
async def test_the_rotation_of_a_recording(tmp_path: Path, encoder: str) -> None:
    """When the phone is rotated, a new file starts, at a key frame."""
    publisher = publisher_of(encoder)
    recording = Recording(
        publisher.stream(), RecordingFolder(tmp_path), SegmentLimits()
    )
    publisher.video.extensions = {ORIENTATION: b"\1"}
    for number, frame in enumerate(video_frames(encoder)):
        if number == 15:
            publisher.video.extensions = {ORIENTATION: b"\x0b"}
            publisher.encoding("video").wants_key_frame = False
        publisher.send_frame(frame.payloads)
        if number == 15:
            await until(lambda: publisher.encoding("video").wants_key_frame)
    await recording.close()
    first, second = files_in(tmp_path)
    assert (rotation(first), rotation(second)) == (270, 90)
    assert recording.writer.frames["video"] == 30
    await publisher.rig.stop()


@pytest.mark.parametrize(("said", "degrees"), [(b"\1", 270), (b"\2", 180), (b"\3", 90)])
async def test_the_rotation_of_a_snapshot(said: bytes, degrees: int) -> None:
    publisher = publisher_of("libvpx")
    packets: list[RtpPacket] = []
    snapshots = Snapshots(lambda *_: packets)
    frame = video_frames("libvpx")[0]
    publisher.video.extensions = {ORIENTATION: said}
    publisher.send_frame(frame.payloads)
    publisher.encoding("video").subscribe(packets.append)
    publisher.send_frame(frame.payloads)
    picture = await snapshots.take(publisher.stream())
    assert rotation(BytesIO(picture)) == degrees
    await snapshots.close()
    await publisher.rig.stop()


def rotations(
    *said: tuple[bool, bytes | None], identifier: int = ORIENTATION
) -> list[int]:
    """The rotations of frames: whether each is a key frame, and its extension."""
    frames: list[RtpFrame] = []
    assembler = FrameAssembler(frames.append, lambda: None, identifier)
    for number, (is_key, value) in enumerate(said):
        payload = b"\x10" + bytes(11) if is_key else b"\x10\1other"
        given = {} if value is None else {ORIENTATION: value}
        packet = RtpPacket.parse(
            rtp(96, number, number, payload=payload, marker=True, extensions=given)
        )
        assert packet is not None
        packet.is_random_access_point, packet.has_picture = is_key, True
        assembler.push(packet, VIDEO["libvpx"], 0.0)
    assembler.flush()
    return [frame.rotation for frame in frames]


KEY, DELTA = True, False


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([(KEY, b"\1"), (DELTA, None), (DELTA, b"\0"), (DELTA, None)], [90, 90, 0, 0]),
        ([(KEY, b"\3"), (KEY, None)], [270, 0]),
        # Flags in other bits do not matter.
        ([(KEY, b"\x0e"), (DELTA, b"\x0c")], [180, 0]),
    ],
)
def test_a_rotation_holds_until_it_changes(
    said: Sequence[tuple[bool, bytes | None]], expected: list[int]
) -> None:
    """A key frame without the extension has none."""
    assert rotations(*said) == expected
    assert rotations(*said, identifier=0) == [0] * len(said)
