"""The error messages of a WHIP client."""

import pytest

from whipbird.client import WhipError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (WhipError("No response"), "No response"),
        (WhipError("No response", "none in 5 s"), "No response: none in 5 s"),
        (WhipError("Not found", status=404), "404 Not found"),
        (WhipError("Not found", "nothing there", 404), "404 Not found: nothing there"),
    ],
)
def test_text(error: WhipError, text: str) -> None:
    assert str(error) == text


def test_attributes() -> None:
    error = WhipError("Title", "detail", 503)
    assert (error.title, error.detail, error.status) == ("Title", "detail", 503)
    assert WhipError("Title").detail == ""
    assert WhipError("Title").status is None
