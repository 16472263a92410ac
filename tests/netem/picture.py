"""A model of the picture that a browser shows.

It follows libwebrtc: NACKs as in `NackModule`, frames decoded in order as soon as they
are whole, freezes as in webrtc-stats. The jitter buffer is simple: it shows a frame no
sooner than one that is as late as usual.
"""

from collections import deque
from collections.abc import Callable
from itertools import pairwise

from tests.netem.nack_module import INTERVAL, NackModule
from tests.netem.reports import Reports, Unwrapper
from tests.netem.world import World
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.rtcp import write_nack, write_pli

VIDEO_RATE = 90_000

#: The receiver's own SSRC.
RECEIVER_SSRC = 1

# Seconds without a frame until a key frame is asked for.
_FRAME_TIMEOUT = 3.0
# A frame that stands for so much longer than usual is frozen; usual is the mean of so
# many frames.
_FREEZE, _USUAL_FRAMES = 0.15, 30

Send = Callable[[bytes], object]


class Picture:
    """Receives video: puts frames together and shows them.

    Args:
        world: whose time it is.
        ssrc: of the RTP stream.
        send: takes RTCP for the server.
        round_trip: seconds, as the receiver knows it.

    Attributes:
        shown: when each frame was shown.
        buffered: seconds that each was in the jitter buffer, from its first packet on.
        nacks: packets asked for, as often as that was.
        last_timestamp: the RTP timestamp of the last frame; -1 before the first.
    """

    def __init__(self, world: World, ssrc: int, send: Send, round_trip: float) -> None:
        self.shown: list[float] = []
        self.buffered: list[float] = []
        self.nacks = 0
        self.last_timestamp = -1
        self.reports = Reports()
        self.module = NackModule(round_trip)
        self._world = world
        self._ssrc = ssrc
        self._send = send
        self._sequences, self._timestamps = Unwrapper(16), Unwrapper(32)
        # The packets that are not decoded yet: when they came, and what they are.
        self._packets: dict[int, tuple[float, RtpPacket]] = {}
        self._key_frames: list[int] = []
        self._next: int | None = None
        self._first_timestamp: int | None = None
        # How late the last frames were: when they were whole, less their timestamp.
        self._lateness: deque[float] = deque(maxlen=_USUAL_FRAMES)
        self._whole_at = world.now
        world.call_later(INTERVAL, self._tick)

    def receive(self, packet: RtpPacket, *, is_recovered: bool = False) -> None:
        """Take a packet of the RTP stream, or one restored from RTX."""
        sequence, now = self._sequences.unwrap(packet.sequence), self._world.now
        if not is_recovered:
            self.reports.receive(sequence)
        self.module.receive(sequence, is_recovered=is_recovered)
        self._request(self.module.new_requests(now))
        if sequence in self._packets or sequence < (self._next or 0):
            return
        self._packets[sequence] = (now, packet)
        if _begins_key_frame(packet):
            self._key_frames.append(sequence)
            if self._next is None:
                self._next = sequence
        self._decode()

    def _tick(self) -> None:
        now = self._world.now
        self._world.call_later(INTERVAL, self._tick)
        self._request(self.module.due_requests(now))
        if now - self._whole_at > _FRAME_TIMEOUT:
            self._whole_at = now
            self._send(write_pli(RECEIVER_SSRC, self._ssrc))

    def _request(self, sequences: list[int]) -> None:
        self.nacks += len(sequences)
        if sequences:
            numbers = [sequence & 0xFFFF for sequence in sequences]
            self._send(write_nack(RECEIVER_SSRC, self._ssrc, numbers))

    def _decode(self) -> None:
        """Decode what is whole: the next frame, else a later key frame."""
        while self._next is not None:
            self._key_frames = [n for n in self._key_frames if n >= self._next]
            for start in (self._next, *self._key_frames):
                if frame := self._frame_from(start):
                    break
            else:
                return
            self._show(frame)
            self._next = frame.stop
            self._packets = {n: p for n, p in self._packets.items() if n >= frame.stop}
            self.module.forget(frame.stop)

    def _frame_from(self, start: int) -> range | None:
        """The packets of a frame, if all have come."""
        end = start
        while (found := self._packets.get(end)) is not None:
            end += 1
            if found[1].marker:
                return range(start, end)
        return None

    def _show(self, frame: range) -> None:
        arrivals = [self._packets[sequence][0] for sequence in frame]
        packet = self._packets[frame.start][1]
        self.last_timestamp = packet.timestamp
        timestamp = self._timestamps.unwrap(packet.timestamp)
        if self._first_timestamp is None:
            self._first_timestamp = timestamp
        taken = (timestamp - self._first_timestamp) / VIDEO_RATE
        now = self._whole_at = self._world.now
        self._lateness.append(now - taken)
        usual = sorted(self._lateness)[len(self._lateness) // 2]
        # No frame is shown before the one before it.
        shown = max(now, taken + usual, *self.shown[-1:])
        self.shown.append(shown)
        self.buffered.append(shown - min(arrivals))


def frozen(shown: list[float], begin: float, end: float) -> float:
    """Seconds of freezes between two moments, as webrtc-stats defines them.

    Args:
        shown: when each frame was shown.
    """
    total, usual = 0.0, deque[float](maxlen=_USUAL_FRAMES)
    moments = [when for when in shown if when < end] + [end]
    for a, b in pairwise(moments):
        mean = sum(usual) / len(usual) if usual else 1 / 30
        if b - a >= max(3 * mean, mean + _FREEZE):
            total += max(b - max(a, begin), 0.0)
        usual.append(b - a)
    return total


def _begins_key_frame(packet: RtpPacket) -> bool:
    """Whether a key frame of VP8 begins here: RFC 7741 sections 4.2 and 4.3."""
    payload = packet.payload
    return len(payload) > 1 and bool(payload[0] & 0x10) and not payload[1] & 1
