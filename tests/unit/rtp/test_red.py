"""Redundant payloads (RFC 2198)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rtp_packets import write_rtp
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.red import (
    MAX_BLOCKS,
    MAX_LENGTH,
    MAX_OFFSET,
    RedError,
    RedPayload,
    RedundantBlock,
    parse_red,
    take_apart,
    write_red,
)

# As Chromium writes it: the frame before, 960 ticks ago and 3 octets long, then the
# frame itself; both of payload type 111.
FROM_CHROMIUM = bytes.fromhex("ef 0f0003 6f") + b"old" + b"primary"


def test_as_a_browser_writes_it() -> None:
    parsed = parse_red(FROM_CHROMIUM)
    assert parsed == RedPayload(111, b"primary", (RedundantBlock(111, 960, b"old"),))
    assert write_red(111, b"primary", [(960, b"old")]) == FROM_CHROMIUM


def test_without_redundancy() -> None:
    assert write_red(111, b"primary") == b"\x6fprimary"
    assert parse_red(b"\x6fprimary") == RedPayload(111, b"primary")


def test_an_empty_primary_block_and_empty_blocks() -> None:
    written = write_red(0, b"", [(0, b"")])
    assert parse_red(written) == RedPayload(0, b"", (RedundantBlock(0, 0, b""),))


def test_blocks_of_other_payload_types() -> None:
    payload = bytes.fromhex("80 0f0001 ef 078002 6f") + b"abb" + b"c"
    assert parse_red(payload) == RedPayload(
        111, b"c", (RedundantBlock(0, 960, b"a"), RedundantBlock(111, 480, b"bb"))
    )


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        # No primary block; a header that is cut short.
        bytes.fromhex("ef 0f0000"),
        bytes.fromhex("ef 0f"),
        bytes.fromhex("ef 0f0000 ef"),
        # A block that is longer than the payload.
        bytes.fromhex("ef 0f0004 6f") + b"abc",
        bytes.fromhex("ef 0f0000") * (MAX_BLOCKS + 1) + b"\x6f",
    ],
)
def test_malformed(payload: bytes) -> None:
    with pytest.raises(RedError):
        parse_red(payload)


@given(st.binary(max_size=200))
def test_any_octets(payload: bytes) -> None:
    with contextlib.suppress(RedError):
        parsed = parse_red(payload)
        octets = len(parsed.primary) + sum(len(b.data) for b in parsed.redundant)
        assert octets + 4 * len(parsed.redundant) + 1 == len(payload)


@given(
    st.integers(0, 127),
    st.binary(max_size=1500),
    st.lists(
        st.tuples(st.integers(0, MAX_OFFSET), st.binary(max_size=MAX_LENGTH)),
        max_size=4,
    ),
)
def test_what_is_written_is_parsed(
    payload_type: int, primary: bytes, redundant: list[tuple[int, bytes]]
) -> None:
    blocks = tuple(RedundantBlock(payload_type, *block) for block in redundant)
    written = write_red(payload_type, primary, redundant)
    assert parse_red(written) == RedPayload(payload_type, primary, blocks)


# Opus: a frame of 20 ms (960 ticks), and one of 60 ms; both CELT or SILK, mono.
FRAME, LONG_FRAME = b"\xf8frame", b"\x18long"


def red_packet(
    payload: bytes, sequence: int = 10, timestamp: int = 48_000
) -> RtpPacket:
    """A packet with RED, with a header extension, a marker and padding."""
    data = write_rtp(
        sequence,
        timestamp,
        payload=payload,
        payload_type=63,
        marker=True,
        extension=(0xBEDE, b"\x10\x55\0\0"),
        padding=4,
    )
    packet = RtpPacket.parse(data)
    assert packet is not None
    return packet


def apart(payload: bytes, **header: int) -> list[tuple[int, int, bytes]]:
    """Sequence numbers, timestamps and payloads of the packets in one."""
    packets = take_apart(red_packet(payload, **header), 111)
    return [(p.sequence, p.timestamp, p.payload) for p in packets]


def test_the_packets_own_frame() -> None:
    [own] = take_apart(red_packet(write_red(111, b"own")), 111)
    plain = write_rtp(
        10,
        48_000,
        payload=b"own",
        payload_type=111,
        marker=True,
        extension=(0xBEDE, b"\x10\x55\0\0"),
    )
    assert own.data == plain


def test_numbers_are_counted_back() -> None:
    """From frames of any duration, and across a wrap."""
    payload = write_red(111, b"own", [(3840, LONG_FRAME), (960, FRAME)])
    assert apart(payload) == [
        (8, 44_160, LONG_FRAME),
        (9, 47_040, FRAME),
        (10, 48_000, b"own"),
    ]
    assert [number for number, *_ in apart(payload, sequence=1)] == [0xFFFF, 0, 1]
    assert [ticks for _, ticks, _ in apart(payload, timestamp=960)] == [
        (960 - 3840) & 0xFFFFFFFF,
        0,
        960,
    ]


def test_rounded_timestamps() -> None:
    payload = write_red(111, b"own", [(1921, FRAME), (959, FRAME)])
    assert [number for number, *_ in apart(payload)] == [8, 9, 10]


@pytest.mark.parametrize(
    "block",
    [
        # A frame is left out between; a pause; one that overlaps; now.
        (1920, FRAME),
        (16_000, FRAME),
        (480, FRAME),
        (0, FRAME),
        # Not Opus.
        (960, b""),
    ],
)
def test_blocks_whose_number_is_not_known(block: tuple[int, bytes]) -> None:
    older = (block[0] + 960, FRAME)
    assert apart(write_red(111, b"own", [older, block])) == [(10, 48_000, b"own")]


def test_blocks_of_another_codec() -> None:
    payload = bytes.fromhex("80 0f0006 6f") + FRAME + b"own"
    assert apart(payload) == [(10, 48_000, b"own")]


def test_a_primary_block_of_another_codec() -> None:
    with pytest.raises(RedError):
        take_apart(red_packet(write_red(13, b"own")), 111)


@given(st.binary(max_size=100), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF))
def test_any_payload_is_taken_apart(octets: bytes, number: int, ticks: int) -> None:
    with contextlib.suppress(RedError):
        packets = take_apart(red_packet(octets, number, ticks), 111)
        assert packets[-1].sequence == number
