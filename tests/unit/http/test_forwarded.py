"""What proxies tell of clients: the grammar."""

import contextlib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whipbird.http.forwarded import (
    Malformed,
    read_element,
    read_node,
    read_prefix,
    read_scheme,
    split_list,
)


def test_lists_go_on_in_the_next_line() -> None:
    assert split_list(["a, b,,", "", " c\t"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("node", "address"),
    [
        ("192.0.2.43", "192.0.2.43"),
        ("192.0.2.43:47011", "192.0.2.43"),
        ("192.0.2.43:_port", "192.0.2.43"),
        ("[2001:DB8:cafe::17]:4711", "2001:db8:cafe::17"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]", "192.0.2.1"),
        ("unknown", None),
        ("Unknown", None),
        ("_gazonk", None),
    ],
)
def test_a_node(node: str, address: str | None) -> None:
    assert read_node(node) == address


@pytest.mark.parametrize(
    "node",
    [
        *("", "localhost", "192.0.2.256", "192.0.2", "192.0.2.1:", "[192.0.2.1]"),
        *("2001:db8::1::2", "[2001:db8::1", "fe80::1%eth0", "192.0.2.1 ", "1"),
        *("192.0.2.1;", "<script>", "_", "\x00", "\uff11\uff19\uff12.0.2.1"),
    ],
)
def test_no_node(node: str) -> None:
    with pytest.raises(Malformed):
        read_node(node)


@pytest.mark.parametrize(
    ("element", "values"),
    [
        ("for=192.0.2.60", {"for": "192.0.2.60"}),
        (
            "For=192.0.2.60;PROTO=https; by=203.0.113.43",
            {"for": "192.0.2.60", "proto": "https", "by": "203.0.113.43"},
        ),
        ('for="[2001:db8::1]:4711"', {"for": "[2001:db8::1]:4711"}),
        (r'for="\u\n\"k";host="a:8080"', {"for": 'un"k', "host": "a:8080"}),
        ('for="";secret=x', {"for": "", "secret": "x"}),
        ("for=_a;", {"for": "_a"}),
    ],
)
def test_an_element(element: str, values: Mapping[str, str]) -> None:
    assert read_element(element) == values


@pytest.mark.parametrize(
    "element",
    ["for", "for=", "=x", 'for="x', "for=a b", "for=[::1]", "for=a;for=b", 'for="a"b'],
)
def test_no_element(element: str) -> None:
    with pytest.raises(Malformed):
        read_element(element)


def test_schemes() -> None:
    assert read_scheme("HTTPS")
    assert not read_scheme("http")
    for other in ("wss", "", "https "):
        with pytest.raises(Malformed):
            read_scheme(other)


@pytest.mark.parametrize(
    ("parts", "prefix"),
    [
        (["/"], ""),
        (["/webrtc"], "/webrtc"),
        (["/webrtc/"], "/webrtc"),
        (["/a/b%20c"], "/a/b%20c"),
        (["/outer", "/", "/inner/"], "/outer/inner"),
    ],
)
def test_a_prefix(parts: list[str], prefix: str) -> None:
    assert read_prefix(parts) == prefix


@pytest.mark.parametrize(
    "prefix",
    [
        *("webrtc", "", "//evil.example", "/a//b", "/../x", "/a/..", "/./", "/a?b"),
        *("/a#b", "/a\\b", "/a b", "https://evil.example/", "/a" * 200, "/\x00", "/ä"),
    ],
)
def test_no_prefix(prefix: str) -> None:
    with pytest.raises(Malformed):
        read_prefix([prefix])


@given(st.text())
def test_whatever_is_sent_raises_nothing_else(text: str) -> None:
    for member in [text, *split_list([text])]:
        for read in (read_node, read_element, read_scheme):
            with contextlib.suppress(Malformed):
                read(member)
        with contextlib.suppress(Malformed):
            assert not read_prefix([member]).startswith("//")
