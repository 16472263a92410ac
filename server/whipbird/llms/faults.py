"""What went wrong between this server and a model, in words that help."""

import json
import socket
from collections.abc import Iterator

import httpx2
import llm
import openai
from yarl import URL

from .errors import ChatError, Code

# The port of Ollama.
_OLLAMA = 11434

# Seconds, when a server does not say when it may be asked again.
_RETRY_AFTER = 5.0


class CutOff(Exception):  # noqa: N818 - a state, not a fault
    """The stream ended, but the reply did not."""


class Malformed(Exception):  # noqa: N818 - a state, not a fault
    """The server has sent what is no reply. The message says what."""


def explain(error: BaseException, place: str) -> ChatError | None:
    """The error for clients; None if it is not the model's, but a fault of ours.

    Args:
        error: what was raised while a model was asked.
        place: the URL of its server, or its name if it has none.
    """
    if isinstance(error, ChatError):
        return error
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, place)
    if isinstance(error, CutOff):
        return ChatError(
            Code.CUT_OFF, f"{place} broke off before the reply was complete."
        )
    if isinstance(error, Malformed):
        return ChatError(Code.MALFORMED, f"{place} sent {error}.")
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return ChatError(
            Code.MALFORMED, f"{place} sent a chunk that is not JSON: {error}."
        )
    if isinstance(error, llm.ModelError):
        return ChatError(Code.FAILED, f"{place}: {error}.")
    chain = tuple(_chain(error))
    if (found := _of_connection(chain, place)) is not None:
        return found
    if isinstance(error, openai.APIError):
        return ChatError(Code.FAILED, f"{place} failed: {_short(error.message)}.")
    return None


def _of_connection(chain: tuple[BaseException, ...], place: str) -> ChatError | None:
    """The error for a connection that was not made, or has broken."""

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(one, kinds) for one in chain)

    if has(socket.gaierror):
        return ChatError(
            Code.UNKNOWN_HOST, f"{place} cannot be found: its host name is unknown."
        )
    if has(ConnectionRefusedError):
        return ChatError(Code.NOT_RUNNING, _not_running(place))
    if has(httpx2.ConnectTimeout):
        return ChatError(Code.UNREACHABLE, f"Nothing answers at {place}.")
    if has(httpx2.ConnectError):
        return ChatError(
            Code.UNREACHABLE, f"{place} cannot be reached: {_short(str(chain[-1]))}."
        )
    if has(httpx2.TimeoutException, openai.APITimeoutError):
        return ChatError(Code.STALLED, f"{place} is silent.")
    if has(httpx2.RemoteProtocolError, httpx2.ReadError, ConnectionError):
        return ChatError(
            Code.CUT_OFF, f"{place} broke off the connection, or speaks no HTTP."
        )
    if has(httpx2.TransportError, OSError):
        return ChatError(
            Code.UNREACHABLE, f"{place} cannot be asked: {_short(str(chain[-1]))}."
        )
    return None


def _of_status(error: openai.APIStatusError, place: str) -> ChatError:
    status = error.status_code
    said = f"{place} answered {status}: {_short(_detail(error))}."
    match status:
        case 401 | 403:
            return ChatError(
                Code.KEY_REFUSED,
                f"{said} It does not accept the key that this server has for it.",
            )
        case 429:
            after = _retry_after(error) or _RETRY_AFTER
            return ChatError(
                Code.TOO_MANY_REQUESTS,
                f"{said} It may be asked again in {after:g} s.",
                retry_after=after,
            )
        case _ if status >= 500:
            return ChatError(Code.FAILED, said, retry_after=_retry_after(error))
        case 404 if "://" in place and URL(place).path.rstrip("/") == "":
            return ChatError(
                Code.REFUSED, f"{said} URLs of such APIs end with /v1, as a rule."
            )
        case _ if _is_too_long(error):
            return ChatError(
                Code.REFUSED,
                "The conversation is too long for the model. Begin another one. "
                f"({said})",
            )
        case _:
            return ChatError(Code.REFUSED, said)


def _is_too_long(error: openai.APIStatusError) -> bool:
    """Whether the prompt is too long, as OpenAI's API and llama.cpp's server say it."""
    return "context_length_exceeded" in (error.code, error.type) or (
        error.type == "exceed_context_size_error"
    )


def _detail(error: openai.APIStatusError) -> str:
    """What the server says about it, in one of the usual places."""
    body = error.body
    if isinstance(body, dict):
        nested = body.get("error")
        for one in (body.get("message"), nested, body.get("detail")):
            if isinstance(one, dict):
                one = one.get("message")
            if isinstance(one, str) and one:
                return one
    if isinstance(body, str) and body and not body.lstrip().startswith("<"):
        return body
    return error.response.reason_phrase or "no reason given"


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Seconds from Retry-After; dates are not used by these servers."""
    try:
        seconds = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 < seconds < 86_400 else None


def _not_running(place: str) -> str:
    """What is expected to run there, and does not."""
    if "://" not in place:
        return f"The server of the model {place} is not running."
    url = URL(place)
    if url.port == _OLLAMA:
        return f"Ollama not running at {place}."
    # llama.cpp's server has no certificate of its own.
    program = "llama-server" if url.scheme == "http" else "The model's server is"
    return f"{program} not running at {place}."


def _short(text: str) -> str:
    """A line of a text that others have written."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= 300 else f"{line[:299]}…"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and what has led to it."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        if isinstance(found, BaseExceptionGroup):
            yield from found.exceptions
        found = found.__cause__ or found.__context__
