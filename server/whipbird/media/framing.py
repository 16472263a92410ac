"""Access units: where they begin, whether a decoder can start, what it needs."""

from collections.abc import Callable

from ..rtp.codecs import Content, ParameterSets, VideoPayloadFormat
from ..rtp.packet import RtpPacket

# Packets that wait for the first slice of their access unit, at most.
MAX_HELD = 64
# Parameter sets that are kept, at most, and their octets together.
MAX_SETS = 64
MAX_SET_OCTETS = 16_384

PacketHandler = Callable[[RtpPacket], None]


class Framing:
    """Tells access units apart, and completes key frames.

    An access unit ends where the timestamp changes (RFC 6184 section 5.1). The marker
    is a hint: where a sender sets it within access units, it is taken out. Contents
    tell key frames. Parameter sets are kept, and put before a key frame without them
    as packets of their own.

    Args:
        codec: the payload format.
        offered: the parameter sets in the SDP.
        deliver: called with each packet, in order. ``is_random_access_point`` is set in
            the first packet of a key frame, ``has_picture`` in packets with a part of a
            picture. Packets that were put in have no sequence number: -1.

    Attributes:
        completed: key frames that lacked parameter sets.
    """

    __slots__ = (
        "_codec",
        "_contents",
        "_deliver",
        "_held",
        "_ignores_markers",
        "_is_known",
        "_last",
        "_sets",
        "_timestamp",
        "completed",
    )

    def __init__(
        self, codec: VideoPayloadFormat, offered: ParameterSets, deliver: PacketHandler
    ) -> None:
        self.completed = 0
        self._codec = codec
        self._deliver = deliver
        self._sets: dict[tuple[int, int], bytes] = dict(offered)
        self._timestamp = -1
        # Whether the first slice of the access unit has come.
        self._is_known = False
        # The packets before it: parameter sets, messages, padding; and their contents.
        self._held: list[RtpPacket] = []
        self._contents: list[Content] = []
        # The last packet with a marker, until the next one shows that it is right.
        self._last: RtpPacket | None = None
        self._ignores_markers = False

    def push(self, packet: RtpPacket) -> None:
        """Take the next packet."""
        if packet.timestamp != self._timestamp:
            if self._held:
                self.flush()
            self._timestamp = packet.timestamp
            self._is_known = False
        elif self._is_known and self._last is None and not packet.marker:
            # The usual case.
            packet.has_picture = packet.payload_offset < packet.payload_end
            self._deliver(packet)
            return
        elif self._last is not None and packet.payload_offset < packet.payload_end:
            # The access unit has not ended there.
            self._last.marker = False
            self._ignores_markers = True
        self._last = None
        if packet.marker:
            if self._ignores_markers:
                packet.marker = False
            else:
                self._last = packet
        if self._is_known:
            packet.has_picture = packet.payload_offset < packet.payload_end
            self._deliver(packet)
            return
        payload = packet.payload
        content = self._codec.content(payload)
        if content >= Content.PICTURE:
            self._begin(packet, payload, content)
            return
        self._held.append(packet)
        self._contents.append(content)
        if len(self._held) == MAX_HELD:
            self.flush()

    def flush(self) -> None:
        """Deliver the packets that wait for a slice: none has come."""
        held, _ = self._take_held()
        for packet in held:
            self._keep(self._codec.parameter_sets(packet.payload))
            self._deliver(packet)

    def _begin(self, packet: RtpPacket, payload: bytes, content: Content) -> None:
        """Deliver the packets up to the first slice of an access unit."""
        self._is_known = packet.has_picture = True
        if content is Content.PICTURE and not self._held:
            # The usual case.
            self._deliver(packet)
            return
        held, contents = self._take_held()
        own: dict[tuple[int, int], bytes] = {}
        for waiting in held:
            own |= self._codec.parameter_sets(waiting.payload)
        held_sets = bool(own)
        if content is not Content.PICTURE:
            own |= self._codec.parameter_sets(payload)
        self._keep(own)
        packets = [*held, packet]
        if (
            content is Content.KEY_PICTURE
            or Content.RECOVERY_POINT in contents
            or (content is Content.INTRA_PICTURE and own)
        ):
            if self._sets.keys() - own.keys():
                # Behind sets of the access unit, which may be needed to read the
                # others; else in front of all but its delimiter.
                at = len(held)
                if not held_sets:
                    others = (i for i, c in enumerate(contents) if c)
                    at = next(others, at)
                packets[at:at] = self._missing(packet)
                self.completed += 1
            packets[0].is_random_access_point = True
        for each_packet in packets:
            self._deliver(each_packet)

    def _take_held(self) -> tuple[list[RtpPacket], list[Content]]:
        """Remove and return the packets that wait, and their contents."""
        held, contents = self._held, self._contents
        self._held, self._contents = [], []
        return held, contents

    def _missing(self, packet: RtpPacket) -> list[RtpPacket]:
        """Packets with all parameter sets, the sets in the order of their types."""
        sets = [self._sets[key] for key in sorted(self._sets)]
        added = []
        for payload in self._codec.with_parameter_sets(sets):
            sibling = packet.sibling(payload)
            sibling.sequence = -1
            added.append(sibling)
        return added

    def _keep(self, sets: ParameterSets) -> None:
        """Keep parameter sets; the oldest ones go when there are too many."""
        for key, unit in sets.items():
            self._sets.pop(key, None)
            self._sets[key] = unit
        while (
            len(self._sets) > MAX_SETS
            or sum(map(len, self._sets.values())) > MAX_SET_OCTETS
        ):
            del self._sets[next(iter(self._sets))]
