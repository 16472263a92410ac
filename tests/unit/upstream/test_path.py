"""The nodes that a stream passes, as header fields and events have them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whipbird.upstream.path import (
    MAX_HOPS,
    new_node,
    path_in,
    read_path,
    write_path,
)


def test_nodes_have_different_names_that_can_be_written() -> None:
    nodes = tuple(new_node() for _ in range(5))
    assert len(set(nodes)) == 5
    assert read_path([write_path(nodes)]) == nodes


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ([], ()),
        ([""], ()),
        (["a"], ("a",)),
        (["a, b", "c"], ("a", "b", "c")),
        # RFC 8586 section 2: hosts, pseudonyms and parameters.
        (
            ["cdn.example:443;x=1, [2001:db8::1] ; y", "p"],
            ("cdn.example:443", "[2001:db8::1]", "p"),
        ),
        (["a b, c", ",,d"], ("c", "d")),
    ],
)
def test_reading(fields: list[str], path: tuple[str, ...]) -> None:
    assert read_path(fields) == path


@given(st.lists(st.text(max_size=200)))
def test_whatever_is_sent(fields: list[str]) -> None:
    assert len(read_path(fields)) <= 2 * MAX_HOPS


@pytest.mark.parametrize("data", [None, [], {}, {"path": "a"}, {"path": {"a": 1}}, 1])
def test_data_without_a_path(data: object) -> None:
    assert path_in(data) == ()


def test_the_path_in_an_event() -> None:
    assert path_in({"state": "live", "path": ["a", "b c", 3, "d"]}) == ("a", "3", "d")
    assert len(path_in({"path": ["a"] * 1000})) == 2 * MAX_HOPS
