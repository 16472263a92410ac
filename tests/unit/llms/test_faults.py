"""What is said of errors on the way to a model."""

import json
import socket

import httpx2
import llm
import pytest

from whipbird.llms import Code
from whipbird.llms.faults import explain

LLAMA = "http://127.0.0.1:8080/v1"


def raised(cause: BaseException) -> Exception:
    """An error of the HTTP library that another one has led to."""
    error = httpx2.ConnectError("All connection attempts failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "place", "code", "words"),
    [
        (
            raised(ConnectionRefusedError()),
            LLAMA,
            Code.NOT_RUNNING,
            f"llama-server not running at {LLAMA}.",
        ),
        (
            raised(ConnectionRefusedError()),
            "http://127.0.0.1:11434/v1",
            Code.NOT_RUNNING,
            "Ollama not running at http://127.0.0.1:11434/v1.",
        ),
        (
            raised(ConnectionRefusedError()),
            "https://models.example/v1",
            Code.NOT_RUNNING,
            "The model's server is not running at https://models.example/v1.",
        ),
        (
            ConnectionRefusedError(),
            "llama3.2",
            Code.NOT_RUNNING,
            "The server of the model llama3.2 is not running.",
        ),
        (raised(socket.gaierror()), LLAMA, Code.UNKNOWN_HOST, "host name is unknown"),
        (raised(OSError("No route")), LLAMA, Code.UNREACHABLE, "reached: No route."),
        (httpx2.ConnectTimeout(""), LLAMA, Code.UNREACHABLE, "Nothing answers at"),
        (httpx2.ReadTimeout(""), LLAMA, Code.STALLED, "is silent"),
        (json.JSONDecodeError("x", "", 0), LLAMA, Code.MALFORMED, "not JSON"),
        (llm.NeedsKeyException("No key found"), "gpt", Code.FAILED, "gpt: No key"),
        (
            ExceptionGroup("", [ConnectionRefusedError()]),
            LLAMA,
            Code.NOT_RUNNING,
            "llama-server not running",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_errors_in_words(error: Exception, place: str, code: Code, words: str) -> None:
    found = explain(error, place)
    assert found is not None
    assert found.code == code
    assert words in found.message


def test_a_fault_is_not_explained_away() -> None:
    assert explain(ZeroDivisionError(), LLAMA) is None
