"""The packets of one source after another, as one stream (RFC 7667 section 3.7)."""

from collections.abc import Sequence

from .form import FormedPacket
from .history import SIZE
from .packet import HEADER, HEADER_LENGTH

_pack_into = HEADER.pack_into

# What is caught up with is played this many times as fast: a power of two.
_CATCH_UP_SHIFT = 5


class Rewriter:
    """Gives the packets of changing sources the numbers of one stream.

    Sequence numbers and timestamps go on from one source to the next, so that a
    decoder notices nothing but a key frame. What is missing of a source is missing of
    the stream, too.

    Args:
        ssrc: of the stream.
        sequence, timestamp: its first ones; random, to whoever is careful (RFC 3550
            section 5.1).

    Attributes:
        payload_type, clock_rate: of the current source.
        packets, octets: how many packets were written, and of how many octets, headers
            not counted; for sender reports.
    """

    __slots__ = (
        "_last_at",
        "_last_sequence",
        "_last_timestamp",
        "_live",
        "_sequence_offset",
        "_since",
        "_timestamp_offset",
        "clock_rate",
        "octets",
        "packets",
        "payload_type",
        "ssrc",
    )

    def __init__(self, ssrc: int, *, sequence: int, timestamp: int) -> None:
        self.ssrc = ssrc
        self.payload_type = 0
        self.clock_rate = 0
        self.packets = 0
        self.octets = 0
        self._last_sequence = (sequence - 1) & 0xFFFF
        self._last_timestamp = timestamp
        self._last_at: float | None = None
        self._sequence_offset = 0
        self._timestamp_offset = 0
        # The last packet that was caught up with, by number and timestamp; None when
        # it is so old that it is not asked for again.
        self._live: tuple[int, int] | None = None
        # How many of the stream's numbers are of the current source.
        self._since = 0

    def switch(
        self,
        sequence: int,
        timestamp: int,
        *,
        live: tuple[int, int],
        payload_type: int,
        clock_rate: int,
        now: float,
    ) -> None:
        """Go on with another source.

        What is older than the newest packet was to be played before it came. Its
        timestamps are moved close to that one's, so that the viewer catches up in no
        time, and does not stay behind.

        Args:
            sequence, timestamp: of the first packet that will be written of it.
            live: number and timestamp of the newest one that there is.
            payload_type: what it is written with.
            clock_rate: of its timestamps, in Hz.
            now: the time, in seconds.
        """
        self.payload_type = payload_type
        self.clock_rate = clock_rate
        step = 0
        if self._last_at is not None:
            # As much as has gone by, and one tick at least: it is another frame.
            step = max(round((now - self._last_at) * clock_rate), 1)
        self._live = live
        self._timestamp_offset = (
            self._last_timestamp + step - self.caught_up(sequence, timestamp)
        ) & 0xFFFFFFFF
        self.resume(sequence)

    def resume(self, sequence: int) -> None:
        """Go on with the same source, after a part of it that is left out.

        Args:
            sequence: of the first packet that will be written of it.
        """
        self._sequence_offset = (self._last_sequence + 1 - sequence) & 0xFFFF
        self._since = 0

    def write(
        self,
        packets: Sequence[FormedPacket],
        slots: Sequence[memoryview],
        now: float,
    ) -> list[int]:
        """Write packets of the current source.

        Args:
            packets: those that follow; their timestamps as ``caught_up`` has them.
            slots: where each is written; there are enough, and they are large enough.
            now: the time, in seconds.

        Returns:
            Their lengths, in octets.
        """
        # Local names: this is done for every packet of every viewer.
        pack_into, header = _pack_into, HEADER_LENGTH
        payload_type, ssrc = self.payload_type, self.ssrc
        sequence_offset = self._sequence_offset
        timestamp_offset = self._timestamp_offset
        lengths = []
        for (first, marker, sequence, timestamp, body), slot in zip(
            packets, slots, strict=False
        ):
            end = header + len(body)
            pack_into(
                slot,
                0,
                first,
                marker | payload_type,
                (sequence + sequence_offset) & 0xFFFF,
                (timestamp + timestamp_offset) & 0xFFFFFFFF,
                ssrc,
            )
            slot[header:end] = body
            lengths.append(end)
        newest = (packets[-1].sequence + sequence_offset) & 0xFFFF
        self._since += (newest - self._last_sequence) & 0xFFFF
        if self._since > SIZE:
            self._live = None
        self._last_sequence = newest
        self._last_timestamp = (packets[-1].timestamp + timestamp_offset) & 0xFFFFFFFF
        self._last_at = now
        self.packets += len(lengths)
        self.octets += sum(lengths) - header * len(lengths)
        return lengths

    def original(self, sequence: int) -> int | None:
        """The source's number of a packet that was written.

        Returns:
            None when it was another source's.
        """
        age = (self._last_sequence - sequence) & 0xFFFF
        return (
            (sequence - self._sequence_offset) & 0xFFFF if age < self._since else None
        )

    def caught_up(self, sequence: int, timestamp: int) -> int:
        """The timestamp of a packet of the source, moved if it is caught up with."""
        if self._live is None:
            return timestamp
        number, live = self._live
        age = (live - timestamp) & 0xFFFFFFFF
        if (number - sequence) & 0x8000 or age >> 31:
            return timestamp
        return (live - (age >> _CATCH_UP_SHIFT)) & 0xFFFFFFFF

    def timestamp_of(self, timestamp: int) -> int:
        """What a timestamp of the current source is in the stream."""
        return (timestamp + self._timestamp_offset) & 0xFFFFFFFF
