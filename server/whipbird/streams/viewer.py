"""A viewer of a stream."""

import asyncio
import secrets
from collections.abc import Collection, Iterable

from ..media.feed import Feed
from ..media.forwarder import Forwarder
from ..rtc import Peer
from .events import EventStream, StreamStatus
from .layer_choice import LayerChoice
from .layer_selector import LayerSelector

# The label of the data channels whose messages are broadcast to viewers.
BROADCAST = "broadcast"

# Octets of messages queued for a viewer; beyond it, further messages are dropped.
MAX_WAITING = 1024 * 1024

# Event streams per viewer, at most.
MAX_EVENT_STREAMS = 4
# Octets of randomness in an event stream's name: knowing it grants access.
_ID_OCTETS = 16


class TooManyEventStreams(Exception):  # noqa: N818 - a state, not a fault
    """A viewer has ``MAX_EVENT_STREAMS`` event streams already."""


class Viewer:
    """A viewer of a stream.

    Args:
        peer: our end of its connection, which has media.
        choice: the layers that it has chosen.
        video_line: the index of its video section in the SDP; None without video.

    Attributes:
        egress: sends media to it.
        event_streams: its event streams by name; a name is known only to the viewer.
        messages_dropped: messages dropped because its queue was full.
        event_streams_refused: event streams that were more than it may have.
    """

    def __init__(
        self,
        peer: Peer,
        choice: LayerChoice | None = None,
        video_line: int | None = None,
    ) -> None:
        assert peer.egress is not None
        self.egress = peer.egress
        self.choice = choice or LayerChoice()
        self.video_line = video_line
        self.event_streams: dict[str, EventStream] = {}
        self.messages_dropped = self.event_streams_refused = 0
        self._peer = peer
        self._layer_selector: LayerSelector[Feed] = LayerSelector()
        self._now = asyncio.get_running_loop().time
        # Only if its offer has data channels: a new section would need another offer.
        self._channel = peer.createDataChannel(BROADCAST) if peer.sctp else None

    def select_feed(self, forwarder: Forwarder, feeds: Iterable[Feed]) -> Feed:
        """Select the largest chosen layer that fits the viewer's bandwidth.

        Args:
            forwarder: will forward the feed.
            feeds: the feeds that it can forward; one at least.
        """
        by_size = sorted(feeds, key=_size)
        if len(by_size) == 1:
            return by_size[0]
        return self._layer_selector.choose(
            [(feed, feed.bitrate) for feed in self.choice.among(by_size)],
            sent=forwarder.feed,
            estimate=self.egress.available_to(forwarder),
            lost=forwarder.fraction_lost,
            now=self._now(),
        )

    def has_smaller(self, forwarder: Forwarder, feeds: Iterable[Feed]) -> bool:
        """Whether a smaller layer can be selected than the one that is forwarded.

        Args:
            feeds: the feeds that the forwarder can forward; one at least.
        """
        chosen = self.choice.among(sorted(feeds, key=_size))
        return forwarder.feed not in (None, chosen[0])

    def send_message(self, protocol: int, data: bytes) -> None:
        """Send a message on the broadcast channel; drop it if the queue is full.

        Args:
            protocol: the SCTP payload protocol identifier: text or binary.
        """
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return
        if channel.bufferedAmount > MAX_WAITING:
            self.messages_dropped += 1
        else:
            self._peer.send_message(channel, protocol, data)

    def open_events(self, types: Collection[str]) -> str:
        """Open an event stream for some types of events.

        Returns:
            The name of the event stream.

        Raises:
            TooManyEventStreams: when there are ``MAX_EVENT_STREAMS`` already.
        """
        if len(self.event_streams) >= MAX_EVENT_STREAMS:
            self.event_streams_refused += 1
            raise TooManyEventStreams
        name = secrets.token_urlsafe(_ID_OCTETS)
        self.event_streams[name] = EventStream(types)
        return name

    def close_events(self, name: str) -> None:
        """Close an event stream."""
        self.event_streams.pop(name).close()

    def announce(self, status: StreamStatus) -> None:
        """Pass the stream's status to the event streams."""
        for events in self.event_streams.values():
            events.update(status)

    def close(self) -> None:
        """Close all event streams."""
        for name in tuple(self.event_streams):
            self.close_events(name)


def _size(feed: Feed) -> tuple[int, float]:
    parameters = feed.encoding.parameters
    pixels = 0 if parameters is None else parameters.width * parameters.height
    return pixels, feed.bitrate
