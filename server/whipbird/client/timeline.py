"""When the packets of a file are due, whatever its timestamps are like."""

from fractions import Fraction

from .pipelines import AnyPacket, packet_duration

# Seconds between two packets beyond which the timestamps are taken to begin anew.
MAX_JUMP = 10


class Timeline:
    """Seconds from 0 on, for all streams of a file, over all of its repetitions.

    Attributes:
        end: when the latest packet so far is over.
    """

    def __init__(self) -> None:
        self.end = Fraction(0)
        self._offset: Fraction | None = None
        self._latest = Fraction(0)
        # When the next packet of each stream is due, if it does not say itself.
        self._next: dict[int, Fraction] = {}

    def begin(self, start: Fraction | None) -> None:
        """The file begins (again), where the last repetition ended.

        Args:
            start: seconds of its first packet; None when that has to be seen.
        """
        self._offset = None if start is None else self.end - start
        self._latest = self.end
        self._next.clear()

    def place(self, packet: AnyPacket, period: Fraction) -> Fraction:
        """Say when a packet is due, and write that into it, too.

        Args:
            period: seconds that it lasts, if it does not say itself.
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
