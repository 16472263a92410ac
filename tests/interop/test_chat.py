"""A real llama.cpp with a tiny model: its tokens over a channel, and over HTTP."""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.server import ROOT, ServerProcess
from tests.waiting import until
from whipbird.client import WhipClient

pytest.importorskip("llm", reason="pip install 'whipbird[chat]'")
pytest.importorskip("gguf")
pytest.importorskip("xllamacpp", reason="there is no llama.cpp for this system")

import openai

from tests.tiny_model import WORDS
from tests.unit.llms.engines import log_file, turns

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

# Tokens of each reply.
TOKENS = 40

# Seconds in which a command has to start.
START_LIMIT = 120.0


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the API of a llama.cpp."""
    file = tmp_path_factory.mktemp("model") / "nonsense.gguf"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.tiny_model", str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        url = process.stdout.readline().strip()
        if not url:
            _, why = process.communicate()
            pytest.skip(f"llama.cpp does not run here: {why[-500:]}")
        # It logs each request.
        with contextlib.ExitStack() as stack:
            stack.callback(process.stdin.close)
            yield f"{url}/v1"
        process.wait(60)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of the server."""
    return log_file(tmp_path_factory.mktemp("log"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(llama: str, log: Path) -> AsyncIterator[ServerProcess]:
    """A server that offers its model."""
    server = ServerProcess("--llm-api-base", llama, "--llm-log", str(log))
    await server.start()
    yield server
    await server.stop()


def are_words(text: str) -> bool:
    return bool(text) and set(text.split()) <= set(WORDS)


async def test_tokens_over_a_channel(server: ServerProcess, log: Path) -> None:
    async with WhipClient(f"{server.url}/whip/chat") as client:
        channel = client.peer.createDataChannel("chat")
        came: asyncio.Queue[str] = asyncio.Queue()
        channel.on("message", came.put_nowait)
        await client.connect()
        await client.opened(channel)

        async def reply(**members: Any) -> list[dict[str, Any]]:
            channel.send(
                json.dumps({"type": "prompt", "max_tokens": TOKENS, **members})
            )
            got: list[dict[str, Any]] = []
            while not got or got[-1]["type"] not in ("end", "error"):
                got.append(json.loads(await asyncio.wait_for(came.get(), 60)))
            return got

        asked = {"role": "user", "content": "Sing!"}
        start, *texts, end = await reply(messages=[asked], system="You are a bird.")
        assert (end["reason"], end["usage"]["completion_tokens"]) == ("length", TOKENS)
        assert end["timings"]["tokens_per_second"] > 0
        assert len(texts) > 1
        assert are_words("".join(message["text"] for message in texts))
        # The conversation goes on: the model has read what it has said.
        name = start["conversation"]
        *_, second = await reply(messages=[asked], conversation=name)
        assert second["usage"]["prompt_tokens"] > end["usage"]["prompt_tokens"]
        # What is long can be stopped.
        channel.send(
            json.dumps({"type": "prompt", "messages": [asked], "conversation": name})
        )
        while json.loads(await asyncio.wait_for(came.get(), 60))["type"] != "text":
            pass
        channel.send(json.dumps({"type": "cancel", "conversation": name}))
        while (last := json.loads(await came.get()))["type"] == "text":
            pass
        assert last["reason"] in ("cancelled", "length")

    def logged() -> list[dict[str, Any]]:
        return [turn for turn in turns(log) if turn["thread_id"] == name]

    await until(lambda: len(logged()) == 3)
    assert [turn["output_tokens"] for turn in logged()[:2]] == [TOKENS, TOKENS]


async def test_the_official_client(server: ServerProcess) -> None:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="-") as client:
        [model] = [model.id async for model in client.models.list()]
        chunks = [
            chunk
            async for chunk in await client.chat.completions.create(
                model=model,
                messages=[{"role": "user", "content": "Sing!"}],
                max_tokens=TOKENS,
                stream=True,
                stream_options={"include_usage": True},
            )
        ]
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert len([text for text in texts if text]) == TOKENS
    assert are_words("".join(filter(None, texts)))
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens == TOKENS


async def test_the_proxy_command(llama: str, tmp_path: Path) -> None:
    log = log_file(tmp_path)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "whipbird", "chat-proxy", "--port", "0"),
        *("--api-base", llama, "--log", str(log)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tempfile.gettempdir(),
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_LIMIT)
        url = line.decode().removeprefix("Listening at ").strip()
        async with openai.AsyncOpenAI(base_url=url, api_key="-") as client:
            made = await client.chat.completions.create(
                model=(await client.models.list()).data[0].id,
                messages=[
                    {"role": "user", "content": "Sing!"},
                    {"role": "assistant", "content": "whip"},
                    {"role": "user", "content": "Again!"},
                ],
                max_completion_tokens=TOKENS,
            )
        assert are_words(made.choices[0].message.content or "")
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
        _, errors = await process.communicate()
    assert b"Traceback" not in errors
    # It has written everything before it ended.
    assert [turn["output_tokens"] for turn in turns(log)] == [0, TOKENS]


async def test_the_code_in_the_docs_runs(server: ServerProcess, llama: str) -> None:
    text = (ROOT / "docs" / "chat.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    by_http, by_channel, _ = blocks
    programs = (
        by_http.replace("http://127.0.0.1:11435", server.url),
        by_channel.replace("http://localhost:8080", server.url),
    )
    for program in programs:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program.replace("Sing!", "Sing, in a word!")),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), START_LIMIT)
        assert process.returncode == 0, output
        assert set(output.decode().split()) & set(WORDS)
