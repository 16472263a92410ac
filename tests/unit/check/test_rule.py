"""The rules, and how they are chosen."""

import re

import pytest

from whipbird.check import WHIP, Level, all_rules, select


def test_every_section_has_rules() -> None:
    assert {rule.section for rule in all_rules()} == set(WHIP.sections)


def test_rules_are_in_the_order_of_the_text() -> None:
    order = list(WHIP.sections)
    positions = [order.index(rule.section) for rule in all_rules()]
    assert positions == sorted(positions)


def test_every_rule_says_what_it_asks() -> None:
    for rule in all_rules():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.id), rule.id
        assert rule.text.endswith("."), rule.id
        assert len(rule.text) > 20, rule.id
    texts = [rule.text for rule in all_rules()]
    assert len(set(texts)) == len(texts)


def test_there_are_rules_of_every_level() -> None:
    levels = [rule.level for rule in all_rules()]
    assert min(levels.count(level) for level in Level) >= 10


def test_all_are_selected_without_names() -> None:
    assert select([]) == all_rules()


def test_rules_are_selected_by_id_and_by_section() -> None:
    chosen = select(["4.3", "get-endpoint", "patch-412"])
    assert chosen[0].id == "get-endpoint"
    assert {rule.section for rule in chosen[1:]} == {"4.3", "4.3.1", "4.3.2", "4.3.3"}
    assert len({rule.id for rule in chosen}) == len(chosen)


def test_a_section_is_no_prefix_of_a_number() -> None:
    assert {rule.section for rule in select(["4.4"])} == {
        f"4.4.{number}" for number in range(1, 6)
    }
    assert {rule.section for rule in select(["5"])} == {"5"}


@pytest.mark.parametrize("name", ["nonsense", "4.10", "4.", "", "GET-ENDPOINT"])
def test_unknown_names_list_what_there_is(name: str) -> None:
    with pytest.raises(ValueError, match=r"Sections: 4\.1, .* Rules: get-endpoint, "):
        select([name])
