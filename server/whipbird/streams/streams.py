"""Streams: names with one publisher at a time."""

import enum
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..media.stats import TrackStats
from ..media.track import Track
from ..sdp.codecs import Codec, fmtp_parameters
from ..sdp.transport import Fingerprint

# Seconds without anything from a publisher after which another may replace it.
SILENCE = 2.0
# ... if this side cannot ask whether it is still there (lite ICE): twice the longest
# time from one of the publisher's consent checks to the next (RFC 7675 section 5.1).
UNASKED_SILENCE = 12.0


class StreamTaken(Exception):  # noqa: N818 - a state, not a fault
    """The stream has another publisher.

    Attributes:
        retry_after: seconds after which it may be replaced if it falls silent now.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"taken for at least {retry_after:.1f} s")
        self.retry_after = retry_after


class Replacement(enum.Enum):
    """Why a new publisher replaces the current one."""

    SAME_ENCODER = enum.auto()
    TAKEOVER = enum.auto()
    SILENT = enum.auto()
    # The current one is no publisher: the stream comes from another server or worker.
    PULLED = enum.auto()


# How a stream ends that is replaced, in words (see ``Stream.reason``).
_REPLACED = {
    Replacement.SAME_ENCODER: "published again by the same encoder",
    Replacement.TAKEOVER: "stream taken over by another publisher",
    Replacement.SILENT: "silent, and replaced by another publisher",
    Replacement.PULLED: "published at this server",
}


class PublisherKind(enum.StrEnum):
    """What publishes a stream."""

    CLIENT = "client"
    APPLICATION = "application"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class StreamStats:
    """A published stream at a moment.

    Attributes:
        state: of the connection that it comes over.
        age: seconds since it was published.
        viewers: how many watch it.
    """

    name: str
    state: str
    age: float
    viewers: int
    tracks: tuple[TrackStats, ...]


class StreamSource(Protocol):
    """Where the tracks of a stream come from: the ``Peer`` of a publisher, or that of a
    session at another server.
    """

    @property
    def tracks(self) -> Sequence[Track]:
        """The tracks."""

    @property
    def connectionState(self) -> str:  # noqa: N802 - as aiortc has it
        """The state of the connection that it comes over."""

    @property
    def silence(self) -> float:
        """Seconds since anything came from it."""

    @property
    def can_ask(self) -> bool:
        """Whether ``responds`` can ask."""

    async def responds(self) -> bool:
        """Ask it whether it is still there."""


class Stream:
    """A published stream.

    Args:
        name: the name of the stream.
        source: where its tracks come from.
        end: ends the publisher's session, which another replaces.
        fingerprints: those of the publisher's DTLS certificate: they identify it.
        session: the short id of the publisher's session, for the log and for events;
            empty if it has none.
        client: the address of the publisher; empty if it is no client.
        is_pulled: whether it comes from another server: any publisher replaces it.
        is_relayed: whether it comes from another worker of this server, which has its
            publisher and describes it: here it has viewers, and nothing else.

    Attributes:
        is_live: whether its publisher is or was connected.
        reason: why it has ended; empty while it has not.
        layers: the layers of the simulcast that the other server has, as in a
            ``layers`` event; None of a stream whose publisher is here.
    """

    def __init__(
        self,
        name: str,
        source: StreamSource,
        end: Callable[[Replacement], None],
        fingerprints: Iterable[Fingerprint] = (),
        session: str = "",
        *,
        client: str = "",
        is_pulled: bool = False,
        is_relayed: bool = False,
    ) -> None:
        self.name = name
        self.session = session
        self.client = client
        self.is_live = False
        self.reason = ""
        self.source = source
        self.end = end
        self.fingerprints = frozenset(fingerprints)
        self.is_pulled = is_pulled
        self.is_relayed = is_relayed
        self.layers: Sequence[Mapping[str, Any]] | None = None
        self._since = time.monotonic()

    @property
    def publisher_kind(self) -> PublisherKind:
        """What publishes it."""
        if self.is_pulled:
            return PublisherKind.UPSTREAM
        return PublisherKind.CLIENT if self.session else PublisherKind.APPLICATION

    @property
    def age(self) -> float:
        """Seconds since it was published."""
        return time.monotonic() - self._since

    @property
    def time_left(self) -> float:
        """Seconds until it may be replaced if nothing comes from its publisher."""
        patience = SILENCE if self.source.can_ask else UNASKED_SILENCE
        return max(0.0, patience - self.source.silence)

    @property
    def rids(self) -> tuple[str, ...]:
        """The rids of its simulcast encodings; none without simulcast."""
        if self.layers is not None:
            found = (layer.get("rid") for layer in self.layers)
            return tuple(rid for rid in found if isinstance(rid, str))
        return tuple(rid for track in self.source.tracks for rid in track.rids)

    def stats(self, viewers: int) -> StreamStats:
        """A snapshot.

        Args:
            viewers: how many watch it.
        """
        return StreamStats(
            name=self.name,
            state=self.source.connectionState,
            age=self.age,
            viewers=viewers,
            tracks=tuple(track.stats for track in self.source.tracks),
        )

    def codecs(self, kind: str) -> tuple[Codec, ...]:
        """The codecs that its publisher may use for audio or for video."""
        tracks = (track for track in self.source.tracks if track.kind == kind)
        return tuple(codec for track in tracks for codec in track.codecs)

    @property
    def sends_stereo(self) -> bool:
        """Whether its sound is Opus in stereo: as its packets or else its offer say.

        Publishers that send stereo say ``sprop-stereo=1`` or, not knowing this, that
        they would receive it (RFC 7587 section 6.1).
        """
        for track in self.source.tracks:
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


class LiveObserver(Protocol):
    """An observer of streams whose publishers are connected, whatever these are.

    Its methods return quickly and never raise.
    """

    def stream_began(self, stream: Stream) -> None:
        """Called once when the publisher of a stream is connected."""

    def stream_ended(self, stream: Stream) -> None:
        """Called when such a stream has ended, and why is known."""


class Streams:
    """The streams of a server, by name.

    Args:
        takeover: whether any new publisher of a name replaces the current one;
            otherwise only the same encoder does, and anybody if the current one has
            fallen silent.

    Attributes:
        takeover: see above.
        observers: called when publishers come and go.
        relay_observers: those of them that are told of relayed streams, too.
        live_observers: called when they are connected, and when they go; not of relayed
            streams.
    """

    def __init__(self, *, takeover: Callable[[str], bool] = lambda _: False) -> None:
        self.observers: list[Observer] = []
        self.relay_observers: list[Observer] = []
        self.live_observers: list[LiveObserver] = []
        self.takeover = takeover
        self._streams: dict[str, Stream] = {}

    def __len__(self) -> int:
        """How many are published, without those that are relayed."""
        return sum(not stream.is_relayed for stream in self._streams.values())

    def __iter__(self) -> Iterator[Stream]:
        """The published streams, sorted by name, without those that are relayed."""
        found = (self._streams[name] for name in sorted(self._streams))
        return iter([stream for stream in found if not stream.is_relayed])

    def get(self, name: str) -> Stream | None:
        """Find a published stream by name."""
        return self._streams.get(name)

    async def make_way(self, name: str, fingerprints: Iterable[Fingerprint]) -> bool:
        """Find out whether a new publisher may use a name.

        A current publisher that has fallen silent is asked whether it is still there,
        which takes up to a second.

        Args:
            fingerprints: those of the new publisher.

        Returns:
            Whether it replaces a current publisher here.

        Raises:
            StreamTaken: when the name has another publisher, which stays.
        """
        known = frozenset(fingerprints)
        current = self._streams.get(name)
        if current and self._replacement(current, known) is Replacement.SILENT:
            await current.source.responds()
            # Meanwhile it may have ended, or been replaced.
            current = self._streams.get(name)
        if current is None:
            return False
        if self._replacement(current, known) is None:
            raise StreamTaken(current.time_left)
        return not current.is_pulled and not current.is_relayed

    def publish(self, stream: Stream) -> None:
        """Publish a stream, and end the current publisher if there is one.

        Of several that may use the name at the same time, the first gets it.

        Raises:
            StreamTaken: when the name has another publisher, which stays.
        """
        current = self._streams.get(stream.name)
        if current is not None:
            replacement = self._replacement(current, stream.fingerprints)
            if replacement is None:
                raise StreamTaken(current.time_left)
            current.end(replacement)
            self.leave(stream.name, current.source, _REPLACED[replacement])
        self._streams[stream.name] = stream
        for observer in self._observers_of(stream):
            observer.publisher_joined(stream)
        if stream.source.connectionState == "connected":
            self.connected(stream.name, stream.source)

    def connected(self, name: str, source: StreamSource) -> None:
        """Note that a source is connected, if it publishes this name."""
        stream = self._streams.get(name)
        if stream is None or stream.source is not source:
            return
        if stream.is_live or stream.is_relayed:
            return
        stream.is_live = True
        for observer in self.live_observers:
            observer.stream_began(stream)

    def leave(self, name: str, source: StreamSource, reason: str) -> None:
        """Free a name whose source has gone, unless it has a new one.

        Args:
            reason: why it has gone, in words.
        """
        stream = self._streams.get(name)
        if stream is None or stream.source is not source:
            return
        del self._streams[name]
        stream.reason = reason
        for observer in self._observers_of(stream):
            observer.publisher_left(stream)
        if stream.is_live:
            for live_observer in self.live_observers:
                live_observer.stream_ended(stream)

    def _observers_of(self, stream: Stream) -> Sequence[Observer]:
        return self.relay_observers if stream.is_relayed else self.observers

    def _replacement(
        self, current: Stream, fingerprints: frozenset[Fingerprint]
    ) -> Replacement | None:
        """Why a new publisher may replace the current one; None if it may not."""
        if current.is_pulled or current.is_relayed:
            return Replacement.PULLED
        if not current.fingerprints.isdisjoint(fingerprints):
            return Replacement.SAME_ENCODER
        if self.takeover(current.name):
            return Replacement.TAKEOVER
        return None if current.time_left else Replacement.SILENT
