"""If-Match (RFC 9110 section 13.1.1)."""

import pytest
from aiohttp import hdrs, web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from whipbird.http.conditions import check_if_match
from whipbird.http.problems import Problem

ETAG = '"0123456789abcdef"'


def request(*if_match: str) -> web.Request:
    headers = CIMultiDict((hdrs.IF_MATCH, value) for value in if_match)
    return make_mocked_request("PATCH", "/whip/live/session", headers)


def refused(*if_match: str) -> Problem:
    with pytest.raises(Problem) as caught:
        check_if_match(request(*if_match), ETAG)
    return caught.value


@pytest.mark.parametrize(
    "value",
    [
        ETAG,
        "*",
        " * ",
        '"*"',
        ' "*" ',
        f'"other", {ETAG}',
        f'{ETAG}, "other"',
        f'"other",{ETAG},"another"',
        f'W/"other", {ETAG}',
        f"W/{ETAG}, {ETAG}",
        f'"a,b", {ETAG}',
        f'"\xe9", {ETAG}',
        f' , ,{ETAG}, ,"x",',
    ],
)
def test_matches(value: str) -> None:
    check_if_match(request(value), ETAG)


def test_matches_in_one_of_several_fields() -> None:
    check_if_match(request('"other"', ETAG), ETAG)


def test_missing() -> None:
    problem = refused()
    assert (problem.status, problem.section) == (428, "RFC 9725 section 4.3.1")
    assert "If-Match" in problem.detail


@pytest.mark.parametrize(
    "value",
    [
        '"other"',
        '""',
        f"W/{ETAG}",
        f'W/{ETAG}, "other"',
        ETAG.upper(),
        '"0123456789abcde"',
        '"0123456789abcdeff"',
        '"0123456789abcdef ", "x"',
        'W/"*"',
        '"*", "other"',
        '"**"',
    ],
)
def test_does_not_match(value: str) -> None:
    problem = refused(value)
    assert (problem.status, problem.section) == (412, "RFC 9725 section 4.3.1")
    assert "If-Match" in problem.detail


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        "0123456789abcdef",
        "'0123456789abcdef'",
        f"w/{ETAG}",
        f"x{ETAG}",
        f"{ETAG}x",
        f"{ETAG} {ETAG}",
        f"W/ {ETAG}",
        f'"{ETAG}"',
        f"*, {ETAG}",
        "**",
        '"',
    ],
)
def test_malformed(value: str) -> None:
    assert refused(value).status in (400, 412, 428)


def test_what_is_quoted_is_short() -> None:
    assert len(refused('"' + "x" * 5000 + '"').detail) < 200
