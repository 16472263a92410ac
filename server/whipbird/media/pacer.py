"""Spreads large frames for viewers behind a thin path.

A key frame is sent in one burst by most encoders. A queue in the network that is short
for the burst would drop its end, and one that is long would delay the sound.
"""

import math
from collections import deque
from collections.abc import Sequence

from ..rtp.forward_template import ForwardedPacket
from ..rtp.round_trip import RoundTrip

# A path is thin if the viewer's estimate is below this multiple of the stream. A
# browser's estimate grows to 1.5 times what it gets, on any path; but nearby, on a LAN,
# nothing is thin. Seconds of round trip.
THIN = 4.0
NEARBY = 0.005

# Packets of a frame that are sent at once: these, or this multiple of a usual frame.
MIN_BURST = 10
BURST = 3

# Seconds between the parts of a frame; and those that it may take altogether: the time
# of a frame, within these limits.
STEP = 0.005
MIN_FRAME_TIME, MAX_FRAME_TIME = 0.01, 0.04

# Octets of a packet, to estimate how many packets a frame has.
_PACKET = 1200

# Seconds that a timer may be early.
_SLACK = 0.001


class Pacer:
    """Holds back the end of large frames for at most the time of a frame.

    It does no I/O, and the time is a parameter.

    Attributes:
        is_needed: whether packets have to pass through ``add``.
        deadline: when ``due`` is to be called; infinite while nothing is held back.
    """

    __slots__ = (
        "_burst",
        "_count",
        "_frame_time",
        "_is_thin",
        "_queue",
        "_step",
        "_timestamp",
        "deadline",
        "is_needed",
    )

    def __init__(self) -> None:
        self.is_needed = False
        self.deadline = math.inf
        self._is_thin = False
        self._burst = MIN_BURST
        self._frame_time = MAX_FRAME_TIME
        self._queue: deque[ForwardedPacket] = deque()
        # Packets of each step.
        self._step = 0
        # The timestamp of the current frame, and its packets so far.
        self._timestamp = -1
        self._count = 0

    def review(
        self,
        bitrate: float,
        frame_rate: float,
        available: float | None,
        round_trip: RoundTrip,
    ) -> None:
        """Decide whether the path is thin.

        Args:
            bitrate, frame_rate: those of the stream, in bit/s and 1/s.
            available: the part of the viewer's estimate that is left for the stream, in
                bit/s; None without an estimate.
        """
        rtt = round_trip.smoothed
        is_far = rtt is not None and rtt > NEARBY
        self._is_thin = is_far and available is not None and available < THIN * bitrate
        self.is_needed = self._is_thin or bool(self._queue)
        if frame_rate > 0:
            self._frame_time = min(max(1 / frame_rate, MIN_FRAME_TIME), MAX_FRAME_TIME)
            usual = bitrate / frame_rate / 8 / _PACKET
            self._burst = max(MIN_BURST, round(BURST * usual))

    def add(self, packets: Sequence[ForwardedPacket], now: float) -> int:
        """Take packets that are to be sent.

        Returns:
            How many of them, from the first on, are to be sent at once.
        """
        for index, packet in enumerate(packets):
            if packet.timestamp != self._timestamp:
                self._timestamp, self._count = packet.timestamp, 0
            self._count += 1
            if self._queue or (self._is_thin and self._count > self._burst):
                self._hold(packets[index:], now)
                return index
        return len(packets)

    def due(self, now: float) -> list[ForwardedPacket]:
        """The packets that are to be sent now."""
        packets: list[ForwardedPacket] = []
        queue = self._queue
        while self.deadline <= now + _SLACK:
            packets += [queue.popleft() for _ in range(min(self._step, len(queue)))]
            self.deadline += STEP
            self._end()
        return packets

    def flush(self) -> list[ForwardedPacket]:
        """All packets that are held back, to be sent now."""
        packets = list(self._queue)
        self._queue.clear()
        self._end()
        return packets

    def _hold(self, packets: Sequence[ForwardedPacket], now: float) -> None:
        if not self._queue:
            self._step = 0
            self.deadline = now + STEP
        self._queue.extend(packets)
        # Each packet leaves within the time of a frame: those before it leave first,
        # and as quickly as was decided for them.
        steps = max(int(self._frame_time / STEP), 1)
        self._step = max(self._step, math.ceil(len(self._queue) / steps))
        last = packets[-1].timestamp
        if last != self._timestamp:
            self._timestamp, self._count = last, 0

    def _end(self) -> None:
        if not self._queue:
            self.deadline = math.inf
            self.is_needed = self._is_thin
