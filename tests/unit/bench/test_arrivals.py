"""What the benchmarks make of the packets that came to a viewer."""

from collections.abc import Iterable
from dataclasses import replace
from struct import pack

import pytest

from bench.arrivals import Arrivals, Comparison, frames_between, missing
from bench.clip import Clip

MS = 1_000_000
# Four frames, of three, one, two and one packets.
CLIP = Clip(
    "video",
    "VP8/90000",
    90_000,
    3_000,
    [[b"a", b"b", b"c"], [b"d"], [b"e", b"f"], [b"g"]],
    delay=10,
)
SOUND = Clip("audio", "opus/48000/2", 48_000, 960, [[b"s"]])
# Three times the clip, a frame every 33 ms, a packet every ms.
FRAMES = 12
SENT_AT = [
    1_000 * MS + frame * 33 * MS + number * MS
    for frame in range(FRAMES)
    for number in range(len(CLIP.payloads(frame)))
]
# What a server adds to the timestamps: they wrap.
OFFSET = (1 << 32) - 10_000


def came(
    *, delay: int = 0, lost: Iterable[int] = (), offset: int = OFFSET, error: int = 0
) -> dict[int, list[int]]:
    """The frames of a viewer.

    Args:
        delay: of every packet, in ns.
        lost: the numbers of packets.
        error: ticks by which every second timestamp is wrong.
    """
    arrivals = Arrivals()
    for frame in range(FRAMES):
        timestamp = CLIP.timestamp(frame) + offset + frame % 2 * error
        for number in range(CLIP.first_packet(frame), CLIP.first_packet(frame + 1)):
            if number not in lost:
                arrivals.heads += pack("!II", timestamp % (1 << 32), 7)
                arrivals.times.append(SENT_AT[number] + delay)
    frames = arrivals.frames()
    return {t: list(times) for t, times in frames.get(7, {}).items()}


def compared(frames: dict[int, list[int]]) -> Comparison:
    """All but the first and the last two frames."""
    comparison = Comparison()
    comparison.add(CLIP, SENT_AT, range(1, 10), frames)
    return comparison


def test_packets_are_paired_by_frame_and_order() -> None:
    comparison = compared(came(delay=5 * MS))
    assert comparison.packets == 15
    assert comparison.packet_delays == [5 * MS] * 15
    assert comparison.frame_delays == [5 * MS] * 9
    assert comparison.packets_missing == comparison.frames_missing == 0


def test_a_delay_longer_than_a_frame_is_seen() -> None:
    assert set(compared(came(delay=100 * MS)).packet_delays) == {100 * MS}


def test_timestamps_may_be_a_little_wrong() -> None:
    assert len(compared(came(error=2)).frame_delays) == 9


def test_lost_packets_are_counted() -> None:
    # Of frame 4 the second packet, and all of frame 5.
    comparison = compared(came(lost=(8, 10)))
    assert comparison.packets_missing == 2
    assert comparison.frames_missing == 1
    # Which of the three was lost is not known: their delays are not either.
    assert len(comparison.packet_delays) == 15 - 3 - 1
    assert len(comparison.frame_delays) == 8


def test_more_than_was_wanted_is_not_counted() -> None:
    comparison = Comparison()
    comparison.add(CLIP, SENT_AT, range(4, 6), came())
    assert (comparison.packets, len(comparison.packet_delays)) == (4, 4)


def test_nothing_came() -> None:
    comparison = compared({})
    assert comparison.packets_missing == comparison.packets == 15
    assert comparison.frames_missing == 9


def test_without_the_beginning_of_the_clip_nothing_can_be_told() -> None:
    # The last frame of each round.
    comparison = compared(came(lost=(6, 13, 20)))
    assert comparison.frames_missing == 9


def test_an_even_clip_tells_nothing() -> None:
    """Any two frames of it would do as its beginning: delays of a clip's length."""
    with pytest.raises(ValueError, match="even clip"):
        Comparison().add(replace(CLIP, delay=0), SENT_AT, range(1, 10), came())


def test_viewers_are_added_up() -> None:
    comparison = Comparison()
    for delay in (MS, 2 * MS):
        comparison.add(CLIP, SENT_AT, range(1, 10), came(delay=delay))
    assert comparison.packets == 30
    assert sum(comparison.packet_delays) == 15 * 3 * MS


def test_frames_sent_as_a_whole_within_a_time() -> None:
    begin, end = SENT_AT[CLIP.first_packet(2)], SENT_AT[CLIP.first_packet(8) + 1]
    # Of frame 8 one packet is sent later.
    assert frames_between(CLIP, SENT_AT, begin, end) == range(2, 8)
    assert frames_between(CLIP, SENT_AT, begin + 1, end + MS) == range(3, 9)
    assert len(frames_between(CLIP, SENT_AT, 0, begin - 1000 * MS)) == 0
    assert frames_between(CLIP, SENT_AT, 0, SENT_AT[-1]) == range(12)


def test_missing_packets_of_sound() -> None:
    sound = {(960 * n + OFFSET) % (1 << 32): [n] for n in range(30) if n not in (3, 9)}
    assert missing(SOUND, sound) == 2
    assert missing(SOUND, {}) == 0


def test_sources_are_told_apart() -> None:
    arrivals = Arrivals()
    for ssrc, time in ((1, 10), (2, 20), (1, 30)):
        arrivals.heads += pack("!II", 3_000, ssrc)
        arrivals.times.append(time)
    assert arrivals.frames() == {1: {3_000: [10, 30]}, 2: {3_000: [20]}}
    arrivals.clear()
    assert arrivals.frames() == {}
