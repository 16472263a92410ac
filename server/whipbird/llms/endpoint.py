"""A model behind an HTTP API like OpenAI's: llama.cpp's server, Ollama, and others."""

import ssl
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx2
import llm
import openai
from llm.default_plugins.openai_models import AsyncChat, SharedOptions
from llm.parts import StreamEvent
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk
from pydantic import Field

from ..sdp.errors import quote
from .faults import CutOff, Malformed
from .text import as_text, is_text

# Seconds for a connection to be made: a machine that is there accepts at once.
CONNECT_TIMEOUT = 5.0

# Seconds without an octet. What the engine waits for, tokens, is due before.
_SILENCE = 3600.0

# Options that OpenAI's library has no names for; llama.cpp's server and others have.
_EXTRA = ("min_p", "repeat_penalty", "top_k")

# Tokens that a server may have counted: more than this no log can keep.
_MOST_TOKENS = 2**53


class EndpointOptions(SharedOptions):
    """The options of a request, as ``request.read_request`` has them."""

    stop: str | list[str] | None = Field(  # type: ignore[assignment]
        default=None, description="Texts before which the model stops."
    )
    json_object: bool | None = Field(
        default=None, description="Whether the reply is to be a JSON object."
    )
    top_k: int | None = Field(default=None, description="The likeliest tokens alone.")
    min_p: float | None = Field(
        default=None, description="The least share of the likeliest token's chance."
    )
    repeat_penalty: float | None = Field(
        default=None, description="How much repetition is avoided."
    )


def connect(api_base: str, key: str | None) -> openai.AsyncOpenAI:
    """A client of an API. It does not try again: the one who asked decides that.

    Args:
        api_base: the URL, usually with ``/v1`` at its end.
        key: None if the server wants none.
    """
    return openai.AsyncOpenAI(
        # The library insists on a key.
        api_key=key or "none",
        base_url=api_base,
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(
            verify=_tls(), timeout=httpx2.Timeout(_SILENCE, connect=CONNECT_TIMEOUT)
        ),
    )


@cache
def _tls() -> ssl.SSLContext:
    """The certificates that this machine trusts: reading them takes a while."""
    return ssl.create_default_context()


class Endpoint(AsyncChat):
    """A model of an API.

    ``llm`` opens a client for each reply, and closes none; it does not end the request
    when the reply is given up, and it skips what a model thinks. So the request is made
    here; its form and its log are those of ``llm``.

    Args:
        name: the model's name at the API.
        client: shared by all models of the API; the owner closes it.
    """

    needs_key = None  # type: ignore[assignment]
    Options = EndpointOptions

    def __init__(self, name: str, client: openai.AsyncOpenAI) -> None:
        super().__init__(name, supports_schema=True)  # type: ignore[no-untyped-call]
        self._client = client

    async def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.AsyncResponse,
        conversation: llm.AsyncConversation | None = None,
        key: str | None = None,
    ) -> AsyncGenerator[str | StreamEvent, None]:
        """Ask, and yield what comes.

        Raises:
            openai.APIError: when the server refuses, fails or breaks off.
            CutOff: when the stream ends before the reply does.
            Malformed: when something else comes.
        """
        options = self.build_kwargs(prompt, stream=True)  # type: ignore[no-untyped-call]
        extra = {name: options.pop(name) for name in _EXTRA if name in options}
        create: Any = self._client.chat.completions.create
        chunks: openai.AsyncStream[ChatCompletionChunk] = await create(
            model=self.model_id,
            messages=self.build_messages(prompt, conversation),
            stream=True,
            extra_body=extra or None,
            **options,
        )
        reason: str | None = None
        said: dict[str, Any] = {}
        usage: Mapping[str, Any] | None = None
        try:
            async with chunks:
                while True:
                    with _reading("a chunk"):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    events, ended, told = _read(chunk)
                    said = said or {"model": chunk.model, "id": chunk.id}
                    reason = ended or reason
                    usage = told or usage
                    for event in events:
                        yield event
        except openai.APITimeoutError:
            raise
        except openai.APIConnectionError as error:
            raise CutOff from error
        if reason is None:
            _check_type(chunks.response.headers.get("content-type", ""))
            raise CutOff
        response.response_json = {**said, "finish_reason": reason, "usage": usage}
        name = said.get("model")
        if isinstance(name, str) and is_text(name):
            response.set_resolved_model(name)
        counted = None if usage is None else dict(usage)
        self.set_usage(response, counted)  # type: ignore[no-untyped-call]


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """The library reads what a server has sent.

    It takes whatever JSON comes for the declared types, and fails as it may.

    Raises:
        Malformed: in place of such failures.
    """
    try:
        yield
    except (
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise Malformed(f"{what} that cannot be read: {error}") from error


def _check_type(content_type: str) -> None:
    """Find out whether the response, which had no reply, was no stream of events.

    Raises:
        Malformed: when it was none.
    """
    name = content_type.partition(";")[0].strip()
    if name != "text/event-stream":
        raise Malformed(
            f"{quote(name) or 'something'} in place of a stream of events: is that the "
            "URL of an API like OpenAI's"
        )


def _read(
    chunk: ChatCompletionChunk,
) -> tuple[list[StreamEvent], str | None, Mapping[str, Any] | None]:
    """The text, the reason for the end and the usage in a chunk, if it has them.

    Raises:
        Malformed: when it is not a chunk.
    """
    choices: Any = getattr(chunk, "choices", None)
    if not isinstance(choices, list):
        raise Malformed("a chunk without choices")
    usage = _usage(chunk.usage)
    if not choices:
        return [], None, usage
    choice = choices[0]
    delta: Any = getattr(choice, "delta", None)
    events = []
    for kind, names in (
        ("reasoning", ("reasoning_content", "reasoning")),
        ("text", ("content",)),
    ):
        for name in names:
            text = getattr(delta, name, None)
            if text is not None and not isinstance(text, str):
                raise Malformed(f"a chunk whose {name} is no text")
            if text:
                events.append(StreamEvent(type=kind, chunk=as_text(text)))
                break
    reason = getattr(choice, "finish_reason", None)
    if reason is not None and not isinstance(reason, str):
        raise Malformed("a chunk whose finish_reason is no text")
    return events, reason, usage


def _usage(told: Any) -> Mapping[str, Any] | None:
    """The tokens that the server has counted; None if it has not."""
    if not isinstance(told, CompletionUsage):
        return None
    usage = told.model_dump(warnings=False)
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        value = usage.get(name)
        if type(value) is not int or not 0 <= value <= _MOST_TOKENS:
            return None
    return usage


class EndpointModels:
    """The models of an API.

    Args:
        api_base: its URL.
        names: those that may be used, the default first; all of them if empty.
        key: the API's key; None if it wants none.
    """

    # Seconds for which a list of models is good.
    _GOOD_FOR = 30.0

    def __init__(self, api_base: str, names: tuple[str, ...], key: str | None) -> None:
        self.place = api_base
        self._names = list(names)
        self._client = connect(api_base, key)
        self._listed: list[str] = []
        self._listed_at = float("-inf")

    async def names(self) -> list[str]:
        """The names of the models, the default first.

        Raises:
            openai.APIError: when the server does not tell.
            Malformed: when it tells something else.
        """
        if self._names:
            return list(self._names)
        now = time.monotonic()
        if not self._listed or now - self._listed_at > self._GOOD_FOR:
            with _reading("a list of models"):
                page = await self._client.models.list()
                found = [getattr(one, "id", None) for one in page.data or ()]
            self._listed = [
                name for name in found if isinstance(name, str) and is_text(name)
            ]
            self._listed_at = now
        return list(self._listed)

    def model(self, name: str) -> Endpoint:
        """A model by its name."""
        return Endpoint(name, self._client)

    async def start(self) -> None:
        """Nothing is to be prepared: a server that does not run yet may run later."""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
