"""The table of floods."""

from bench.floods.bystander import Times
from bench.floods.floods import FLOODS
from bench.floods.report import as_markdown, as_text, noticed
from bench.floods.trial import Result


def result(ping: float = 1.0, *, failures: int = 0) -> Result:
    times = Times([0.001] * 100, [0.002] * 20, failures)
    return Result(3000.0, 10e-6, 20e-6, 0.03, ping, 1.0, times, times, ())


def test_each_flood_has_a_name_of_its_own() -> None:
    assert len({flood.name for flood in FLOODS}) == len(FLOODS)
    for flood in FLOODS:
        assert (flood.packets is None) is not (flood.requests is None)


def test_what_others_notice_is_found() -> None:
    results = {
        "noise": [result(1.0), result(9.0), result(1.5)],
        "nacks": [result(1.0), result(2.5), result(3.0)],
        "silent": [result(failures=1)],
        "posts": [],
    }
    assert noticed(results) == ["nacks", "silent"]


def test_the_tables_have_the_medians() -> None:
    results = {"noise": [result(1.0), result(9.0), result(1.5)], "posts": []}
    (_, _, row) = as_markdown(results).splitlines()
    assert row.startswith("| random UDP | 3,000 | 10 |")
    assert " 1.5 |" in row
    _, line, missing = as_text(results).splitlines()
    assert "10.0" in line
    assert missing.split() == ["posts", "-"]
