"""A server with an API like OpenAI's that does what the name of a model says."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

# Models by name, each with its own way to answer.
MODELS = [
    *("echo", "stalled", "cut", "unfinished", "malformed", "wrong", "listed"),
    *("failing", "unauthorized", "limited", "loading", "silent", "thinking"),
    *("html", "missing", "endless", "long"),
]

_STATUSES = {
    "unauthorized": (401, "Invalid API key", {}),
    "limited": (429, "Slow down", {"Retry-After": "7"}),
    "loading": (503, "Loading model", {}),
    "missing": (404, "No such model", {}),
}


class ModelServer:
    """The server, on a port of the loopback address.

    Attributes:
        requests: the bodies that came.
        keys: the Authorization headers that came.
        stopped: set when a client has gone before the end.
        go_on: the models "stalled" and "endless" wait for it between two tokens.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.stopped = asyncio.Event()
        self.go_on = asyncio.Event()
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._complete)
        self._server = TestServer(app)

    async def __aenter__(self) -> "ModelServer":
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.go_on.set()
        await self._server.close()

    @property
    def api_base(self) -> str:
        """The URL of the API."""
        return str(self._server.make_url("/v1"))

    async def _models(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("Authorization"))
        data = [{"id": name, "object": "model"} for name in MODELS]
        return web.json_response({"object": "list", "data": data})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("Authorization"))
        model = body["model"]
        if model in _STATUSES:
            status, message, headers = _STATUSES[model]
            return web.json_response(
                {"error": {"message": message}}, status=status, headers=headers
            )
        if model == "long":
            # As llama.cpp's server has it.
            error = {
                "code": 400,
                "message": "request (9 tokens) exceeds the available context size",
                "type": "exceed_context_size_error",
            }
            return web.json_response({"error": error}, status=400)
        if model == "html":
            return web.Response(text="<html></html>", content_type="text/html")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        stream = _Stream(response)
        try:
            await self._answer(model, body, stream, request)
        except (ConnectionError, asyncio.CancelledError):
            self.stopped.set()
            raise
        return response

    async def _answer(
        self,
        model: str,
        body: dict[str, Any],
        stream: "_Stream",
        request: web.Request,
    ) -> None:
        words = f"You said: {body['messages'][-1]['content']}".split(" ")
        if model == "thinking":
            await stream.send({"reasoning_content": "Hmm. "})
        for number, word in enumerate(words):
            if number == 2:
                await _AFTER_TWO.get(model, _nothing)(self, stream, request)
            if model in ("silent", "listed"):
                break
            await stream.send({"content": word if number == 0 else f" {word}"})
        if model == "listed":
            await stream.write([1, 2])
        if model == "unfinished":
            return
        await stream.end(len(words))

    async def _wait(self, *_: object) -> None:
        await self.go_on.wait()


class _Stream:
    def __init__(self, response: web.StreamResponse) -> None:
        self._response = response

    async def send(self, delta: dict[str, Any]) -> None:
        await self.write({"choices": [{"index": 0, "delta": delta}], "model": "m-1"})

    async def write(self, chunk: object) -> None:
        await self.text(json.dumps(chunk))

    async def text(self, text: str) -> None:
        await self._response.write(f"data: {text}\n\n".encode())

    async def end(self, tokens: int) -> None:
        choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
        usage = {
            "prompt_tokens": 5,
            "completion_tokens": tokens,
            "total_tokens": 5 + tokens,
        }
        await self.write({"choices": [choice], "model": "m-1"})
        await self.write({"choices": [], "usage": usage, "model": "m-1"})
        await self.text("[DONE]")


_Act = Callable[[ModelServer, _Stream, web.Request], Awaitable[None]]


async def _nothing(*_: object) -> None:
    pass


async def _cut(_server: ModelServer, _stream: _Stream, request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()
    await asyncio.sleep(0)


async def _malformed(_server: ModelServer, stream: _Stream, *_: object) -> None:
    await stream.text('{"choices": [')


async def _wrong(_server: ModelServer, stream: _Stream, *_: object) -> None:
    await stream.write({"choices": [{"index": 0, "delta": {"content": 7}}]})


async def _failing(_server: ModelServer, stream: _Stream, *_: object) -> None:
    await stream.write({"error": {"message": "out of memory", "code": 500}})


async def _endless(server: ModelServer, stream: _Stream, *_: object) -> None:
    while not server.go_on.is_set():
        await stream.send({"content": " and"})
        await asyncio.sleep(0.001)


_AFTER_TWO: dict[str, _Act] = {
    "stalled": ModelServer._wait,
    "cut": _cut,
    "malformed": _malformed,
    "wrong": _wrong,
    "failing": _failing,
    "endless": _endless,
}
