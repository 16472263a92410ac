"""Where streams come from that are not published here, as sessions see it."""

from typing import Protocol


class StreamLoop(Exception):  # noqa: N818 - said of a request, not of us
    """A server asks for a stream that would come from itself. The message says how."""


class Demand(Protocol):
    """A viewer's wish for a stream."""

    async def ready(self) -> None:
        """Wait, for seconds at most, until it is known what the stream has."""

    def release(self) -> None:
        """Take it back: the viewer has gone."""


class Supply(Protocol):
    """Gets streams from other servers while somebody wants to watch them here."""

    def demand(self, stream: str, path: tuple[str, ...]) -> Demand:
        """Note that somebody wants to watch a stream, until ``release``.

        Args:
            path: the servers for which it is, if it is one; empty for a person.

        Raises:
            StreamLoop: when the stream would come from one of these.
        """
