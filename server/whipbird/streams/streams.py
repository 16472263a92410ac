"""Streams: names with one publisher at a time."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from ..rtc import Peer
from ..sdp.codecs import Codec, fmtp_parameters


class StreamTaken(Exception):  # noqa: N818 - a state, not a fault
    """The stream has another publisher."""


class Stream:
    """A published stream.

    Args:
        name: the name of the stream.
        peer: our end of the publisher's connection.
        end: ends the publisher's session.
    """

    def __init__(self, name: str, peer: Peer, end: Callable[[], None]) -> None:
        self.name = name
        self.peer = peer
        self.end = end
        self._since = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since it was published."""
        return time.monotonic() - self._since

    @property
    def rids(self) -> tuple[str, ...]:
        """The rids of its simulcast encodings; none without simulcast."""
        return tuple(rid for track in self.peer.tracks for rid in track.rids)

    def codecs(self, kind: str) -> tuple[Codec, ...]:
        """The codecs that its publisher may use for audio or for video."""
        tracks = (track for track in self.peer.tracks if track.kind == kind)
        return tuple(codec for track in tracks for codec in track.codecs)

    @property
    def sends_stereo(self) -> bool:
        """Whether its sound is Opus in stereo: as its packets or else its offer say.

        Publishers that send stereo say ``sprop-stereo=1`` or, not knowing this, that
        they would receive it (RFC 7587 section 6.1).
        """
        for track in self.peer.tracks:
            for encoding in reversed(track.encodings):
                if encoding.codec.name == "opus":
                    return encoding.channels == 2
        stated = [fmtp_parameters(codec.fmtp) for codec in self.codecs("audio")]
        return any("1" in (p.get("sprop-stereo"), p.get("stereo")) for p in stated)


class Observer(Protocol):
    """An observer of publishers. Its methods return quickly and never raise."""

    def publisher_joined(self, stream: Stream) -> None:
        """Called when a stream is published."""

    def publisher_left(self, stream: Stream) -> None:
        """Called when a stream is no longer published."""


class Streams:
    """The streams of a server, by name.

    Args:
        takeover: whether a new publisher replaces the current one; otherwise it is
            refused.

    Attributes:
        observers: called when publishers come and go.
    """

    def __init__(self, *, takeover: bool = False) -> None:
        self.observers: list[Observer] = []
        self._takeover = takeover
        self._streams: dict[str, Stream] = {}

    def __iter__(self) -> Iterator[Stream]:
        """The published streams, sorted by name."""
        return iter([self._streams[name] for name in sorted(self._streams)])

    def get(self, name: str) -> Stream | None:
        """Find a published stream by name."""
        return self._streams.get(name)

    def is_free(self, name: str) -> bool:
        """Whether a new publisher may use the name."""
        return self._takeover or name not in self._streams

    def publish(self, stream: Stream) -> None:
        """Publish a stream; with takeover, end the current publisher.

        Raises:
            StreamTaken: when the name has another publisher, and takeover is off.
        """
        current = self._streams.get(stream.name)
        if current is not None:
            if not self._takeover:
                raise StreamTaken
            current.end()
            self.leave(stream.name, current.peer)
        self._streams[stream.name] = stream
        for observer in self.observers:
            observer.publisher_joined(stream)

    def leave(self, name: str, peer: Peer) -> None:
        """Free a name whose publisher has gone, unless it has a new publisher."""
        stream = self._streams.get(name)
        if stream is not None and stream.peer is peer:
            del self._streams[name]
            for observer in self.observers:
                observer.publisher_left(stream)
