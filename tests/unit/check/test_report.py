"""Reports of results, for people and for machines."""

import json
from typing import Any

import pytest

from tests.unit.check.test_exchange import exchange
from whipbird.check import Level, Outcome, Result, Rule
from whipbird.check.endpoint import Endpoint
from whipbird.check.report import as_json, as_markdown, as_text, tables, verdict

URL = "http://whip.example/whip/live"


async def untried(_endpoint: Endpoint) -> None:
    """No rule is tried here."""


def result(id: str, outcome: Outcome, level: Level = Level.MUST, **more: Any) -> Result:
    rule = Rule(id, more.pop("section", "4.1"), level, f"It does {id}.", untried)
    return Result(rule, outcome, **more)


RESULTS = [
    result("kept", Outcome.PASSED, note="so it is"),
    result("optional", Outcome.ABSENT, Level.MAY, note="not there"),
    result("untried", Outcome.SKIPPED, Level.SHOULD, note="needs --token"),
    result(
        "broken",
        Outcome.FAILED,
        section="4.3.1",
        note="POST | was <wrong>",
        exchanges=(exchange(500, b"oops"),),
    ),
]


@pytest.mark.parametrize(
    ("results", "text"),
    [
        (RESULTS, "Broken, of what has to be kept: broken."),
        (
            RESULTS[:3],
            "Every MUST and SHOULD that was tried is kept; 1 could not be tried.",
        ),
        (
            RESULTS[:2],
            "Every MUST and SHOULD that was tried is kept, and none was left out.",
        ),
        (
            [result("odd", Outcome.FAILED, Level.MAY)],
            "Every MUST and SHOULD that was tried is kept, and none was left out.",
        ),
    ],
)
def test_verdict(results: list[Result], text: str) -> None:
    assert verdict(results) == text


def test_text_says_what_was_sent_and_received() -> None:
    text = as_text(URL, RESULTS, colour=False)
    assert "\x1b" not in text
    assert "4.1 HTTP usage" in text
    assert "4.3.1 HTTP PATCH request usage" in text
    assert "  FAILED  broken (MUST)" in text
    assert "(POST | was <wrong>)" in text
    assert "< 500 Created" in text
    assert "< oops" in text
    assert "1 passed, 1 failed, 1 absent, 1 skipped." in text
    assert "secret" not in text


def test_text_in_colour() -> None:
    assert "\x1b[31m" in as_text(URL, RESULTS, colour=True)


def test_json_can_be_written() -> None:
    report = json.loads(json.dumps(as_json(URL, RESULTS)))
    assert report["conforms"] is False
    assert report["counts"] == {"passed": 1, "failed": 1, "absent": 1, "skipped": 1}
    assert [rule["outcome"] for rule in report["rules"]] == [
        "passed",
        "absent",
        "skipped",
        "failed",
    ]
    assert report["rules"][0]["section"] == "4.1"
    assert "< oops" in report["rules"][3]["exchanges"][0]
    assert json.loads(json.dumps(as_json(URL, RESULTS[:3])))["conforms"] is True


def test_markdown_has_a_table_for_each_section_and_the_evidence() -> None:
    text = as_markdown(URL, RESULTS)
    assert f"# WHIP conformance of {URL}" in text
    assert "## 4.3.1 HTTP PATCH request usage" in text
    assert "| `broken` | MUST | It does broken. |" in text
    assert "POST \\| was &lt;wrong>" in text
    assert "### broken: POST | was <wrong>" in text
    assert "< oops" in text


def test_what_was_seen_can_be_left_out() -> None:
    """It differs from one machine to the next; what is absent does not."""
    text = tables(RESULTS, notes=False)
    assert "so it is" not in text
    assert "absent: not there" in text
