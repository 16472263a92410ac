"""Data on its way in: what may be kept, what is a duplicate, what can be delivered.

RFC 9260 section 6.2, RFC 3758 section 3.6 and RFC 6525 section 5.2.2.
"""

from collections.abc import Callable, Iterable

from .acknowledger import MAX_GAP, MAX_MISORDERED, Acknowledger
from .chunks import (
    DATA_HEADER,
    DATA_HEADER_SIZE,
    ERROR,
    IMMEDIATE,
    INVALID_STREAM,
    UNORDERED,
    WHOLE_MESSAGE,
    SctpError,
    read_forward_tsn,
    unwrap,
    write_chunk,
    write_parameter,
)
from .packets import PacketWriter
from .reassembly import (
    DEFAULT_WINDOW,
    FRAGMENT_COST,
    MAX_MESSAGE_SIZE,
    MAX_STREAMS,
    Fragment,
    Message,
    Reassembly,
)
from .reconfig import StreamResets
from .sender import Sender

Deliver = Callable[[int, int, bytes, bool], None]
"""Takes a message: its stream, its protocol, its octets, whether it was ordered."""


class Inbound:
    """Takes DATA chunks, and delivers messages.

    Args:
        packets: takes errors.
        sender: knows how much is held for the peer to take.
        resets: knows which streams wait for a reset.
        deliver: takes messages.
        limit: octets that may be held for the peer: incomplete messages, and messages
            to be sent that it has not acknowledged. A peer that sends faster than it
            reads meets a closing window, and has to wait. With None, what is sent does
            not count, and the limit is ``DEFAULT_WINDOW``.

    Attributes:
        acknowledger: knows what was received.
        window: octets that may be kept.
        is_flooded: the peer sends a message larger than it may; the association is to
            be aborted.
    """

    __slots__ = (
        "_counts_outgoing",
        "_deliver",
        "_packets",
        "_reassembly",
        "_resets",
        "_sender",
        "acknowledger",
        "is_flooded",
        "window",
    )

    def __init__(
        self,
        packets: PacketWriter,
        sender: Sender,
        resets: StreamResets,
        deliver: Deliver,
        limit: int | None,
    ) -> None:
        self._packets = packets
        self._sender = sender
        self._resets = resets
        self._deliver = deliver
        self._counts_outgoing = limit is not None
        self._reassembly = Reassembly()
        self.window = self.window_for(limit)
        self.acknowledger = Acknowledger(self.window)
        self.is_flooded = False

    def start(self, first: int) -> None:
        """Begin an association.

        Args:
            first: the first TSN of the peer, 32 bits.
        """
        self._reassembly.clear()
        self.acknowledger.start(first)

    @staticmethod
    def window_for(limit: int | None) -> int:
        """Return the window (octets) that a limit allows."""
        return DEFAULT_WINDOW if limit is None else limit

    @property
    def streams(self) -> Iterable[int]:
        """The streams that the peer has used."""
        return self._reassembly.streams

    @property
    def kept(self) -> int:
        """Octets of memory, about, that fragments and unread messages take."""
        return self._reassembly.cost

    @property
    def free_window(self) -> int:
        """Octets of the window that are free; below zero when too much is held."""
        free = self.window - self._reassembly.cost
        return free - self._sender.held if self._counts_outgoing else free

    def count_unread(self, octets: int) -> None:
        """Count messages that wait for their reader; below zero when it takes them.

        They take up the window as fragments do, so the peer has to wait.
        """
        self._reassembly.count_unread(octets)

    def receive_data(
        self, packet: bytes, position: int, flags: int, length: int
    ) -> None:
        """Handle a DATA chunk (RFC 9260 section 6.2).

        Args:
            packet: the packet that has it.
            position: where it begins.
            flags: its flags.
            length: its octets, which the packet has.

        Raises:
            SctpError: when it has no user data.
        """
        if length <= DATA_HEADER_SIZE:
            raise SctpError("a DATA chunk without user data")
        _, _, _, number, stream_id, sequence, protocol = DATA_HEADER.unpack_from(
            packet, position
        )
        acknowledger = self.acknowledger
        acknowledger.needed = True
        if flags & IMMEDIATE:
            acknowledger.at_once = True
        tsn = unwrap(number, acknowledger.cumulative)
        ahead = tsn - acknowledger.cumulative
        # A SACK cannot report what is further ahead (RFC 9260 section 3.3.4).
        if ahead > MAX_GAP or not self._has_room(length, ahead == 1):
            acknowledger.at_once = True
            return
        if ahead == 1 and not acknowledger.misordered:
            acknowledger.cumulative = tsn
        elif not acknowledger.add(tsn):
            return
        if stream_id >= MAX_STREAMS:
            # RFC 9260 section 6.5: acknowledged, but of no use.
            self._refuse_stream(stream_id)
            return
        data = packet[position + DATA_HEADER_SIZE : position + length]
        if flags & WHOLE_MESSAGE == WHOLE_MESSAGE and self._resets.deferred is None:
            stream = self._reassembly.stream(stream_id)
            if flags & UNORDERED:
                self._deliver(stream_id, protocol, data, False)
                return
            if sequence == stream.sequence and not stream.ordered:
                stream.sequence = (sequence + 1) & 0xFFFF
                self._deliver(stream_id, protocol, data, True)
                return
        self._add(Fragment(tsn, flags, stream_id, sequence, protocol, data))

    def _refuse_stream(self, stream_id: int) -> None:
        value = stream_id.to_bytes(2, "big") + b"\0\0"
        error = write_chunk(ERROR, write_parameter(INVALID_STREAM, value))
        self._packets.add_control(error)

    def receive_forward_tsn(self, body: bytes) -> None:
        """Handle a FORWARD TSN chunk (RFC 3758 section 3.6).

        Raises:
            SctpError: when it is not sound.
        """
        number, streams = read_forward_tsn(body)
        acknowledger = self.acknowledger
        acknowledger.needed = True
        cumulative = unwrap(number, acknowledger.cumulative)
        if cumulative <= acknowledger.cumulative:
            # The peer may not know yet: tell it again.
            acknowledger.at_once = True
            return
        acknowledger.skip_to(cumulative)
        self._deliver_all(self._reassembly.skip(cumulative, streams))

    def reset(self, streams: Iterable[int]) -> None:
        """Begin streams of the peer anew (RFC 6525 section 5.2.2, E4)."""
        for stream_id in streams:
            self._reassembly.reset(stream_id)

    def release(self) -> None:
        """Handle what has come after a reset that waited (section 5.2.2, E5)."""
        cumulative = self.acknowledger.cumulative
        self._deliver_all(self._reassembly.release(cumulative))

    def _add(self, fragment: Fragment) -> None:
        request = self._resets.deferred
        if request is not None and request.covers(fragment.tsn, fragment.stream_id):
            self._reassembly.hold(fragment)
            return
        cumulative = self.acknowledger.cumulative
        self._deliver_all(self._reassembly.add(fragment, cumulative))

    def _deliver_all(self, messages: list[Message]) -> None:
        for stream_id, protocol, data, flags in messages:
            self._deliver(stream_id, protocol, data, not flags & UNORDERED)

    def _has_room(self, length: int, is_next: bool) -> bool:
        """Whether a chunk may be kept.

        A peer that respects the window it was told never meets the end of this room,
        twice the window. For one that does not, chunks are dropped, which it will
        retransmit.
        """
        reassembly = self._reassembly
        room = 2 * self.window - reassembly.octets
        room -= reassembly.fragments * FRAGMENT_COST
        if self._counts_outgoing:
            room -= self._sender.held
        if room >= length:
            return is_next or self.acknowledger.misordered < MAX_MISORDERED
        if reassembly.unread:
            # Its reader will make room.
            return False
        # With nothing to send, only completing a message can make room.
        if is_next and not (self._counts_outgoing and self._sender.held):
            if room > -MAX_MESSAGE_SIZE:
                return True
            self.is_flooded = True
        return False
