"""A session, as applications have it."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from ..sessions import EndReason, SessionKind, short_id
from .stream import Stream
from .track import Track

if TYPE_CHECKING:
    from .binding import Binding
    from .channel import Channel


class Session:
    """A client's session: a publisher's, a viewer's, or one with data channels alone.

    Attributes:
        id: the part of its id that may be shown; unique enough to tell sessions apart.
        stream: the stream that it publishes, watches or names.
        kind: ``publisher``, ``viewer`` or ``data``.
        client: the address that the client's request came from.
    """

    def __init__(self, binding: "Binding", stream: Stream) -> None:
        self._binding = binding
        self.id = short_id(binding.inner.id)
        self.stream = stream
        self.kind: SessionKind = binding.inner.kind
        self.client = binding.inner.client

    def __repr__(self) -> str:
        return f"<Session {self.id} of {self.stream.name!r}>"

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self._binding.inner.reason is None

    @property
    def may_prompt(self) -> bool:
        """Whether its client has the right to use language models."""
        return self._binding.inner.may_prompt

    @property
    def channels(self) -> "tuple[Channel, ...]":
        """Its open channels that belong to the application."""
        return tuple(self._binding.channels.values())

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The tracks that it publishes; none of a viewer."""
        publication = self.stream.server.publications.by_name.get(self.stream.name)
        is_own = publication is not None and publication.stream.session == self.id
        return publication.tracks if publication is not None and is_own else ()

    @property
    def others(self) -> "tuple[Session, ...]":
        """The other sessions of its stream."""
        return tuple(s for s in self.stream.sessions if s is not self)

    async def end(self, reason: str = "") -> None:
        """End it, and wait until its connection is closed.

        Args:
            reason: why, for the log.
        """
        inner = self._binding.inner
        inner.end_soon(EndReason.ENDED_BY_APPLICATION, reason)
        await inner.end(EndReason.ENDED_BY_APPLICATION)

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine beside the handlers; it is cancelled when the session ends.

        If it raises, the session ends, as for handlers.
        """
        return self._binding.create_task(coroutine)
