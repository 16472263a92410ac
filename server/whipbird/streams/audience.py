"""Who watches a stream, and what each of them is sent."""

from collections.abc import Iterable

from ..rtc import Egress, Feed, Forwarder, Layer
from ..sdp.codecs import Codec
from .streams import Stream


class Viewer:
    """One who watches.

    Args:
        egress: what is sent.
        rid: the layer that was asked for; None for the best that the viewer can take.
    """

    def __init__(self, egress: Egress, rid: str | None = None) -> None:
        self.egress = egress
        self.rid = rid


class Audience:
    """The viewers of a name: with a publisher, before it comes and after it has gone.

    Attributes:
        viewers: who watches.
    """

    def __init__(self) -> None:
        self.viewers: set[Viewer] = set()
        self._stream: Stream | None = None
        self._feeds: dict[Layer, Feed] = {}

    # Publishers

    def publisher_came(self, stream: Stream) -> None:
        """Give everybody what it publishes."""
        self._stream = stream
        for receiver in stream.peer.receivers:
            receiver.on_layers.append(self._update)
        self._update()

    def publisher_left(self) -> None:
        """Nothing more comes; the viewers stay."""
        assert self._stream is not None
        for receiver in self._stream.peer.receivers:
            receiver.on_layers.remove(self._update)
        self._stream = None
        for viewer in self.viewers:
            for forwarder in viewer.egress.forwarders:
                forwarder.leave()
        for feed in self._feeds.values():
            feed.close()
        self._feeds.clear()

    # Viewers

    def join(self, viewer: Viewer) -> None:
        """Send a viewer what is published, now and later."""
        self.viewers.add(viewer)
        viewer.egress.on_news = lambda: self._serve(viewer)
        viewer.egress.start()
        self._serve(viewer)

    def leave(self, viewer: Viewer) -> None:
        """Send it nothing more."""
        self.viewers.discard(viewer)
        viewer.egress.stop()

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a viewer nor a publisher."""
        return self._stream is None and not self.viewers

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """What is published now."""
        return tuple(layer.codec for layer in self._feeds)

    def _update(self) -> None:
        """Layers have come or gone."""
        assert self._stream is not None
        layers: dict[Layer, Feed] = {}
        for receiver in self._stream.peer.receivers:
            for layer in receiver.layers:
                feed = self._feeds.pop(layer, None)
                layers[layer] = feed or Feed(layer, receiver.identifiers)
        gone, self._feeds = self._feeds, layers
        for feed in gone.values():
            feed.close()
        for viewer in self.viewers:
            self._serve(viewer)

    def _serve(self, viewer: Viewer) -> None:
        for forwarder in viewer.egress.forwarders:
            feeds = self._feeds_for(forwarder)
            if feeds:
                forwarder.watch(_choose(feeds, viewer))

    def _feeds_for(self, forwarder: Forwarder) -> list[Feed]:
        return [
            feed
            for layer, feed in self._feeds.items()
            if layer.is_video is (forwarder.kind == "video")
            and forwarder.takes(layer.codec)
        ]


def _choose(feeds: Iterable[Feed], viewer: Viewer) -> Feed:
    """The layer that was asked for, or the largest that the viewer can take."""
    by_size = sorted(feeds, key=lambda feed: feed.layer.bitrate)
    for feed in by_size:
        if viewer.rid is not None and feed.layer.rid == viewer.rid:
            return feed
    estimate = viewer.egress.estimate
    fitting = [f for f in by_size if estimate is None or f.layer.bitrate <= estimate]
    return fitting[-1] if fitting else by_size[0]


class Audiences:
    """The audiences of a server, by the name of the stream."""

    def __init__(self) -> None:
        self._audiences: dict[str, Audience] = {}

    def __getitem__(self, name: str) -> Audience:
        """The audience of a name, whether anybody publishes it or not."""
        return self._audiences.setdefault(name, Audience())

    def codecs(self, name: str) -> tuple[Codec, ...]:
        """What is published now, as far as packets have come."""
        audience = self._audiences.get(name)
        return audience.codecs if audience else ()

    def count(self, name: str) -> int:
        """How many watch a stream."""
        audience = self._audiences.get(name)
        return len(audience.viewers) if audience else 0

    def join(self, name: str, viewer: Viewer) -> None:
        """Let somebody watch."""
        self[name].join(viewer)

    def leave(self, name: str, viewer: Viewer) -> None:
        """Somebody watches no more."""
        self[name].leave(viewer)
        self._tidy(name)

    def publisher_came(self, stream: Stream) -> None:
        """There is something to watch."""
        self[stream.name].publisher_came(stream)

    def publisher_left(self, stream: Stream) -> None:
        """There is nothing any more."""
        self[stream.name].publisher_left()
        self._tidy(stream.name)

    def _tidy(self, name: str) -> None:
        if self._audiences[name].is_empty:
            del self._audiences[name]
