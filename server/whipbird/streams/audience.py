"""The viewers of a stream, and the selection of encodings for each of them."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..media.encoding import Encoding
from ..media.feed import Feed
from ..media.forwarder import Forwarder
from ..media.track import Track
from ..media.viewer_codecs import is_structure
from ..rtp.history import GopBudget
from ..rtp.packet import RtpPacket
from ..sdp.codecs import NON_INTERLEAVED, Codec
from .events import StreamStatus
from .streams import Stream
from .viewer import Viewer

# Bitrates in events are rounded to this, in bit/s, because each change is an event.
BITRATE_STEP = 10_000


class Audience:
    """The viewers of a stream name, whether it has a publisher or not.

    Args:
        budget: the octets that are kept for new viewers.

    Attributes:
        viewers: the viewers that are connected.
    """

    def __init__(self, budget: GopBudget) -> None:
        self._budget = budget
        self.viewers: set[Viewer] = set()
        self._stream: Stream | None = None
        self._feeds: dict[Encoding, Feed] = {}
        self._now = asyncio.get_running_loop().time

    # Publishers

    def publisher_joined(self, stream: Stream) -> None:
        """Forward what a publisher sends to all viewers."""
        self._stream = stream
        for track in stream.source.tracks:
            track.on_encodings_changed.append(self._update_feeds)
        self._update_feeds()
        self._announce()

    def publisher_left(self) -> None:
        """Stop forwarding; the viewers stay."""
        assert self._stream is not None
        for track in self._stream.source.tracks:
            track.on_encodings_changed.remove(self._update_feeds)
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
        """Add a viewer, and forward to it what is published now and later."""
        self.viewers.add(viewer)
        viewer.egress.on_feedback = lambda: self.update_viewer(viewer)
        viewer.egress.start()
        self._select_feeds(viewer)
        self._announce()

    def leave(self, viewer: Viewer) -> None:
        """Remove a viewer."""
        self.viewers.discard(viewer)
        viewer.egress.stop()
        viewer.close()
        self._announce()

    def update_viewer(self, viewer: Viewer) -> None:
        """Apply a change of a viewer: its estimate, its choice or its event streams."""
        self._select_feeds(viewer)
        if viewer.event_streams:
            viewer.announce(self._status(viewer))

    def broadcast(self, protocol: int, data: bytes) -> None:
        """Send a message to all viewers (see ``Viewer.send_message``)."""
        for viewer in self.viewers:
            viewer.send_message(protocol, data)

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a viewer nor a publisher."""
        return self._stream is None and not self.viewers

    def codecs(self, kind: str) -> tuple[Codec, ...]:
        """The codecs of the encodings received now, of audio or of video.

        The packets tell the packetization mode of H.264, which the offer may leave out.
        """
        is_video = {"audio": False, "video": True}.get(kind)
        feeds = [f for e, f in self._feeds.items() if e.is_video is is_video]
        return tuple(_codec_of(feed) for feed in feeds)

    def current_gop(self, encoding: Encoding) -> list[RtpPacket]:
        """The packets of an encoding since its last key frame; none if not kept."""
        feed = self._feeds.get(encoding)
        return feed.history.current_gop() if feed else []

    def _update_feeds(self) -> None:
        """Add feeds of new encodings, and close those of encodings that have ended."""
        assert self._stream is not None
        feeds: dict[Encoding, Feed] = {}
        for track in self._stream.source.tracks:
            for encoding in track.encodings:
                feed = self._feeds.pop(encoding, None)
                feeds[encoding] = feed or self._new_feed(track, encoding)
        ended, self._feeds = self._feeds, feeds
        for feed in ended.values():
            feed.close()
        for viewer in self.viewers:
            self._select_feeds(viewer)

    def _new_feed(self, track: Track, encoding: Encoding) -> Feed:
        return Feed(encoding, track.extension_map, self._budget)

    def _announce(self) -> None:
        """Send the stream's status to all viewers with event streams."""
        for viewer in self.viewers:
            if viewer.event_streams:
                viewer.announce(self._status(viewer))

    def _status(self, viewer: Viewer) -> StreamStatus:
        layers: dict[str, list[dict[str, Any]]] = {}
        if viewer.video_line is not None:
            layers[str(viewer.video_line)] = self._layers()
        return StreamStatus(self._stream is not None, layers, len(self.viewers))

    def _layers(self) -> list[dict[str, Any]]:
        """The layers of the simulcast for a ``layers`` event, the largest first."""
        rids = self._stream.rids if self._stream is not None else ()
        described = [_describe(rid, self._feeds.values()) for rid in rids]
        described.sort(key=lambda layer: layer.get("width", 0), reverse=True)
        return described

    def _select_feeds(self, viewer: Viewer) -> None:
        for forwarder in viewer.egress.forwarders:
            feeds = self._feeds_for(forwarder)
            if feeds:
                forwarder.watch(viewer.select_feed(forwarder, feeds))
                forwarder.has_smaller = viewer.has_smaller(forwarder, feeds)

    def _feeds_for(self, forwarder: Forwarder) -> list[Feed]:
        """The feeds that a forwarder can forward, without those that are silent."""
        feeds = [
            feed
            for encoding, feed in self._feeds.items()
            if encoding.is_video is (forwarder.kind == "video")
            and forwarder.accepts(encoding.codec)
        ]
        if len(feeds) < 2:
            return feeds
        now = self._now()
        return [feed for feed in feeds if not feed.encoding.is_silent(now)] or feeds


def _codec_of(feed: Feed) -> Codec:
    codec = feed.encoding.codec
    if codec.name != "h264" or codec.packetization_mode == NON_INTERLEAVED:
        return codec
    if not any(map(is_structure, feed.history.current_gop())):
        return codec
    return replace(codec, fmtp=f"{codec.fmtp};packetization-mode={NON_INTERLEAVED}")


def _describe(rid: str, feeds: Iterable[Feed]) -> dict[str, Any]:
    """Describe a layer for a ``layers`` event; it has no bitrate while it is silent."""
    layer: dict[str, Any] = {"rid": rid}
    for feed in feeds:
        if feed.encoding.rid != rid:
            continue
        if feed.encoding.bitrate:
            layer["bitrate"] = round(feed.bitrate / BITRATE_STEP) * BITRATE_STEP
        if (parameters := feed.encoding.parameters) is not None:
            layer["width"], layer["height"] = parameters.width, parameters.height
    return layer


class Audiences:
    """The audiences of a server, by the name of the stream.

    Args:
        gop_budget: the octets that are kept for new viewers.
    """

    def __init__(self, gop_budget: GopBudget) -> None:
        self.gop_budget = gop_budget
        self._audiences: dict[str, Audience] = {}

    def __getitem__(self, name: str) -> Audience:
        """The audience of a stream name, with or without a publisher."""
        if name not in self._audiences:
            self._audiences[name] = Audience(self.gop_budget)
        return self._audiences[name]

    def codecs(self, name: str, kind: str) -> tuple[Codec, ...]:
        """The codecs of the encodings received now, of audio or of video."""
        audience = self._audiences.get(name)
        return audience.codecs(kind) if audience else ()

    def current_gop(self, stream: Stream, encoding: Encoding) -> list[RtpPacket]:
        """The packets of an encoding since its last key frame; none if not kept."""
        audience = self._audiences.get(stream.name)
        return audience.current_gop(encoding) if audience else []

    def count(self, name: str) -> int:
        """The number of viewers of a stream."""
        audience = self._audiences.get(name)
        return len(audience.viewers) if audience else 0

    @property
    def gops_given_up(self) -> int:
        """GOPs so far that were too long to be kept for new viewers."""
        return self.gop_budget.given_up

    @property
    def viewers(self) -> int:
        """The number of viewers of all streams together."""
        return sum(len(audience.viewers) for audience in self._audiences.values())

    def join(self, name: str, viewer: Viewer) -> None:
        """Add a viewer to a stream."""
        self[name].join(viewer)

    def leave(self, name: str, viewer: Viewer) -> None:
        """Remove a viewer from a stream."""
        self[name].leave(viewer)
        self._remove_if_empty(name)

    def update_viewer(self, name: str, viewer: Viewer) -> None:
        """Apply a change of a viewer, if it has joined already."""
        if viewer in self[name].viewers:
            self[name].update_viewer(viewer)
        self._remove_if_empty(name)

    def broadcast(self, name: str, protocol: int, data: bytes) -> None:
        """Send a message to all viewers of a stream."""
        if audience := self._audiences.get(name):
            audience.broadcast(protocol, data)

    def publisher_joined(self, stream: Stream) -> None:
        """Forward a stream that has a publisher now to its viewers."""
        self[stream.name].publisher_joined(stream)

    def publisher_left(self, stream: Stream) -> None:
        """Stop forwarding a stream that has no publisher any more."""
        self[stream.name].publisher_left()
        self._remove_if_empty(stream.name)

    def _remove_if_empty(self, name: str) -> None:
        if self._audiences[name].is_empty:
            del self._audiences[name]
