"""The layers that a viewer has chosen."""

from types import SimpleNamespace
from typing import cast

import pytest

from whipbird.media.feed import Feed
from whipbird.streams import LayerChoice


def feed(rid: str, width: int | None = None, height: int = 0) -> Feed:
    size = None if width is None else SimpleNamespace(width=width, height=height)
    encoding = SimpleNamespace(rid=rid, parameters=size)
    return cast(Feed, SimpleNamespace(encoding=encoding))


LAYERS = [feed("q", 320, 180), feed("h", 640, 360), feed("f", 1280, 720)]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (LayerChoice(), "qhf"),
        (LayerChoice(rid="h"), "h"),
        (LayerChoice(rid="x"), "qhf"),
        (LayerChoice(max_width=640), "qh"),
        (LayerChoice(max_width=639), "q"),
        (LayerChoice(max_height=360), "qh"),
        (LayerChoice(max_width=2000, max_height=200), "q"),
        # Nothing is as small: then the smallest.
        (LayerChoice(max_width=100), "q"),
        (LayerChoice(rid="f", max_width=100), "f"),
    ],
)
def test_what_may_be_sent(choice: LayerChoice, expected: str) -> None:
    assert [f.encoding.rid for f in choice.among(LAYERS)] == list(expected)


def test_a_size_that_is_not_known_yet() -> None:
    (only,) = LayerChoice(max_width=100).among([feed("h")])
    assert only.encoding.rid == "h"
