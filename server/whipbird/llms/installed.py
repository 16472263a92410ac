"""Models of the library ``llm``: its own, and those of its plugins."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import llm
from llm.parts import StreamEvent

from .errors import ChatError, Code
from .history import AnyModel

# Threads for models that are not asynchronous. One that is stuck keeps its own.
MAX_THREADS = 8

# Events that wait for the event loop.
_QUEUE = 64


class InstalledModels:
    """Models that ``llm`` knows by name.

    Args:
        names: their names or aliases, the default first.
    """

    place = "llm"

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._models: dict[str, AnyModel] = {}
        self._threads = threading.Semaphore(MAX_THREADS)

    async def start(self) -> None:
        """Find the models. Plugins may read files and ask servers for that.

        Raises:
            ChatError: when there is none of a name.
        """
        self._models = await asyncio.to_thread(self._find)

    async def names(self) -> list[str]:
        """The names of the models, the default first."""
        return list(self._models)

    def model(self, name: str) -> AnyModel:
        """A model by its name, which is one of ``names``."""
        return self._models[name]

    async def close(self) -> None:
        """The plugins keep what they opened."""

    def _find(self) -> dict[str, AnyModel]:
        found: dict[str, AnyModel] = {}
        for name in self._names:
            try:
                found[name] = llm.get_async_model(name)
            except llm.UnknownModelError:
                try:
                    found[name] = ThreadedModel(llm.get_model(name), self._threads)
                except llm.UnknownModelError:
                    raise ChatError(
                        Code.UNKNOWN_MODEL,
                        f'llm has no model "{name}": "llm models" lists those it has, '
                        '"llm install" installs plugins. For a server with an API like '
                        "OpenAI's, name its URL too.",
                    ) from None
        return found


class ThreadedModel(llm.AsyncModel):
    """A model that blocks its caller, run in a thread.

    A thread cannot be stopped while the model blocks: it ends with the next token.

    Args:
        model: the model.
        threads: one is acquired for each reply.
    """

    can_stream = True

    def __init__(self, model: llm.Model, threads: threading.Semaphore) -> None:
        self.model_id = model.model_id
        self.Options = model.Options
        self.supports_schema = model.supports_schema
        self.supports_conversation = model.supports_conversation
        self._model = model
        self._threads = threads

    async def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.AsyncResponse,
        conversation: llm.AsyncConversation | None = None,
    ) -> AsyncGenerator[str | StreamEvent, None]:
        """Yield what the model yields."""
        if not self._threads.acquire(blocking=False):
            raise ChatError(
                Code.BUSY, f"{self.model_id} still makes {MAX_THREADS} other replies."
            )
        # What models do with a response is the same for both kinds of it.
        answered: Any = response
        arguments: dict[str, Any] = {}
        if isinstance(self._model, llm.KeyModel):
            arguments["key"] = self._model.get_key()
        pieces = _Pieces(asyncio.get_running_loop())
        thread = threading.Thread(
            target=self._run,
            args=(
                pieces,
                lambda: self._model.execute(
                    prompt,
                    self._model.can_stream and stream,
                    answered,
                    None,
                    **arguments,
                ),
            ),
            name=f"chat {self.model_id}",
            # The process need not wait for a model that is stuck.
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError:
            self._threads.release()
            raise
        try:
            async for piece in pieces:
                yield piece
        finally:
            pieces.give_up()

    def _run(
        self, pieces: "_Pieces", execute: Callable[[], Iterator[str | StreamEvent]]
    ) -> None:
        """The thread."""
        try:
            for piece in execute():
                if not pieces.put(piece):
                    return
            pieces.end(None)
        except BaseException as error:
            pieces.end(error)
        finally:
            self._threads.release()


class _Pieces:
    """A bounded queue from a thread to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: asyncio.Queue[str | StreamEvent | None] = asyncio.Queue()
        self._room = threading.Semaphore(_QUEUE)
        self._error: BaseException | None = None
        self._given_up = False

    def put(self, piece: str | StreamEvent) -> bool:
        """Add a piece, from the thread; False if nobody wants any more."""
        self._room.acquire()
        return not self._given_up and self._call(piece)

    def end(self, error: BaseException | None) -> None:
        """Say that nothing more comes, from the thread."""
        self._error = error
        self._call(None)

    def give_up(self) -> None:
        """Want nothing more."""
        self._given_up = True
        self._room.release()

    def _call(self, piece: str | StreamEvent | None) -> bool:
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, piece)
        except RuntimeError:
            return False  # The loop has ended.
        return True

    async def __aiter__(self) -> AsyncGenerator[str | StreamEvent, None]:
        while (piece := await self._queue.get()) is not None:
            self._room.release()
            yield piece
        if self._error is not None:
            raise self._error
