"""Answers requests with models, and logs what was said."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Protocol

import llm
from pydantic import ValidationError

from .errors import ChatError, Code, bad_request
from .faults import explain
from .history import AnyModel, rebuild
from .log import ChatLog
from .reply import Event
from .request import ChatRequest
from .running import RunningReply, Stalled, unfinished

logger = logging.getLogger(__name__)

# Seconds in which a server has to tell its models.
LIST_TIME = 10.0

# What models of plugins call an option.
_OTHER_NAMES = {"max_tokens": ("num_predict", "max_output_tokens")}


class Models(Protocol):
    """Where models come from.

    Attributes:
        place: what to call it in errors: a URL, or a name.
    """

    place: str

    async def start(self) -> None: ...

    async def names(self) -> list[str]: ...

    def model(self, name: str) -> AnyModel: ...

    async def close(self) -> None: ...


class Engine:
    """Answers requests.

    Args:
        models: the models.
        log: the log; None to log nothing.
        patience: seconds without a token after which a model is given up.
        at_once: replies that are made at a time; more are refused.
    """

    def __init__(
        self,
        models: Models,
        log: ChatLog | None,
        *,
        patience: float,
        at_once: int,
    ) -> None:
        self._models = models
        self._log = log
        self._patience = patience
        self._at_once = at_once
        self._running = 0
        self._writing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Get ready.

        Raises:
            ChatError: when a model, or the log, cannot be used.
        """
        await self._models.start()
        if self._log is not None:
            await self._log.open()

    async def close(self) -> None:
        """Write the log to its end, and close it and the connections."""
        if self._writing:
            await asyncio.wait(self._writing)
        await self._models.close()
        if self._log is not None:
            await self._log.close()

    async def names(self) -> list[str]:
        """The names of the models, the default first.

        Raises:
            ChatError: when they cannot be found out.
        """
        try:
            async with asyncio.timeout(min(LIST_TIME, self._patience)):
                return await self._models.names()
        except TimeoutError:
            raise ChatError(
                Code.STALLED, f"{self._models.place} does not tell its models."
            ) from None
        except Exception as error:
            raise self._explain(error, self._models.place) from error

    async def reply(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """Pieces as they come, then one end. Closing it cancels it at the model.

        Raises:
            ChatError: when there is none, or no more.
        """
        if self._running >= self._at_once:
            raise ChatError(
                Code.BUSY,
                f"{self._at_once} replies are being made, as many as may be at a "
                "time. Try again.",
                retry_after=1.0,
            )
        self._running += 1
        try:
            async with aclosing(self._reply(request)) as events:
                async for event in events:
                    yield event
        finally:
            self._running -= 1

    async def _reply(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        model = await self._find(request.model)
        place = self._models.place if "://" in self._models.place else model.model_id
        conversation = llm.AsyncConversation(
            model, id=request.conversation or secrets.token_urlsafe(16)
        )
        chain = await rebuild(conversation, request.messages[:-1])
        history = [
            one for one in conversation.responses if isinstance(one, llm.AsyncResponse)
        ]
        options = _options(model, request)
        try:
            response = conversation.prompt(
                request.messages[-1].text,
                messages=chain,
                schema=None if request.schema is None else dict(request.schema),
                options=options,
            )
        except ValidationError as error:
            raise _wrong_option(error) from None
        except ValueError as error:
            # The model supports no schema, or no conversation.
            raise bad_request(f"{error}.") from None
        reply = RunningReply(response, self._patience)
        outcome = "cancelled"
        try:
            async with aclosing(reply.pieces()) as pieces:
                async for piece in pieces:
                    yield piece
            outcome = ""
        except Exception as error:
            found = self._explain(error, place, self._patience)
            outcome = found.code
            raise found from error
        finally:
            if outcome and reply.text:
                # It did not end by itself: what there is of it is logged.
                response = await unfinished(
                    conversation, request, options, reply, outcome
                )
            if not outcome or reply.text:
                self._write(history, response, request.conversation is None)
        yield reply.end()

    async def _find(self, name: str | None) -> AnyModel:
        """The model of a name.

        Raises:
            ChatError: when there is none.
        """
        names = await self.names()
        if not names:
            raise ChatError(
                Code.UNKNOWN_MODEL, f"{self._models.place} has no model at all."
            )
        if name is None:
            return self._models.model(names[0])
        if name not in names:
            shown = ", ".join(names[:20])
            raise ChatError(
                Code.UNKNOWN_MODEL,
                f'There is no model "{name}" here; there are: {shown}.',
                param="model",
            )
        return self._models.model(name)

    def _explain(
        self, error: Exception, place: str, patience: float = 0.0
    ) -> ChatError:
        """The error for clients. One that is not the model's is logged as a fault."""
        found = explain(error, place)
        if isinstance(error, Stalled):
            found = ChatError(
                Code.STALLED, f"{place} has sent no token for {patience:g} s."
            )
        if found is not None:
            logger.warning("No reply of a language model: %s", found)
            return found
        logger.error("The model of %s raised an error", place, exc_info=error)
        return ChatError(
            Code.FAILED,
            f"{place} raised {type(error).__name__}. The server's log has more.",
        )

    def _write(
        self, history: list[llm.AsyncResponse], last: llm.AsyncResponse, find: bool
    ) -> None:
        """Log a turn, while others go on."""
        if self._log is None:
            return
        task = asyncio.create_task(self._log.write(history, last, find=find))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)


def _options(model: AnyModel, request: ChatRequest) -> dict[str, Any]:
    """The options of a request, by the model's names.

    Raises:
        ChatError: when the model does not have one.
    """
    known = model.Options.model_fields
    options = {}
    for name, value in request.options.items():
        names = (name, *_OTHER_NAMES.get(name, ()))
        used = next((one for one in names if one in known), None)
        if used is None:
            raise bad_request(f'The model {model.model_id} has no "{name}".', name)
        options[used] = value
    return options


def _wrong_option(error: ValidationError) -> ChatError:
    """The error for a value that the model's options do not allow."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else None
    return bad_request(f"{name}: {first['msg']}.", name)
