"""What servers of models send: whatever it is, no fault of ours comes of it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.unit.llms.engines import answer, asked, engine_of, log_file, turns
from whipbird.llms import ChatError, Code, Piece, Usage

Serve = Callable[..., Awaitable[str]]

LIST = b'{"data": [{"id": "m"}]}'
END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "model": "m"}


def chunk(content: object, **others: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": content}}], **others}


def usage(**others: object) -> dict[str, object]:
    counted = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    return {"choices": [], "usage": {**counted, **others}}


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server that sends given chunks, and a given list of models."""
    servers: list[TestServer] = []

    async def start(*chunks: object, models: bytes = LIST) -> str:
        async def complete(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            for one in chunks:
                data = one if isinstance(one, bytes) else json.dumps(one).encode()
                await response.write(b"data: " + data + b"\n\n")
            return response

        async def listed(_: web.Request) -> web.Response:
            return web.Response(body=models, content_type="application/json")

        app = web.Application()
        app.router.add_post("/v1/chat/completions", complete)
        app.router.add_get("/v1/models", listed)
        server = TestServer(app)
        servers.append(server)
        await server.start_server()
        return str(server.make_url("/v1"))

    yield start
    for server in servers:
        await server.close()


@pytest.mark.parametrize(
    "chunks",
    [
        (b"[" * 100_000,),
        (b'{"choices": [{"index": ' + b"1" * 5_000 + b"}]}",),
        (b"\xff",),
        (b"NaN",),
        (5,),
        ({"choices": "x"},),
    ],
)
async def test_chunks_that_are_none(serve: Serve, chunks: tuple[object, ...]) -> None:
    async with engine_of(await serve(chunk("a"), *chunks, END)) as engine:
        with pytest.raises(ChatError, match="sent a chunk") as caught:
            await answer(engine, asked("hi"))
    assert caught.value.code == Code.MALFORMED


@pytest.mark.parametrize(
    "models",
    [b"5", b"[]", b"null", b'{"data": 5}', b"nothing", b"[" * 100_000],
)
async def test_lists_of_models_that_are_none(serve: Serve, models: bytes) -> None:
    async with engine_of(await serve(models=models)) as engine:
        with pytest.raises(ChatError, match="sent a list of models") as caught:
            await engine.names()
    assert caught.value.code == Code.MALFORMED


async def test_names_that_are_no_text(serve: Serve) -> None:
    models = b'{"data": [5, null, {"id": 5}, {"id": "\\ud800"}, {"id": "m"}]}'
    async with engine_of(await serve(models=models)) as engine:
        assert await engine.names() == ["m"]


@pytest.mark.parametrize(
    "told",
    [
        {"choices": [], "usage": [1]},
        {"choices": [], "usage": "many"},
        usage(prompt_tokens=10**30),
        usage(completion_tokens=-1),
        usage(total_tokens=[3]),
    ],
)
async def test_counts_that_are_none(
    serve: Serve, tmp_path: Path, told: dict[str, Any]
) -> None:
    log = log_file(tmp_path)
    async with engine_of(await serve(chunk("a"), END, told), log) as engine:
        pieces, end = await answer(engine, asked("hi"))
    assert (pieces, end.usage) == ([Piece("a")], None)
    assert len(turns(log)) == 1


async def test_halves_of_surrogate_pairs(serve: Serve, tmp_path: Path) -> None:
    log = log_file(tmp_path)
    half = "\ud83d"
    url = await serve(
        {"choices": [{"delta": {"reasoning_content": half}}], "model": half},
        chunk("a" + half, model=half),
        END,
        usage(),
    )
    async with engine_of(url, log) as engine:
        pieces, end = await answer(engine, asked("hi"))
    assert pieces == [Piece("?", is_reasoning=True), Piece("a?")]
    assert (end.model, end.usage) == ("m", Usage(1, 2))
    assert len(turns(log)) == 1
