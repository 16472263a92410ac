"""Checks as STUN transactions (RFC 8445 section 14.3, RFC 8489 section 6.2.1)."""

import math

import pytest

from whipbird.transport.ice.checks import (
    CHECK_INTERVAL,
    HASTY_RTO,
    MAX_UNREPEATED,
    MIN_RTO,
    WAITS,
    Check,
    Checks,
)
from whipbird.transport.ice.pairs import Pair
from whipbird.transport.path import Path

PATH = Path(("198.51.100.1", 5000), ("192.0.2.1", 5000))


class Sender:
    """Notes when something is sent."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[float] = []
        self.checks = Checks(lambda _data, _path: self.sent.append(self.now))

    def run_until(self, now: float) -> list[Check]:
        failed = []
        while self.checks.deadline <= now:
            self.now = self.checks.deadline
            failed += self.checks.handle_timeout(self.now)
        self.now = now
        return failed


def check(number: int = 0) -> Check:
    transaction_id = number.to_bytes(12, "big")
    pair = Pair(PATH, 1, 1)
    return Check(pair, transaction_id, b"", controlling=True)


def test_the_times_of_retransmissions() -> None:
    """RFC 8489 section 6.2.1, with two doublings only: and 16 RTOs after the last."""
    sender, one = Sender(), check()
    sender.checks.start(one, MIN_RTO, 0)
    assert sender.run_until(27.4) == []
    assert sender.sent == [0, 0.5, *(n + 0.5 for n in range(1, 20, 2))]
    assert sender.run_until(27.6) == [one]
    assert sender.checks.deadline == math.inf
    assert sender.checks.sent == len(WAITS) == 12
    assert len(sender.checks) == 0


def test_an_answered_check_is_over() -> None:
    sender, one = Sender(), check()
    sender.checks.start(one, MIN_RTO, 0)
    sender.run_until(0.6)
    assert sender.checks.get(one.transaction_id) is one
    assert one.is_ambiguous
    sender.checks.end(one)
    sender.checks.end(one)
    assert sender.checks.get(one.transaction_id) is None
    assert sender.checks.deadline == math.inf
    assert sender.run_until(100) == []


def test_a_check_is_hastened() -> None:
    """Not before there was time for an answer, and at short intervals again."""
    sender, one = Sender(), check()
    sender.checks.start(one, MIN_RTO, 0)
    sender.run_until(4)
    assert len(sender.sent) == 4
    sender.checks.hasten(one, 4)
    sender.checks.hasten(one, 4.001)
    sender.run_until(6)
    assert sender.sent[4:] == pytest.approx([4.02, 4.52, 5.52])
    other = check(1)
    sender.checks.start(other, MIN_RTO, 6)
    for n in range(10):
        sender.checks.hasten(other, 6 + n / 1000)
    assert other.due == 6 + HASTY_RTO
    assert not other.is_ambiguous
    sender.checks.hasten(other, 6 + HASTY_RTO - CHECK_INTERVAL / 2)
    assert other.due == 6 + HASTY_RTO


def test_checks_that_are_sent_once_are_bounded() -> None:
    sender = Sender()
    sent = [check(n) for n in range(3 * MAX_UNREPEATED)]
    for one in sent:
        sender.checks.start_unrepeated(one, 0)
    assert sender.checks.deadline == math.inf
    assert len(sender.checks) == MAX_UNREPEATED
    assert sender.checks.get(sent[-1].transaction_id) is sent[-1]
    assert sender.checks.get(sent[0].transaction_id) is None
    assert sender.checks.of(sent[-1].pair) is None


def test_the_check_of_a_pair() -> None:
    sender, one, other = Sender(), check(1), check(2)
    sender.checks.start(one, MIN_RTO, 0)
    sender.checks.start(other, MIN_RTO, 0)
    assert sender.checks.of(other.pair) is other
    sender.checks.keep(lambda c: c is one)
    assert sender.checks.of(other.pair) is None
    assert sender.checks.of(one.pair) is one
