"""Report blocks (RFC 3550 section 6.4.1)."""

import random

import pytest

from tests.rtp_packets import rtp_packet
from whipbird.rtp.reception import Reception

SSRC = 0x11223344


def receive(
    reception: Reception, *sequences: int, recovered: bool = False, now: float = 0.0
) -> None:
    for sequence in sequences:
        reception.received(rtp_packet(sequence), now, recovered)


class TestReport:
    """RFC 3550 section 6.4.1 and appendix A.3."""

    def test_first(self) -> None:
        reception = Reception(SSRC, 90000)
        assert reception.report(0.0) is None
        receive(reception, *range(65530, 65546))
        report = reception.report(0.0)
        assert report is not None
        assert report.ssrc == SSRC
        assert report.highest_sequence == 0x10009
        assert report.fraction_lost == report.packets_lost == report.jitter == 0
        assert report.last_report == report.delay == 0

    def test_loss_is_of_the_interval_and_in_all(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1, 2, 3, 4, 7, 8)
        first = reception.report(0.0)
        receive(reception, *range(9, 17))
        second = reception.report(1.0)
        receive(reception, 116)
        third = reception.report(2.0)
        reports = [report for report in (first, second, third) if report]
        assert [r.fraction_lost for r in reports] == [64, 0, 253]
        assert [r.packets_lost for r in reports] == [2, 2, 101]

    def test_late_packets_make_no_negative_fraction(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1, 5)
        reception.report(0.0)
        receive(reception, 2, 3, 4, 6)
        report = reception.report(1.0)
        assert report is not None
        assert (report.fraction_lost, report.packets_lost) == (0, 0)

    def test_what_was_recovered_was_lost(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1, 3)
        receive(reception, 2, recovered=True)
        report = reception.report(0.0)
        assert report is not None
        assert report.packets_lost == 1

    def test_none_without_new_packets(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1)
        assert reception.report(0.0) is not None
        assert reception.report(1.0) is None
        receive(reception, 2)
        assert reception.report(2.0) is not None

    def test_sender_report(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1)
        reception.sender_report(0x0123456789ABCDEF, 4000, 10.0)
        report = reception.report(11.5)
        assert report is not None
        assert report.last_report == 0x456789AB
        assert report.delay == 0x18000
        receive(reception, 2)
        later = reception.report(1e6)
        assert later is not None
        assert later.delay == 0xFFFFFFFF

    def test_cycles_are_of_32_bits(self) -> None:
        reception = Reception(SSRC, 90000)
        for n in range(8 * 64):
            receive(reception, n * 1024, now=float(n))
        report = reception.report(0.0)
        assert report is not None
        assert report.highest_sequence == 7 * 65536 + 64512


class TestJitter:
    """RFC 3550 section 6.4.1 and appendix A.8."""

    def test_constant_delay(self) -> None:
        reception = Reception(SSRC, 48000)
        for n in range(100):
            # The timestamp wraps on the way.
            timestamp = (0xFFFFF000 + 960 * n) & 0xFFFFFFFF
            reception.received(rtp_packet(n, timestamp), 5.0 + 0.02 * n)
        assert reception.jitter == pytest.approx(0.0, abs=1e-9)

    def test_as_the_formula(self) -> None:
        rng = random.Random(1)
        reception = Reception(SSRC, 48000)
        expected = 0.0
        transit: float | None = None
        for n in range(50):
            now = 0.02 * n + 0.01 * rng.random()
            reception.received(rtp_packet(n, 960 * n), now)
            last, transit = transit, now - 0.02 * n
            if last is not None:
                expected += (abs(transit - last) - expected) / 16
        assert reception.jitter == pytest.approx(expected)
        assert 0.001 < expected < 0.005
        report = reception.report(10.0)
        assert report is not None
        assert report.jitter == int(expected * 48000)

    def test_packets_of_one_frame(self) -> None:
        """They have one timestamp, and come as fast as they are sent."""
        reception = Reception(SSRC, 90000)
        for n in range(300):
            frame, part = divmod(n, 10)
            reception.received(rtp_packet(n, 3000 * frame), frame / 30 + part / 1000)
        assert reception.jitter == pytest.approx(0.0, abs=1e-9)

    def test_over_gaps(self) -> None:
        reception = Reception(SSRC, 48000)
        for n in (0, 1, 5, 6, 9):
            # Those after a gap come 16 ms too late.
            now = 0.02 * n + (0.016 if n in (5, 9) else 0.0)
            reception.received(rtp_packet(n, 960 * n), now)
        expected = 0.0
        for step in (0.0, 0.016, 0.016, 0.016):
            expected += (step - expected) / 16
        assert reception.jitter == pytest.approx(expected)

    def test_not_of_what_was_sent_again(self) -> None:
        reception = Reception(SSRC, 48000)
        reception.received(rtp_packet(1, 0), 0.0)
        reception.received(rtp_packet(2, 960), 0.5, recovered=True)
        reception.received(rtp_packet(3, 1920), 0.04)
        assert reception.jitter == pytest.approx(0.0, abs=1e-9)

    def test_another_time_scale(self) -> None:
        reception = Reception(SSRC, 90000)
        reception.received(rtp_packet(1, 0), 0.0)
        reception.received(rtp_packet(2, 0x70000000), 0.02)
        assert reception.jitter == 0.0
