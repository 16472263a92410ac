"""One who watches a stream."""

import asyncio
from collections.abc import Iterable

from ..rtc import Feed, Forwarder, Peer
from .selection import Selection

# The label of the data channels on which a publisher's messages go to viewers.
BROADCAST = "broadcast"

# Octets of messages that may wait for a viewer: beyond it further ones are left out.
MAX_WAITING = 1024 * 1024


class Viewer:
    """One who watches.

    Args:
        peer: the end of its connection, which has media.
        rid: the layer that was asked for; None for the best that the viewer can take.

    Attributes:
        egress: what is sent.
        messages_dropped: how many messages it was too slow for.
    """

    def __init__(self, peer: Peer, rid: str | None = None) -> None:
        assert peer.egress is not None
        self.egress = peer.egress
        self.messages_dropped = 0
        self._peer = peer
        self._rid = rid
        self._selection: Selection[Feed] = Selection()
        self._now = asyncio.get_running_loop().time
        # Where none were offered, it would need another offer.
        self._channel = peer.createDataChannel(BROADCAST) if peer.sctp else None

    def choose(self, forwarder: Forwarder, feeds: Iterable[Feed]) -> Feed:
        """The layer that was asked for, or else the largest that the viewer can take.

        Args:
            forwarder: what will send it.
            feeds: those that can be sent; one at least.
        """
        by_size = sorted(feeds, key=_size)
        if len(by_size) == 1:
            return by_size[0]
        for feed in by_size:
            if self._rid is not None and feed.layer.rid == self._rid:
                return feed
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
            [(feed, feed.bitrate) for feed in by_size],
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


def _size(feed: Feed) -> tuple[int, float]:
    parameters = feed.layer.parameters
    pixels = 0 if parameters is None else parameters.width * parameters.height
    return pixels, feed.bitrate
