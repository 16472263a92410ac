"""One chat for the viewers of a stream at all workers: its room is at the owner's."""

import asyncio
from collections.abc import Callable
from functools import partial

from ..streams.chat import Chats, Member, Refusal, Room, ref_of
from .frames import write_chat, write_control

# What a viewer is told while the other worker is starting, and after how many seconds
# it may try again.
_UNREACHABLE = "The chat cannot be reached now. Try again in a moment."
_RETRY_AFTER = 1.0


class RemoteMembers:
    """The members of a chat of this worker that are at another worker.

    Args:
        stream: the name of the stream.
        chats: the chats of this worker.
        send: sends a frame to the other worker.
    """

    def __init__(
        self, stream: str, chats: Chats, send: Callable[[bytes], None]
    ) -> None:
        self._stream = stream
        self._chats = chats
        self._send = send
        self._members: dict[int, Member] = {}
        self._joined: set[int] = set()
        # What goes out at the end of this turn: each text once, however many get it.
        self._pending: list[tuple[str, list[int]]] = []

    def join(self, number: int) -> None:
        """Add a member, by its number at the other worker."""
        member = Member(partial(self._tell, number), is_publisher=False)
        self._members[number] = member
        if self._chats.join(self._stream, member):
            self._joined.add(number)

    def remove(self, number: int) -> None:
        """Remove a member."""
        member = self._members.pop(number)
        if number in self._joined:
            self._joined.discard(number)
            self._chats.leave(self._stream, member)

    def leave(self) -> None:
        """Remove all: the other worker has gone."""
        for number in tuple(self._members):
            self.remove(number)
        self._pending.clear()

    def receive(self, number: int, data: bytes, is_text: bool) -> None:
        """Take a request of a member, and tell its worker what became of it."""
        member = self._members[number]
        passed_on, refused = member.passed_on, member.refused
        self._chats.receive(self._stream, member, data, is_text=is_text)
        said = [
            number,
            member.passed_on - passed_on,
            member.refused - refused,
            member.name,
        ]
        self._send(write_control({"said": said}))

    def _tell(self, number: int, text: str) -> None:
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._flush)
        if not self._pending or self._pending[-1][0] != text:
            self._pending.append((text, []))
        self._pending[-1][1].append(number)

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        for text, numbers in pending:
            self._send(write_control({"chat": [numbers, text]}))


class RemoteRoom:
    """The room of a chat at another worker, for its members here.

    Attributes:
        send: sends a frame to the other worker; None while there is no connection.
    """

    def __init__(self) -> None:
        self.send: Callable[[bytes], None] | None = None
        self._numbers: dict[Member, int] = {}
        self._members: dict[int, Member] = {}
        self._next = 0

    def connected(self, send: Callable[[bytes], None]) -> None:
        """Let the members join the room, which is perhaps another one than before."""
        self.send = send
        for number in self._members:
            send(write_control({"join": number}))

    def join(self, member: Member) -> None:
        """See ``streams.chat.Elsewhere``."""
        number = self._numbers[member] = self._next
        self._members[number] = member
        self._next += 1
        if self.send is not None:
            self.send(write_control({"join": number}))

    def leave(self, member: Member) -> None:
        """See ``streams.chat.Elsewhere``."""
        number = self._numbers.pop(member)
        del self._members[number]
        if self.send is not None:
            self.send(write_control({"leave": number}))

    def receive(self, member: Member, data: bytes, *, is_text: bool) -> None:
        """See ``streams.chat.Elsewhere``."""
        if self.send is None:
            refusal = Refusal("too-busy", _UNREACHABLE, retry_after=_RETRY_AFTER)
            refusal.ref = ref_of(data, is_text=is_text)
            Room.refuse(member, refusal)
            return
        self.send(write_chat(self._numbers[member], data, is_text=is_text))

    # What the other worker says; a member may have left meanwhile

    def told(self, numbers: list[int], text: str) -> None:
        """Hand a text to members."""
        for number in numbers:
            if member := self._members.get(number):
                member.send(text)

    def said(self, number: int, passed_on: int, refused: int, name: str | None) -> None:
        """Note what became of a member's request."""
        if member := self._members.get(number):
            member.passed_on += passed_on
            member.refused += refused
            member.name = name
