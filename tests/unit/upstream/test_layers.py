"""The layers that an origin tells of."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whipbird.upstream.layers import MAX_LAYERS, MAX_MEMBERS, MAX_TEXT, read_layers

LAYER = {"rid": "h", "width": 640, "height": 360, "bitrate": 800_000.0}


@pytest.mark.parametrize(
    ("value", "layers"),
    [
        ([], []),
        ([LAYER, {"rid": "q"}], [LAYER, {"rid": "q"}]),
        ([LAYER, None, 5, [LAYER], "h"], [LAYER]),
        ([{**LAYER, "x": [[]], "y": {}, "z": None, "w": True}], [LAYER]),
        ([{"rid": "\ud800", "width": 10**20, "height": float("nan")}], [{}]),
        ([{"rid": "x" * (MAX_TEXT + 1), "y" * (MAX_TEXT + 1): 1}], [{}]),
        ([LAYER] * 100, [LAYER] * MAX_LAYERS),
    ],
)
def test_reading(value: list[Any], layers: list[dict[str, Any]]) -> None:
    assert read_layers(value) == layers


def test_a_layer_has_some_members_only() -> None:
    [layer] = read_layers([{str(n): n for n in range(1000)}])
    assert len(layer) == MAX_MEMBERS


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=8,
)


@given(value=st.lists(_JSON, max_size=5))
def test_whatever_comes_can_be_written(value: list[Any]) -> None:
    json.dumps(read_layers(value), ensure_ascii=False, allow_nan=False).encode()
