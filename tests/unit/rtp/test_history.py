"""The last packets of a source."""

import pytest

from tests.rtp_packets import rtp_packet
from whipbird.rtp.history import MAX_GOP, SIZE, GopBudget, GopLimits, PacketHistory


def filled(
    *sequences: int,
    key_frames: tuple[int, ...] = (),
    budget: GopBudget | None = None,
    payload: bytes = b"x",
    ticks: int = 0,
) -> PacketHistory:
    history = PacketHistory(budget or GopBudget(), 90_000)
    for number, sequence in enumerate(sequences):
        packet = rtp_packet(sequence & 0xFFFF, number * ticks, payload=payload)
        history.add(packet, is_key_frame=sequence in key_frames)
    return history


def sequences_of(history: PacketHistory) -> list[int]:
    return [packet.sequence for packet in history.current_gop()]


def test_packets_are_found_until_newer_ones_take_their_place() -> None:
    history = filled(*range(65000, 65000 + SIZE + 10))
    assert history.get(65009) is None
    for sequence in (65010, 65535, 0, (65000 + SIZE + 9) & 0xFFFF):
        packet = history.get(sequence)
        assert packet is not None
        assert packet.sequence == sequence
    assert history.get(40000) is None


def test_the_gop_begins_with_the_last_key_frame() -> None:
    assert sequences_of(filled(1, 2, 3)) == []
    assert sequences_of(filled(*range(1, 8), key_frames=(2, 5))) == [5, 6, 7]


def test_over_a_wrap_and_gaps() -> None:
    history = filled(65534, 65535, 65537, 65538, key_frames=(65534,))
    assert sequences_of(history) == [65534, 65535, 1, 2]


@pytest.mark.parametrize("count", [SIZE, SIZE + 1, 5 * SIZE, MAX_GOP])
def test_a_long_gop_is_kept_whole(count: int) -> None:
    start = 65_000
    history = filled(*range(start, start + count), key_frames=(start,))
    assert sequences_of(history) == [n & 0xFFFF for n in range(start, start + count)]
    # The next one is short: the room is given back, and the last packets stay.
    history.add(rtp_packet((start + count) & 0xFFFF), is_key_frame=True)
    assert history.size == SIZE
    assert sequences_of(history) == [(start + count) & 0xFFFF]
    assert history.get((start + count - SIZE + 1) & 0xFFFF) is not None


def test_too_many_packets() -> None:
    history = filled(*range(MAX_GOP + 1), key_frames=(0,))
    assert history.current_gop() == []
    # Its sequence number is reused, but the packet is another.
    for sequence in range(MAX_GOP + 1, 65536 + 10):
        history.add(rtp_packet(sequence & 0xFFFF))
    assert history.current_gop() == []
    assert history.size == SIZE


def test_a_key_frame_of_several_megabytes() -> None:
    history = filled(*range(8000), key_frames=(0,), payload=bytes(1200))
    assert len(history.current_gop()) == 8000


def test_too_many_octets() -> None:
    budget = GopBudget(GopLimits(octets=1_000_000))
    history = filled(*range(700), key_frames=(0,), budget=budget, payload=bytes(1200))
    assert len(history.current_gop()) == 700
    assert budget.given_up == 0
    history = filled(*range(1100), key_frames=(0,), budget=budget, payload=bytes(1200))
    assert history.current_gop() == []
    # Once for the whole of it.
    assert budget.given_up == 1


def test_too_many_seconds() -> None:
    budget = GopBudget(GopLimits(seconds=10.0))

    def played(count: int) -> PacketHistory:
        return filled(
            *range(count),
            key_frames=(0,),
            budget=budget,
            payload=bytes(1200),
            ticks=3000,
        )

    assert len(played(290).current_gop()) == 290
    # It is looked at from time to time.
    assert played(600).current_gop() == []


def test_all_encodings_share_a_budget() -> None:
    budget = GopBudget(GopLimits(total=1024 * 1024))

    def played() -> PacketHistory:
        return filled(*range(400), key_frames=(0,), budget=budget, payload=bytes(1200))

    first, second, third = played(), played(), played()
    assert len(first.current_gop()) == len(second.current_gop()) == 400
    assert third.current_gop() == []
    first.close()
    assert len(played().current_gop()) == 400


def test_nothing_of_the_budget_is_lost() -> None:
    budget = GopBudget()
    history = PacketHistory(budget, 90_000)
    for sequence in range(20_000):
        packet = rtp_packet(sequence, 0, payload=bytes(1200))
        history.add(packet, is_key_frame=sequence % 3000 == 0)
    assert budget.octets > 0
    history.close()
    assert budget.octets == 0
