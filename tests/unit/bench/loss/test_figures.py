"""What the bench makes of a browser's statistics."""

from typing import Any

import pytest

from bench.loss.figures import STALL, Look, published, queued, seen, stalled
from bench.loss.way import Counters


def look(now: float, *statistics: dict[str, Any]) -> Look:
    return Look(now, statistics, ())


def test_a_picture_that_stands_too_long_is_stalled() -> None:
    assert stalled(0, 1000, [n * 33 for n in range(31)]) == 0
    # ... between two others, before the first, after the last.
    assert stalled(0, 1000, [100, 400, 500, 600, 700, 800, 900]) == 0.3
    assert stalled(0, 1000, [500, 600, 700]) == 0.8
    assert stalled(0, 1000, []) == 1.0
    assert stalled(0, STALL, []) == 0
    # What was shown before and after does not count.
    assert stalled(1000, 1100, [10, 2000]) == 0


def test_what_a_viewer_sees_is_the_growth_of_its_counters() -> None:
    video = {"type": "inbound-rtp", "kind": "video", "framesDecoded": 30}
    audio = {"type": "inbound-rtp", "kind": "audio", "concealedSamples": 100}
    begin = look(0, video, audio | {"totalSamplesReceived": 1000})
    end = look(
        100,
        {"type": "codec"},
        video
        | {"framesDecoded": 480, "totalFreezesDuration": 1.5}
        | {"jitterBufferDelay": 9.0, "jitterBufferEmittedCount": 450},
        audio | {"totalSamplesReceived": 11_000, "concealedSamples": 600},
    )
    assert seen(begin, end) == {
        "frozen": 1.5,
        "stalled": 0,
        "frames": 450,
        "buffer": pytest.approx(20),
        "concealed": pytest.approx(5),
        "silence": 0,
    }


def test_a_viewer_without_any_media_has_seen_nothing() -> None:
    nothing = seen(look(0), look(1000))
    assert nothing.pop("stalled") == 1.0
    assert set(nothing.values()) == {0}


def test_what_a_publisher_has_sent() -> None:
    video = {"type": "outbound-rtp", "kind": "video", "bytesSent": 1000}
    begin = look(0, video)
    end = look(
        2000,
        video | {"bytesSent": 101_000, "retransmittedBytesSent": 20_000},
        {"type": "transport", "selectedCandidatePairId": "b"},
        {"type": "candidate-pair", "id": "a", "availableOutgoingBitrate": 1},
        {"type": "candidate-pair", "id": "b", "availableOutgoingBitrate": 500_000},
    )
    assert published(begin, end) == {"estimate": 500, "sent": 400, "again": 20}


def test_how_long_packets_wait_for_a_thin_link() -> None:
    steps = [
        Counters(passed=100, waited=5),
        Counters(passed=100, waited=20),
        Counters(passed=100, waited=5),
        Counters(),
    ]
    assert queued(steps, 0.5) == {"wait": 100, "queued": 1.0}
    assert queued(steps[3:], 0.5) == {"wait": 0, "queued": 0}
