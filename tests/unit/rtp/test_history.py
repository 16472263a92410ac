"""The last packets of a source."""

from tests.rtp_packets import rtp_packet
from whipbird.rtp.history import MAX_GOP, SIZE, PacketHistory


def filled(*sequences: int, key_frames: tuple[int, ...] = ()) -> PacketHistory:
    history = PacketHistory()
    for sequence in sequences:
        packet = rtp_packet(sequence & 0xFFFF)
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


def test_the_group_begins_with_the_last_key_frame() -> None:
    assert sequences_of(filled(1, 2, 3)) == []
    assert sequences_of(filled(*range(1, 8), key_frames=(2, 5))) == [5, 6, 7]


def test_over_a_wrap_and_gaps() -> None:
    history = filled(65534, 65535, 65537, 65538, key_frames=(65534,))
    assert sequences_of(history) == [65534, 65535, 1, 2]


def test_a_group_that_is_too_long_is_none() -> None:
    history = filled(*range(MAX_GOP), key_frames=(0,))
    assert len(history.current_gop()) == MAX_GOP
    history.add(rtp_packet(MAX_GOP))
    assert history.current_gop() == []
    # Its sequence number is reused, but the packet is another.
    for sequence in range(MAX_GOP + 1, 65536 + 10):
        history.add(rtp_packet(sequence & 0xFFFF))
    assert history.current_gop() == []
