"""The bench in virtual time."""

import pytest

from bench.loss import virtual
from bench.loss.cases import CASES, Side

CLEAN = [case for case in CASES if case.name.endswith("loss0")]


@pytest.mark.parametrize("side", Side)
def test_a_clean_path_freezes_nothing(side: Side) -> None:
    cases = [case for case in CLEAN if case.side is side]
    [(case, outcomes)] = virtual.run(cases, range(1))
    assert [outcome.frozen for outcome in outcomes] == [0]
    head, row = virtual.head(side).splitlines()[0], virtual.row(case, outcomes)
    assert head.split()[:2] == [side, "frozen"]
    assert row.split()[:4] == [case.name, "0", "0", "0"]
    assert len(head) == len(row)
