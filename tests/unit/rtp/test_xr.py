"""Extended reports for the round trip of receivers."""

from hypothesis import given
from hypothesis import strategies as st

from whipbird.rtp.rtcp import write_receiver_report, write_sdes
from whipbird.rtp.xr import (
    DelaySince,
    ReferenceTime,
    parse_xr,
    write_delay_since,
    write_reference_time,
)

OCTETS_4 = st.integers(0, 0xFFFFFFFF)


def test_the_octets_of_a_reference_time() -> None:
    # RFC 3611 sections 2 and 4.4: PT 207, then block type 4 of two words.
    assert write_reference_time(0x01020304, 0x1112131415161718) == bytes.fromhex(
        "80cf0004 01020304 04000002 11121314 15161718"
    )


def test_the_octets_of_an_answer() -> None:
    # RFC 3611 section 4.5: block type 5, three words for each receiver.
    blocks = [DelaySince(0x11, 0x22, 0x33), DelaySince(0x44, 0x55, 0x66)]
    assert write_delay_since(0x01020304, blocks) == bytes.fromhex(
        "80cf0008 01020304 05000006"
        "00000011 00000022 00000033 00000044 00000055 00000066"
    )


@given(OCTETS_4, st.integers(0, (1 << 64) - 1))
def test_a_reference_time_is_read_as_written(ssrc: int, ntp: int) -> None:
    assert parse_xr(write_reference_time(ssrc, ntp)) == [ReferenceTime(ssrc, ntp)]


@given(st.lists(st.builds(DelaySince, OCTETS_4, OCTETS_4, OCTETS_4), max_size=40))
def test_answers_are_read_as_written(blocks: list[DelaySince]) -> None:
    assert parse_xr(write_delay_since(1, blocks)) == blocks


def test_in_a_compound_packet() -> None:
    data = (
        write_receiver_report(1, ())
        + write_sdes(1, "somebody")
        + write_reference_time(1, 2)
        + write_delay_since(1, [DelaySince(3, 4, 5)])
    )
    assert parse_xr(data) == [ReferenceTime(1, 2), DelaySince(3, 4, 5)]


def test_other_blocks_are_skipped() -> None:
    # A block of an unknown type, of one word, before a reference time.
    data = bytes.fromhex(
        "80cf0006 00000001 63000001 ffffffff 04000002 0000000000000002"
    )
    assert parse_xr(data) == [ReferenceTime(1, 2)]


def test_malformed_blocks_are_dropped() -> None:
    # A reference time of one word; then a block that is longer than its packet.
    assert parse_xr(bytes.fromhex("80cf0003 00000001 04000001 00000002")) == []
    assert parse_xr(bytes.fromhex("80cf0003 00000001 05000003 00000002")) == []
    # An answer cut off within a receiver's part: the whole parts count.
    data = bytes.fromhex(
        "80cf0006 00000001 05000004 00000002 00000003 00000004 00000005"
    )
    assert parse_xr(data) == [DelaySince(2, 3, 4)]


@given(st.binary(max_size=80))
def test_anything_is_read_without_an_error(body: bytes) -> None:
    body += bytes(-len(body) % 4)
    parse_xr(bytes((0x80, 207)) + (len(body) // 4).to_bytes(2) + body)
