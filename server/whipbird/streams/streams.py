"""A stream is a name with a publisher: one at a time."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from ..rtc import Peer


class StreamTaken(Exception):  # noqa: N818 - a state, not a fault
    """Somebody else publishes under the name."""


class Stream:
    """What is published under a name.

    Args:
        name: its name.
        peer: the end of its publisher's connection.
        end: ends its publisher.
    """

    def __init__(self, name: str, peer: Peer, end: Callable[[], None]) -> None:
        self.name = name
        self.peer = peer
        self.end = end
        self._since = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the publisher came."""
        return time.monotonic() - self._since

    @property
    def rids(self) -> tuple[str, ...]:
        """The names of its layers; none without simulcast."""
        return tuple(rid for receiver in self.peer.receivers for rid in receiver.rids)


class Observer(Protocol):
    """Who is told of publishers. What it does is quick, and never fails."""

    def publisher_came(self, stream: Stream) -> None:
        """A stream has a publisher now."""

    def publisher_left(self, stream: Stream) -> None:
        """It has none any more."""


class Streams:
    """The streams of a server, by name.

    Args:
        takeover: whether a new publisher takes the place of the one there is, or is
            refused.

    Attributes:
        observers: who is told of publishers that come and go.
    """

    def __init__(self, *, takeover: bool = False) -> None:
        self.observers: list[Observer] = []
        self._takeover = takeover
        self._streams: dict[str, Stream] = {}

    def __iter__(self) -> Iterator[Stream]:
        """All of them, by name."""
        return iter([self._streams[name] for name in sorted(self._streams)])

    def get(self, name: str) -> Stream | None:
        """Find a stream that has a publisher."""
        return self._streams.get(name)

    def is_free(self, name: str) -> bool:
        """Whether a new publisher would get the name."""
        return self._takeover or name not in self._streams

    def publish(self, stream: Stream) -> None:
        """Give a name to a publisher.

        Raises:
            StreamTaken: when another has it, and keeps it.
        """
        current = self._streams.get(stream.name)
        if current is not None:
            if not self._takeover:
                raise StreamTaken
            current.end()
            self.leave(stream.name, current.peer)
        self._streams[stream.name] = stream
        for observer in self.observers:
            observer.publisher_came(stream)

    def leave(self, name: str, peer: Peer) -> None:
        """Free the name of a publisher that has gone, unless another has it already."""
        stream = self._streams.get(name)
        if stream is not None and stream.peer is peer:
            del self._streams[name]
            for observer in self.observers:
                observer.publisher_left(stream)
