"""The log of ``llm``: every turn once, with what it has cost."""

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import llm
import pytest
from click.testing import CliRunner
from llm.cli import cli

from tests.model_server import ModelServer
from tests.unit.llms.engines import (
    PATIENCE,
    answer,
    asked,
    engine_of,
    log_file,
    turns,
)
from whipbird.llms import ChatError, read_request
from whipbird.llms.endpoint import EndpointModels
from whipbird.llms.engine import Engine
from whipbird.llms.log import ChatLog, default_file


def conversation(*texts: str) -> list[dict[str, str]]:
    """Messages of a user and a model in turn."""
    roles = ("user", "assistant")
    return [
        {"role": roles[number % 2], "content": text}
        for number, text in enumerate(texts)
    ]


async def test_a_turn_is_logged(model_server: ModelServer, tmp_path: Path) -> None:
    log = log_file(tmp_path)
    async with engine_of(model_server.api_base, log) as engine:
        await answer(engine, asked("hello", model="echo", temperature=0.5))
    [turn] = turns(log)
    assert (turn["model"], turn["resolved_model"]) == ("echo", "m-1")
    assert (turn["input_tokens"], turn["output_tokens"]) == (5, 3)
    assert json.loads(turn["options_json"]) == {"temperature": 0.5}
    assert turn["datetime_utc"]


async def test_earlier_turns_are_logged_without_cost_and_once(
    model_server: ModelServer, tmp_path: Path
) -> None:
    log = log_file(tmp_path)
    texts = ["One?", "1", "Two?"]
    async with engine_of(model_server.api_base, log) as engine:
        await answer(engine, {"messages": conversation(*texts), "model": "echo"})
    first, second = turns(log)
    assert (first["input_tokens"], first["output_tokens"]) == (0, 0)
    assert (second["input_tokens"], second["output_tokens"]) == (5, 4 - 1)
    assert first["thread_id"] == second["thread_id"]
    # The client goes on: it sends all of it again.
    texts += ["You said: Two?", "Three?"]
    async with engine_of(model_server.api_base, log) as engine:
        await answer(engine, {"messages": conversation(*texts), "model": "echo"})
    third = turns(log)[2]
    assert len(turns(log)) == 3
    assert third["thread_id"] == first["thread_id"]
    assert third["output_tokens"] == 3


async def test_a_conversation_with_an_id_keeps_it(
    model_server: ModelServer, tmp_path: Path
) -> None:
    log = log_file(tmp_path)
    async with engine_of(model_server.api_base, log) as engine:
        for thread in ("a", "b"):
            asks = read_request({"messages": conversation("x"), "model": "echo"})
            request = replace(asks, conversation=thread)
            async with aclosing(engine.reply(request)) as events:
                async for _ in events:
                    pass
    assert [turn["thread_id"] for turn in turns(log)] == ["a", "b"]


async def test_a_reply_that_is_cancelled_is_logged_as_far_as_it_came(
    model_server: ModelServer, tmp_path: Path
) -> None:
    log = log_file(tmp_path)
    async with engine_of(model_server.api_base, log) as engine:
        request = read_request(asked("hello there", model="stalled"))
        async with aclosing(engine.reply(request)) as events:
            await anext(events)
    [turn] = turns(log)
    assert json.loads(turn["response_json"])["finish_reason"] == "cancelled"
    assert turn["output_tokens"] == 0


async def test_a_reply_that_fails_is_logged_as_far_as_it_came(
    model_server: ModelServer, tmp_path: Path
) -> None:
    log = log_file(tmp_path)
    async with engine_of(model_server.api_base, log) as engine:
        with pytest.raises(ChatError):
            await answer(engine, asked("hello there", model="cut"))
        with pytest.raises(ChatError):
            await answer(engine, asked("hello there", model="limited"))
    [turn] = turns(log)
    assert json.loads(turn["response_json"])["finish_reason"] == "cut_off"


async def test_llm_shows_what_is_logged(
    model_server: ModelServer, llm_folder: Path
) -> None:
    log = log_file(llm.user_dir(), "logs.db")
    assert default_file() == log
    async with engine_of(model_server.api_base, log) as engine:
        request = {"messages": conversation("One?", "1", "Two?"), "model": "echo"}
        await answer(engine, request)
    shown = CliRunner().invoke(cli, ["logs", "--json"])
    rows: list[dict[str, Any]] = json.loads(shown.output)
    found = [(row["prompt"], row["response"], row["output_tokens"]) for row in rows]
    assert found == [("One?", "1", 0), ("Two?", "You said: Two?", 3)]


def test_llm_says_whether_to_log(llm_folder: Path) -> None:
    assert default_file() == llm_folder / "logs.db"
    (llm.user_dir() / "logs-off").touch()
    assert default_file() is None


async def test_several_that_make_one_log(tmp_path: Path) -> None:
    """As workers do that start together."""
    logs = [ChatLog(tmp_path / "log.db") for _ in range(3)]
    await asyncio.gather(*(log.open() for log in logs))
    for log in logs:
        await log.close()


async def test_a_log_that_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no database, though it is long enough to be one")
    for file in (tmp_path / "file", tmp_path / "file" / "log.db"):
        log = ChatLog(file)
        with pytest.raises(ChatError, match="the log of chats cannot be kept"):
            await log.open()
        await log.close()


@pytest.mark.expects_fault
async def test_what_llm_cannot_write_is_counted(
    model_server: ModelServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        raise OverflowError("too large")

    monkeypatch.setattr(llm.AsyncResponse, "log_to_db", fail)
    log = ChatLog(log_file(tmp_path))
    models = EndpointModels(model_server.api_base, (), None)
    engine = Engine(models, log, patience=PATIENCE, at_once=1)
    await engine.start()
    await answer(engine, asked("hello", model="echo"))
    await engine.close()
    assert log.lost == 1
    assert "A chat is not logged" in caplog.text
