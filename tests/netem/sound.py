"""A model of the sound that a browser plays, with a jitter buffer of one length."""

from collections.abc import Iterator

from tests.netem.reports import Reports, Unwrapper
from tests.netem.world import World
from whipbird.rtp.packet import RtpPacket

AUDIO_RATE = 48_000
#: The payload type of RED in `tests.offers.CHROMIUM_VIEWER`.
RED_TYPE = 63

# Seconds that sound waits to be heard.
_SOUND_DELAY = 0.08


class Sound:
    """Receives Opus, plain or in RED (RFC 2198), and hears what comes in time.

    Attributes:
        reports: of its RTP stream.
    """

    def __init__(self, world: World) -> None:
        self.reports = Reports()
        self._world = world
        self._sequences, self._timestamps = Unwrapper(16), Unwrapper(32)
        self._first: tuple[int, float] | None = None
        # The timestamps of packets that came in time.
        self._heard: set[int] = set()

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
            if self._world.now <= self._due(timestamp - offset):
                self._heard.add(timestamp - offset)

    def _due(self, timestamp: int) -> float:
        assert self._first is not None
        first, came = self._first
        return came + (timestamp - first) / AUDIO_RATE + _SOUND_DELAY

    def concealed(self, begin: float, end: float, samples: int) -> float:
        """The share of packets that were due in a time and did not come, 0 to 1.

        Args:
            samples: those of a packet.
        """
        if self._first is None:
            return 1.0
        due = range(self._first[0], self._first[0] + int(end * AUDIO_RATE), samples)
        wanted = [t for t in due if begin <= self._due(t) < end]
        return sum(t not in self._heard for t in wanted) / len(wanted)


def _redundant_offsets(payload: bytes) -> Iterator[int]:
    """How many samples earlier each redundant block of RED is (RFC 2198)."""
    position = 0
    while payload[position] & 0x80:
        yield int.from_bytes(payload[position + 1 : position + 3]) >> 2
        position += 4
