"""Answers of the size that was asked for, within what may be held."""

import pytest

from whipbird.throughput import HEADER_SIZE, MAX_ANSWER, answer_to

ROOM = 1_048_576


def request(size: int, message: int = HEADER_SIZE) -> bytes:
    return (size.to_bytes(4, "big") + b"mark").ljust(message, b"x")


@pytest.mark.parametrize("size", [HEADER_SIZE, 9, 16_384, MAX_ANSWER])
def test_an_answer_has_the_size_and_the_mark(size: int) -> None:
    answer = answer_to(request(size), ROOM)
    assert answer is not None
    assert answer[:HEADER_SIZE] == request(size)
    assert answer[HEADER_SIZE:] == bytes(size - HEADER_SIZE)


def test_a_large_message_may_have_a_small_answer() -> None:
    message = request(0, 16_384)
    assert answer_to(message, ROOM) == message[:HEADER_SIZE]


@pytest.mark.parametrize(
    ("message", "room"),
    [
        (b"", ROOM),
        (b"1234567", ROOM),
        (request(MAX_ANSWER + 1), ROOM),
        (request(0xFFFFFFFF), ROOM),
        (request(1000), 999),
        (request(0), 0),
    ],
)
def test_no_answer(message: bytes, room: int) -> None:
    assert answer_to(message, room) is None
