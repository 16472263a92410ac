"""The conversations of a server, kept for clients that come back."""

import asyncio
import secrets
from collections import OrderedDict

from ...llms import Message
from .transcript import MAX_REPLY, Transcript

# Seconds for which a reply is made while no client reads it, and for which a
# conversation is kept after its last use.
ABANDONED_AFTER = 60.0
KEPT_FOR = 3_600.0

# Conversations, and octets of all of them, about.
MAX_CONVERSATIONS = 1_000
MAX_TOTAL = 32 * 1024 * 1024

# Octets of the messages of one.
MAX_HISTORY = 1024 * 1024


class Conversation:
    """A conversation: what was said, and the reply that is being made.

    Attributes:
        id: whoever knows it can go on with it.
        system: the system prompt; empty for none.
        messages: the others, up to the last reply.
        reply: the last reply; None if there is none.
        task: makes it; None if it has ended.
        readers: clients that read it now.
    """

    def __init__(self) -> None:
        self.id = secrets.token_urlsafe(16)
        self.system = ""
        self.messages: list[Message] = []
        # Octets of the messages, those that are being answered included.
        self.octets = 0
        self.reply: Transcript | None = None
        self.task: asyncio.Task[None] | None = None
        self.readers = 0
        self.timer: asyncio.TimerHandle | None = None

    @property
    def size(self) -> int:
        """Octets, about."""
        if self.reply is None:
            reply = 0
        else:
            # It may become as long as that.
            reply = self.reply.length if self.task is None else MAX_REPLY
        return reply + self.octets + len(self.system.encode())

    def stop(self) -> None:
        """Stop making the reply."""
        if self.task is not None:
            self.task.cancel()


def size_of(messages: list[Message]) -> int:
    """Octets of messages, about."""
    return sum(len(message.text.encode()) + 64 for message in messages)


class Conversations:
    """Conversations by id, the least recently used first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Conversation] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def begin(self) -> Conversation:
        """Begin a conversation."""
        conversation = Conversation()
        self._kept[conversation.id] = conversation
        return conversation

    def find(self, name: str) -> Conversation | None:
        """The conversation with an id."""
        conversation = self._kept.get(name)
        if conversation is not None:
            self._kept.move_to_end(name)
        return conversation

    def forget(self, conversation: Conversation) -> None:
        """Forget a conversation, and stop its reply."""
        conversation.stop()
        if conversation.timer is not None:
            conversation.timer.cancel()
        self._kept.pop(conversation.id, None)

    def touch(self, conversation: Conversation) -> None:
        """Note that it has changed, or is read by more or fewer clients."""
        if conversation.timer is not None:
            conversation.timer.cancel()
            conversation.timer = None
        if conversation.id not in self._kept or conversation.readers:
            return
        loop = asyncio.get_running_loop()
        if conversation.task is not None:
            conversation.timer = loop.call_later(ABANDONED_AFTER, conversation.stop)
        else:
            conversation.timer = loop.call_later(KEPT_FOR, self.forget, conversation)

    def close(self) -> None:
        """Forget all of them."""
        for conversation in tuple(self._kept.values()):
            self.forget(conversation)

    def make_room(self) -> None:
        """Forget those used least recently, if there are too many or they are large.

        The one used last stays.
        """
        total = sum(one.size for one in self._kept.values())
        for one in tuple(self._kept.values())[:-1]:
            if len(self._kept) <= MAX_CONVERSATIONS and total <= MAX_TOTAL:
                return
            if one.task is None and not one.readers:
                total -= one.size
                self.forget(one)
