"""How well the URLs of sessions can be guessed."""

import secrets
import uuid
from collections.abc import Callable

import pytest

from whipbird.check.rules.security import ENOUGH_BITS, apparent_bits

BASE = "https://whip.example/live/"


@pytest.mark.parametrize(
    "name",
    [
        lambda n: str(uuid.uuid4()),
        lambda n: secrets.token_urlsafe(24),
        lambda n: secrets.token_hex(16),
        lambda n: f"session?id={secrets.token_urlsafe(16)}",
    ],
)
def test_random_names_are_enough(name: Callable[[int], str]) -> None:
    urls = [BASE + name(n) for n in range(16)]
    assert apparent_bits(urls) >= ENOUGH_BITS


@pytest.mark.parametrize(
    "name",
    [
        str,
        lambda n: f"{n:032d}",
        lambda n: f"3f2504e0-4f89-41d3-9a0c-{n:012x}",
        lambda n: secrets.token_hex(4),
        lambda n: f"{'a' * 30}{secrets.token_hex(8)}",
    ],
)
def test_what_can_be_guessed_is_not(name: Callable[[int], str]) -> None:
    urls = [BASE + name(n) for n in range(16)]
    assert apparent_bits(urls) < ENOUGH_BITS


def test_nothing_differs() -> None:
    assert apparent_bits([BASE, BASE]) == 0
