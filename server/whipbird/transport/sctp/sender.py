"""Messages on their way out: queued, cut into chunks, and chosen for the next packets.

RFC 9260 sections 6.1 and 6.9, and RFC 3758 section 3.5.
"""

from collections import deque

from .channel import DataChannel
from .chunks import (
    DATA,
    DATA_HEADER,
    DATA_HEADER_SIZE,
    FIRST_FRAGMENT,
    LAST_FRAGMENT,
    TSN_MASK,
    UNORDERED,
    USER_DATA_SIZE,
    padding,
)
from .outbound import OutboundChunk, OutboundMessage
from .recovery import MAX_SENT_CHUNKS, Recovery

MESSAGE_COST = 256
"""Octets that a message takes in memory beside its own, about; small ones count too."""


class Sender:
    """Queues messages, and makes chunks of them when they can be sent.

    Args:
        recovery: takes the chunks that are sent.

    Attributes:
        queued_octets: octets of messages that are not chunks yet.
        can_abandon: the peer knows FORWARD TSN, so messages may be given up.
    """

    __slots__ = (
        "_board",
        "_held",
        "_left",
        "_queue",
        "_recovery",
        "_sequences",
        "_unstamped",
        "can_abandon",
        "queued_octets",
    )

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = recovery
        self._board = recovery.board
        self._queue: deque[OutboundMessage] = deque()
        self._held = 0  # messages held by channels
        self._unstamped: list[OutboundMessage] = []
        self._sequences: dict[int, int] = {}
        self._left: dict[DataChannel, int] = {}
        self.queued_octets = 0
        self.can_abandon = True

    @property
    def has_left(self) -> bool:
        """Whether buffered amounts have changed (see ``take_left``)."""
        return bool(self._left)

    @property
    def is_idle(self) -> bool:
        """Whether no message waits that may be sent."""
        return not self._queue

    @property
    def held(self) -> int:
        """Octets of memory, about, that wait for the peer to take them."""
        board = self._board
        count = len(self._queue) + self._held + len(board.sent) + len(board.skipped)
        return self.queued_octets + board.stored + count * MESSAGE_COST

    def push(self, channel: DataChannel, protocol: int, data: bytes) -> None:
        """Queue a message of a user, by the reliability of its channel."""
        message = OutboundMessage(channel, protocol, data)
        message.counts = True
        message.ordered = channel.ordered
        if channel.max_retransmits is not None:
            self._limit(message, channel.max_retransmits, None)
        elif channel.max_packet_life_time is not None:
            self._limit(message, None, channel.max_packet_life_time / 1000)
        channel.buffered_amount += len(data)
        self._push(message)

    def _limit(
        self, message: OutboundMessage, retransmits: int | None, lifetime: float | None
    ) -> None:
        """Let a message be given up (RFC 3758), if the peer can bear it."""
        if not self.can_abandon:
            return
        message.chunks = []
        message.max_retransmits = retransmits
        if lifetime is not None:
            message.lifetime = lifetime
            self._unstamped.append(message)

    def push_reliably(self, channel: DataChannel, protocol: int, data: bytes) -> None:
        """Queue a message of the establishment protocol (RFC 8832 section 6)."""
        self._push(OutboundMessage(channel, protocol, data))

    def _push(self, message: OutboundMessage) -> None:
        channel = message.channel
        channel.queued += 1
        self.queued_octets += len(message.data)
        if channel.held is not None:
            channel.held.append(message)
            self._held += 1
        else:
            self._queue.append(message)

    def release(self, channel: DataChannel) -> None:
        """Queue the messages that a channel has held."""
        held, channel.held = channel.held, None
        if held:
            self._held -= len(held)
            self._queue.extend(held)

    def drop(self, channel: DataChannel) -> None:
        """Drop the messages of a channel of which no chunk was made."""
        kept: deque[OutboundMessage] = deque()
        dropped: list[OutboundMessage] = []
        for message in self._queue:
            is_kept = message.channel is not channel or message.position
            (kept if is_kept else dropped).append(message)
        self._queue = kept
        if channel.held:
            self._held -= len(channel.held)
            dropped += channel.held
            channel.held.clear()
        for message in dropped:
            self._leave(message, len(message.data))

    def clear(self) -> None:
        """Forget everything: the association is over, or begins anew."""
        self._queue.clear()
        self._unstamped.clear()
        self._sequences.clear()
        self._left.clear()
        self.queued_octets = self._held = 0

    def reset_streams(self, streams: set[int]) -> None:
        """Begin streams anew (RFC 6525 section 5.2.7)."""
        for stream_id in streams:
            self._sequences.pop(stream_id, None)
        self._board.forget_streams(streams)

    def take_left(self) -> dict[DataChannel, int]:
        """Return how the buffered amounts of channels have changed since last."""
        left, self._left = self._left, {}
        return left

    def collect(self, now: float) -> list[OutboundChunk]:
        """Choose the chunks to be sent now (RFC 9260 section 6.1)."""
        if self._unstamped:
            self._stamp(now)
        recovery, board = self._recovery, self._board
        allowance = recovery.allowance()
        chunks: list[OutboundChunk] = []
        if board.has_lost:
            chunks = recovery.retransmit(now, allowance)
        queue = self._queue
        while queue:
            message = queue[0]
            if message.is_abandoned or message.has_expired(now):
                self._abandon_first()
                continue
            if (
                board.flight >= allowance
                or board.has_lost
                or len(board.sent) >= MAX_SENT_CHUNKS
            ):
                break
            chunk = self._make_chunk(message)
            board.add(chunk, now)
            chunks.append(chunk)
        if chunks:
            recovery.start_timer(now)
        return chunks

    def _stamp(self, now: float) -> None:
        """Let the lifetime of messages begin."""
        for message in self._unstamped:
            if message.lifetime is not None:
                message.expiry = now + message.lifetime
        self._unstamped.clear()

    def _make_chunk(self, message: OutboundMessage) -> OutboundChunk:
        """Make the next chunk of the first message."""
        data = message.data
        start = message.position
        size = len(data) - start
        if start:
            flags = 0
        else:
            flags = FIRST_FRAGMENT
            if message.ordered:
                sequence = self._sequences.get(message.stream_id, 0)
                self._sequences[message.stream_id] = (sequence + 1) & 0xFFFF
                message.sequence = sequence
        if size <= USER_DATA_SIZE:
            flags |= LAST_FRAGMENT
            if start:
                data = data[start:]
            self._queue.popleft()
        else:
            size = USER_DATA_SIZE
            data = data[start : start + size]
        if not message.ordered:
            flags |= UNORDERED
        message.position = start + size
        tsn = self._board.next_tsn
        length = DATA_HEADER_SIZE + size
        header = DATA_HEADER.pack(
            DATA,
            flags,
            length,
            tsn & TSN_MASK,
            message.stream_id,
            message.sequence or 0,
            message.protocol,
        )
        octets = header + data + padding(length) if length & 3 else header + data
        chunk = OutboundChunk(tsn, octets, size, message)
        if message.chunks is not None:
            message.chunks.append(chunk)
        if flags & LAST_FRAGMENT:
            self._leave(message, size)
            message.data = b""
        else:
            self.queued_octets -= size
        return chunk

    def _abandon_first(self) -> None:
        """Give up the first message in the queue."""
        message = self._queue.popleft()
        if message.position:
            # The peer takes what it has of it for a part of which more is to come,
            # until it is told that the last fragment will not come.
            board = self._board
            board.abandon(message)
            board.add_abandoned(OutboundChunk(board.next_tsn, b"", 0, message))
        self._leave(message, len(message.data) - message.position)
        message.is_abandoned = True

    def _leave(self, message: OutboundMessage, octets: int) -> None:
        """Note that a message is not queued any more.

        Args:
            octets: those of it that were queued to the last.
        """
        channel = message.channel
        channel.queued -= 1
        self.queued_octets -= octets
        if message.counts:
            amount = len(message.data)
            channel.buffered_amount -= amount
            self._left[channel] = self._left.get(channel, 0) - amount
