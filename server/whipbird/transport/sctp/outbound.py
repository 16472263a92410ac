"""What is sent: messages, and the chunks of which they are made."""

from .channel import DataChannel

# States of a chunk.
IN_FLIGHT = 0
LOST = 1
ACKNOWLEDGED = 2
ABANDONED = 3


class OutboundMessage:
    """A message to be sent.

    Args:
        channel: its channel.
        protocol: its payload protocol id.
        data: its octets.

    Attributes:
        stream_id: its stream.
        position: octets that are chunks already.
        counts: its octets count into the buffered amount of its channel.
        ordered: it is delivered in order.
        sequence: its stream sequence number, when it is ordered and has one yet.
        lifetime: seconds for which it is transmitted; None without an end.
        expiry: when that ends.
        max_retransmits: how often a chunk is retransmitted; None without an end.
        chunks: its chunks, when there is such a limit.
        is_abandoned: it was given up.
    """

    __slots__ = (
        "channel",
        "chunks",
        "counts",
        "data",
        "expiry",
        "is_abandoned",
        "lifetime",
        "max_retransmits",
        "ordered",
        "position",
        "protocol",
        "sequence",
        "stream_id",
    )

    def __init__(self, channel: DataChannel, protocol: int, data: bytes) -> None:
        self.channel = channel
        self.stream_id = channel.id
        self.protocol = protocol
        self.data = data
        self.position = 0
        self.counts = False
        self.ordered = True
        self.sequence: int | None = None
        self.lifetime: float | None = None
        self.expiry: float | None = None
        self.max_retransmits: int | None = None
        self.chunks: list[OutboundChunk] | None = None
        self.is_abandoned = False

    def has_expired(self, now: float) -> bool:
        """Whether its lifetime is over."""
        return self.expiry is not None and self.expiry < now


class OutboundChunk:
    """A DATA chunk with a TSN.

    Args:
        tsn: its TSN, without a wrap.
        octets: the chunk, whole.
        size: octets of user data in it.
        message: the message to which it belongs.

    Attributes:
        state: IN_FLIGHT, LOST, ACKNOWLEDGED or ABANDONED.
        order: its place among all transmissions of chunks, of the last one.
        sent_at: when it was first sent.
        transmissions: how often it was sent.
        misses: how often it was reported missing since.
    """

    __slots__ = (
        "message",
        "misses",
        "octets",
        "order",
        "sent_at",
        "size",
        "state",
        "transmissions",
        "tsn",
    )

    def __init__(
        self, tsn: int, octets: bytes, size: int, message: OutboundMessage
    ) -> None:
        self.tsn = tsn
        self.octets = octets
        self.size = size
        self.message = message
        self.state = IN_FLIGHT
        self.order = 0
        self.sent_at = 0.0
        self.transmissions = 0
        self.misses = 0
