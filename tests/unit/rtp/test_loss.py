"""The loss that retransmission does not mend."""

from whipbird.rtp.loss import MIN_PACKETS, UnmendedLoss


def test_the_share_of_the_last_second() -> None:
    loss = UnmendedLoss()
    loss.update(0.0, 1000, 0)
    assert loss.fraction == 0.0
    loss.update(1.0, 1100, 10)
    assert loss.fraction == 0.1
    loss.update(2.0, 1200, 10)
    assert loss.fraction == 0.0


def test_few_packets_say_nothing() -> None:
    loss = UnmendedLoss()
    loss.update(0.0, 100, 0)
    loss.update(1.0, 100 + MIN_PACKETS - 1, 10)
    assert loss.fraction == 0.0
    loss.update(2.0, 100 + MIN_PACKETS, 10)
    assert loss.fraction == 10 / MIN_PACKETS
    loss.update(2.5, 1000, 1000)
    assert loss.fraction == 10 / MIN_PACKETS


def test_a_source_that_has_ended() -> None:
    loss = UnmendedLoss()
    loss.update(0.0, 1000, 100)
    loss.update(1.0, 200, 10)
    loss.update(2.0, 300, 15)
    assert loss.fraction == 0.05
