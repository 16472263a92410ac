import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bit_writer import BitWriter, escape
from whipbird.rtp.bits import BitReader, BitstreamError, unescape


def test_reads_the_most_significant_bit_first() -> None:
    reader = BitReader(b"\xa5\x0f\xff")
    assert reader.read(3) == 0b101
    assert reader.flag() is False
    assert reader.read(0) == 0
    assert reader.read(9) == 0b0101_0000_1
    assert reader.flag() is True
    reader.skip(2)
    assert reader.read(8) == 0xFF


@pytest.mark.parametrize("count", [1, 5, 8, 17, 64])
def test_nothing_is_read_beyond_the_end(count: int) -> None:
    reader = BitReader(bytes(count // 8))
    reader.skip(count // 8 * 8)
    for read in (reader.read, reader.skip):
        with pytest.raises(BitstreamError):
            read(count)
    for read_one in (reader.flag, reader.read_ue, reader.read_se):
        with pytest.raises(BitstreamError):
            read_one()


def test_a_read_that_fails_takes_nothing() -> None:
    reader = BitReader(b"\x5a")
    reader.skip(4)
    with pytest.raises(BitstreamError):
        reader.read(5)
    assert reader.read(4) == 0xA


@pytest.mark.parametrize(
    ("bits", "value", "signed"),
    [
        # H.264 tables 9-2 and 9-3.
        ("1", 0, 0),
        ("010", 1, 1),
        ("011", 2, -1),
        ("00100", 3, 2),
        ("00101", 4, -2),
        ("00110", 5, 3),
        ("0001010", 9, 5),
    ],
)
def test_exp_golomb_codes(bits: str, value: int, signed: int) -> None:
    data = BitWriter().flags(bits).octets()
    assert BitReader(data).read_ue() == value
    assert BitReader(data).read_se() == signed


@given(st.lists(st.integers(0, 2**32 - 2)), st.lists(st.integers(-(2**30), 2**30)))
def test_exp_golomb_codes_are_read_as_written(
    unsigned: list[int], signed: list[int]
) -> None:
    reader = BitReader(BitWriter().ue(*unsigned).se(*signed).octets())
    assert [reader.read_ue() for _ in unsigned] == unsigned
    assert [reader.read_se() for _ in signed] == signed


def test_a_longer_exp_golomb_code_is_refused() -> None:
    assert BitReader(BitWriter().ue(2**32 - 2).octets()).read_ue() == 2**32 - 2
    with pytest.raises(BitstreamError, match="32 bits"):
        BitReader(bytes(4) + b"\xff" * 8).read_ue()


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("", ""),
        ("000003", "0000"),
        ("00000301", "000001"),
        ("00000303", "000003"),
        ("000003000003", "00000000"),
        ("0000030003", "00000003"),
        ("000103", "000103"),
        ("0300000304", "03000004"),
    ],
)
def test_emulation_prevention_is_taken_out(escaped: str, plain: str) -> None:
    assert unescape(bytes.fromhex(escaped)) == bytes.fromhex(plain)


@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, 255])).map(bytes))
def test_emulation_prevention_loses_nothing(nal: bytes) -> None:
    assert unescape(escape(nal)) == nal
