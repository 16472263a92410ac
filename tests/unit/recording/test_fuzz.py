"""Payloads that no encoder sends: they end no recording, and spoil no snapshot."""

import random
from contextlib import suppress
from pathlib import Path

import av
import pytest

from tests.unit.recording.publisher import (
    VIDEO,
    Publisher,
    files_in,
    video_frames,
)
from whipbird.recording.files import RecordingFolder
from whipbird.recording.recording import Recording
from whipbird.recording.segments import SegmentLimits
from whipbird.recording.snapshots import NoPicture, Snapshots
from whipbird.rtp.packet import RtpPacket

pytestmark = pytest.mark.virtual_time

# Octets with which payloads begin that were seen to be taken wrongly.
STRANGE = {
    "libx264": ("006162", "1e6162", "1f6162", "78", "78ffff", "7c", "9c80"),
    "libx265": ("52016162", "7e016162", "6001", "6201", "6001ffff"),
    "libvpx": ("90", "9080", "90ffff"),
    "libvpx-vp9": ("8f", "ffff", "0aff", "0a18ff"),
    "libsvtav1": ("1004", "10", "18ff", "00ffff", "80", "500a"),
}


def spoiled(
    payloads: tuple[bytes, ...], rng: random.Random, encoder: str
) -> tuple[bytes, ...]:
    """Some payloads of a frame changed, cut, repeated, or replaced by others."""
    found = list(payloads)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(found))
        octets = bytearray(found[at])
        match rng.randrange(5):
            case 0:
                for _ in range(rng.randint(1, 4)):
                    octets[rng.randrange(min(len(octets), 40))] = rng.randrange(256)
            case 1:
                del octets[rng.randint(1, len(octets)) :]
            case 2:
                found.insert(at, bytes(octets))
            case 3:
                octets = bytearray.fromhex(rng.choice(STRANGE[encoder]))
            case _:
                octets = bytearray(rng.randbytes(rng.randint(1, 60)))
        found[at] = bytes(octets)
    return tuple(found)


def decodable(path: Path) -> int:
    """How many pictures of a file a decoder shows, that goes on after errors."""
    count = 0
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            with suppress(av.FFmpegError):
                count += len(packet.decode())
    return count


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("encoder", STRANGE)
async def test_a_recording_survives(encoder: str, seed: int, tmp_path: Path) -> None:
    rng = random.Random(f"{encoder} {seed}")
    publisher, frames = Publisher(VIDEO[encoder]), video_frames(encoder)
    recording = Recording(
        publisher.stream(), RecordingFolder(tmp_path), SegmentLimits()
    )
    for number in range(3 * len(frames)):
        payloads = frames[number % len(frames)].payloads
        if len(frames) <= number < 2 * len(frames) and rng.random() < 0.5:
            payloads = spoiled(payloads, rng, encoder)
        publisher.send_frame(payloads)
    await recording.close()
    assert recording.problem is None
    # What is sent rightly afterwards is there.
    decoded = sum(map(decodable, files_in(tmp_path)))
    assert decoded >= 2 * len(frames) - 10
    await publisher.rig.stop()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("encoder", STRANGE)
async def test_a_snapshot_is_made_or_refused(encoder: str, seed: int) -> None:
    rng = random.Random(f"{encoder} {seed}")
    publisher, frames = Publisher(VIDEO[encoder]), video_frames(encoder)
    packets: list[RtpPacket] = []
    snapshots = Snapshots(lambda *_: packets)
    publisher.send_frame(frames[0].payloads)
    publisher.encoding("video").subscribe(packets.append)
    publisher.send_frame(spoiled(frames[0].payloads, rng, encoder))
    publisher.send_frame(frames[1].payloads)
    with suppress(NoPicture):
        picture = await snapshots.take(publisher.stream())
        assert picture.startswith(b"\xff\xd8")
    await snapshots.close()
    await publisher.rig.stop()
