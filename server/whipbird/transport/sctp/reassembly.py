"""Messages on their way in: fragments kept until a message is whole and has its turn.

RFC 9260 sections 6.5, 6.6 and 6.9, and RFC 3758 section 3.6. TSNs are numbers without
a wrap (see ``chunks.unwrap``).
"""

from typing import NamedTuple

from .chunks import (
    FIRST_FRAGMENT,
    LAST_FRAGMENT,
    UNORDERED,
    WHOLE_MESSAGE,
)

MAX_STREAMS = 1024
"""Streams that a peer may use, each of which can be a data channel."""

MAX_MESSAGE_SIZE = 262144
"""Octets of the largest message that is taken, as the SDP says (RFC 8841 section 6)."""

DEFAULT_WINDOW = 1024 * 1024

FRAGMENT_COST = 256
"""Octets that a fragment takes in memory beside its own, about."""

_SEQUENCE_MASK = 0xFFFF
_SEQUENCE_HALF = 0x8000


class Message(NamedTuple):
    """A message that is whole.

    Attributes:
        stream_id: the stream on which it came.
        protocol: its payload protocol id.
        data: its octets.
        flags: those of its chunk, or of its last.
    """

    stream_id: int
    protocol: int
    data: bytes
    flags: int


class Fragment(NamedTuple):
    """A DATA chunk that was received.

    Attributes:
        tsn: its TSN.
        flags: its flags.
        stream_id: its stream.
        sequence: the sequence number of its message in the stream.
        protocol: its payload protocol id.
        data: its user data.
    """

    tsn: int
    flags: int
    stream_id: int
    sequence: int
    protocol: int
    data: bytes


class _Assembly:
    """The fragments of one ordered message."""

    __slots__ = ("first", "fragments", "last")

    def __init__(self) -> None:
        self.fragments: list[Fragment] = []
        self.first = self.last = -1

    @property
    def is_whole(self) -> bool:
        """Whether no fragment is missing."""
        if self.first < 0 or self.last < 0:
            return False
        return self.last - self.first + 1 == len(self.fragments)

    def add(self, fragment: Fragment) -> None:
        if fragment.flags & FIRST_FRAGMENT:
            self.first = fragment.tsn
        if fragment.flags & LAST_FRAGMENT:
            self.last = fragment.tsn
        self.fragments.append(fragment)


class InboundStream:
    """A stream of the peer.

    Attributes:
        sequence: the sequence number of the next ordered message.
        ordered: incomplete messages, and those that wait for their turn, by number.
        unordered: fragments of unordered messages, by TSN.
    """

    __slots__ = ("ordered", "sequence", "unordered")

    def __init__(self) -> None:
        self.sequence = 0
        self.ordered: dict[int, _Assembly] = {}
        self.unordered: dict[int, Fragment] = {}


class Reassembly:
    """Makes messages of fragments.

    Attributes:
        streams: those that were used.
        octets: octets of user data in the fragments that are kept, and ``unread``.
        fragments: how many fragments are kept.
        unread: octets of memory, about, of whole messages that wait for their reader.
    """

    __slots__ = ("_held", "fragments", "octets", "streams", "unread")

    def __init__(self) -> None:
        self.streams: dict[int, InboundStream] = {}
        self.octets = self.fragments = self.unread = 0
        self._held: list[Fragment] = []

    @property
    def cost(self) -> int:
        """Octets of memory, about, that the fragments and unread messages take."""
        return self.octets + self.fragments * FRAGMENT_COST

    def clear(self) -> None:
        """Forget everything but what was delivered, and waits for its reader."""
        self.streams.clear()
        self._held.clear()
        self.octets, self.fragments = self.unread, 0

    def count_unread(self, octets: int) -> None:
        """Count messages that wait for their reader; below zero when it takes them."""
        self.unread += octets
        self.octets += octets

    def stream(self, stream_id: int) -> InboundStream:
        """Return a stream, new if it was not used."""
        stream = self.streams.get(stream_id)
        if stream is None:
            stream = self.streams[stream_id] = InboundStream()
        return stream

    def add(self, fragment: Fragment, cumulative: int) -> list[Message]:
        """Keep a fragment, unless it completes messages.

        Args:
            fragment: the fragment, whose TSN is new.
            cumulative: the TSN up to which everything has come, or never will.

        Returns:
            The messages that can be delivered now, in their order.
        """
        stream = self.streams.get(fragment.stream_id)
        if stream is None:
            stream = self.stream(fragment.stream_id)
        if fragment.flags & UNORDERED:
            return self._add_unordered(stream.unordered, fragment, cumulative)
        ahead = (fragment.sequence - stream.sequence) & _SEQUENCE_MASK
        if ahead >= _SEQUENCE_HALF:
            # A message that was skipped. One that is whole does no harm.
            whole = fragment.flags & WHOLE_MESSAGE == WHOLE_MESSAGE
            return [_whole(fragment)] if whole else []
        self.octets += len(fragment.data)
        self.fragments += 1
        assembly = stream.ordered.get(fragment.sequence)
        if assembly is None:
            assembly = stream.ordered[fragment.sequence] = _Assembly()
        assembly.add(fragment)
        return [] if ahead or assembly.last < 0 else self._pop_ordered(stream)

    def hold(self, fragment: Fragment) -> None:
        """Keep a fragment until its stream has been reset."""
        self._keep(fragment)
        self._held.append(fragment)

    def release(self, cumulative: int) -> list[Message]:
        """Add the fragments that were held.

        Args:
            cumulative: as for ``add``.

        Returns:
            The messages that can be delivered now.
        """
        held, self._held = self._held, []
        messages: list[Message] = []
        for fragment in held:
            self._drop(fragment)
            messages += self.add(fragment, cumulative)
        return messages

    def reset(self, stream_id: int) -> None:
        """Begin a stream anew (RFC 6525 section 5.2.2, E4)."""
        stream = self.streams.pop(stream_id, None)
        if stream is None:
            return
        for assembly in stream.ordered.values():
            self._drop(*assembly.fragments)
        self._drop(*stream.unordered.values())

    def skip(self, cumulative: int, streams: list[tuple[int, int]]) -> list[Message]:
        """Give up what the peer has abandoned (RFC 3758 section 3.6).

        Args:
            cumulative: the TSN up to which nothing more will come.
            streams: streams, each with the number of the last message skipped.

        Returns:
            The messages that can be delivered now.
        """
        messages: list[Message] = []
        for stream_id, sequence in streams:
            if stream_id < MAX_STREAMS:
                messages += self._skip_ordered(self.stream(stream_id), sequence)
        for stream in self.streams.values():
            if stream.unordered:
                self._skip_unordered(stream.unordered, cumulative)
        return messages

    def _skip_ordered(self, stream: InboundStream, sequence: int) -> list[Message]:
        start = stream.sequence
        skipped = (sequence - start) & _SEQUENCE_MASK
        if skipped >= _SEQUENCE_HALF:
            return []  # told again
        distances = sorted((n - start) & _SEQUENCE_MASK for n in stream.ordered)
        messages: list[Message] = []
        for distance in distances:
            if distance > skipped:
                break
            assembly = stream.ordered.pop((start + distance) & _SEQUENCE_MASK)
            self._drop(*assembly.fragments)
            if assembly.is_whole:
                messages.append(_join(assembly.fragments))
        stream.sequence = (sequence + 1) & _SEQUENCE_MASK
        return messages + self._pop_ordered(stream)

    def _skip_unordered(self, fragments: dict[int, Fragment], cumulative: int) -> None:
        # A message that is complete so far may still come to its end.
        start = cumulative
        while (fragment := fragments.get(start)) is not None:
            if fragment.flags & FIRST_FRAGMENT:
                break
            start -= 1
        else:
            start = cumulative + 1
        for tsn in [tsn for tsn in fragments if tsn < start]:
            self._drop(fragments.pop(tsn))
        if start > cumulative:
            self._drop_orphans(fragments, start)

    def _pop_ordered(self, stream: InboundStream) -> list[Message]:
        messages: list[Message] = []
        assembly = stream.ordered.get(stream.sequence)
        while assembly is not None and assembly.is_whole:
            del stream.ordered[stream.sequence]
            stream.sequence = (stream.sequence + 1) & _SEQUENCE_MASK
            self._drop(*assembly.fragments)
            messages.append(_join(assembly.fragments))
            assembly = stream.ordered.get(stream.sequence)
        return messages

    def _add_unordered(
        self, fragments: dict[int, Fragment], fragment: Fragment, cumulative: int
    ) -> list[Message]:
        tsn = fragment.tsn
        if (
            not fragment.flags & FIRST_FRAGMENT
            and tsn - 1 <= cumulative
            and tsn - 1 not in fragments
        ):
            # What comes before it was skipped.
            self._drop_orphans(fragments, tsn + 1)
            return []
        self._keep(fragment)
        fragments[tsn] = fragment
        last: Fragment | None = fragment
        while last is not None and not last.flags & LAST_FRAGMENT:
            last = fragments.get(last.tsn + 1)
        first: Fragment | None = fragment if last is not None else None
        while first is not None and not first.flags & FIRST_FRAGMENT:
            first = fragments.get(first.tsn - 1)
        if first is None or last is None:
            return []
        message = [fragments.pop(tsn) for tsn in range(first.tsn, last.tsn + 1)]
        self._drop(*message)
        return [_join(message)]

    def _drop_orphans(self, fragments: dict[int, Fragment], tsn: int) -> None:
        """Drop the rest of a message, from a TSN on, of which the beginning is gone."""
        while (fragment := fragments.get(tsn)) is not None:
            if fragment.flags & FIRST_FRAGMENT:
                return
            self._drop(fragments.pop(tsn))
            tsn += 1

    def _keep(self, fragment: Fragment) -> None:
        self.octets += len(fragment.data)
        self.fragments += 1

    def _drop(self, *fragments: Fragment) -> None:
        self.fragments -= len(fragments)
        for fragment in fragments:
            self.octets -= len(fragment.data)


def _whole(fragment: Fragment) -> Message:
    return Message(fragment.stream_id, fragment.protocol, fragment.data, fragment.flags)


def _join(fragments: list[Fragment]) -> Message:
    """Make a message of all its fragments."""
    fragments.sort()
    last = fragments[-1]
    data = b"".join([fragment.data for fragment in fragments])
    return Message(last.stream_id, last.protocol, data, last.flags)
