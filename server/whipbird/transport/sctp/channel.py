"""A data channel (RFC 8831), as its association knows it."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .outbound import OutboundMessage


class ChannelState(Enum):
    """The state of a data channel, by the names of the W3C."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ChannelOptions:
    """How a channel is to be.

    Attributes:
        label: a name, not unique.
        protocol: the name of a subprotocol.
        ordered: messages are delivered in the order in which they were sent.
        max_retransmits: how often a lost chunk is retransmitted at most.
        max_packet_life_time: milliseconds for which a message is transmitted at most.
            Only one of the two limits can be set.
        negotiated: the peer knows of the channel by other means.
        id: the stream to use. A negotiated channel must have one; for others the
            association chooses one when there is none.
    """

    label: str = ""
    protocol: str = ""
    ordered: bool = True
    max_retransmits: int | None = None
    max_packet_life_time: int | None = None
    negotiated: bool = False
    id: int | None = None


class DataChannel:
    """A data channel. Its association alone changes it.

    Args:
        options: how it is to be.
        stream_id: its stream.

    Attributes:
        id: its stream, in both directions.
        state: whether it can be used.
        buffered_amount: octets of messages that have not been made into packets yet.
        face: free for the layer above.
        queued: of the association: messages that are not yet chunks.
        held: of the association: messages that wait until the stream, which an older
            channel used, has been reset; None when they need not wait.
        successor: of the association: the channel that waits for this one.
        inbound_reset: of the association: the peer has reset its direction.
        outbound_reset: of the association: this side has reset its direction.
    """

    __slots__ = (
        "buffered_amount",
        "face",
        "held",
        "id",
        "inbound_reset",
        "label",
        "max_packet_life_time",
        "max_retransmits",
        "negotiated",
        "ordered",
        "outbound_reset",
        "protocol",
        "queued",
        "state",
        "successor",
    )

    def __init__(self, options: ChannelOptions, stream_id: int) -> None:
        self.id: int = stream_id
        self.label = options.label
        self.protocol = options.protocol
        self.ordered = options.ordered
        self.max_retransmits = options.max_retransmits
        self.max_packet_life_time = options.max_packet_life_time
        self.negotiated = options.negotiated
        self.state = ChannelState.CONNECTING
        self.buffered_amount = 0
        self.face: object | None = None
        self.queued = 0
        self.held: list[OutboundMessage] | None = None
        self.successor: DataChannel | None = None
        self.inbound_reset = False
        self.outbound_reset = False
