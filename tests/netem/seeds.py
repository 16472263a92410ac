"""Tests with many seeds, and the replay of one.

A test that is parametrized with `for_seeds` runs once for each seed. When it fails,
its name and the notes of its error say the seed. To replay it alone, set
``NETEM_SEED``::

    NETEM_SEED=17 pytest tests/unit/transport/test_scenarios.py
    NETEM_SEED=1000-1999 pytest tests/unit/transport/test_scenarios.py

The second form looks for faults in seeds that the tests do not use by default.
"""

import os
from collections.abc import Iterable

import pytest

SEED_VARIABLE = "NETEM_SEED"


def for_seeds(count: int, first: int = 0) -> pytest.MarkDecorator:
    """Parametrize a test's argument ``seed``.

    Args:
        count: how many seeds, unless the environment names one or some.
        first: the first of them.

    Raises:
        ValueError: when the environment names none.
    """
    seeds = seeds_of(os.environ.get(SEED_VARIABLE, ""), range(first, first + count))
    return pytest.mark.parametrize("seed", seeds, ids=lambda seed: f"seed{seed}")


def seeds_of(value: str, default: Iterable[int]) -> list[int]:
    """The seeds that ``NETEM_SEED`` names: a number, or a range with both ends.

    Raises:
        ValueError: when it names none.
    """
    if not value:
        return list(default)
    first, _, last = value.partition("-")
    seeds = list(range(int(first), int(last or first) + 1))
    if not seeds:
        raise ValueError(f"{SEED_VARIABLE}={value} names no seeds")
    return seeds


def how_to_replay(seed: int) -> str:
    """What the message of a failure says."""
    return f"seed {seed}: replay with {SEED_VARIABLE}={seed}"
