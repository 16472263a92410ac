"""One who watches a stream."""

import asyncio
import secrets
from collections.abc import Collection, Iterable

from ..rtc import Feed, Forwarder, Peer
from .events import EventStream, Situation
from .layer_choice import LayerChoice
from .selection import Selection

# The label of the data channels on which a publisher's messages go to viewers.
BROADCAST = "broadcast"

# Octets of messages that may wait for a viewer: beyond it further ones are left out.
MAX_WAITING = 1024 * 1024

# Streams of events that a viewer may have.
MAX_EVENT_STREAMS = 4
# Its name is as good as a token.
_ID_OCTETS = 16


class TooManyEventStreams(Exception):  # noqa: N818 - a state, not a fault
    """A viewer has as many as it may have."""


class Viewer:
    """One who watches.

    Args:
        peer: the end of its connection, which has media.
        choice: which layers it will have.
        video_line: the index of its video section in the SDP; None without any.

    Attributes:
        egress: what is sent.
        event_streams: by the names that are known to the viewer alone.
        messages_dropped: how many messages it was too slow for.
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
        self.messages_dropped = 0
        self._peer = peer
        self._selection: Selection[Feed] = Selection()
        self._now = asyncio.get_running_loop().time
        # Where none were offered, it would need another offer.
        self._channel = peer.createDataChannel(BROADCAST) if peer.sctp else None

    def choose(self, forwarder: Forwarder, feeds: Iterable[Feed]) -> Feed:
        """The largest layer of those asked for that the viewer can take.

        Args:
            forwarder: what will send it.
            feeds: those that can be sent; one at least.
        """
        by_size = sorted(feeds, key=_size)
        if len(by_size) == 1:
            return by_size[0]
        estimate = self.egress.estimate
        if estimate is not None:
            # It is one for all that is sent.
            estimate -= round(
                sum(
                    other.feed.bitrate
                    for other in self.egress.forwarders
                    if other is not forwarder and other.feed is not None
                )
            )
        return self._selection.choose(
            [(feed, feed.bitrate) for feed in self.choice.among(by_size)],
            sent=forwarder.feed,
            estimate=estimate,
            lost=forwarder.fraction_lost,
            now=self._now(),
        )

    def tell(self, protocol: int, data: bytes) -> None:
        """Send a message, if there is a channel and it is not too far behind.

        Args:
            protocol: the payload protocol id, which tells text from binary.
        """
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return
        if channel.bufferedAmount > MAX_WAITING:
            self.messages_dropped += 1
        else:
            self._peer.send_message(channel, protocol, data)

    def open_events(self, types: Collection[str]) -> str:
        """Keep events of some types from now on.

        Returns:
            The name of the event stream.

        Raises:
            TooManyEventStreams: when there are as many as there may be.
        """
        if len(self.event_streams) >= MAX_EVENT_STREAMS:
            raise TooManyEventStreams
        name = secrets.token_urlsafe(_ID_OCTETS)
        self.event_streams[name] = EventStream(types)
        return name

    def close_events(self, name: str) -> None:
        """Keep no more of them."""
        self.event_streams.pop(name).close()

    def announce(self, situation: Situation) -> None:
        """Say how it is with the stream."""
        for events in self.event_streams.values():
            events.tell(situation)

    def close(self) -> None:
        """It has gone."""
        for name in tuple(self.event_streams):
            self.close_events(name)


def _size(feed: Feed) -> tuple[int, float]:
    parameters = feed.layer.parameters
    pixels = 0 if parameters is None else parameters.width * parameters.height
    return pixels, feed.bitrate
