"""References from one resource to another, as clients read them."""

from urllib.parse import urljoin, urlsplit

import pytest
from aiohttp import HttpVersion10
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from whipbird.http.clients import CLIENT, Client
from whipbird.http.references import reference

TARGET = "/whip/live/id"
ASKING = {"Prefer": "respond-async, relative-location"}


def from_path(path: str, prefix: str | None = None, **headers: str) -> str:
    # As aiohttp's parser does: two slashes at the beginning are of the path.
    target = URL.build(path=path.partition("?")[0], encoded=True)
    request = make_mocked_request("POST", "/", headers=headers or ASKING).clone(
        rel_url=target
    )
    request[CLIENT] = Client("192.0.2.1", False, "host", prefix)
    return reference(request, TARGET)


@pytest.mark.parametrize("taken_off", ["", "/webrtc", "/a/b/c"])
@pytest.mark.parametrize(
    "path",
    ["/whip", "/whip/", "/whip/live", "/whip/live/", "//whip//l", "/whip?x=/"],
)
def test_it_stays_below_a_prefix_that_nobody_has_told(
    path: str, taken_off: str
) -> None:
    found = URL(f"https://host{taken_off}{path}").join(URL(from_path(path)))
    assert str(found) == f"https://host{taken_off}{TARGET}"


@pytest.mark.parametrize("path", ["/whip", "/whip/live", "/whip/live/"])
def test_it_is_the_same_for_clients_that_take_it_for_a_path(path: str) -> None:
    """OBS puts it where the path of the endpoint was, and libcurl resolves that."""
    taken = f"https://host/{from_path(path)}"
    assert urljoin(taken, urlsplit(taken).path) == f"https://host{TARGET}"


@pytest.mark.parametrize("prefix", ["", "/webrtc", "/a/b"])
def test_it_is_a_path_where_the_prefix_is_known(prefix: str) -> None:
    assert from_path("/whip/live", prefix) == prefix + TARGET


@given(st.lists(st.sampled_from(["", "a", "b%20"]), max_size=6))
def test_any_number_of_segments(segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    found = URL(f"https://host/prefix{path}").join(URL(from_path(path)))
    assert str(found) == f"https://host/prefix{TARGET}"


@pytest.mark.parametrize(
    "headers",
    [
        {"Via": "1.1 proxy"},
        {"X-Forwarded-For": "x"},
        {"X-Real-IP": "192.0.2.1"},
        {"Forwarded": "for=_a"},
    ],
)
def test_it_is_relative_where_a_proxy_shows_itself(headers: dict[str, str]) -> None:
    assert from_path("/whip/live", **headers) == "../whip/live/id"


def test_it_is_relative_for_http_1_0() -> None:
    request = make_mocked_request("POST", "/whip/live", version=HttpVersion10)
    assert reference(request, TARGET) == "../whip/live/id"


def test_it_is_a_path_for_others() -> None:
    """Players from npm that know nothing else."""
    assert from_path("/whip/live", Prefer="return=minimal") == TARGET
