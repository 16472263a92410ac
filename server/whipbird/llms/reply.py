"""What comes of a request: pieces of text, and an end."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol

from .request import ChatRequest


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text, as it came from the model: usually a token.

    Attributes:
        is_reasoning: whether the model thinks aloud, instead of answering.
    """

    text: str
    is_reasoning: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the model has counted them."""

    prompt: int
    completion: int


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds since the request was sent to the model.

    Attributes:
        first: until the first piece; None if there was none.
        total: until the end.
    """

    first: float | None
    total: float

    def rate(self, usage: Usage | None) -> float | None:
        """Tokens per second, from the first piece on; None if it is not known."""
        if usage is None or self.first is None or usage.completion < 2:
            return None
        seconds = self.total - self.first
        # The first token began this time, so it is not made in it.
        return (usage.completion - 1) / seconds if seconds > 0 else None


@dataclass(frozen=True, slots=True)
class End:
    """The end of a reply.

    Attributes:
        reason: ``stop`` if the model has come to an end, ``length`` if it has made as
            many tokens as it might, ``content_filter`` as in OpenAI's API.
        model: the model that answered, as it calls itself.
        usage: None if the model has not told.
    """

    reason: Literal["stop", "length", "content_filter"]
    model: str
    usage: Usage | None
    timings: Timings

    @property
    def figures(self) -> dict[str, float | None]:
        """The timings in milliseconds, and the rate, as clients get them."""
        first, rate = self.timings.first, self.timings.rate(self.usage)
        return {
            "first_token_ms": None if first is None else round(first * 1e3, 1),
            "total_ms": round(self.timings.total * 1e3, 1),
            "tokens_per_second": None if rate is None else round(rate, 1),
        }


Event = Piece | End


class ChatEngine(Protocol):
    """Answers requests; see ``engine.Engine``."""

    async def names(self) -> list[str]:
        """The names of the models, the default first.

        Raises:
            ChatError: when they cannot be found out.
        """

    def reply(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """Pieces as they come, then one end. Closing it cancels it at the model.

        Raises:
            ChatError: when there is none, or no more.
        """
