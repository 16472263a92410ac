"""A model of the sound that a browser plays.

Its jitter buffer is long enough for 19 of 20 packets, as libwebrtc's NetEq has it by
default; those that come again late make it longer.
"""

from collections import deque
from collections.abc import Iterator

from tests.netem.reports import Reports, Unwrapper
from tests.netem.world import World
from whipbird.rtp.packet import RtpPacket

AUDIO_RATE = 48_000
#: The payload type of RED in `tests.offers.CHROMIUM_VIEWER`.
RED_TYPE = 63

# Seconds that sound waits to be heard, at least and at most.
_MIN_DELAY, _MAX_DELAY = 0.06, 0.5
# It is chosen in steps of so much, and rounded up.
_STEP = 0.02
# The packets by which it is judged, and the share of them that is to come in time.
_JUDGED, _IN_TIME = 200, 0.95


class Sound:
    """Receives Opus, plain or in RED (RFC 2198), and hears what comes in time.

    Args:
        world: whose time it is.

    Attributes:
        reports: of its RTP stream.
        delay: seconds that sound waits to be heard now.
    """

    def __init__(self, world: World) -> None:
        self.reports = Reports()
        self.delay = _MIN_DELAY
        self._world = world
        self._sequences, self._timestamps = Unwrapper(16), Unwrapper(32)
        self._first: tuple[int, float] | None = None
        # The timestamps of packets that have come, and whether they came in time.
        self._heard: dict[int, bool] = {}
        self._lateness: deque[float] = deque(maxlen=_JUDGED)

    def receive(self, packet: RtpPacket) -> None:
        """Take a packet of the RTP stream."""
        self.reports.receive(self._sequences.unwrap(packet.sequence))
        timestamp = self._timestamps.unwrap(packet.timestamp)
        if self._first is None:
            self._first = timestamp, self._world.now
        earlier: list[int] = []
        if packet.payload_type == RED_TYPE:
            earlier = list(_redundant_offsets(packet.payload))
        for offset in (0, *earlier):
            if timestamp - offset not in self._heard:
                self._take(timestamp - offset)

    def _take(self, timestamp: int) -> None:
        late = self._world.now - self._expected(timestamp)
        self._heard[timestamp] = late <= self.delay
        self._lateness.append(late)
        usual = sorted(self._lateness)[int(len(self._lateness) * _IN_TIME)]
        self.delay = min(max(usual + _STEP, _MIN_DELAY), _MAX_DELAY)

    def _expected(self, timestamp: int) -> float:
        """When a packet comes if it takes as long as the first one."""
        assert self._first is not None
        first, came = self._first
        return came + (timestamp - first) / AUDIO_RATE

    def concealed(self, begin: float, end: float, samples: int) -> float:
        """The share of packets that were expected in a time and not heard, 0 to 1.

        Args:
            samples: those of a packet.
        """
        if self._first is None:
            return 1.0
        sent = range(self._first[0], self._first[0] + int(end * AUDIO_RATE), samples)
        wanted = [t for t in sent if begin <= self._expected(t) < end]
        return sum(not self._heard.get(t) for t in wanted) / len(wanted)


def _redundant_offsets(payload: bytes) -> Iterator[int]:
    """How many samples earlier each redundant block of RED is (RFC 2198)."""
    position = 0
    while payload[position] & 0x80:
        yield int.from_bytes(payload[position + 1 : position + 3]) >> 2
        position += 4
