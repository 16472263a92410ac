"""Models that ``llm`` knows by name, asynchronous or not."""

import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import llm
import pytest
from llm.plugins import pm

from tests.unit.llms.engines import answer, asked, engine_of
from tests.waiting import until
from whipbird.llms import ChatError, Code, read_request
from whipbird.llms.installed import MAX_THREADS, InstalledModels


class Blocking(llm.Model):
    """Counts, and blocks between two numbers until it is told to go on."""

    model_id = "blocking"
    can_stream = True

    class Options(llm.Options):
        num_predict: int | None = None

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.threads: list[threading.Thread] = []
        self.error: Exception | None = None

    def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.Response,
        conversation: llm.Conversation | None,
    ) -> Iterator[str]:
        self.threads.append(threading.current_thread())
        yield "1"
        self.go_on.wait(60)
        if self.error is not None:
            raise self.error
        yield from ("2", "3")
        response.set_usage(input=1, output=3)


@contextmanager
def registered(model: llm.Model) -> Iterator[InstalledModels]:
    """A plugin with a model."""

    class Plugin:
        @llm.hookimpl
        def register_models(self, register: Callable[[Any], None]) -> None:
            register(model)

    plugin = Plugin()
    pm.register(plugin)
    try:
        yield InstalledModels((model.model_id,))
    finally:
        pm.unregister(plugin)


@pytest.fixture
def model() -> Iterator[Blocking]:
    model = Blocking()
    yield model
    model.go_on.set()
    for thread in model.threads:
        thread.join(60)


async def test_a_blocking_model_answers_from_a_thread(model: Blocking) -> None:
    model.go_on.set()
    with registered(model) as models:
        async with engine_of(models) as engine:
            pieces, end = await answer(engine, asked("count", max_tokens=3))
    assert [piece.text for piece in pieces] == ["1", "2", "3"]
    assert end.usage is not None
    assert (end.usage.completion, end.model) == (3, "blocking")
    assert threading.current_thread() not in model.threads


async def test_a_blocking_model_that_stalls(model: Blocking) -> None:
    with registered(model) as models:
        async with engine_of(models, patience=0.1) as engine:
            with pytest.raises(ChatError, match="blocking has sent no token"):
                await answer(engine, asked("count"))
            # Its thread goes on, until the model does.
            assert model.threads[0].is_alive()
            model.go_on.set()
            await until(lambda: not model.threads[0].is_alive())


async def test_threads_are_bounded(model: Blocking) -> None:
    with registered(model) as models:
        async with engine_of(models, at_once=MAX_THREADS + 1) as engine:
            for _ in range(MAX_THREADS):
                # Given up; the threads are stuck.
                async with aclosing(engine.reply(read_request(asked("x")))) as events:
                    await anext(events)
            with pytest.raises(ChatError) as caught:
                await answer(engine, asked("count"))
            assert caught.value.code == Code.BUSY
            model.go_on.set()
            await until(lambda: not any(t.is_alive() for t in model.threads))
            await answer(engine, asked("count"))


async def test_errors_of_a_model(model: Blocking) -> None:
    model.go_on.set()
    with registered(model) as models:
        async with engine_of(models) as engine:
            model.error = ConnectionRefusedError()
            with pytest.raises(ChatError, match="server of the model blocking is not"):
                await answer(engine, asked("count"))
            model.error = llm.ModelError("no quota")
            with pytest.raises(ChatError, match="blocking: no quota"):
                await answer(engine, asked("count"))


@pytest.mark.expects_fault
async def test_a_fault_of_a_model(
    model: Blocking, caplog: pytest.LogCaptureFixture
) -> None:
    model.go_on.set()
    model.error = ZeroDivisionError()
    with registered(model) as models:
        async with engine_of(models) as engine:
            with pytest.raises(ChatError, match="blocking raised ZeroDivisionError"):
                await answer(engine, asked("count"))
    assert "ZeroDivisionError" in caplog.text


async def test_an_option_that_the_model_does_not_have(model: Blocking) -> None:
    with registered(model) as models:
        async with engine_of(models) as engine:
            with pytest.raises(ChatError, match='blocking has no "seed"'):
                await answer(engine, asked("count", seed=1))
            schema = {"type": "json_schema", "json_schema": {"schema": {"x": 1}}}
            with pytest.raises(ChatError, match="does not support schemas"):
                await answer(engine, asked("count", response_format=schema))


async def test_a_model_that_there_is_not() -> None:
    with pytest.raises(ChatError, match='llm has no model "nobody"'):
        async with engine_of(InstalledModels(("nobody",))):
            pass
