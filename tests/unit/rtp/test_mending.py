"""Loss, and whether retransmission mends it."""

from whipbird.rtp.mending import (
    MAX_LOSS,
    MAX_UNMENDED,
    MEMORY,
    MIN_PACKETS,
    Mending,
)


def test_what_is_mended() -> None:
    mending = Mending()
    for second in range(10):
        mending.update(float(second), 1000 * second, 200 * second, 10 * second)
        assert mending.is_mended


def test_what_is_lost_for_good() -> None:
    mending = Mending()
    mending.update(0.0, 1000, 0, 0)
    given_up = int(1000 * MAX_UNMENDED) + 1
    mending.update(1.0, 2000, 100, given_up)
    assert not mending.is_mended
    mending.update(0.5 + MEMORY, 3000, 100, given_up)
    assert not mending.is_mended
    mending.update(1.5 + MEMORY, 4000, 100, given_up)
    assert mending.is_mended


def test_what_costs_too_much_to_mend() -> None:
    mending = Mending()
    mending.update(0.0, 1000, 0, 0)
    mending.update(1.0, 2000, int(1000 * MAX_LOSS) + 1, 0)
    assert not mending.is_mended


def test_few_packets_say_nothing() -> None:
    mending = Mending()
    mending.update(0.0, 100, 0, 0)
    mending.update(1.0, 100 + MIN_PACKETS - 1, 10, 10)
    assert mending.is_mended
    mending.update(2.0, 100 + MIN_PACKETS, 10, 10)
    assert not mending.is_mended


def test_a_source_that_has_ended() -> None:
    mending = Mending()
    mending.update(0.0, 1000, 50, 40)
    mending.update(1.0, 200, 10, 10)
    mending.update(2.0, 300, 12, 12)
    assert mending.is_mended
