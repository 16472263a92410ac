"""The API like OpenAI's, as its official client uses it."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.model_server import MODELS, ModelServer
from tests.waiting import until
from whipbird.app import create_app
from whipbird.chat_proxy import create_chat_proxy
from whipbird.config import Settings
from whipbird.rights import digest_of

pytest.importorskip("llm", reason="pip install 'whipbird[chat]'")

import openai
from openai.types.chat import ChatCompletionMessageParam

from tests.unit.llms.engines import engine_of, log_file, turns
from whipbird.llms.engine import Engine

_TLS = ssl.create_default_context()

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello there"}]


@pytest.fixture
async def model_server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@asynccontextmanager
async def proxy_of(
    engine: Engine, token: str | None = None
) -> AsyncIterator[TestClient[Any, Any]]:
    """A proxy for an engine, and an HTTP client for it."""
    server = TestServer(create_chat_proxy(engine, token=token))
    async with TestClient(server) as client:
        yield client


def client_of(http: TestClient[Any, Any], key: str = "none") -> openai.AsyncOpenAI:
    """The official client. Its certificates, which take long to load, are shared."""
    return openai.AsyncOpenAI(
        base_url=str(http.make_url("/v1")),
        api_key=key,
        http_client=openai.DefaultAsyncHttpxClient(verify=_TLS),
    )


@pytest.fixture
async def http(
    model_server: ModelServer, tmp_path: Path
) -> AsyncIterator[TestClient[Any, Any]]:
    async with (
        engine_of(model_server.api_base, log_file(tmp_path), patience=30) as engine,
        proxy_of(engine) as client,
    ):
        yield client


@pytest.fixture
async def client(
    http: TestClient[Any, Any],
) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official client, as its documentation makes it."""
    async with client_of(http) as client:
        yield client


async def test_a_completion(client: openai.AsyncOpenAI, tmp_path: Path) -> None:
    made = await client.chat.completions.create(model="echo", messages=HELLO)
    [choice] = made.choices
    assert choice.message.content == "You said: hello there"
    assert choice.finish_reason == "stop"
    assert made.usage is not None
    assert (made.usage.prompt_tokens, made.usage.total_tokens) == (5, 9)
    await until(lambda: turns(tmp_path / "log.db"))


async def test_a_stream(client: openai.AsyncOpenAI) -> None:
    chunks = [
        chunk
        async for chunk in await client.chat.completions.create(
            model="echo",
            messages=HELLO,
            stream=True,
            stream_options={"include_usage": True},
        )
    ]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    texts = [delta.content for delta in deltas if delta.content]
    assert texts == ["You", " said:", " hello", " there"]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 4
    assert len({chunk.id for chunk in chunks}) == 1


async def test_tokens_come_as_they_are_made(
    client: openai.AsyncOpenAI, model_server: ModelServer
) -> None:
    stream = await client.chat.completions.create(
        model="stalled", messages=HELLO, stream=True
    )
    texts = []
    async for chunk in stream:
        texts.append(chunk.choices[0].delta.content)
        if texts[-1] == " said:":
            model_server.go_on.set()
    assert texts[-2] == " there"


async def test_models(client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == MODELS
    assert (await client.models.retrieve("cut")).id == "cut"
    with pytest.raises(openai.NotFoundError, match='no model "nobody" here'):
        await client.models.retrieve("nobody")


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        ("limited", openai.RateLimitError, "may be asked again in 7 s"),
        ("unauthorized", openai.InternalServerError, "Invalid API key"),
        ("missing", openai.BadRequestError, "No such model"),
        ("nobody", openai.NotFoundError, 'no model "nobody" here'),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_errors_before_the_first_token(
    client: openai.AsyncOpenAI,
    model: str,
    kind: type[openai.APIStatusError],
    words: str,
    stream: bool,
) -> None:
    with pytest.raises(kind, match=words) as caught:
        await client.with_options(max_retries=0).chat.completions.create(
            model=model, messages=HELLO, stream=stream
        )
    if model == "limited":
        assert caught.value.response.headers["Retry-After"] == "7"


async def test_an_error_in_mid_stream(client: openai.AsyncOpenAI) -> None:
    stream = aiter(
        await client.chat.completions.create(model="cut", messages=HELLO, stream=True)
    )
    texts = [(await anext(stream)).choices[0].delta.content for _ in range(3)]
    assert texts == ["", "You", " said:"]
    with pytest.raises(openai.APIError, match="broke off before the reply"):
        await anext(stream)
    # Without a stream, the status says so.
    with pytest.raises(openai.InternalServerError, match="broke off") as caught:
        await client.with_options(max_retries=0).chat.completions.create(
            model="cut", messages=HELLO
        )
    assert caught.value.status_code == 502


async def test_a_server_that_does_not_run_is_told_at_once() -> None:
    async with (
        engine_of("http://127.0.0.1:9/v1") as engine,
        proxy_of(engine) as http,
        client_of(http) as client,
    ):
        # With two attempts more, as the client does by default.
        with pytest.raises(
            openai.InternalServerError, match="llama-server not running at http"
        ) as caught:
            await client.chat.completions.create(model="m", messages=HELLO)
    assert caught.value.status_code == 503
    assert caught.value.request.headers["x-stainless-retry-count"] == "0"


@pytest.mark.parametrize("model", ["endless", "stalled"])
async def test_a_client_that_goes_ends_the_reply(
    client: openai.AsyncOpenAI, model_server: ModelServer, model: str
) -> None:
    stream = await client.chat.completions.create(
        model=model, messages=HELLO, stream=True
    )
    async with stream:
        await anext(aiter(stream))
    if model == "stalled":
        # It is noticed with the next token.
        model_server.go_on.set()
    else:
        await until(model_server.stopped.is_set)


async def test_a_token(model_server: ModelServer) -> None:
    async with (
        engine_of(model_server.api_base) as engine,
        proxy_of(engine, "s3cret") as http,
    ):
        async with client_of(http, "s3cret") as client:
            await client.chat.completions.create(model="echo", messages=HELLO)
        async with client_of(http, "wrong") as client:
            with pytest.raises(openai.AuthenticationError, match="not valid here"):
                await client.models.list()


@pytest.mark.parametrize(
    ("body", "status", "param", "words"),
    [
        ("{", 400, None, "not JSON"),
        ("[]", 400, None, "must be a JSON object"),
        ({"messages": []}, 400, "messages", "must be a list"),
        ({"messages": HELLO, "stream": 1}, 400, "stream", "true or false"),
        (
            {"messages": HELLO, "stream_options": {"x": 1}},
            400,
            "stream_options",
            "include_usage only",
        ),
        ({"messages": HELLO, "tools": [1]}, 400, "tools", "not supported"),
        ({"messages": [{"role": "user", "content": "x" * 3_000_000}]}, 413, None, ""),
    ],
)
async def test_bad_input_has_the_form_of_openais_errors(
    http: TestClient[Any, Any],
    body: object,
    status: int,
    param: str | None,
    words: str,
) -> None:
    response = await http.post(
        "/v1/chat/completions",
        data=body if isinstance(body, str) else json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    error = (await response.json())["error"]
    assert response.status == status
    assert words in error["message"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


async def test_other_addresses_have_such_errors_too(
    http: TestClient[Any, Any],
) -> None:
    for method, path, status in (
        ("GET", "/v1/chat/completions", 405),
        ("GET", "/v1/embeddings", 404),
        ("GET", "/", 404),
    ):
        response = await http.request(method, path)
        assert response.status == status
        assert "message" in (await response.json())["error"]
    # A form of any page can send this without asking first.
    response = await http.post("/v1/chat/completions", data="x")
    assert response.status == 415
    response = await http.get("/v1/models", headers={"Host": "rebound.example.org"})
    assert response.status == 421


RULES = "".join(
    f"""
[[tokens]]
name = "{action}"
hash = "{digest_of(action)}"
actions = ["{action}"]
streams = ["some"]
"""
    for action in ("prompt", "publish")
)


@pytest.fixture
async def whole_server(
    model_server: ModelServer, tmp_path: Path
) -> AsyncIterator[TestClient[Any, Any]]:
    """A server that has language models beside everything else, and rules."""
    rules = tmp_path / "rights.toml"
    write(rules, RULES)
    settings = Settings(
        llm_api_base=model_server.api_base,
        llm_models=("echo",),
        llm_log=log_file(tmp_path),
        rights_file=rules,
    )
    async with TestClient(TestServer(create_app(settings))) as client:
        yield client


def write(file: Path, text: str) -> None:
    file.write_text(text)


async def test_the_right_to_prompt(whole_server: TestClient[Any, Any]) -> None:
    async with client_of(whole_server, "prompt") as client:
        made = await client.chat.completions.create(model="echo", messages=HELLO)
        assert made.choices[0].message.content == "You said: hello there"
    async with client_of(whole_server, "publish") as client:
        with pytest.raises(openai.PermissionDeniedError, match='"prompt" for any'):
            await client.models.list()
    response = await whole_server.get("/v1/models")
    assert response.status == 401
    assert (await response.json())["error"]["type"] == "authentication_error"
    assert "Bearer" in response.headers["WWW-Authenticate"]


async def test_the_page_has_a_chat_where_there_are_models(
    whole_server: TestClient[Any, Any],
) -> None:
    page = await (await whole_server.get("/")).text()
    assert '<a id="chat-link" href="#chat">' in page
    async with TestClient(TestServer(create_app(Settings()))) as plain:
        page = await (await plain.get("/")).text()
        assert '<a id="chat-link" href="#chat" hidden>' in page
        assert (await plain.get("/v1/models")).status == 404
