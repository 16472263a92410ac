"""The chat application: replies of language models on a data channel."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from ...llms import ChatEngine, ChatError, ChatRequest, Code, End, Message
from ..application import Application
from ..channel import Channel
from ..session import Session
from .conversations import MAX_HISTORY, Conversation, Conversations, size_of
from .messages import (
    Ask,
    Cancel,
    Forget,
    ListModels,
    Ping,
    Resume,
    Wish,
    read_lines,
    read_wish,
    wish_id,
)
from .transcript import MAX_REPLY, Transcript

logger = logging.getLogger(__name__)

# The label of its channels.
LABEL = "chat"

# What a session may wait for at a time: replies, and lists of models.
MAX_WAITING = 8


class Chat(Application):
    """Answers clients on channels called "chat"; see docs/chat.md for the messages.

    A reply goes on when its client has lost the connection: the client may come back in
    another session, and read on from where it was.

    Args:
        engine: answers requests; it is started and closed by its owner.
        streams: globs of the names of streams on whose sessions it answers.
    """

    channels = LABEL

    def __init__(self, engine: ChatEngine, streams: str = "*") -> None:
        super().__init__(streams=streams)
        self._engine = engine
        self._conversations = Conversations()
        self._waiting: Counter[Session] = Counter()
        self._replying: set[asyncio.Task[None]] = set()

    async def on_message(self, channel: Channel, data: str | bytes) -> None:
        """Do what the lines of a message ask for."""
        line = ""
        try:
            for line in read_lines(data):
                if not channel.session.may_prompt:
                    raise ChatError(
                        Code.FORBIDDEN,
                        'The token of this session does not have the right "prompt".',
                    )
                await self._do(channel, read_wish(line))
        except ChatError as error:
            await self._refuse(channel, wish_id(line), error)

    async def stop(self) -> None:
        """Stop all replies."""
        self._conversations.close()
        if self._replying:
            await asyncio.wait(set(self._replying))

    async def _do(self, channel: Channel, wish: Wish) -> None:
        match wish:
            case Ping():
                await _send(channel, {"type": "pong", "id": wish.id})
            case ListModels():
                self._spawn(channel, wish.id, self._tell_models(channel, wish.id))
            case Ask():
                self._check_waiting(channel)
                conversation = self._ask(wish)
                self._read(channel, wish.id, conversation, 0)
            case Resume():
                conversation = self._find(wish.conversation)
                if conversation.reply is None:
                    raise ChatError(
                        Code.BAD_REQUEST, "This conversation has no reply to resume."
                    )
                self._read(channel, wish.id, conversation, wish.offset)
            case Cancel():
                self._find(wish.conversation).stop()
            case Forget():
                self._conversations.forget(self._find(wish.conversation))

    def _find(self, name: str) -> Conversation:
        conversation = self._conversations.find(name)
        if conversation is None:
            raise ChatError(
                Code.UNKNOWN_CONVERSATION,
                "This conversation is not known, or no more. Begin another one, with "
                "all the messages that it had.",
                param="conversation",
            )
        return conversation

    # Replies

    def _ask(self, wish: Ask) -> Conversation:
        """Begin a reply.

        Raises:
            ChatError: when that is not possible now.
        """
        conversation = None
        if wish.conversation is not None:
            conversation = self._find(wish.conversation)
            if conversation.task is not None:
                raise ChatError(
                    Code.BUSY,
                    "The last message of this conversation is being answered. Wait, or "
                    "cancel it.",
                )
        earlier = [] if conversation is None else conversation.messages
        messages = [*earlier, *wish.request.messages]
        octets = size_of(messages)
        if octets > MAX_HISTORY:
            raise ChatError(
                Code.BAD_REQUEST,
                f"The conversation has more than {MAX_HISTORY} octets. Begin another.",
                param="messages",
            )
        if conversation is None:
            conversation = self._conversations.begin()
        if wish.system is not None:
            conversation.system = wish.system
        system = conversation.system
        request = replace(
            wish.request,
            messages=(*([Message("system", system)] if system else ()), *messages),
            conversation=conversation.id,
        )
        transcript = conversation.reply = Transcript()
        task = asyncio.create_task(
            self._reply(conversation, transcript, request, messages)
        )
        conversation.task, conversation.octets = task, octets
        self._conversations.make_room()
        self._conversations.touch(conversation)
        self._replying.add(task)
        task.add_done_callback(self._replying.discard)
        return conversation

    async def _reply(
        self,
        conversation: Conversation,
        transcript: Transcript,
        request: ChatRequest,
        messages: list[Message],
    ) -> None:
        """Make a reply: it is written to the transcript, whoever reads it."""
        end: dict[str, Any] = {"type": "end", "reason": "cancelled"}
        try:
            async with aclosing(self._engine.reply(request)) as events:
                async for event in events:
                    if isinstance(event, End):
                        end = _end(event)
                    elif not transcript.add(event):
                        raise ChatError(
                            Code.FAILED, f"The reply has more than {MAX_REPLY} octets."
                        )
        except asyncio.CancelledError:
            # By the client, for want of one, or because the server stops.
            pass
        except ChatError as error:
            end = {"type": "error", "error": _members(error)}
        except Exception:
            logger.exception("A reply has failed")
            end = {
                "type": "error",
                "error": {
                    "code": Code.FAILED,
                    "message": "The server has failed. It has logged why.",
                },
            }
        finally:
            if answer := transcript.answer:
                messages.append(Message("assistant", answer))
                conversation.messages = messages
            conversation.octets = size_of(conversation.messages)
            conversation.task = None
            transcript.finish(end)
            self._conversations.touch(conversation)

    # What clients read

    def _read(
        self, channel: Channel, name: str, conversation: Conversation, offset: int
    ) -> None:
        transcript = conversation.reply
        assert transcript is not None
        self._spawn(
            channel,
            name,
            self._send_reply(channel, name, conversation, transcript, offset),
        )

    async def _send_reply(
        self,
        channel: Channel,
        name: str,
        conversation: Conversation,
        transcript: Transcript,
        offset: int,
    ) -> None:
        """Send a reply from an offset on, as it is made."""
        about = {"id": name, "conversation": conversation.id}
        conversation.readers += 1
        self._conversations.touch(conversation)
        try:
            await _send(channel, {"type": "start", **about})
            while (piece := await transcript.read(offset)) is not None:
                offset += len(piece.text.encode())
                kind = "reasoning" if piece.is_reasoning else "text"
                await _send(
                    channel,
                    {"type": kind, **about, "offset": offset, "text": piece.text},
                )
            assert transcript.end is not None
            await _send(channel, {**transcript.end, **about})
        except ValueError as error:
            wrong = ChatError(Code.BAD_REQUEST, f"{error}.", param="offset")
            await self._refuse(channel, name, wrong)
        finally:
            conversation.readers -= 1
            self._conversations.touch(conversation)

    async def _tell_models(self, channel: Channel, name: str) -> None:
        try:
            models = await self._engine.names()
        except ChatError as error:
            await self._refuse(channel, name, error)
        else:
            await _send(channel, {"type": "models", "id": name, "models": models})

    # Tasks of a session

    def _check_waiting(self, channel: Channel) -> None:
        """Refuse a session that waits for too much.

        Raises:
            ChatError: when it does.
        """
        if self._waiting[channel.session] >= MAX_WAITING:
            raise ChatError(
                Code.BUSY,
                f"This session waits for {MAX_WAITING} replies, as many as it may.",
            )

    def _spawn(
        self, channel: Channel, name: str, coroutine: Coroutine[Any, Any, None]
    ) -> None:
        """Run a coroutine until the session ends."""
        session = channel.session
        try:
            self._check_waiting(channel)
        except ChatError:
            coroutine.close()
            raise
        self._waiting[session] += 1

        def done(_task: asyncio.Task[None]) -> None:
            self._waiting[session] -= 1
            if not self._waiting[session]:
                del self._waiting[session]

        session.create_task(coroutine).add_done_callback(done)

    async def _refuse(self, channel: Channel, name: str, error: ChatError) -> None:
        await _send(channel, {"type": "error", "id": name, "error": _members(error)})


def _members(error: ChatError) -> dict[str, Any]:
    """An error, as clients get it."""
    members = {
        "code": error.code,
        "message": error.message,
        "param": error.param,
        "retry_after": error.retry_after,
    }
    return {name: value for name, value in members.items() if value is not None}


def _end(end: End) -> dict[str, Any]:
    """The last message of a reply that came to its end."""
    usage = end.usage
    return {
        "type": "end",
        "reason": end.reason,
        "model": end.model,
        "usage": None
        if usage is None
        else {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion},
        "timings": end.figures,
    }


async def _send(channel: Channel, message: dict[str, Any]) -> None:
    await channel.send(json.dumps(message, ensure_ascii=False))
