"""What strangers write is harmless where it is shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whipbird.streams.chat.text import MAX_MARKS, clean, folded, is_visible


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("  two\r\n lines\t ", "two lines"),
        ("a\0b\x1b[31mc\x85d", "ab[31mc d"),
        # Right-to-left overrides and isolates, marks, and what hides in tags.
        ("ab\u202edc\u202c \u2066x\u2069\u200f\u061c\U000e0041", "abdc x"),
        ("\ufeffzero\u200bwidth\u00ad", "zerowidth"),
        ("\ud800half", "half"),
        ("priv\ue000ate", "private"),
        ("\u3164 \u2800\u115f", ""),
        ("a" + 9 * "\u0333", "a" + MAX_MARKS * "\u0333"),
        # What belongs together stays.
        ("👩\u200d👩\u200d👧 ❤️", "👩\u200d👩\u200d👧 ❤️"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("e\u0301", "\u00e9"),
        ("x\u200b \u200by", "x y"),
    ],
)
def test_clean(written: str, shown: str) -> None:
    assert clean(written) == shown


@given(st.text())
def test_clean_text_is_clean(text: str) -> None:
    shown = clean(text)
    assert clean(shown) == shown
    assert shown.encode().decode() == shown
    kinds = {unicodedata.category(c) for c in shown if c not in "\u200c\u200d"}
    assert kinds.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


def test_what_can_be_seen() -> None:
    assert all(map(is_visible, ("a", "7", "!", "👏", "é")))
    assert not any(map(is_visible, ("", " ", "\u200d", "\u0301")))


def test_names_that_look_alike() -> None:
    names = ("My Stream", "my-stream", "ＭＹＳＴＲＥＡＭ", "m\u200dystream!")  # noqa: RUF001
    assert {folded(name) for name in names} == {"mystream"}
    assert folded("stream") != folded("streams")
