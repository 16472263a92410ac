"""What in a stream will hurt its viewers."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.encoders import encode_video
from tests.rtp_packets import write_rtp
from whipbird.media.encoding import Encoding
from whipbird.media.habits import HabitStats
from whipbird.media.stats import EncodingStats, ReceivedCounts, TrackStats
from whipbird.rtp.codecs import VideoParameters
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.totals import Totals
from whipbird.sdp.codecs import Codec
from whipbird.streams.health import MIN_AGE, Finding, Severity, findings

H264 = Codec(103, "H264/90000", feedback=("nack", "nack pli"))
OPUS = Codec(111, "opus/48000/2")

GOOD = HabitStats(unevenness=0.05, answers=True, key_frame_age=1.0, delay=0.2)
VIDEO = EncodingStats(
    rid=None,
    codec=H264,
    is_video=True,
    totals=Totals(packets=10_000, octets=10_000_000),
    jitter=0.004,
    bitrate=2_500_000,
    frame_rate=30,
    frames=600,
    key_frames=10,
    key_frame_interval=2.0,
    parameters=VideoParameters(1280, 720, "High", "3.1", None, 8, "4:2:0"),
    channels=None,
    habits=GOOD,
)
AUDIO = replace(
    VIDEO,
    codec=OPUS,
    is_video=False,
    parameters=None,
    key_frame_interval=None,
    key_frames=0,
    channels=2,
    habits=HabitStats(delay=0.21),
)


def judge(
    video: EncodingStats | None = VIDEO,
    audio: EncodingStats | None = AUDIO,
    age: float = 60.0,
) -> tuple[Finding, ...]:
    tracks = (("audio", audio), ("video", video))
    return findings(
        tuple(
            TrackStats(kind, () if one is None else (one,), ReceivedCounts())
            for kind, one in tracks
        ),
        age,
    )


def changed(stats: EncodingStats, **changes: Any) -> EncodingStats:
    """With other properties; those of habits by their names."""
    own = {name: value for name, value in changes.items() if hasattr(stats, name)}
    others = {name: value for name, value in changes.items() if name not in own}
    return replace(stats, **own, habits=replace(stats.habits, **others))


def parameters(**changes: Any) -> VideoParameters:
    assert VIDEO.parameters is not None
    return replace(VIDEO.parameters, **changes)


#: What is wrong -> what is found, and no other thing.
VIDEO_FAULTS: dict[str, tuple[dict[str, Any], Severity]] = {
    "format": (
        {"parameters": parameters(profile="High 4:4:4 Predictive", chroma="4:4:4")},
        Severity.PROBLEM,
    ),
    "format ten bits": ({"parameters": parameters(bit_depth=10)}, Severity.PROBLEM),
    "codec": ({"codec": Codec(104, "H265/90000")}, Severity.WARNING),
    "b-frames": (
        {"reordered": 0.6, "unevenness": 1.2, "jitter": 0.1},
        Severity.PROBLEM,
    ),
    "key-frames of OBS": (
        {"key_frame_interval": 8.0, "answers": False},
        Severity.WARNING,
    ),
    "key-frames without requests": (
        {
            "key_frame_interval": 8.0,
            "answers": None,
            "codec": Codec(103, "H264/90000"),
        },
        Severity.WARNING,
    ),
    "key-frames only at first": (
        {"key_frame_interval": None, "key_frame_age": 30.0, "answers": False},
        Severity.WARNING,
    ),
    "parameter-sets": ({"completed": 9}, Severity.NOTE),
    "frame-rate": ({"unevenness": 0.8}, Severity.WARNING),
    "loss": ({"lost": 0.02, "missing": 0.1}, Severity.PROBLEM),
    "repaired-loss": ({"missing": 0.04}, Severity.WARNING),
    "jitter": ({"jitter": 0.08}, Severity.WARNING),
    "no-picture": ({"silence": 7.0}, Severity.PROBLEM),
    "apart": ({"delay": 1.5}, Severity.WARNING),
}
AUDIO_FAULTS: dict[str, tuple[dict[str, Any], Severity]] = {
    "quiet": ({"quiet": 12.0}, Severity.WARNING),
    "loss": ({"lost": 0.02}, Severity.PROBLEM),
    "no-sound": ({"silence": 7.0}, Severity.PROBLEM),
    "apart": ({"delay": 1.5}, Severity.WARNING),
}


def test_a_good_stream() -> None:
    assert judge() == ()
    assert judge(audio=None) == judge(video=None) == ()


@pytest.mark.parametrize("fault", VIDEO_FAULTS)
def test_video(fault: str) -> None:
    changes, severity = VIDEO_FAULTS[fault]
    [found] = judge(video=changed(VIDEO, **changes))
    assert (found.code, found.severity) == (fault.split(maxsplit=1)[0], severity)
    assert found.kind == "video"
    assert found.advice
    assert judge(video=changed(VIDEO, **changes), age=MIN_AGE / 2) == ()


@pytest.mark.parametrize("fault", AUDIO_FAULTS)
def test_audio(fault: str) -> None:
    changes, severity = AUDIO_FAULTS[fault]
    [found] = judge(audio=changed(AUDIO, **changes))
    assert (found.code, found.severity, found.kind) == (fault, severity, "audio")
    assert found.advice


#: What looks alike, and is all right.
HARMLESS: dict[str, dict[str, Any]] = {
    "key frames come on request": {"key_frame_interval": 90.0, "answers": True},
    "key frames of a browser that nobody has asked": {
        "key_frame_interval": 30.0,
        "answers": None,
    },
    "slides": {"frame_rate": 2.0, "unevenness": 1.5},
    "monochrome": {"parameters": parameters(chroma="4:0:0")},
    "sets were missing once": {"completed": 1},
    "one packet": {"lost": 0.0001, "missing": 0.001},
    "the sender has no clock": {"delay": None},
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_is_all_right(case: str) -> None:
    assert judge(video=changed(VIDEO, **HARMLESS[case])) == ()


def test_the_worst_comes_first() -> None:
    bad = changed(VIDEO, completed=9, missing=0.1, reordered=0.5)
    assert [found.code for found in judge(video=bad)] == [
        "b-frames",
        "repaired-loss",
        "parameter-sets",
    ]


def test_an_encoding_that_simulcast_leaves_out_is_no_fault() -> None:
    big = changed(VIDEO, rid="h", silence=20.0, jitter=0.5)
    small = changed(VIDEO, rid="l")
    track = TrackStats("video", (big, small), ReceivedCounts())
    assert findings((track,), 60.0) == ()
    [found] = findings(
        (TrackStats("video", (small, changed(big, silence=0.1)), ReceivedCounts()),), 60
    )
    assert (found.code, found.rid) == ("jitter", "h")


def played(options: dict[str, str], pixels: str) -> Iterator[tuple[bytes, ...]]:
    """The packets of each frame, in the order of sending."""
    frames = encode_video(
        "libx264",
        192,
        108,
        pixels=pixels,
        options=tuple(options.items()),
        frames=45,
        key_interval=15,
    )
    sequence = 0
    for frame in frames:
        first, sequence = sequence, sequence + len(frame.payloads)
        yield tuple(
            write_rtp(first + n, 90_000 + 6000 * frame.number, 1, payload)
            for n, payload in enumerate(frame.payloads)
        )


@pytest.mark.parametrize(
    ("options", "pixels", "codes"),
    [
        ({}, "yuv420p", set()),
        ({"tune": "film", "bf": "2"}, "yuv420p", {"b-frames"}),
        ({}, "yuv444p", {"format"}),
        ({}, "yuv420p10le", {"format"}),
        ({"profile": "high"}, "yuv420p", set()),
    ],
)
async def test_real_encoders(
    options: dict[str, str], pixels: str, codes: set[str]
) -> None:
    encoding = Encoding(H264, None, lambda: None)
    source = encoding.add_source(1, H264)
    now = encoding.last_packet_at
    for frame in played(options, pixels):
        for data in frame:
            packet = RtpPacket.parse(data)
            assert packet is not None
            source.receive(packet, H264, now)
        now += 1 / 15
        encoding.tick(now)
    track = TrackStats("video", (encoding.stats,), encoding.received)
    assert {found.code for found in findings((track,), 60.0)} == codes
