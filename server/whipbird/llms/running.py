"""A reply that a model makes: its pieces, its times, and what is logged of it."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import llm

from .errors import ChatError, Code
from .history import Said, chain_of
from .reply import End, Piece, Timings, Usage
from .request import ChatRequest

# Characters of a reply.
MAX_REPLY = 1_000_000


class Stalled(Exception):  # noqa: N818 - a state, not a fault
    """No token has come for too long."""


class RunningReply:
    """A reply that is being made.

    Args:
        response: not yet begun.
        patience: seconds without a token after which it is given up.

    Attributes:
        text: what was said so far, without the reasoning.
    """

    def __init__(self, response: llm.AsyncResponse, patience: float) -> None:
        self._response = response
        self._patience = patience
        self._texts: list[str] = []
        self._begin = time.monotonic()
        self._first: float | None = None
        self._length = 0

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def timings(self) -> Timings:
        now = time.monotonic()
        first = None if self._first is None else self._first - self._begin
        return Timings(first, now - self._begin)

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """The pieces.

        Raises:
            Stalled: when there is none for too long; and whatever the model raises.
        """
        self._begin = time.monotonic()
        async with aclosing(self._response.astream_events()) as events:
            while True:
                try:
                    async with asyncio.timeout(self._patience):
                        event = await anext(events, None)
                except TimeoutError:
                    raise Stalled from None
                if event is None:
                    return
                if event.type not in ("text", "reasoning") or not event.chunk:
                    continue
                if self._first is None:
                    self._first = time.monotonic()
                self._length += len(event.chunk)
                if self._length > MAX_REPLY:
                    raise ChatError(
                        Code.FAILED, f"The reply has more than {MAX_REPLY} characters."
                    )
                if event.type == "text":
                    self._texts.append(event.chunk)
                yield Piece(event.chunk, event.type == "reasoning")

    def end(self) -> End:
        """The end, after the last piece."""
        response = self._response
        counted = response.input_tokens, response.output_tokens
        usage = None
        if counted[0] is not None and counted[1] is not None:
            usage = Usage(counted[0], counted[1])
        reason = (response.response_json or {}).get("finish_reason")
        return End(
            reason if reason in ("length", "content_filter") else "stop",
            response.resolved_model or response.model.model_id,
            usage,
            self.timings,
        )


async def unfinished(
    conversation: llm.AsyncConversation,
    request: ChatRequest,
    options: dict[str, Any],
    reply: RunningReply,
    outcome: str,
) -> llm.AsyncResponse:
    """The turn of a reply that did not come to its end, as it is logged."""
    model = conversation.model
    timings = reply.timings
    said = Said(
        model.model_id,
        reply.text,
        {"finish_reason": outcome, "duration_ms": round(timings.total * 1e3)},
        model.Options,
    )
    prompt = llm.Prompt(
        request.messages[-1].text,
        said,
        messages=chain_of(request.messages),
        options=model.Options(**options),
    )
    response = llm.AsyncResponse(prompt, said, stream=True, conversation=conversation)
    await response
    return response
