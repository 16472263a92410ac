"""Datagrams as frames on a TCP connection."""

import random

import pytest

from whipbird.net.framing import MAX_FRAME, Deframer, FrameError, pack_length


def framed(*datagrams: bytes) -> bytes:
    return b"".join(pack_length(len(d)) + d for d in datagrams)


def test_a_frame_is_a_length_and_a_datagram() -> None:
    assert framed(b"abc") == b"\x00\x03abc"
    assert list(Deframer().feed(b"\x00\x03abc")) == [b"abc"]


def test_many_frames_in_one_read() -> None:
    datagrams = [b"a", b"", b"c" * MAX_FRAME, b"dd"]
    assert list(Deframer().feed(framed(*datagrams))) == datagrams


@pytest.mark.parametrize("seed", range(20))
def test_frames_in_pieces(seed: int) -> None:
    rng = random.Random(seed)
    datagrams = [rng.randbytes(rng.choice((0, 1, 100, MAX_FRAME))) for _ in range(30)]
    data, deframer = framed(*datagrams), Deframer()
    found: list[bytes] = []
    while data:
        size = rng.choice((1, 2, 3, 50, 5000))
        found += deframer.feed(data[:size])
        data = data[size:]
    assert found == datagrams


def test_every_octet_alone() -> None:
    deframer, found = Deframer(), list[bytes]()
    for octet in framed(b"one", b"two"):
        found += deframer.feed(bytes([octet]))
    assert found == [b"one", b"two"]


def test_a_frame_that_is_too_large_ends_it() -> None:
    deframer = Deframer()
    frames = deframer.feed(framed(b"good") + pack_length(MAX_FRAME + 1))
    assert next(frames) == b"good"
    with pytest.raises(FrameError, match=str(MAX_FRAME + 1)):
        next(frames)


def test_no_more_than_one_frame_is_kept() -> None:
    deframer = Deframer()
    assert list(deframer.feed(framed(*[bytes(1000)] * 50)[:-1])) == [bytes(1000)] * 49
    assert len(deframer._waiting) == 1001
