"""Rules, keys and tokens, whatever is in them: an error in words, or none at all."""

import asyncio
import base64
import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whipbird.rights import Action, Grant, Inquiry, JsonTokens, Need
from whipbird.rights.keys import Key, _read
from whipbird.rights.rules import Rules, RulesError

SECRET = b"0123456789abcdef0123456789abcdef"
TEXTS = st.text(max_size=30) | st.sampled_from(
    ["", "*", "live", "publish", "watch", "a" * 64, "HS256", "RSA", "EC", "oct", "OKP"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=8,
)


def is_read(text: str) -> bool:
    try:
        rules = Rules.parse(text)
    except RulesError:
        return False
    # What was accepted can be used.
    rules.find("token", 0.0)
    rules.of_stream("live")
    return True


def toml(value: Any) -> str:
    """A JSON value as TOML has it, nearly."""
    if isinstance(value, dict):
        inner = (f"{json.dumps(key)} = {toml(item)}" for key, item in value.items())
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


@given(st.text(max_size=100))
def test_any_file_of_rules(text: str) -> None:
    is_read(text)


@given(
    st.sampled_from(["tokens", "anonymous", "streams", "other"]),
    JSON
    | st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "name": JSON,
                "names": JSON,
                "hash": JSON | st.just("0" * 64),
                "actions": JSON | st.just(["publish"]),
                "streams": JSON | st.just(["li*"]),
                "expires": JSON,
                "takeover": JSON,
            },
        ),
        max_size=3,
    ),
)
def test_any_rules(name: str, value: Any) -> None:
    is_read(f"{name} = {toml(value)}")


@pytest.mark.parametrize("part", ["[", "{a=", "[{a="])
def test_rules_that_are_nested_without_end(part: str) -> None:
    assert not is_read(f"tokens = {part * 50_000}")


def keys_in(data: bytes) -> tuple[Key, ...]:
    try:
        return _read(data)
    except ValueError:
        return ()


@given(st.binary(max_size=200))
def test_any_file_of_keys(data: bytes) -> None:
    keys_in(data)
    keys_in(b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(data) + b"\n-----END")


@given(
    JSON
    | st.fixed_dictionaries(
        {"kty": st.sampled_from(["oct", "RSA", "EC", "OKP"])},
        optional=dict.fromkeys(("k", "n", "e", "crv", "x", "y", "d", "kid"), JSON)
        | {"use": JSON, "alg": JSON, "key_ops": JSON},
    )
)
def test_any_set_of_keys(entry: Any) -> None:
    for key in keys_in(json.dumps({"keys": [entry, entry]}).encode()):
        assert key.algorithms
    assert not keys_in(json.dumps({"keys": entry}).encode()) or isinstance(entry, list)


@pytest.mark.parametrize("part", [b"[", b'{"keys":', b'{"keys":['])
def test_keys_that_are_nested_without_end(part: bytes) -> None:
    assert keys_in(b'{"keys":' + part * 30_000) == ()


class OneKey:
    """The key of all tokens."""

    async def find(self, kid: str | None) -> Key | None:
        return Key(SECRET, ("HS256",))

    def reload(self) -> None: ...


def grant_of(token: str) -> Grant | None:
    inquiry = Inquiry(Need(Action.WATCH, "live"), token)
    return asyncio.run(JsonTokens(OneKey()).find(inquiry, time.time()))


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed(header: bytes, claims: bytes) -> str:
    content = f"{encoded(header)}.{encoded(claims)}"
    digest = hmac.digest(SECRET, content.encode(), "sha256")
    return f"{content}.{encoded(digest)}"


HEADER = b'{"alg":"HS256","typ":"JWT"}'


@given(st.text(max_size=200) | st.binary(max_size=99).map(lambda b: encoded(b) + ".."))
def test_any_token_of_a_stranger(token: str) -> None:
    assert grant_of(token) is None
    assert grant_of(f"{encoded(HEADER)}.{token}.x") is None


@given(JSON | st.fixed_dictionaries({"alg": JSON | st.just("HS256"), "kid": JSON}))
def test_any_header(header: Any) -> None:
    grant_of(signed(json.dumps(header).encode(), b'{"exp":1}'))


@given(
    st.fixed_dictionaries(
        {"exp": JSON | st.floats() | st.just(2**40)},
        optional=dict.fromkeys(
            ("nbf", "iat", "sub", "aud", "iss", "actions", "streams"), JSON
        ),
    )
)
def test_any_claims_that_are_signed(claims: dict[str, Any]) -> None:
    grant = grant_of(signed(HEADER, json.dumps(claims).encode()))
    assert grant is None or isinstance(grant, Grant)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "9" * 4000])
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_times_that_are_none(name: str, number: str) -> None:
    claims = {"exp": 2**40, "actions": ["watch"]}
    text = json.dumps(claims)[:-1] + f', "{name}": {number}}}'
    assert grant_of(signed(HEADER, text.encode())) is None


@pytest.mark.parametrize("part", [b"[", b'{"a":'])
def test_tokens_that_are_nested_without_end(part: bytes) -> None:
    """A stranger may send them."""
    nested = part * (5000 // len(part))
    assert grant_of(f"{encoded(nested)}.{encoded(b'{}')}.x") is None
    assert grant_of(signed(HEADER, nested)) is None
