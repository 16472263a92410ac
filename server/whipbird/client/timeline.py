"""Continuous times for the packets of a file, even if its timestamps are not."""

from fractions import Fraction

from .pipelines import AnyPacket, packet_duration

# A jump of the timestamps by more than so many seconds is removed.
MAX_JUMP = 10


class Timeline:
    """The timeline of a file, in seconds, across all streams and repetitions.

    Attributes:
        end: the time at which the latest packet so far ends.
    """

    def __init__(self) -> None:
        self.end = Fraction(0)
        self._offset: Fraction | None = None
        self._latest = Fraction(0)
        # The time of the next packet of each stream, if it has no timestamp.
        self._next: dict[int, Fraction] = {}

    def begin(self, start: Fraction | None) -> None:
        """Begin a repetition of the file, at the end of the last one.

        Args:
            start: the timestamp of its first packet in seconds; None if unknown.
        """
        self._offset = None if start is None else self.end - start
        self._latest = self.end
        self._next.clear()

    def place(self, packet: AnyPacket, period: Fraction) -> Fraction:
        """The time of a packet; it replaces the packet's timestamp, too.

        Args:
            period: the duration of the packet in seconds, if it has none.
        """
        time = self._next.get(packet.stream_index, self._latest)
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None:
            seconds = stamp * packet.time_base
            if self._offset is None:
                self._offset = self.end - seconds
            time = seconds + self._offset
            if abs(time - self._latest) > MAX_JUMP:
                self._offset += self._latest - time
                time = self._latest
        if packet.pts is not None:
            packet.pts = round(time / packet.time_base)
        packet.dts = None
        self._latest = max(self._latest, time)
        self._next[packet.stream_index] = time + (packet_duration(packet) or period)
        self.end = max(self.end, self._next[packet.stream_index])
        return time
