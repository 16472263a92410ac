"""Spreads large frames for viewers behind a thin path.

A key frame is sent in one burst by most encoders. A queue in the network that is short
for the burst would drop its end, and one that is long would delay the sound.

A path that does not carry the stream gets a part of it, at a limited rate: from a key
frame on as much as waits for no longer than ``MAX_WAIT``.
"""

import math
from collections import deque
from collections.abc import Sequence
from itertools import takewhile

from ..rtp.forward_template import ForwardedPacket
from ..rtp.packet import HEADER_LENGTH
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

# Seconds that packets wait at a limited rate: beyond the first, frames are left out,
# until it is the second again. A key frame replaces the frames that wait, if they would
# take longer than the third.
MAX_WAIT, FEW_WAIT, LITTLE_WAIT = 1.5, 1.0, 0.1

# Octets of a packet, to estimate how many packets a frame has.
_PACKET = 1200

# Seconds that a timer may be early.
_SLACK = 0.001


class Pacer:
    """Holds back the end of large frames, or all packets for a limited rate.

    It does no I/O, and the time is a parameter.

    Attributes:
        is_needed: whether packets have to pass through ``add``.
        is_full: whether so much is held back that frames are to be left out.
        is_paused: whether nothing is sent for a time.
        deadline: when ``due`` is to be called; infinite while nothing is held back.
    """

    __slots__ = (
        "_burst",
        "_count",
        "_credit",
        "_frame_time",
        "_held",
        "_is_thin",
        "_queue",
        "_rate",
        "_sending",
        "_step",
        "_timestamp",
        "deadline",
        "is_full",
        "is_needed",
        "is_paused",
    )

    def __init__(self) -> None:
        self.is_needed = self.is_full = self.is_paused = False
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
        # Octets in a second; those that may be sent of it now, those that are held
        # back, and the timestamp of the frame of which some were sent.
        self._rate = math.inf
        self._credit = 0.0
        self._held = 0
        self._sending = -1

    def limit(self, rate: float) -> None:
        """Send at most at a rate.

        Args:
            rate: in bit/s; infinite for as soon as possible.
        """
        if rate == math.inf > self._rate:
            self._step = max(self._step, self._pace())
            self.is_paused = False
        self._rate = rate / 8
        self._changed()

    def pause(self, until: float) -> None:
        """Send nothing until a time: a queue in the network drains.

        It is for a limited rate.
        """
        self.is_paused = True
        self.deadline = until

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
        self._changed()
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
            is_end = self._is_thin and self._count > self._burst
            if self._queue or is_end or self._rate < math.inf:
                self._hold(packets[index:], now)
                return index
        return len(packets)

    def due(self, now: float) -> list[ForwardedPacket]:
        """The packets that are to be sent now."""
        packets: list[ForwardedPacket] = []
        if self.deadline <= now + _SLACK:
            self.is_paused = False
        while self.deadline <= now + _SLACK:
            if self._rate < math.inf:
                self._take_limited(packets)
            else:
                count = min(self._step, len(self._queue))
                packets += [self._queue.popleft() for _ in range(count)]
            self.deadline += STEP
            if not self._queue:
                self.deadline = math.inf
        if packets:
            self._sending = packets[-1].timestamp
            self._held -= sum(_size(packet) for packet in packets)
        self._changed()
        return packets

    def flush(self) -> list[ForwardedPacket]:
        """All packets that are held back, to be sent now.

        At a limited rate these are few: the rest of the frame that was begun, and all
        others are left out.
        """
        if self._rate == math.inf or self._wait <= LITTLE_WAIT:
            packets = list(self._queue)
        else:
            packets = self._rest()
        self._queue.clear()
        self._held = 0
        self.is_paused = False
        self.deadline = math.inf
        self._changed()
        return packets

    @property
    def is_behind(self) -> bool:
        """Whether a key frame is to be sent in place of frames that are held back."""
        if self._rate == math.inf or self._wait <= LITTLE_WAIT:
            return False
        return len(self._rest()) <= MIN_BURST

    @property
    def _wait(self) -> float:
        """Seconds until all that is held back is sent at the limited rate."""
        return self._held / self._rate

    def _rest(self) -> list[ForwardedPacket]:
        """What is held back of the frame of which some was sent."""
        sending = self._sending
        return list(takewhile(lambda p: p.timestamp == sending, self._queue))

    def _take_limited(self, packets: list[ForwardedPacket]) -> None:
        """Take what may be sent in a step at a limited rate."""
        queue = self._queue
        self._credit += self._rate * STEP
        while queue and self._credit > 0:
            packets.append(queue.popleft())
            self._credit -= _size(packets[-1])
        if not queue:
            self._credit = min(self._credit, 0.0)

    def _hold(self, packets: Sequence[ForwardedPacket], now: float) -> None:
        if not self._queue:
            self._step = 0
            if not self.is_paused:
                self.deadline = now + STEP
        self._queue.extend(packets)
        self._held += sum(_size(packet) for packet in packets)
        self._step = max(self._step, self._pace())
        last = packets[-1].timestamp
        if last != self._timestamp:
            self._timestamp, self._count = last, 0
        self._changed()

    def _pace(self) -> int:
        """The packets of each step, for all to leave within the time of a frame.

        Those before a packet leave first, and as quickly as was decided for them.
        """
        steps = max(int(self._frame_time / STEP), 1)
        return math.ceil(len(self._queue) / steps)

    def _changed(self) -> None:
        """Decide whether packets have to pass, and whether they are too many."""
        is_limited = self._rate < math.inf
        self.is_needed = self._is_thin or bool(self._queue) or is_limited
        most = FEW_WAIT if self.is_full else MAX_WAIT
        self.is_full = is_limited and self._wait > most


def _size(packet: ForwardedPacket) -> int:
    return HEADER_LENGTH + len(packet.body)
