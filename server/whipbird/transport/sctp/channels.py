"""The data channels of an association (RFC 8831), and how they open (RFC 8832)."""

from collections.abc import Iterable
from struct import Struct

from .channel import ChannelOptions, ChannelState, DataChannel
from .reassembly import MAX_STREAMS
from .reconfig import MAX_RESETS, StreamResets
from .sender import Sender
from .sinks import AssociationSinks

# Payload protocol ids (RFC 8831 section 8).
PPID_DCEP = 50
PPID_STRING = 51
PPID_BINARY = 53
PPID_STRING_EMPTY = 56
PPID_BINARY_EMPTY = 57

MAX_NAMES = 256 * 1024
"""Octets of labels and protocols that the channels of one peer may have in all."""

_USER_DATA = frozenset({PPID_STRING, PPID_BINARY, PPID_STRING_EMPTY, PPID_BINARY_EMPTY})

# Messages of the establishment protocol (RFC 8832 section 8.2.1).
_ACK = 2
_OPEN = 3
_OPEN_HEADER = Struct("!BBHLHH")

# Channel types (RFC 8832 section 5.1).
_LIMITED_RETRANSMITS = 0x01
_LIMITED_LIFETIME = 0x02
_UNORDERED = 0x80


class ChannelTable:
    """Opens, closes and finds data channels.

    Args:
        sinks: told of channels and messages.
        sender: takes messages to be sent.
        resets: takes the streams to be reset.
        is_dtls_client: chooses even streams, rather than odd ones (RFC 8832 section 6).

    Attributes:
        channels: those that are not closed, by stream.
        is_established: messages can be sent.
        limit: streams that the peer allows.
        refused: channels of the peer that were too many, or had too long names.
    """

    __slots__ = (
        "_first",
        "_names",
        "_next",
        "_resets",
        "_sender",
        "_sinks",
        "channels",
        "is_established",
        "limit",
        "refused",
    )

    def __init__(
        self,
        sinks: AssociationSinks,
        sender: Sender,
        resets: StreamResets,
        is_dtls_client: bool,
    ) -> None:
        self._sinks = sinks
        self._sender = sender
        self._resets = resets
        self._first = self._next = 0 if is_dtls_client else 1
        self._names = 0  # octets of labels and protocols
        self.refused = 0
        self.channels: dict[int, DataChannel] = {}
        self.is_established = False
        self.limit = MAX_STREAMS

    # Of this side

    def open(self, options: ChannelOptions) -> DataChannel:
        """Open a channel.

        Raises:
            ValueError: when its stream is in use or not allowed, or none is left; when
                its names are too long, or it has two limits.
        """
        if None not in (options.max_retransmits, options.max_packet_life_time):
            raise ValueError("a channel has one limit of its retransmissions at most")
        label, protocol = options.label.encode(), options.protocol.encode()
        if max(len(label), len(protocol)) > 0xFFFF:
            raise ValueError("a label or a protocol is longer than 65535 octets")
        channel = DataChannel(options, self._choose_stream(options))
        self.channels[channel.id] = channel
        self._names += _names_length(channel)
        if not options.negotiated:
            self._sender.push_reliably(channel, PPID_DCEP, _write_open(options))
        elif self.is_established:
            channel.state = ChannelState.OPEN
        return channel

    def _choose_stream(self, options: ChannelOptions) -> int:
        if options.id is not None:
            if not 0 <= options.id < self.limit:
                raise ValueError(
                    f"stream {options.id} is beyond the {self.limit} allowed"
                )
            if options.id in self.channels:
                raise ValueError(f"stream {options.id} is in use")
            return options.id
        if options.negotiated:
            raise ValueError("a negotiated channel must have an id")
        # In turn: the peer may learn later that a stream is free again.
        for _ in range(0, self.limit, 2):
            chosen, self._next = self._next, self._next + 2
            if chosen >= self.limit:
                chosen, self._next = self._first, self._first + 2
            if chosen not in self.channels and chosen < self.limit:
                return chosen
        raise ValueError("no stream is left for another channel")

    def close(self, channel: DataChannel) -> None:
        """Close a channel, after its messages (RFC 8831 section 6.7)."""
        if channel.state in (ChannelState.CLOSING, ChannelState.CLOSED):
            return
        if not self.is_established or not self._resets.is_supported:
            self._sender.drop(channel)
            self._remove(channel)
            return
        self._set_state(channel, ChannelState.CLOSING)
        self._resets.queue(channel)

    def established(self, limit: int) -> None:
        """Note that messages can be sent.

        Args:
            limit: streams that the peer allows.
        """
        self.is_established = True
        self.limit = min(limit, MAX_STREAMS)
        for channel in list(self.channels.values()):
            if channel.id >= self.limit:
                self._sender.drop(channel)
                self._remove(channel)
            elif channel.negotiated and channel.state == ChannelState.CONNECTING:
                self._set_state(channel, ChannelState.OPEN)

    def close_all(self) -> None:
        """Note that the association is over, or begins anew."""
        self.is_established = False
        channels = list(self.channels.values())
        self.channels.clear()
        self._names = 0
        self._next = self._first
        for channel in channels:
            self._set_state(channel, ChannelState.CLOSED)

    # Of the peer

    def receive(
        self, stream_id: int, protocol: int, data: bytes, ordered: bool
    ) -> None:
        """Handle a message.

        Args:
            protocol: its payload protocol id; unknown ones are ignored.
            ordered: whether it was sent as an ordered one.
        """
        if protocol in _USER_DATA:
            channel = self.channels.get(stream_id)
            if channel is None:
                channel = self._accept_negotiated(stream_id, ordered)
            elif channel.state is ChannelState.CONNECTING:
                # Any message is as good as the acknowledgement (RFC 8832 section 6).
                self._set_state(channel, ChannelState.OPEN)
            self._sinks.message_received(channel, protocol, data)
        elif protocol == PPID_DCEP:
            self._receive_establishment(stream_id, data)

    def reset_by_peer(self, streams: Iterable[int]) -> None:
        """Note that the peer has closed channels: it has reset its streams."""
        for stream_id in streams:
            channel = self.channels.get(stream_id)
            if channel is None or channel.inbound_reset:
                continue
            channel.inbound_reset = True
            if channel.held:
                self._sender.drop(channel)
            self.close(channel)
            self._release(channel)

    def reset_performed(self, channels: Iterable[DataChannel]) -> None:
        """Note that the peer has answered resets of this side's streams."""
        for channel in channels:
            if channel.outbound_reset:
                self._release(channel)
            else:
                # Refused: the channel closes, as it was asked to.
                self._remove(channel)
            successor, channel.successor = channel.successor, None
            if successor is not None:
                # Until now the names of both were kept.
                self._names -= _names_length(channel)
                self._sender.release(successor)

    def _release(self, channel: DataChannel) -> None:
        """Free the stream of a channel that was reset in both directions."""
        if channel.inbound_reset and channel.outbound_reset:
            self._remove(channel)

    def _remove(self, channel: DataChannel) -> None:
        if self.channels.get(channel.id) is channel:
            del self.channels[channel.id]
            self._names -= _names_length(channel)
        self._set_state(channel, ChannelState.CLOSED)

    def _set_state(self, channel: DataChannel, state: ChannelState) -> None:
        if channel.state is not state:
            channel.state = state
            self._sinks.channel_changed(channel)

    def _accept_negotiated(self, stream_id: int, ordered: bool) -> DataChannel:
        """Open a channel that was not announced: the peer negotiated it out of band.

        On an announced channel nothing comes before the announcement (RFC 8832
        section 6).
        """
        options = ChannelOptions(ordered=ordered, negotiated=True)
        channel = DataChannel(options, stream_id)
        channel.state = ChannelState.OPEN
        self.channels[stream_id] = channel
        self._sinks.channel_opened(channel)
        return channel

    def _receive_establishment(self, stream_id: int, data: bytes) -> None:
        """Handle a message of the establishment protocol (RFC 8832 section 5)."""
        channel = self.channels.get(stream_id)
        if data[0] == _ACK:
            if channel is not None and channel.state is ChannelState.CONNECTING:
                self._set_state(channel, ChannelState.OPEN)
        elif data[0] == _OPEN:
            if channel is None or channel.inbound_reset:
                self._accept(stream_id, data, channel)
            else:
                # RFC 8832 section 6: a stream in use cannot be opened again.
                self.close(channel)

    def _accept(
        self, stream_id: int, data: bytes, predecessor: DataChannel | None
    ) -> None:
        """Open a channel that the peer announces.

        Args:
            predecessor: the channel that used the stream before. The peer has reset the
                stream, and does not wait until this side has.
        """
        options = _read_open(data)
        is_sound = options is not None
        is_too_much = self._names + len(data) > MAX_NAMES
        self.refused += is_too_much
        if options is None or is_too_much:
            # Opened without its names, and closed at once.
            is_sound, options = False, ChannelOptions()
        channel = DataChannel(options, stream_id)
        if predecessor is not None:
            if self._resets.pending >= MAX_RESETS:
                self.refused += 1
                return
            # Its messages must not be taken for those before the reset.
            channel.held = []
            predecessor.successor = channel
            self._set_state(predecessor, ChannelState.CLOSED)
        channel.state = ChannelState.OPEN
        self.channels[stream_id] = channel
        self._names += _names_length(channel)
        self._sender.push_reliably(channel, PPID_DCEP, bytes((_ACK,)))
        self._sinks.channel_opened(channel)
        if not is_sound:
            self.close(channel)


def _names_length(channel: DataChannel) -> int:
    return len(channel.label.encode()) + len(channel.protocol.encode())


def _write_open(options: ChannelOptions) -> bytes:
    """Write DATA_CHANNEL_OPEN (RFC 8832 section 5.1)."""
    kind = 0 if options.ordered else _UNORDERED
    reliability = 0
    if options.max_retransmits is not None:
        kind |= _LIMITED_RETRANSMITS
        reliability = options.max_retransmits
    elif options.max_packet_life_time is not None:
        kind |= _LIMITED_LIFETIME
        reliability = options.max_packet_life_time
    label, protocol = options.label.encode(), options.protocol.encode()
    head = _OPEN_HEADER.pack(_OPEN, kind, 0, reliability, len(label), len(protocol))
    return head + label + protocol


def _read_open(data: bytes) -> ChannelOptions | None:
    """Read DATA_CHANNEL_OPEN; None when it is not sound."""
    if len(data) < _OPEN_HEADER.size:
        return None
    _, kind, _, reliability, label, protocol = _OPEN_HEADER.unpack_from(data)
    start = _OPEN_HEADER.size
    if len(data) < start + label + protocol:
        return None
    limit = kind & 0x7F
    return ChannelOptions(
        label=data[start : start + label].decode(errors="replace"),
        protocol=data[start + label :][:protocol].decode(errors="replace"),
        ordered=not kind & _UNORDERED,
        max_retransmits=reliability if limit == _LIMITED_RETRANSMITS else None,
        max_packet_life_time=reliability if limit == _LIMITED_LIFETIME else None,
    )
