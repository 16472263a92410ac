"""Who watches a stream, and what each of them is sent."""

from collections.abc import Callable, Iterable

from ..rtc import Egress, Feed, Forwarder, Layer
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

    Args:
        on_empty: called when there is neither a viewer nor a publisher any more.
    """

    def __init__(self, on_empty: Callable[[], None]) -> None:
        self.viewers: set[Viewer] = set()
        self._on_empty = on_empty
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
        self._check()

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
        self._check()

    def _check(self) -> None:
        if self._stream is None and not self.viewers:
            self._on_empty()

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
