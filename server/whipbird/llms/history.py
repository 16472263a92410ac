"""Conversations in ``llm``, rebuilt from messages."""

from collections.abc import AsyncGenerator, Sequence

import llm
from llm.parts import Message as LlmMessage
from llm.parts import StreamEvent, TextPart

from .request import Message

# Any model that does not block.
AnyModel = llm.AsyncModel | llm.AsyncKeyModel


class Said(llm.AsyncModel):
    """Stands for a model in a turn that is not to be made: it costs nothing.

    Args:
        model_id: the name of the model that it stands for.
        text: what it said.
        outcome: what is logged of the turn beside it.
    """

    can_stream = True

    def __init__(
        self,
        model_id: str,
        text: str,
        outcome: dict[str, object] | None = None,
        options: type[llm.Options] = llm.Options,
    ) -> None:
        self.model_id = model_id
        self.Options = options  # type: ignore[assignment]
        self._text = text
        self._outcome = outcome

    async def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.AsyncResponse,
        conversation: llm.AsyncConversation | None = None,
    ) -> AsyncGenerator[str | StreamEvent, None]:
        """Yield the text."""
        yield self._text
        response.response_json = self._outcome
        response.set_usage(input=0, output=0)


def chain_of(messages: Sequence[Message]) -> list[LlmMessage]:
    """Messages as ``llm`` has them."""
    return [
        LlmMessage(role=message.role, parts=[TextPart(text=message.text)])
        for message in messages
    ]


async def rebuild(
    conversation: llm.AsyncConversation, messages: Sequence[Message]
) -> list[LlmMessage]:
    """Add to a conversation the turns that made messages, with zero tokens each.

    Returns:
        The messages as ``llm`` has them.
    """
    chain = chain_of(messages)
    start = 0
    for number, message in enumerate(messages):
        if message.role != "assistant":
            continue
        asked = messages[number - 1] if number > start else None
        is_prompt = asked is not None and asked.role == "user"
        prompt = llm.Prompt(
            asked.text if asked is not None and is_prompt else None,
            said := Said(conversation.model.model_id, message.text),
            messages=chain[:number],
        )
        await llm.AsyncResponse(prompt, said, stream=True, conversation=conversation)
        start = number + 1
    return chain
