"""The viewers of a stream, and the selection of encodings for each of them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ..media.encoding import Encoding
from ..media.feed import Feed
from ..media.forwarder import Forwarder
from ..media.report_rounds import ReportRounds, SendReports
from ..media.track import Track
from ..media.transport import FanOut
from ..media.viewer_codecs import is_structure
from ..rtp.history import GopBudget
from ..rtp.packet import RtpPacket
from ..sdp.codecs import NON_INTERLEAVED, Codec
from .chat import Chats
from .events import StreamStatus
from .layer_choice import LayerChoice, combined
from .streams import Stream
from .viewer import Viewer

# Bitrates in events are rounded to this, in bit/s, because each change is an event.
BITRATE_STEP = 10_000


class Relay(Protocol):
    """Passes a stream on to another worker of this server, for its viewers there.

    Attributes:
        viewers: how many are connected there.
        choice: the layers that are enough for them.
    """

    viewers: int
    choice: LayerChoice

    def publisher_joined(self, stream: Stream) -> None:
        """Pass on what is published from now on; its feeds follow."""

    def publisher_left(self) -> None:
        """Pass on that nothing is published any more."""

    def feeds_changed(self, feeds: Mapping[Encoding, Feed]) -> None:
        """Pass on these feeds, and no others."""

    def send_message(self, protocol: int, data: bytes) -> None:
        """Pass on a message for all viewers (see ``Viewer.send_message``)."""

    def announce(self, viewers: int, upstream: Mapping[str, Any] | None) -> None:
        """Pass on what events tell (see ``StreamStatus``)."""


class Audience:
    """The viewers of a stream name, whether it has a publisher or not.

    Args:
        budget: the octets that are kept for new viewers.
        upstream: see ``StreamStatus``.
        fan_out: see ``Feed``.
        rounds: of the sender reports of the process.

    Attributes:
        viewers: the viewers that are connected to this worker.
        relays: pass the stream on to other workers.
        elsewhere: viewers that the worker has that passes the stream on to this one,
            and others.
    """

    def __init__(
        self,
        budget: GopBudget,
        fan_out: FanOut | None = None,
        upstream: Mapping[str, Any] | None = None,
        rounds: ReportRounds | None = None,
    ) -> None:
        self._rounds = rounds or ReportRounds()
        self._budget = budget
        self._fan_out = fan_out
        self._upstream = upstream
        self.viewers: set[Viewer] = set()
        self.relays: set[Relay] = set()
        self.elsewhere = 0
        self._stream: Stream | None = None
        self._feeds: dict[Encoding, Feed] = {}
        self._now = asyncio.get_running_loop().time

    # Publishers

    def publisher_joined(self, stream: Stream) -> None:
        """Forward what a publisher sends to all viewers."""
        self._stream = stream
        for relay in self.relays:
            relay.publisher_joined(stream)
        for track in stream.source.tracks:
            track.on_encodings_changed.append(self._update_feeds)
        self._update_feeds()
        self.announce()

    def publisher_left(self) -> None:
        """Stop forwarding; the viewers stay."""
        assert self._stream is not None
        for track in self._stream.source.tracks:
            track.on_encodings_changed.remove(self._update_feeds)
        self._stream = None
        for relay in self.relays:
            relay.publisher_left()
        for viewer in self.viewers:
            for forwarder in viewer.egress.forwarders:
                forwarder.leave()
        for feed in self._feeds.values():
            feed.close()
        self._feeds.clear()
        self.announce()

    # Viewers

    def join(self, viewer: Viewer) -> None:
        """Add a viewer, and forward to it what is published now and later."""
        self.viewers.add(viewer)
        viewer.egress.on_feedback = lambda: self.update_viewer(viewer)
        viewer.egress.start(self._rounds)
        self._select_feeds(viewer)
        self.announce()

    def leave(self, viewer: Viewer) -> None:
        """Remove a viewer."""
        self.viewers.discard(viewer)
        viewer.egress.stop()
        viewer.close()
        self.announce()

    def add_relay(self, relay: Relay) -> None:
        """Pass on what is published now and later."""
        self.relays.add(relay)
        if self._stream is not None:
            relay.publisher_joined(self._stream)
            relay.feeds_changed(self._feeds)
        self.announce()

    def remove_relay(self, relay: Relay) -> None:
        """Pass on nothing any more."""
        self.relays.discard(relay)
        self.announce()

    @property
    def count(self) -> int:
        """The number of viewers, those of other workers included."""
        relayed = sum(relay.viewers for relay in self.relays)
        return len(self.viewers) + relayed + self.elsewhere

    def update_viewer(self, viewer: Viewer) -> None:
        """Apply a change of a viewer: its estimate, its choice or its event streams."""
        self._select_feeds(viewer)
        if viewer.event_streams:
            viewer.announce(self._status(viewer))

    def upstream_changed(self, upstream: Mapping[str, Any] | None) -> None:
        """Tell the viewers of a change in where the stream comes from."""
        self._upstream = upstream
        self.announce()

    @property
    def choice(self) -> LayerChoice:
        """The layers that are enough for all viewers."""
        relayed = (relay.choice for relay in self.relays if relay.viewers)
        return combined((*(viewer.choice for viewer in self.viewers), *relayed))

    def broadcast(self, protocol: int, data: bytes) -> None:
        """Send a message to all viewers (see ``Viewer.send_message``)."""
        for viewer in self.viewers:
            viewer.send_message(protocol, data)
        for relay in self.relays:
            relay.send_message(protocol, data)

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a viewer nor a publisher."""
        return self._stream is None and not self.viewers and not self.relays

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
        for relay in self.relays:
            relay.feeds_changed(feeds)
        for feed in ended.values():
            feed.close()
        for viewer in self.viewers:
            self._select_feeds(viewer)

    def _new_feed(self, track: Track, encoding: Encoding) -> Feed:
        return Feed(encoding, track.extension_map, self._budget, self._fan_out)

    def announce(self) -> None:
        """Send the stream's status to all viewers with event streams."""
        for viewer in self.viewers:
            if viewer.event_streams:
                viewer.announce(self._status(viewer))
        for relay in self.relays:
            relay.announce(self.count, self._upstream)

    def _status(self, viewer: Viewer) -> StreamStatus:
        layers: dict[str, Sequence[Mapping[str, Any]]] = {}
        if viewer.video_line is not None:
            layers[str(viewer.video_line)] = self._layers()
        return StreamStatus(
            self._stream is not None, layers, self.count, self._upstream
        )

    def _layers(self) -> Sequence[Mapping[str, Any]]:
        """The layers of the simulcast for a ``layers`` event, the largest first."""
        if self._stream is not None and self._stream.layers is not None:
            return self._stream.layers
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
        chat: whether a stream has a chat.
        fan_out: see ``Feed``.
        send_reports: see ``ReportRounds``.

    Attributes:
        chats: what they and the publishers write.
        on_choice: called with the name of a stream when its viewers, or the layers that
            they have chosen, may have changed; those of other workers included.
    """

    def __init__(
        self,
        gop_budget: GopBudget,
        chat: Callable[[str], bool] = lambda _: False,
        fan_out: FanOut | None = None,
        send_reports: SendReports | None = None,
    ) -> None:
        self.gop_budget = gop_budget
        self.on_choice: list[Callable[[str], None]] = []
        self._fan_out = fan_out
        self._rounds = ReportRounds(send_reports)
        self._audiences: dict[str, Audience] = {}
        self.chats = Chats(chat, self._audiences.__contains__)
        # Of streams that come from another server: see ``StreamStatus``.
        self._upstreams: dict[str, Mapping[str, Any]] = {}
        # Of streams that other workers pass on: see ``Audience``.
        self._elsewhere: dict[str, int] = {}

    def __getitem__(self, name: str) -> Audience:
        """The audience of a stream name, with or without a publisher."""
        if name not in self._audiences:
            upstream = self._upstreams.get(name)
            made = Audience(self.gop_budget, self._fan_out, upstream, self._rounds)
            made.elsewhere = self._elsewhere.get(name, 0)
            self._audiences[name] = made
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
        """The number of viewers of a stream, those of other workers included."""
        audience = self._audiences.get(name)
        return audience.count if audience else 0

    def count_here(self, name: str) -> int:
        """The number of viewers of a stream that are connected to this worker."""
        audience = self._audiences.get(name)
        return len(audience.viewers) if audience else 0

    @property
    def gops_given_up(self) -> int:
        """GOPs so far that were too long to be kept for new viewers."""
        return self.gop_budget.given_up

    @property
    def viewers(self) -> int:
        """The number of viewers of all streams that are connected to this worker."""
        return sum(len(audience.viewers) for audience in self._audiences.values())

    def join(self, name: str, viewer: Viewer) -> None:
        """Add a viewer to a stream."""
        self[name].join(viewer)
        self._choice_changed(name)

    def leave(self, name: str, viewer: Viewer) -> None:
        """Remove a viewer from a stream."""
        self[name].leave(viewer)
        self._remove_if_empty(name)
        self._choice_changed(name)

    def update_viewer(self, name: str, viewer: Viewer) -> None:
        """Apply a change of a viewer, if it has joined already."""
        if viewer in self[name].viewers:
            self[name].update_viewer(viewer)
        self._remove_if_empty(name)
        self._choice_changed(name)

    # Other workers

    def add_relay(self, name: str, relay: Relay) -> None:
        """Pass a stream on to another worker."""
        self[name].add_relay(relay)

    def remove_relay(self, name: str, relay: Relay) -> None:
        """Pass it on no longer."""
        self[name].remove_relay(relay)
        self._remove_if_empty(name)
        self._choice_changed(name)

    def relay_changed(self, name: str) -> None:
        """Take note of the viewers that another worker has, and of their choice."""
        self[name].announce()
        self._choice_changed(name)

    def set_elsewhere(self, name: str, viewers: int) -> None:
        """Note how many viewers a stream has that is passed on to this worker, beside
        those here.
        """
        if viewers:
            self._elsewhere[name] = viewers
        else:
            self._elsewhere.pop(name, None)
        audience = self._audiences.get(name)
        if audience is not None and audience.elsewhere != viewers:
            audience.elsewhere = viewers
            audience.announce()

    def choice(self, name: str) -> LayerChoice:
        """The layers that are enough for all viewers of a stream."""
        audience = self._audiences.get(name)
        return audience.choice if audience else LayerChoice()

    def set_upstream(self, name: str, upstream: Mapping[str, Any] | None) -> None:
        """Note, and tell the viewers, where a stream comes from.

        Args:
            upstream: see ``StreamStatus``; None when it is not pulled any more.
        """
        if upstream is None:
            self._upstreams.pop(name, None)
        else:
            self._upstreams[name] = upstream
        if audience := self._audiences.get(name):
            audience.upstream_changed(upstream)

    def announce(self, name: str) -> None:
        """Tell the viewers of a stream of a change in what is said of it."""
        if audience := self._audiences.get(name):
            audience.announce()

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

    def _choice_changed(self, name: str) -> None:
        for changed in self.on_choice:
            changed(name)

    def _remove_if_empty(self, name: str) -> None:
        if self._audiences[name].is_empty:
            del self._audiences[name]
            self.chats.close_unused(name)
