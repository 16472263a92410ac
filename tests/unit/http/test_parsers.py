"""What requests contain is parsed, or refused with a Problem: no other exception."""

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from whipbird.http.auth import credentials_of
from whipbird.http.conditions import check_if_match
from whipbird.http.problems import Problem
from whipbird.http.recordings import MAX_LIMIT, _read_page
from whipbird.http.whep_extensions import _read_choice

# A header field as it is decoded: octets that are not UTF-8 become surrogates.
fields = st.binary(max_size=60).map(lambda b: b.decode("utf-8", "surrogateescape"))
tokens = st.from_regex(r"\A[A-Za-z0-9._~+/-]{1,40}={0,2}\Z")
tags = st.from_regex(r'\A"[A-Za-z0-9]{1,20}"\Z')


def request(name: str, *values: str) -> Any:
    """A request, of which only the fields are there; aiohttp's takes no surrogates."""
    return SimpleNamespace(headers=CIMultiDict((name, value) for value in values))


@given(st.lists(fields | fields.map(lambda text: f"Bearer {text}"), max_size=3))
@example(["Bearer \udcff"])
@example(["Basic \udcff"])
@example(["Basic dTpw"])
@example(["Basic 7aCAOg=="])
def test_any_authorization_is_read_or_refused(values: list[str]) -> None:
    try:
        found = credentials_of(request("Authorization", *values))
    except Problem as problem:
        # No assertion of the test's: which of them depends on the values.
        if (
            problem.status not in (400, 401)
            or "WWW-Authenticate" not in problem.headers
        ):
            pytest.fail(f"{problem.status}: {problem.detail}")
    else:
        if found is not None:
            assert found.token.encode()
            assert values[0].lower().startswith(("bearer ", "basic "))


@given(tokens, st.sampled_from(["Bearer", "bearer", "BEARER"]))
def test_tokens_are_read_as_they_are_written(token: str, scheme: str) -> None:
    found = credentials_of(request("Authorization", f"{scheme} {token}"))
    assert found is not None
    assert (found.token, found.user) == (token, "")


@given(st.text(max_size=20).filter(lambda user: ":" not in user), st.text(max_size=20))
def test_names_and_passwords_are_read_as_they_are_written(
    user: str, password: str
) -> None:
    """RFC 7617 section 2: the name ends at the first colon."""
    value = base64.b64encode(f"{user}:{password}".encode()).decode()
    found = credentials_of(request("Authorization", f"Basic {value}"))
    assert found is not None
    assert (found.user, found.token) == (user, password)


@given(st.lists(fields, max_size=3), tags)
@example(['"a", ' * 5000], '"b"')
@example([", " * 30_000], '"b"')
def test_any_if_match_is_understood_or_refused(values: list[str], etag: str) -> None:
    try:
        check_if_match(request("If-Match", *values), etag)
    except Problem as problem:
        if problem.status != (412 if values else 428):
            pytest.fail(f"{problem.status}: {problem.detail}")
    else:
        assert values


@given(st.lists(tags, max_size=5), tags, st.integers(0, 5))
def test_the_current_tag_is_found_among_others(
    others: list[str], etag: str, at: int
) -> None:
    check_if_match(request("If-Match", ", ".join([*others[:at], etag, *others])), etag)


@given(st.dictionaries(st.sampled_from(["limit", "after"]), st.text(max_size=30)))
@example({"limit": "9" * 5000})
@example({"limit": "\u0661"})
def test_any_page_is_read_or_refused(query: dict[str, str]) -> None:
    url = URL("/api/recordings").with_query(query)
    try:
        limit, after = _read_page(make_mocked_request("GET", str(url)))
    except Problem as problem:
        if problem.status != 400:
            pytest.fail(f"{problem.status}: {problem.detail}")
    else:
        assert 1 <= limit <= MAX_LIMIT
        assert after == query.get("after")


names = st.sampled_from(
    ["rid", "maxWidth", "maxHeight", "mediaId", "spatialLayerId"]
) | st.text(max_size=5)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner),
    max_leaves=8,
)


@given(values | st.dictionaries(names, values), st.none() | st.integers(0, 2))
def test_any_choice_of_a_layer_is_read_or_refused(wish: Any, line: int | None) -> None:
    wish = json.loads(json.dumps(wish))
    try:
        choice = _read_choice(wish, line)
    except Problem as problem:
        if problem.status != (422 if isinstance(wish, dict) else 400):
            pytest.fail(f"{problem.status}: {problem.detail}")
    else:
        assert choice.rid == wish.get("rid")
        for pixels in (choice.max_width, choice.max_height):
            assert pixels is None or pixels >= 1
