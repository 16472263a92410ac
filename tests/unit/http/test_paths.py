"""Paths in the log: one line, and nothing secret."""

import pytest
from aiohttp.test_utils import make_mocked_request

from whipbird.http.paths import public_path
from whipbird.sessions.session import LOGGED_ID_LENGTH

SECRET = "0123456789abcdefghijklmnopqrstuv"
SHORT = SECRET[:LOGGED_ID_LENGTH]


def shown(target: str) -> str:
    return public_path(make_mocked_request("GET", target))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("*", "*"),
        ("/healthz", "/healthz"),
        ("/whip", "/whip"),
        ("/whip/", "/whip/"),
        (
            "/whip/a-name-that-is-long-and-public",
            "/whip/a-name-that-is-long-and-public",
        ),
        (f"/whip/live/{SECRET}", f"/whip/live/{SHORT}"),
        (f"/whep/live/{SECRET}", f"/whep/live/{SHORT}"),
        (f"/whep/live/{SECRET}/layer", f"/whep/live/{SHORT}/layer"),
        (f"/whep/live/{SECRET}/sse/{SECRET}", f"/whep/live/{SHORT}/sse/{SHORT}"),
        ("/api/recordings/live_1.mp4?ticket=hush", "/api/recordings/live_1.mp4"),
    ],
)
def test_what_is_secret_is_shortened(target: str, path: str) -> None:
    assert shown(target) == path


@pytest.mark.parametrize(
    "target",
    [
        f"/whip/live/{SECRET}/",
        f"/whip/live/{SECRET}/nothing/is/here",
        f"/whip//live/{SECRET}",
        f"/whip/live//{SECRET}",
        f"/whep/live/x/{SECRET}/y",
        f"/whip/live/{SECRET}?x={SECRET}",
    ],
)
def test_wherever_it_is(target: str) -> None:
    """A mistake in the path does not reveal what is right in it."""
    assert SECRET not in shown(target)
    assert SECRET[: LOGGED_ID_LENGTH + 1] not in shown(target)


def test_one_short_line() -> None:
    line = shown("/a%0AERROR" + "x" * 5000)
    assert line.isprintable()
    assert len(line) < 300
