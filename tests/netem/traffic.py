"""Messages between two virtual peers, and whether channels keep their promises.

What is received is checked at once: an assertion fails in the event that breaks the
promise. What is sent is checked before it is encrypted: `LimitCheck`.
"""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

from tests.netem.peer import MAX_MESSAGE_SIZE, VirtualPeer
from whipbird.transport.sctp import ChannelOptions, ChannelState, DataChannel

BINARY = 53
STRING = 51

# At the beginning of each message: its flow's key, its index, its size.
_HEADER = struct.Struct("!LLL")
HEADER_SIZE = _HEADER.size
_FILLER = bytes(range(256)) * (MAX_MESSAGE_SIZE // 256 + 2)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of channel (RFC 8831 section 6.4).

    Attributes:
        name: for messages of failures.
        max_packet_life_time: in milliseconds.
    """

    name: str
    ordered: bool = True
    max_retransmits: int | None = None
    max_packet_life_time: int | None = None
    negotiated: bool = False

    @property
    def is_reliable(self) -> bool:
        """Whether every message is to be delivered."""
        return self.max_retransmits is None and self.max_packet_life_time is None

    def options(self, label: str, stream: int | None) -> ChannelOptions:
        """Options to open a channel with."""
        return ChannelOptions(
            label=label,
            ordered=self.ordered,
            max_retransmits=self.max_retransmits,
            max_packet_life_time=self.max_packet_life_time,
            negotiated=self.negotiated,
            id=stream if self.negotiated else None,
        )


RELIABLE = Kind("reliable")
KINDS = (
    RELIABLE,
    Kind("reliable unordered", ordered=False),
    Kind("no retransmits", ordered=False, max_retransmits=0),
    Kind("no retransmits, ordered", max_retransmits=0),
    Kind("two retransmits", max_retransmits=2),
    Kind("life time", max_packet_life_time=300),
    Kind("life time, unordered", ordered=False, max_packet_life_time=1000),
    Kind("negotiated", negotiated=True),
    Kind("negotiated, unordered, one retransmit", False, 1, None, True),
)


class Flow:
    """The messages of one channel in one direction.

    Attributes:
        sent_at: when each message was sent.
        received: indexes of messages, in the order in which they came.
    """

    def __init__(self, kind: Kind, sender: VirtualPeer, key: int) -> None:
        self.kind = kind
        self.sender = sender
        self.key = key
        self.channel: DataChannel | None = None
        self.sent_at: list[float] = []
        self.received: list[int] = []
        self._seen: set[int] = set()
        self._sizes: list[int] = []

    def __str__(self) -> str:
        return f'"{self.kind.name}" from {self.sender.name}'

    @property
    def is_open(self) -> bool:
        """Whether the channel is open at the sender."""
        channel = self.channel
        return channel is not None and channel.state is ChannelState.OPEN

    @property
    def can_send(self) -> bool:
        """Whether its sender can send now: its process may be stopped."""
        return self.is_open and not self.sender.host.is_suspended

    @property
    def is_complete(self) -> bool:
        """Whether all that was sent has come."""
        return len(self.received) == len(self._sizes)

    def send(self, size: int) -> None:
        """Send a message of a size, no smaller than `HEADER_SIZE`.

        It is sent when the sender's process goes on, if that is stopped.
        """
        self.sender.host.run(self._send, size)

    def _send(self, size: int) -> None:
        assert self.channel is not None
        index = len(self._sizes)
        self._sizes.append(size)
        self.sent_at.append(self.sender.now)
        data = self._message(index)
        protocol = STRING if index & 1 else BINARY
        assert self.sender.send_message(self.channel, protocol, data), self

    def receive(self, protocol: int, data: bytes) -> None:
        """Check a message that has come."""
        key, index, size = _HEADER.unpack_from(data)
        assert key == self.key, f"{self}: a message of another channel"
        assert size == len(data), f"{self}: {len(data)} octets instead of {size}"
        assert index < len(self._sizes), f"{self}: a message that was not sent"
        assert data == self._message(index), f"{self}: message {index} is not the same"
        assert protocol == (STRING if index & 1 else BINARY), f"{self}: protocol"
        assert index not in self._seen, f"{self}: message {index} came twice"
        if self.kind.ordered:
            last = self.received[-1] if self.received else -1
            assert index > last, f"{self}: {index} came after {last}"
            if self.kind.is_reliable:
                assert index == last + 1, f"{self}: {last + 1} is missing"
        self._seen.add(index)
        self.received.append(index)

    def _message(self, index: int) -> bytes:
        size = self._sizes[index]
        begin = index & 255
        filler = _FILLER[begin : begin + size - HEADER_SIZE]
        return _HEADER.pack(self.key, index, size) + filler


class Conversation:
    """A channel, with a flow in each direction.

    Attributes:
        there: from the peer that opens the channel.
        back: from the other one, once the channel is open there.
    """

    def __init__(self, kind: Kind, there: Flow, back: Flow) -> None:
        self.kind = kind
        self.there = there
        self.back = back
        self.closed_by: VirtualPeer | None = None

    @property
    def flows(self) -> tuple[Flow, Flow]:
        """Both."""
        return self.there, self.back

    def close(self, by_opener: bool) -> None:
        """Close the channel from one side."""
        flow = self.there if by_opener else self.back
        assert not flow.sender.host.is_suspended, "a stopped process does nothing"
        assert flow.channel is not None
        self.closed_by = flow.sender
        flow.sender.sctp.close_channel(flow.channel)
        flow.sender.changed()

    @property
    def is_closed(self) -> bool:
        """Whether the channel is closed on both sides."""
        return all(
            flow.channel is not None and flow.channel.state is ChannelState.CLOSED
            for flow in self.flows
        )

    @property
    def is_settled(self) -> bool:
        """Whether all has been done that was promised."""
        if self.closed_by is None:
            if not (self.there.is_open and self.back.is_open):
                return False
            promised = list(self.flows)
        else:
            # Who closes a channel sends what is queued (RFC 8831 section 6.7); what
            # comes from the other side meanwhile may be lost.
            if not self.is_closed:
                return False
            promised = [flow for flow in self.flows if flow.sender is self.closed_by]
        return not self.kind.is_reliable or all(flow.is_complete for flow in promised)


class LimitCheck:
    """How often and when the chunks of a sender's unreliable messages are sent.

    Set as the tap of a `Tapped` transport.
    """

    def __init__(self, now: Callable[[], float], flows: dict[int, Flow]) -> None:
        self._now = now
        self._flows = flows
        # TSN -> flow, index of its message, how often it was sent.
        self._sent: dict[int, tuple[Flow, int, int]] = {}

    def __call__(self, packet: bytes) -> None:
        position = 12
        while position + 4 <= len(packet):
            kind, flags, length = struct.unpack_from("!BBH", packet, position)
            if kind == 0:
                self._check(flags, packet[position : position + length])
            position += length + (-length & 3)

    def _check(self, flags: int, chunk: bytes) -> None:
        tsn, _, _, protocol = struct.unpack_from("!LHHL", chunk, 4)
        entry = self._sent.get(tsn)
        if entry is None:
            if flags & 2:
                if protocol not in (STRING, BINARY):
                    return
                key, index, _ = _HEADER.unpack_from(chunk, 16)
                if key not in self._flows:
                    return  # of earlier traffic
                entry = (self._flows[key], index, 0)
            else:
                previous = self._sent.get(tsn - 1 & 0xFFFFFFFF)
                if previous is None:
                    return
                entry = (previous[0], previous[1], 0)
        flow, index, count = entry
        self._sent[tsn] = (flow, index, count + 1)
        kind = flow.kind
        if kind.max_retransmits is not None:
            assert count <= kind.max_retransmits, (
                f"{flow}: message {index} is retransmitted {count} times"
            )
        if kind.max_packet_life_time is not None:
            age = self._now() - flow.sent_at[index]
            assert age <= kind.max_packet_life_time / 1000 + 1e-6, (
                f"{flow}: message {index} is transmitted {age:.3f} s after it was sent"
            )


class Traffic:
    """All conversations of two peers.

    Args:
        one, other: both have an association.
        rng: for the flows' keys.
    """

    def __init__(
        self, one: VirtualPeer, other: VirtualPeer, rng: random.Random
    ) -> None:
        self.conversations: list[Conversation] = []
        self._rng = rng
        self._flows: dict[int, Flow] = {}
        self._by_label: dict[str, Conversation] = {}
        for peer in (one, other):
            peer.transport.tap = LimitCheck(lambda: one.now, self._flows)
            peer.on_message = self._receive
            peer.on_channel = self._take_channel
        self._peers = (one, other)

    def open(self, kind: Kind, opener: VirtualPeer) -> Conversation:
        """Open a channel; a negotiated one on both sides, of which none is stopped.

        A process that is stopped opens it when it goes on.
        """
        other = self._peers[opener is self._peers[0]]
        there, back = self._new_flow(kind, opener), self._new_flow(kind, other)
        conversation = Conversation(kind, there, back)
        self.conversations.append(conversation)
        label = f"{there.key}"
        self._by_label[label] = conversation
        stream = 500 + len(self.conversations)
        options = kind.options(label, stream)
        opener.host.run(self._attach, there, back, opener, options)
        if kind.negotiated:
            assert not any(peer.host.is_suspended for peer in self._peers)
            self._attach(back, there, other, options)
        return conversation

    @property
    def is_settled(self) -> bool:
        """Whether all promises are kept."""
        return all(conversation.is_settled for conversation in self.conversations)

    def open_flows(self) -> list[Flow]:
        """All flows in which messages can be sent now."""
        return [flow for c in self.conversations for flow in c.flows if flow.can_send]

    def _attach(
        self, flow: Flow, back: Flow, peer: VirtualPeer, options: ChannelOptions
    ) -> None:
        flow.channel = peer.sctp.open_channel(options)
        flow.channel.face = back
        peer.changed()

    def _new_flow(self, kind: Kind, sender: VirtualPeer) -> Flow:
        key = self._rng.getrandbits(32)
        flow = self._flows[key] = Flow(kind, sender, key)
        return flow

    def _take_channel(self, channel: DataChannel) -> None:
        conversation = self._by_label[channel.label]
        kind = conversation.kind
        assert conversation.back.channel is None, "a channel is opened once"
        assert channel.ordered == kind.ordered
        assert channel.max_retransmits == kind.max_retransmits
        assert channel.max_packet_life_time == kind.max_packet_life_time
        conversation.back.channel = channel
        channel.face = conversation.there

    def _receive(self, channel: DataChannel, protocol: int, data: bytes) -> None:
        flow = channel.face
        assert isinstance(flow, Flow), "a message of an unknown channel"
        flow.receive(protocol, data)
