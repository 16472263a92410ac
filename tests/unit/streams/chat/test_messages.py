"""Requests of clients, as they come from anywhere."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whipbird.streams.chat.messages import (
    EMOJI,
    MAX_NAME,
    MAX_REQUEST,
    MAX_TEXT,
    Message,
    Reaction,
    Refusal,
    read_request,
)


def read(data: bytes) -> Message | Reaction:
    return read_request(data, is_text=True)


def a_message(**members: object) -> bytes:
    content = {"type": "message", "name": "Ada", "text": "Hello", **members}
    return json.dumps(content).encode()


def test_what_is_well_formed() -> None:
    assert read(a_message()) == Message("Ada", "Hello", None)
    longest = a_message(name=MAX_NAME * "😀", text=MAX_TEXT * "😀", ref="7")
    assert read(longest) == Message(MAX_NAME * "😀", MAX_TEXT * "😀", "7")
    for emoji in EMOJI:
        request = json.dumps({"type": "reaction", "emoji": emoji}).encode()
        assert read(request) == Reaction(emoji, None)
    # Members that are not known yet do no harm.
    assert read(a_message(color="red")) == Message("Ada", "Hello", None)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"\xff", "malformed", "not UTF-8"),
        (b'{"type": "message", "name": "\xc3(", "text": "x"}', "malformed", "UTF-8"),
        (b"", "malformed", "not JSON"),
        (b"hello", "malformed", "not JSON"),
        (b"[" * MAX_REQUEST, "malformed", "not JSON"),
        (b"9" * MAX_REQUEST, "malformed", "not JSON"),
        (b" " * (MAX_REQUEST + 1), "too-large", "8192 octets"),
        (b"[]", "malformed", "not a JSON object"),
        (b"{}", "malformed", '"type"'),
        (a_message(type="welcome"), "malformed", '"type"'),
        (a_message(type=["message"]), "malformed", '"type"'),
        (a_message(name=7), "malformed", '"name" is not text'),
        (a_message(text=None), "malformed", '"text" is not text'),
        (a_message(ref=7), "malformed", '"ref"'),
        (a_message(ref="\ud800"), "malformed", '"ref"'),
        (a_message(ref=65 * "x"), "malformed", '"ref"'),
        (a_message(name=" \u202e "), "name-empty", "nothing to see"),
        (a_message(text="\n"), "text-empty", "nothing to see"),
        (a_message(name=33 * "x"), "name-too-long", "32 are permitted"),
        (a_message(text=501 * "x"), "text-too-long", "500 are permitted"),
        (b'{"type": "reaction"}', "no-such-reaction", "👍"),
        (b'{"type": "reaction", "emoji": ["x"]}', "no-such-reaction", "👍"),
        (b'{"type": "reaction", "emoji": "<b>"}', "no-such-reaction", "👍"),
    ],
    ids=range(23),
)
def test_what_is_refused(data: bytes, code: str, words: str) -> None:
    with pytest.raises(Refusal) as caught:
        read(data)
    assert caught.value.code == code
    assert words in caught.value.detail
    json.loads(caught.value.write())


def test_a_request_is_text() -> None:
    with pytest.raises(Refusal, match="binary"):
        read_request(a_message(), is_text=False)


def test_a_refusal_names_the_request() -> None:
    with pytest.raises(Refusal) as caught:
        read(a_message(ref="a1", text=""))
    answer = json.loads(caught.value.write())
    assert answer == {
        "type": "refused",
        "ref": "a1",
        "code": "text-empty",
        "detail": "The text has nothing to see.",
    }


@given(st.binary() | st.text().map(lambda text: a_message(text=text, name=text)))
def test_nothing_else_is_raised(data: bytes) -> None:
    try:
        request = read(data)
    except Refusal as refusal:
        refusal.write().encode()
    else:
        assert isinstance(request, Message)
        request.text.encode()
