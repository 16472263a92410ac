"""Counts that can be added."""

from dataclasses import dataclass, field, fields

import pytest

from whipbird.media.stats import ReceivedCounts, SentCounts
from whipbird.recording import RecordingCounts
from whipbird.rtp.totals import Totals
from whipbird.sessions import SessionCounts
from whipbird.stats import Counts


@dataclass(frozen=True, slots=True)
class Inner(Counts):
    one: int = 0
    two: int = 0


@dataclass(frozen=True, slots=True)
class Outer(Counts):
    count: int = 0
    inner: Inner = field(default_factory=Inner)


def test_each_field_is_added_to_its_own() -> None:
    found = Outer(1, Inner(2, 3)) + Outer(10, Inner(20, 30))
    assert found == Outer(11, Inner(22, 33))


def test_many_are_summed_from_an_empty_one() -> None:
    assert sum((Inner(n, 2 * n) for n in range(4)), Inner()) == Inner(6, 12)
    assert sum((), Outer()) == Outer()


@pytest.mark.parametrize(
    "kind", [ReceivedCounts, SentCounts, RecordingCounts, Totals, SessionCounts]
)
def test_no_field_is_forgotten(kind: type[Counts]) -> None:
    names = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    ones = kind(
        *(
            type(value)(*[1] * len(value.__match_args__))
            if isinstance(value, Counts)
            else 1
            for value in (getattr(kind(), name) for name in names)
        )
    )
    doubled = ones + ones
    for name in names:
        value = getattr(doubled, name)
        if isinstance(value, Counts):
            assert all(getattr(value, n) == 2 for n in value.__match_args__)
        else:
            assert value == 2
