"""The chat of one stream: who is in it, what was said, what may be said (no I/O)."""

import secrets
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime

from ...transport.budget import Budget
from .messages import (
    EMOJI,
    MAX_NAME,
    MAX_TEXT,
    Message,
    Reaction,
    Refusal,
    read_request,
    write,
)
from .text import folded

# Messages kept for those who come later.
HISTORY = 50

# Per second, and at once after a pause: of one session, and of all viewers together.
MEMBER_MESSAGES = (0.5, 5)
MEMBER_REACTIONS = (2, 10)
VIEWERS_MESSAGES = (5, 20)

# Seconds for which reactions are collected: they go out together, so what they cost
# depends on the number of viewers alone.
REACTION_INTERVAL = 0.5

# Names that would pass for the publisher's, beside those that it uses.
_RESERVED = ("publisher",)

_ID_OCTETS = 9


def _at_once(limit: tuple[float, int]) -> str:
    rate, burst = limit
    return f"{burst} at once, and then one each {1 / rate:g} s."


_TOO_MANY_MESSAGES = (
    "too-many",
    f"You may send messages: {_at_once(MEMBER_MESSAGES)}",
)
_TOO_MANY_REACTIONS = (
    "too-many",
    f"You may send reactions: {_at_once(MEMBER_REACTIONS)}",
)
_TOO_BUSY = (
    "too-busy",
    "All viewers of the stream together may send messages: "
    f"{_at_once(VIEWERS_MESSAGES)}",
)


class Member:
    """One session in the chat.

    Args:
        send: sends it a message.
        is_publisher: whether it publishes the stream.

    Attributes:
        name: the one in its last message; None if it has sent none.
        passed_on: requests of it that were passed on.
        refused: those that were not.
    """

    def __init__(self, send: Callable[[str], None], *, is_publisher: bool) -> None:
        self.send = send
        self.is_publisher = is_publisher
        self.messages = Budget(*MEMBER_MESSAGES)
        self.reactions = Budget(*MEMBER_REACTIONS)
        self.name: str | None = None
        self.passed_on = self.refused = 0

    @property
    def role(self) -> str:
        """What others are told of it."""
        return "publisher" if self.is_publisher else "viewer"


class Room:
    """The chat of a stream.

    Args:
        stream: its name.
        clock: returns the time of day, which messages are stamped with.

    Attributes:
        members: the sessions in it.
        deadline: when it wants ``handle_timeout`` to be called; None for never.
    """

    def __init__(
        self, stream: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.members: set[Member] = set()
        self.deadline: float | None = None
        self._clock = clock
        self._history: deque[str] = deque(maxlen=HISTORY)
        self._messages = Budget(*VIEWERS_MESSAGES)
        self._reactions: Counter[str] = Counter()
        self._reserved = {folded(name) for name in (stream, *_RESERVED)}
        self._publisher_name = ""

    def join(self, member: Member) -> None:
        """Add a session, and send it the last messages."""
        self.members.add(member)
        welcome = {
            "type": "welcome",
            "role": member.role,
            "emoji": EMOJI,
            "limits": {"name": MAX_NAME, "text": MAX_TEXT},
            "history": len(self._history),
        }
        for text in (write(welcome), *self._history):
            member.send(text)

    def leave(self, member: Member) -> None:
        """Remove a session."""
        self.members.discard(member)

    def receive(
        self, member: Member, data: bytes, now: float, *, is_text: bool
    ) -> None:
        """Pass a request of a session on to all, or answer why not.

        Args:
            data: the octets of the message on the data channel.
            is_text: whether it was sent as text.
        """
        try:
            match read_request(data, is_text=is_text):
                case Message() as message:
                    self._pass_on(member, message, now)
                case Reaction() as reaction:
                    self._collect(member, reaction, now)
            member.passed_on += 1
        except Refusal as refusal:
            self.refuse(member, refusal)

    @staticmethod
    def refuse(member: Member, refusal: Refusal) -> None:
        """Answer a request that is not passed on."""
        member.refused += 1
        member.send(refusal.write())

    def handle_timeout(self, now: float) -> None:
        """Send the reactions that were collected, if it is time."""
        if self.deadline is None or now < self.deadline:
            return
        self.deadline = None
        text = write({"type": "reactions", "counts": dict(self._reactions)})
        self._reactions.clear()
        for member in self.members:
            member.send(text)

    def _pass_on(self, member: Member, message: Message, now: float) -> None:
        self._check_name(member, message)
        budgets = [(member.messages, _TOO_MANY_MESSAGES)]
        if not member.is_publisher:
            budgets.append((self._messages, _TOO_BUSY))
        _take(message, now, budgets)
        member.name = message.name
        content = {
            "type": "message",
            "id": secrets.token_urlsafe(_ID_OCTETS),
            "time": f"{self._clock():%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "from": member.role,
            "name": message.name,
            "text": message.text,
        }
        text = write(content)
        self._history.append(text)
        for other in self.members:
            if other is not member:
                other.send(text)
        own = content if message.ref is None else {**content, "ref": message.ref}
        member.send(write(own))

    def _check_name(self, member: Member, message: Message) -> None:
        """Note the publisher's name; viewers may not use it.

        Raises:
            Refusal: when a viewer's name would pass for the publisher's.
        """
        name = folded(message.name)
        if member.is_publisher:
            self._publisher_name = name
        elif name and (name in self._reserved or name == self._publisher_name):
            refusal = Refusal("name-taken", "This name is the publisher's.")
            refusal.ref = message.ref
            raise refusal

    def _collect(self, member: Member, reaction: Reaction, now: float) -> None:
        _take(reaction, now, [(member.reactions, _TOO_MANY_REACTIONS)])
        self._reactions[reaction.emoji] += 1
        if self.deadline is None:
            self.deadline = now + REACTION_INTERVAL


def _take(
    request: Message | Reaction,
    now: float,
    budgets: list[tuple[Budget, tuple[str, str]]],
) -> None:
    """Count a request.

    Args:
        budgets: each with the code and the words for more than it has.

    Raises:
        Refusal: when there are too many; then it is not counted.
    """
    for budget, (code, words) in budgets:
        wait = budget.wait(now)
        if wait > 0:
            detail = f"{words} Try again in {wait:.1f} s."
            refusal = Refusal(code, detail, retry_after=wait)
            refusal.ref = request.ref
            raise refusal
    for budget, _ in budgets:
        budget.take(now)
