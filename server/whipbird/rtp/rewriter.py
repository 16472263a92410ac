"""The packets of one source after another, as one stream (RFC 7667 section 3.7)."""

from .packet import HEADER, RtpPacket

_pack = HEADER.pack


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
        packets, octets: how many packets were written, and of how many octets of
            payload; for sender reports.
    """

    __slots__ = (
        "_last_at",
        "_last_sequence",
        "_last_timestamp",
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
        # How many of the stream's numbers are of the current source.
        self._since = 0

    def switch(
        self, packet: RtpPacket, payload_type: int, clock_rate: int, now: float
    ) -> None:
        """Go on with another source, or with another part of the same.

        Args:
            packet: the first one that will be written of it.
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
        timestamp = self._last_timestamp + step
        self._sequence_offset = (self._last_sequence + 1 - packet.sequence) & 0xFFFF
        self._timestamp_offset = (timestamp - packet.timestamp) & 0xFFFFFFFF
        self._since = 0

    def write(self, packet: RtpPacket, first: int, body: bytes, now: float) -> bytes:
        """Write a packet of the current source.

        Args:
            packet: the source's.
            first: the first octet of the header.
            body: what follows the fixed header: the extension, if the first octet says
                that there is one, and the payload.
            now: the time, in seconds.
        """
        sequence = (packet.sequence + self._sequence_offset) & 0xFFFF
        timestamp = (packet.timestamp + self._timestamp_offset) & 0xFFFFFFFF
        self._since += (sequence - self._last_sequence) & 0xFFFF
        self._last_sequence = sequence
        self._last_timestamp = timestamp
        self._last_at = now
        self.packets += 1
        self.octets += len(body)
        return (
            _pack(
                first,
                packet.marker << 7 | self.payload_type,
                sequence,
                timestamp,
                self.ssrc,
            )
            + body
        )

    def original(self, sequence: int) -> int | None:
        """The source's number of a packet that was written.

        Returns:
            None when it was another source's.
        """
        age = (self._last_sequence - sequence) & 0xFFFF
        return (
            (sequence - self._sequence_offset) & 0xFFFF if age < self._since else None
        )

    def timestamp_of(self, timestamp: int) -> int:
        """What a timestamp of the current source is in the stream."""
        return (timestamp + self._timestamp_offset) & 0xFFFFFFFF
