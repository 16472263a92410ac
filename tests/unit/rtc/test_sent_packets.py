"""Packets that are kept, and how often they are retransmitted (RFC 4585, RFC 4588)."""

from tests.rtp_packets import write_rtp
from whipbird.rtc.sent_packets import (
    HISTORY_SIZE,
    MAX_RETRANSMISSIONS,
    MIN_INTERVAL,
    SentPackets,
)


def kept(first: int, count: int) -> SentPackets:
    packets = SentPackets(None, 0)
    for number in range(first, first + count):
        sequence = number % 65536
        packets.keep(sequence, write_rtp(sequence, 0, 1, b"x"))
    return packets


def test_the_last_packets_are_known() -> None:
    """Also where the numbers begin anew."""
    first = 65536 - 100
    packets = kept(first, HISTORY_SIZE + 1)
    wanted = [n % 65536 for n in (first, first + 1, first + 200, first + HISTORY_SIZE)]
    found = [packets.retransmission(n, 1.0) for n in wanted]
    # The first is forgotten.
    assert found == [None, *(write_rtp(n, 0, 1, b"x") for n in wanted[1:])]
    assert packets.retransmission(wanted[-1] + 1, 1.0) is None


def test_a_packet_is_not_retransmitted_twice_at_once() -> None:
    packets = kept(0, 1)
    times = (1.0, 1.0 + MIN_INTERVAL / 2, 1.0 + MIN_INTERVAL)
    assert [packets.retransmission(0, t) is not None for t in times] == [
        True,
        False,
        True,
    ]


def test_so_many_in_a_second() -> None:
    """A NACK is small, and what it asks for is large."""
    packets = kept(0, HISTORY_SIZE)
    found = [packets.retransmission(n, 1.0) for n in range(HISTORY_SIZE)]
    assert sum(packet is not None for packet in found) == MAX_RETRANSMISSIONS
    assert packets.retransmission(MAX_RETRANSMISSIONS, 1.9) is None
    assert packets.retransmission(MAX_RETRANSMISSIONS, 2.0) is not None
