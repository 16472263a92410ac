"""Replies of models, and what is said of those that fail."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.model_server import ModelServer
from tests.server import free_port
from tests.unit.llms.engines import answer, asked, engine_of, log_file
from tests.waiting import until
from whipbird.llms import ChatError, Code, Piece, read_request


async def test_a_reply_comes_in_pieces(model_server: ModelServer) -> None:
    async with engine_of(model_server.api_base) as engine:
        pieces, end = await answer(engine, asked("good day", model="echo"))
    assert pieces == [Piece("You"), Piece(" said:"), Piece(" good"), Piece(" day")]
    assert (end.reason, end.model) == ("stop", "m-1")
    assert end.usage is not None
    assert (end.usage.prompt, end.usage.completion) == (5, 4)
    assert end.timings.first is not None
    assert 0 < end.timings.first <= end.timings.total
    assert (end.timings.rate(end.usage) or 0) > 0


async def test_the_model_gets_the_conversation_and_the_options(
    model_server: ModelServer,
) -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": [{"type": "text", "text": "Two?"}]},
    ]
    request = {
        "messages": messages,
        "model": "echo",
        "max_completion_tokens": 9,
        "stop": ["\n"],
        "top_k": 3,
        "response_format": {"type": "json_object"},
    }
    async with engine_of(model_server.api_base, key="secret") as engine:
        await answer(engine, request)
    [sent] = model_server.requests
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "Two?"},
    ]
    assert (sent["max_tokens"], sent["stop"], sent["top_k"]) == (9, ["\n"], 3)
    assert sent["response_format"] == {"type": "json_object"}
    assert set(model_server.keys) == {"Bearer secret"}


async def test_the_first_model_is_the_default(model_server: ModelServer) -> None:
    async with engine_of(model_server.api_base) as engine:
        await answer(engine, asked("hello"))
        assert (await engine.names())[0] == "echo"
    assert model_server.requests[0]["model"] == "echo"


async def test_other_models_than_those_named_are_refused(
    model_server: ModelServer,
) -> None:
    async with engine_of(model_server.api_base, names=("echo",)) as engine:
        assert await engine.names() == ["echo"]
        with pytest.raises(ChatError, match='no model "cut" here; there are: echo'):
            await answer(engine, asked("hello", model="cut"))
    assert not model_server.requests


async def test_reasoning_is_told_from_the_answer(model_server: ModelServer) -> None:
    async with engine_of(model_server.api_base) as engine:
        pieces, _ = await answer(engine, asked("hello", model="thinking"))
    assert pieces[0] == Piece("Hmm. ", is_reasoning=True)
    assert "".join(p.text for p in pieces if not p.is_reasoning) == "You said: hello"


async def test_an_empty_reply(model_server: ModelServer) -> None:
    async with engine_of(model_server.api_base) as engine:
        pieces, end = await answer(engine, asked("hello", model="silent"))
    assert (pieces, end.timings.first, end.timings.rate(end.usage)) == ([], None, None)


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [
        ("cut", Code.CUT_OFF, "broke off before the reply was complete"),
        ("unfinished", Code.CUT_OFF, "broke off before the reply was complete"),
        ("html", Code.MALFORMED, "sent text/html in place of a stream of events"),
        ("long", Code.REFUSED, r"^The conversation is too long for the model\. Begin"),
        ("malformed", Code.MALFORMED, "a chunk that cannot be read"),
        ("wrong", Code.MALFORMED, "a chunk whose content is no text"),
        ("listed", Code.MALFORMED, "a chunk without choices"),
        ("failing", Code.FAILED, "failed: out of memory"),
        ("unauthorized", Code.KEY_REFUSED, "answered 401: Invalid API key"),
        ("limited", Code.TOO_MANY_REQUESTS, "429: Slow down. .* asked again in 7 s"),
        ("loading", Code.FAILED, "answered 503: Loading model"),
        ("missing", Code.REFUSED, "answered 404: No such model"),
    ],
)
async def test_a_model_that_fails(
    model_server: ModelServer, model: str, code: Code, words: str
) -> None:
    async with engine_of(model_server.api_base) as engine:
        with pytest.raises(ChatError, match=words) as caught:
            await answer(engine, asked("hello there", model=model))
        assert caught.value.code == code
        assert model_server.api_base in caught.value.message
        assert caught.value.retry_after == (7.0 if model == "limited" else None)
        # It may be asked again, and so may others.
        await answer(engine, asked("hello"))


async def test_a_model_that_stalls_is_given_up(
    model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with engine_of(model_server.api_base, patience=0.2) as engine:
        with pytest.raises(ChatError, match=r"has sent no token for 0.2 s") as caught:
            await answer(engine, asked("hello there", model="stalled"))
        assert caught.value.code == Code.STALLED
        assert "has sent no token" in caplog.text
        await until(model_server.stopped.is_set)


async def test_a_url_that_lacks_its_path(model_server: ModelServer) -> None:
    place = model_server.api_base.removesuffix("/v1")
    async with engine_of(place) as engine:
        with pytest.raises(ChatError, match=r"answered 404: .* end with /v1"):
            await engine.names()


async def test_a_server_that_does_not_run() -> None:
    place = f"http://127.0.0.1:{free_port()}/v1"
    async with engine_of(place, names=("m",)) as engine:
        with pytest.raises(ChatError) as caught:
            await answer(engine, asked("hello"))
    assert str(caught.value) == f"llama-server not running at {place}."
    async with engine_of(place) as engine:
        with pytest.raises(ChatError, match=f"llama-server not running at {place}"):
            await engine.names()


async def test_a_server_whose_name_is_unknown() -> None:
    async with engine_of("http://nowhere.invalid/v1", names=("m",)) as engine:
        with pytest.raises(ChatError, match="its host name is unknown") as caught:
            await answer(engine, asked("hello"))
    assert caught.value.code == Code.UNKNOWN_HOST


async def test_a_reply_that_is_closed_ends_at_the_model(
    model_server: ModelServer,
) -> None:
    async with engine_of(model_server.api_base) as engine:
        request = read_request(asked("hello there", model="endless"))
        async with aclosing(engine.reply(request)) as events:
            assert await anext(events) == Piece("You")
        await until(model_server.stopped.is_set)


async def test_no_more_replies_than_allowed(model_server: ModelServer) -> None:
    async with engine_of(model_server.api_base, at_once=1) as engine:
        request = read_request(asked("hello there", model="stalled"))
        async with aclosing(engine.reply(request)) as events:
            await anext(events)
            with pytest.raises(ChatError, match="1 replies are being made") as caught:
                await answer(engine, asked("hello"))
            assert caught.value.code == Code.BUSY
        await answer(engine, asked("hello"))


async def test_a_reply_that_is_too_long(
    model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whipbird.llms.running.MAX_REPLY", 100)
    async with engine_of(model_server.api_base) as engine:
        with pytest.raises(ChatError, match="more than 100 characters"):
            await answer(engine, asked("hello there", model="endless"))
        await until(model_server.stopped.is_set)


async def test_the_loop_goes_on_while_a_model_is_waited_for(
    model_server: ModelServer, tmp_path: Path
) -> None:
    async with engine_of(model_server.api_base, log_file(tmp_path)) as engine:
        task = asyncio.create_task(answer(engine, asked("a b c", model="stalled")))
        await until(lambda: bool(model_server.requests))
        assert not task.done()
        model_server.go_on.set()
        pieces, _ = await task
    assert "".join(piece.text for piece in pieces) == "You said: a b c"
