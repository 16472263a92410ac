"""The layers that a viewer has chosen."""

from types import SimpleNamespace
from typing import cast

import pytest

from whipbird.media.feed import Feed
from whipbird.streams import LayerChoice
from whipbird.streams.layer_choice import combined


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


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ([], LayerChoice()),
        ([LayerChoice(rid="q")] * 2, LayerChoice(rid="q")),
        ([LayerChoice(rid="q"), LayerChoice(rid="h")], LayerChoice()),
        ([LayerChoice(rid="q"), LayerChoice(max_width=640)], LayerChoice()),
        (
            [LayerChoice(max_width=320, max_height=180), LayerChoice(max_width=640)],
            LayerChoice(max_width=640),
        ),
        ([LayerChoice(max_width=320), LayerChoice()], LayerChoice()),
    ],
)
def test_what_is_enough_for_several_viewers(
    choices: list[LayerChoice], expected: LayerChoice
) -> None:
    assert combined(choices) == expected
