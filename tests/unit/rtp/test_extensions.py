"""Header extensions (RFC 8285), beside aiortc's writing of them."""

import pytest
from aiortc.rtp import pack_header_extensions
from hypothesis import given
from hypothesis import strategies as st

from tests.rtp_packets import rtp_packet, write_rtp
from whipbird.rtp.extensions import find_extension, read_extensions
from whipbird.rtp.packet import RtpPacket

EVERY = range(256)


def with_extension(profile: int, value: bytes, csrcs: int = 0) -> RtpPacket:
    """A packet with an extension that is filled up to whole words."""
    value += bytes(-len(value) % 4)
    packet = RtpPacket.parse(
        write_rtp(extension=(profile, value), csrcs=range(csrcs), payload=b"\x31" * 20)
    )
    assert packet is not None
    return packet


def test_one_byte_form() -> None:
    # RFC 8285 section 4.2: lengths of 1, 2 and 3, padding between and behind.
    value = bytes.fromhex("10aa 21bbbb 0000 32cccccc")
    packet = with_extension(0xBEDE, value, csrcs=2)
    elements = {1: b"\xaa", 2: b"\xbb\xbb", 3: b"\xcc\xcc\xcc"}
    assert read_extensions(packet, EVERY) == elements
    assert read_extensions(packet, frozenset((1, 3, 9))) == {
        1: b"\xaa",
        3: b"\xcc\xcc\xcc",
    }
    assert {i: find_extension(packet, i) for i in elements} == elements
    assert find_extension(packet, 4) is None


@pytest.mark.parametrize("profile", [0x1000, 0x100F])
def test_two_byte_form(profile: int) -> None:
    # Section 4.3: an empty element, one of 17 octets, an identifier above 14.
    value = bytes.fromhex("0100 00 0211") + b"x" * 17 + bytes.fromhex("c80155")
    packet = with_extension(profile, value)
    elements = {1: b"", 2: b"x" * 17, 200: b"\x55"}
    assert read_extensions(packet, EVERY) == elements
    assert read_extensions(packet, {200}) == {200: b"\x55"}
    assert {i: find_extension(packet, i) for i in elements} == elements
    assert find_extension(packet, 3) is None


def test_largest_elements_of_the_one_byte_form() -> None:
    packet = with_extension(0xBEDE, b"\xef" + bytes(range(16)))
    assert read_extensions(packet, EVERY) == {14: bytes(range(16))}
    assert find_extension(packet, 14) == bytes(range(16))


def test_empty_element_at_the_end() -> None:
    packet = with_extension(0x1000, b"\0\0\x05\0")
    assert read_extensions(packet, EVERY) == {5: b""}


def test_first_of_several() -> None:
    for packet in (
        with_extension(0xBEDE, b"\x10a\x10b"),
        with_extension(0x1000, b"\x01\x01a\x01\x01b"),
    ):
        assert read_extensions(packet, {1}) == {1: b"a"}
        assert find_extension(packet, 1) == b"a"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("10aa f0bb 20cc", id="identifier 15 ends it"),
        pytest.param("10aa 01bbbb 20cc", id="identifier 0 with a length ends it"),
        pytest.param("10aa 23cccc", id="an element longer than the extension"),
    ],
)
def test_one_byte_form_is_read_until_malformed(value: str) -> None:
    data = bytes.fromhex(value)
    data = bytes(-len(data) % 4) + data  # so that nothing follows
    packet = with_extension(0xBEDE, data)
    assert read_extensions(packet, EVERY) == {1: b"\xaa"}
    assert find_extension(packet, 1) == b"\xaa"
    assert [find_extension(packet, i) for i in (0, 2, 15)] == [None] * 3


@pytest.mark.parametrize("value", ["0101aa 0204bb", "000101aa 00000002"])
def test_two_byte_form_is_read_until_malformed(value: str) -> None:
    data = bytes.fromhex(value)
    packet = with_extension(0x1000, bytes(-len(data) % 4) + data)
    assert read_extensions(packet, EVERY) == {1: b"\xaa"}
    assert [find_extension(packet, i) for i in (0, 1, 2)] == [None, b"\xaa", None]


def test_without_elements() -> None:
    # Only 0xBEDE, and 0x1000 to 0x100F, are of RFC 8285.
    others = (0x1234, 0x1010, 0x2000, 0xBE00, 0x00DE)
    for packet in (
        rtp_packet(),
        *(with_extension(profile, b"\x10\x01\x10\x01") for profile in others),
    ):
        assert read_extensions(packet, EVERY) == {}
        assert find_extension(packet, 1) is None


@given(
    st.dictionaries(st.integers(1, 14), st.binary(min_size=1, max_size=16))
    | st.dictionaries(st.integers(1, 255), st.binary(max_size=255), max_size=4)
)
def test_as_aiortc_writes_them(elements: dict[int, bytes]) -> None:
    packet = with_extension(*pack_header_extensions(list(elements.items())))
    assert read_extensions(packet, EVERY) == elements
    for identifier in range(1, 256):
        assert find_extension(packet, identifier) == elements.get(identifier)


@given(st.sampled_from([0xBEDE, 0x1000, 0x1003]), st.binary(max_size=80))
def test_any_octets(profile: int, value: bytes) -> None:
    """Nothing raises, both ways agree, and nothing is read behind the extension."""
    packet = with_extension(profile, value)
    elements = read_extensions(packet, EVERY)
    for identifier in EVERY:
        assert find_extension(packet, identifier) == elements.get(identifier)
    assert sum(len(element) + 1 for element in elements.values()) <= len(value) + 3
