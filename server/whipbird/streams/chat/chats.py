"""The chats of a server, by the name of the stream."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .messages import Refusal, ref_of
from .room import Member, Room


@dataclass
class _Open:
    """A room, and the timer of its deadline."""

    room: Room
    timer: asyncio.TimerHandle | None = None


class Elsewhere(Protocol):
    """The room of a chat that is at another worker of this server."""

    def join(self, member: Member) -> None:
        """Add a session."""

    def leave(self, member: Member) -> None:
        """Remove a session."""

    def receive(self, member: Member, data: bytes, *, is_text: bool) -> None:
        """Take a request of a session (see ``Room.receive``)."""


class Chats:
    """Finds the chat of a stream, and has its timer.

    A chat, and so its history, lasts as long as somebody is in it or the stream is in
    use.

    Args:
        is_on: whether a stream has a chat; asked again for each request.
        is_in_use: whether a stream has a publisher or viewers.

    Attributes:
        is_on: see above.
        elsewhere: gives the room of a stream that is at another worker; None for one
            that is here.
    """

    def __init__(
        self, is_on: Callable[[str], bool], is_in_use: Callable[[str], bool]
    ) -> None:
        self.is_on = is_on
        self.elsewhere: Callable[[str], Elsewhere | None] = lambda _: None
        self._is_in_use = is_in_use
        self._open: dict[str, _Open] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._open)

    def join(self, stream: str, member: Member) -> bool:
        """Add a session to the chat of a stream, or tell it that there is none.

        Returns:
            Whether it was added.
        """
        if (room := self.elsewhere(stream)) is not None:
            room.join(member)
            return True
        if not self.is_on(stream):
            # Not counted as refused: it has not asked for anything yet.
            member.send(_off().write())
            return False
        if stream not in self._open:
            self._open[stream] = _Open(Room(stream))
        self._open[stream].room.join(member)
        return True

    def leave(self, stream: str, member: Member) -> None:
        """Remove a session that was added."""
        if (room := self.elsewhere(stream)) is not None:
            room.leave(member)
            return
        self._open[stream].room.leave(member)
        self.close_unused(stream)

    def receive(
        self, stream: str, member: Member, data: bytes, *, is_text: bool
    ) -> None:
        """Take a request of a session (see ``Room.receive``)."""
        if (room := self.elsewhere(stream)) is not None:
            room.receive(member, data, is_text=is_text)
            return
        opened = self._open.get(stream)
        has_joined = opened is not None and member in opened.room.members
        if opened is None or not has_joined or not self.is_on(stream):
            refusal = _off()
            refusal.ref = ref_of(data, is_text=is_text)
            Room.refuse(member, refusal)
            return
        loop = asyncio.get_running_loop()
        opened.room.receive(member, data, loop.time(), is_text=is_text)
        if opened.timer is None and opened.room.deadline is not None:
            opened.timer = loop.call_at(opened.room.deadline, _time_out, opened)

    def close_unused(self, stream: str) -> None:
        """Forget the chat of a stream if nobody is left."""
        opened = self._open.get(stream)
        if opened is None or opened.room.members or self._is_in_use(stream):
            return
        if opened.timer is not None:
            opened.timer.cancel()
        del self._open[stream]


def _time_out(opened: _Open) -> None:
    opened.timer = None
    # Timers of the loop may be early by the resolution of its clock.
    now = max(asyncio.get_running_loop().time(), opened.room.deadline or 0)
    opened.room.handle_timeout(now)


def _off() -> Refusal:
    return Refusal("off", "This stream has no chat.")
