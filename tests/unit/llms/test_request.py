"""Requests, as they are read from JSON."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whipbird.llms import ChatError, Code, Message, read_request

USER = {"role": "user", "content": "hi"}


def test_a_request() -> None:
    request = read_request({"messages": [USER], "model": "m", "user": "me", "n": 1})
    assert request.messages == (Message("user", "hi"),)
    assert (request.model, dict(request.options)) == ("m", {})


def test_a_schema() -> None:
    schema = {"type": "object"}
    wish = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert read_request({"messages": [USER], "response_format": wish}).schema == schema


def nested(depth: int) -> Any:
    return {} if depth == 1 else {"items": [nested(depth - 2)]}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (nested(103), "nested more than 100 deep"),
        ({"type": "object", "title": "\ud800"}, "surrogate"),
        ({"required": [{"\ud800": 1}]}, "surrogate"),
    ],
)
def test_schemas_that_cannot_be_passed_on(schema: Any, words: str) -> None:
    wish = {"type": "json_schema", "json_schema": {"schema": nested(99)}}
    assert read_request({"messages": [USER], "response_format": wish}).schema
    wish = {"type": "json_schema", "json_schema": {"schema": schema}}
    with pytest.raises(ChatError, match=words) as caught:
        read_request({"messages": [USER], "response_format": wish})
    assert caught.value.code == Code.BAD_REQUEST


@pytest.mark.parametrize(
    ("value", "param", "words"),
    [
        ([], None, "must be a JSON object"),
        ({}, "messages", "must be a list"),
        ({"messages": []}, "messages", "must be a list"),
        ({"messages": [USER] * 2001}, "messages", "more than 2000"),
        ({"messages": ["hi"]}, "messages[0]", "not an object"),
        ({"messages": [{"role": "tool"}]}, "messages[0].role", "one of: system"),
        ({"messages": [{"role": []}]}, "messages[0].role", "one of: system"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "must be text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content",
            "parts of text only",
        ),
        (
            {"messages": [{"role": "user", "content": "\ud800"}]},
            "messages[0].content",
            "surrogate",
        ),
        (
            {"messages": [USER, {"role": "assistant", "content": "x"}]},
            "messages",
            "last message must be the user's",
        ),
        ({"messages": [USER | {"content": ""}]}, "messages", "message is empty"),
        ({"messages": [USER], "model": 7}, "model", "must be text"),
        ({"messages": [USER], "temperature": 3}, "temperature", "from 0 to 2"),
        ({"messages": [USER], "temperature": True}, "temperature", "from 0 to 2"),
        ({"messages": [USER], "temperature": 10**400}, "temperature", "from 0 to 2"),
        ({"messages": [USER], "top_p": float("nan")}, "top_p", "from 0 to 1"),
        ({"messages": [USER], "top_p": float("inf")}, "top_p", "from 0 to 1"),
        ({"messages": [USER], "max_tokens": 0}, "max_tokens", "whole number from 1"),
        ({"messages": [USER], "max_tokens": 1.5}, "max_tokens", "whole number from 1"),
        ({"messages": [USER], "stop": []}, "stop", "list of up to 16"),
        ({"messages": [USER], "stop": [1]}, "stop", "up to 200 characters"),
        ({"messages": [USER], "n": 2}, "n", "not supported"),
        ({"messages": [USER], "n": True}, "n", "not supported"),
        ({"messages": [USER], "tools": [{}]}, "tools", "not supported"),
        ({"messages": [USER], "tempreature": 1}, "tempreature", "no parameter"),
        ({"messages": [USER], "response_format": {"type": "x"}},
         "response_format.type", "must be text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(value: Any, param: str | None, words: str) -> None:
    with pytest.raises(ChatError, match=words) as caught:
        read_request(value)
    assert (caught.value.code, caught.value.param) == (Code.BAD_REQUEST, param)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from(
            ["messages", "model", "stop", "n", "tools", "seed", "response_format"]
        ),
        _JSON,
    )
)
def test_any_json_is_read_or_refused(value: dict[str, Any]) -> None:
    value.setdefault("messages", [USER])
    with suppress(ChatError):
        assert read_request(value).messages[-1].role == "user"
