"""What senders do that viewers may notice."""

import pytest

from tests.rtp_packets import write_rtp
from whipbird.media.habits import ANSWER_TIME, WINDOW, Habits, HabitStats
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.reception import Reception

RATE = 90_000


def look(habits: Habits, now: float) -> HabitStats:
    return habits.stats(now, now, RATE, 0, None)


def play(habits: Habits, *milliseconds: float) -> HabitStats:
    """Frames at these times of the sender's clock."""
    for moment in milliseconds:
        habits.frame(round(moment * RATE / 1000) & 0xFFFFFFFF)
    return look(habits, 0.0)


def test_nothing_is_known_at_first() -> None:
    assert look(Habits(0.0), 0.0) == HabitStats()


@pytest.mark.parametrize("first", [0, 2**32 / 90 - 500])
def test_even_frames(first: float) -> None:
    """Also where the timestamps wrap."""
    habits = play(Habits(0.0), *(first + 40 * n for n in range(60)))
    assert habits.reordered == 0
    assert habits.unevenness == pytest.approx(0, abs=0.01)


def test_frames_in_another_order() -> None:
    """I B B P as they are sent: the P is sent before the two that it follows."""
    order = [0, *(3 * n + k for n in range(20) for k in (3, 1, 2))]
    habits = play(Habits(0.0), *(40 * n for n in order))
    assert habits.reordered == pytest.approx(1 / 3, abs=0.02)


def test_uneven_frames() -> None:
    """A frame is missing now and then, or comes in pairs."""
    steady = play(Habits(0.0), *(33 * n + 3 * (n % 2) for n in range(99)))
    assert steady.unevenness is not None
    assert steady.unevenness < 0.2
    pairs = play(Habits(0.0), *(66 * (n // 2) + 3 * (n % 2) for n in range(99)))
    assert pairs.unevenness is not None
    assert pairs.unevenness > 0.7
    # A pause is no rhythm.
    paused = play(Habits(0.0), *(33 * n + 60_000 * (n // 50) for n in range(99)))
    assert paused.unevenness == pytest.approx(0, abs=0.02)


def test_requests_are_answered_or_not() -> None:
    habits = Habits(0.0)
    # The first key frame answers nothing.
    habits.requested(0.0, 0.0)
    habits.key_frame(0.1)
    assert look(habits, 1.0).answers is None
    for n in range(1, 4):
        # A key frame every 8 s, and requests each second until it comes.
        for second in range(3, 8):
            habits.requested(8.0 * n + second - 8, 8.0 * n + second - 8)
        habits.key_frame(8.0 * n)
    assert look(habits, 25.0).answers is False
    assert look(habits, 25.0).key_frame_age == pytest.approx(1)
    late = Habits(0.0)
    late.key_frame(0.0)
    late.requested(1.0, 1.0)
    late.key_frame(1.0 + 2 * ANSWER_TIME)
    assert look(late, 9.0).answers is None
    quick = Habits(0.0)
    for n in range(3):
        quick.key_frame(10.0 * n)
        quick.requested(10.0 * n + 10 - ANSWER_TIME, 10.0 * n + 10 - ANSWER_TIME)
    quick.key_frame(30.0)
    assert look(quick, 31.0).answers is True


@pytest.mark.parametrize(
    ("packets", "quiet"),
    [
        ([(120, None)] * 8, 0),
        ([(120, None)] * 3 + [(3, None)] * 5, 5),
        # The level in the header extension counts for more than the length.
        ([(120, 127)] * 8, 8),
        ([(3, 40)] * 8, 0),
    ],
)
def test_silence(packets: list[tuple[int, int | None]], quiet: float) -> None:
    habits = Habits(0.0)
    for second, (octets, level) in enumerate(packets, 1):
        assert habits.level_due <= second
        habits.sound(octets, level, float(second))
    assert look(habits, float(len(packets))).quiet == quiet


def test_short_sounds_are_heard() -> None:
    """A beep of 60 ms each second, whenever it comes."""
    habits = Habits(0.0)
    for packet in range(500):
        now = packet * 0.02
        if now >= habits.level_due:
            habits.sound(100 if packet % 50 in (30, 31, 32) else 3, None, now)
        assert look(habits, now).quiet <= 1.0


def test_loss_of_the_last_seconds() -> None:
    """What was lost before is forgotten, and repaired loss is not lost."""
    habits, reception, now = Habits(0.0), Reception(1, RATE), 0.0
    number = 0

    def send(*, lost: bool = False, repaired: bool = False) -> None:
        nonlocal number
        number += 1
        packet = RtpPacket.parse(write_rtp(number, 3000 * number, 1, b"x"))
        assert packet is not None
        if not lost:
            reception.received(packet, now)
        if repaired:
            held.append(packet)

    for second in range(2 * WINDOW + 2):
        held: list[RtpPacket] = []
        for n in range(100):
            send(lost=second < 3 and n in (10, 20), repaired=second < 3 and n == 10)
            now += 0.01
        for packet in held:
            reception.received(packet, now, recovered=True)
        reception.missing.to_request(now, 0.05)
        habits.measure(reception)
        if second == 3:
            recent = look(habits, now)
            assert recent.missing == pytest.approx(4 / 300)
    assert look(habits, now).missing == look(habits, now).lost == 0


def test_who_is_paused_refuses_nothing() -> None:
    """A camera is switched off for a minute, and a viewer asks all the time."""
    habits = Habits(0.0)
    habits.key_frame(0.0)
    for pause in (10, 80, 150):
        for second in range(pause, pause + 60):
            habits.requested(float(second), pause - 0.1)
        habits.key_frame(pause + 60.9)
    assert look(habits, 220.0).answers is None
    # One that sends all the time has.
    for second in range(220, 226):
        habits.requested(float(second), float(second))
    assert look(habits, 226.0).answers is False


def test_another_source_begins_anew() -> None:
    habits = Habits(0.0)
    one = Reception(1, RATE)
    packet = RtpPacket.parse(write_rtp(7, 0, 1, b"x"))
    assert packet is not None
    for _ in range(3):
        one.received(packet, 0.0)
        habits.measure(one)
    habits.measure(Reception(2, RATE))
    assert look(habits, 0.0).missing == 0
