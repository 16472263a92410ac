"""Who watches a stream, and what each of them is sent."""

import asyncio
from collections.abc import Iterable
from typing import Any

from ..rtc import Feed, Forwarder, Layer
from ..rtp.packet import RtpPacket
from ..sdp.codecs import Codec
from .events import Situation
from .streams import Stream
from .viewer import Viewer

# To which bitrates are rounded in events, in bit/s: each change is an event.
BITRATE_STEP = 10_000

# Seconds without a packet after which a layer is not sent any more.
SILENCE = 1.0


class Audience:
    """The viewers of a name: with a publisher, before it comes and after it has gone.

    Attributes:
        viewers: who watches.
    """

    def __init__(self) -> None:
        self.viewers: set[Viewer] = set()
        self._stream: Stream | None = None
        self._feeds: dict[Layer, Feed] = {}
        self._now = asyncio.get_running_loop().time

    # Publishers

    def publisher_came(self, stream: Stream) -> None:
        """Give everybody what it publishes."""
        self._stream = stream
        for receiver in stream.peer.receivers:
            receiver.on_layers.append(self._update)
        self._update()
        self._announce()

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
        self._announce()

    # Viewers

    def join(self, viewer: Viewer) -> None:
        """Send a viewer what is published, now and later."""
        self.viewers.add(viewer)
        viewer.egress.on_news = lambda: self.reconsider(viewer)
        viewer.egress.start()
        self._serve(viewer)
        self._announce()

    def leave(self, viewer: Viewer) -> None:
        """Send it nothing more."""
        self.viewers.discard(viewer)
        viewer.egress.stop()
        viewer.close()
        self._announce()

    def reconsider(self, viewer: Viewer) -> None:
        """Something is new of a viewer that watches: its network, or what it wants."""
        self._serve(viewer)
        if viewer.event_streams:
            viewer.announce(self._situation(viewer))

    def tell(self, protocol: int, data: bytes) -> None:
        """Send all viewers a message (see ``Viewer.tell``)."""
        for viewer in self.viewers:
            viewer.tell(protocol, data)

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a viewer nor a publisher."""
        return self._stream is None and not self.viewers

    def codecs(self, kind: str) -> tuple[Codec, ...]:
        """What is published now, of audio or video."""
        is_video = kind == "video"
        layers = [layer for layer in self._feeds if layer.is_video is is_video]
        return tuple(layer.codec for layer in layers)

    def group(self, layer: Layer) -> list[RtpPacket]:
        """What came of a layer since its last key frame, as far as it is kept."""
        feed = self._feeds.get(layer)
        return feed.history.group() if feed else []

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

    def _announce(self) -> None:
        """Tell those who want to know."""
        for viewer in self.viewers:
            if viewer.event_streams:
                viewer.announce(self._situation(viewer))

    def _situation(self, viewer: Viewer) -> Situation:
        layers: dict[str, list[dict[str, Any]]] = {}
        if viewer.video_line is not None:
            layers[str(viewer.video_line)] = self._layers()
        return Situation(self._stream is not None, layers, len(self.viewers))

    def _layers(self) -> list[dict[str, Any]]:
        """The layers of the simulcast as an event has them, the largest first."""
        rids = self._stream.rids if self._stream is not None else ()
        described = [_describe(rid, self._feeds.values()) for rid in rids]
        described.sort(key=lambda layer: layer.get("width", 0), reverse=True)
        return described

    def _serve(self, viewer: Viewer) -> None:
        for forwarder in viewer.egress.forwarders:
            feeds = self._feeds_for(forwarder)
            if feeds:
                forwarder.watch(viewer.choose(forwarder, feeds))

    def _feeds_for(self, forwarder: Forwarder) -> list[Feed]:
        """What a viewer can be sent in one section, without what has fallen silent."""
        feeds = [
            feed
            for layer, feed in self._feeds.items()
            if layer.is_video is (forwarder.kind == "video")
            and forwarder.takes(layer.codec)
        ]
        if len(feeds) < 2:
            return feeds
        newest = max(feed.layer.heard_at for feed in feeds)
        since = min(self._now(), newest + SILENCE) - SILENCE
        heard = [feed for feed in feeds if feed.layer.heard_at >= since]
        # Without simulcast, another source is the same encoder, started again.
        return [f for f in heard if f.layer.rid is not None] or heard[-1:]


def _describe(rid: str, feeds: Iterable[Feed]) -> dict[str, Any]:
    """A layer; it has no bitrate while nothing comes of it."""
    layer: dict[str, Any] = {"rid": rid}
    for feed in feeds:
        if feed.layer.rid != rid:
            continue
        if feed.layer.bitrate:
            layer["bitrate"] = round(feed.bitrate / BITRATE_STEP) * BITRATE_STEP
        if (parameters := feed.layer.parameters) is not None:
            layer["width"], layer["height"] = parameters.width, parameters.height
    return layer


class Audiences:
    """The audiences of a server, by the name of the stream."""

    def __init__(self) -> None:
        self._audiences: dict[str, Audience] = {}

    def __getitem__(self, name: str) -> Audience:
        """The audience of a name, whether anybody publishes it or not."""
        if name not in self._audiences:
            self._audiences[name] = Audience()
        return self._audiences[name]

    def codecs(self, name: str, kind: str) -> tuple[Codec, ...]:
        """What is published now, of audio or video, as far as packets have come."""
        audience = self._audiences.get(name)
        return audience.codecs(kind) if audience else ()

    def group(self, stream: Stream, layer: Layer) -> list[RtpPacket]:
        """What came of a layer since its last key frame, as far as it is kept."""
        audience = self._audiences.get(stream.name)
        return audience.group(layer) if audience else []

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

    def reconsider(self, name: str, viewer: Viewer) -> None:
        """A viewer wants something else, if it watches already."""
        if viewer in self[name].viewers:
            self[name].reconsider(viewer)
        self._tidy(name)

    def tell(self, name: str, protocol: int, data: bytes) -> None:
        """Send all viewers of a stream a message."""
        if audience := self._audiences.get(name):
            audience.tell(protocol, data)

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
