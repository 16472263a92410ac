"""An API like OpenAI's: chat completions, and the list of models."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from aiohttp import web

from ..llms import (
    ChatEngine,
    ChatError,
    ChatRequest,
    Code,
    End,
    Event,
    Piece,
    read_request,
)
from ..sdp.errors import quote
from .body import read_json
from .delivery import is_gone
from .openai_errors import error_members

PREFIX = "/v1"

# Octets of a request: more than the longest context of a model.
MAX_REQUEST_SIZE = 2 * 1024 * 1024

# Seconds from one look at whether the client is still there to the next, while the
# model has said nothing yet.
_LOOK = 1.0

_OWN = frozenset({"stream", "stream_options"})
_NO_STORE = {"Cache-Control": "no-store"}


class CompletionsResource:
    """The handlers of ``/v1/chat/completions`` and ``/v1/models``.

    Args:
        engine: answers requests.
    """

    def __init__(self, engine: ChatEngine) -> None:
        self._engine = engine
        self._started = int(time.time())

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application, whose prefix is ``PREFIX``."""
        app.router.add_post("/chat/completions", self.complete)
        app.router.add_get("/models", self.models)
        # Names of models may have slashes.
        app.router.add_get("/models/{model:.+}", self.model)

    async def models(self, _request: web.Request) -> web.Response:
        """List the models, the default first."""
        data = [self._describe(name) for name in await self._engine.names()]
        return web.json_response({"object": "list", "data": data}, headers=_NO_STORE)

    async def model(self, request: web.Request) -> web.Response:
        """Describe one model."""
        name = request.match_info["model"]
        if name not in await self._engine.names():
            raise ChatError(
                Code.UNKNOWN_MODEL,
                f'There is no model "{quote(name)}" here.',
                param="model",
            )
        return web.json_response(self._describe(name), headers=_NO_STORE)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer the last message of a conversation."""
        body = await read_json(
            request.clone(client_max_size=MAX_REQUEST_SIZE),
            section="RFC 9110 section 8.3",
        )
        wish = read_request(body, _OWN)
        streams = _switch(body, "stream")
        options = body.get("stream_options") or {}
        if not isinstance(options, dict) or options.keys() - {
            "include_usage",
            "include_obfuscation",
        }:
            raise ChatError(
                Code.BAD_REQUEST,
                "stream_options may have include_usage only.",
                param="stream_options",
            )
        completion = _Completion(wish)
        async with aclosing(self._engine.reply(wish)) as events:
            first = await _first(request, events)
            if first is None:
                return _gone()
            if streams:
                with_usage = _switch(options, "include_usage")
                return await _stream(request, completion, first, events, with_usage)
            return await _collect(request, completion, first, events)

    def _describe(self, name: str) -> dict[str, object]:
        return {
            "id": name,
            "object": "model",
            "created": self._started,
            "owned_by": "whipbird",
        }


async def _first(
    request: web.Request, events: AsyncGenerator[Event, None]
) -> Event | None:
    """The first event; None if the client has gone before it came.

    A model may read a long prompt for minutes.
    """
    waiting = asyncio.ensure_future(anext(events))
    try:
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=_LOOK)
            if is_gone(request):
                return None
        return waiting.result()
    finally:
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait({waiting})


async def _collect(
    request: web.Request,
    completion: "_Completion",
    event: Event,
    events: AsyncGenerator[Event, None],
) -> web.Response:
    """The whole reply in one response."""
    texts: list[Piece] = []
    while isinstance(event, Piece):
        texts.append(event)
        if is_gone(request):
            return _gone()
        event = await anext(events)
    return web.json_response(completion.whole(texts, event), headers=_NO_STORE)


async def _stream(
    request: web.Request,
    completion: "_Completion",
    event: Event,
    events: AsyncGenerator[Event, None],
    with_usage: bool,
) -> web.StreamResponse:
    """The reply in chunks, as it is made (server-sent events)."""
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream; charset=utf-8",
            # nginx would keep the chunks until it has many.
            "X-Accel-Buffering": "no",
            **_NO_STORE,
        }
    )
    await response.prepare(request)

    async def send(value: object) -> None:
        await response.write(f"data: {json.dumps(value)}\n\n".encode())

    try:
        await send(completion.chunk({"role": "assistant", "content": ""}))
        while isinstance(event, Piece):
            member = "reasoning_content" if event.is_reasoning else "content"
            await send(completion.chunk({member: event.text}))
            event = await anext(events)
        completion.model = event.model
        await send(completion.chunk({}, event.reason))
        if with_usage:
            await send(completion.usage(event))
        await response.write(b"data: [DONE]\n\n")
    except ChatError as error:
        # The status was sent long ago; OpenAI's clients raise what such a chunk says.
        await send({"error": error_members(error)})
    except ConnectionError:
        pass  # The client has gone.
    return response


def _gone() -> web.Response:
    """For the log of requests: nobody reads it."""
    return web.Response(status=499, reason="Client Closed Request")


class _Completion:
    """The parts of responses to one request.

    Attributes:
        model: what the model is called.
    """

    def __init__(self, wish: ChatRequest) -> None:
        self.model = wish.model or ""
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())

    def chunk(
        self, delta: dict[str, str], reason: str | None = None
    ) -> dict[str, object]:
        """A chunk with some text, or with the reason for the end."""
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return self._object("chat.completion.chunk", [choice])

    def usage(self, end: End) -> dict[str, object]:
        """The chunk with the usage."""
        return {**self._object("chat.completion.chunk", []), **_figures(end)}

    def whole(self, pieces: list[Piece], end: End) -> dict[str, object]:
        """A response with the whole reply."""
        self.model = end.model
        message = {
            "role": "assistant",
            "content": "".join(p.text for p in pieces if not p.is_reasoning),
        }
        if reasoning := "".join(p.text for p in pieces if p.is_reasoning):
            message["reasoning_content"] = reasoning
        choice = {"index": 0, "message": message, "finish_reason": end.reason}
        return {**self._object("chat.completion", [choice]), **_figures(end)}

    def _object(self, kind: str, choices: list[Any]) -> dict[str, object]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self.model,
            "choices": choices,
        }


def _figures(end: End) -> dict[str, object]:
    """Usage, and the timings that OpenAI's API has not."""
    usage = end.usage
    counts = None
    if usage is not None:
        counts = {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "total_tokens": usage.prompt + usage.completion,
        }
    return {"usage": counts, "timings": end.figures}


def _switch(value: dict[str, Any], name: str) -> bool:
    given = value.get(name)
    if given is not None and not isinstance(given, bool):
        raise ChatError(Code.BAD_REQUEST, f"{name} must be true or false.", param=name)
    return bool(given)
