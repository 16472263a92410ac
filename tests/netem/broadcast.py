"""A stream through the server's media room to a viewer behind a bad path.

There is no network before the server. What is between the encoder and the viewer's
network is the server's own code.
"""

from collections.abc import Callable

from tests.netem.frames import Pictures, speak
from tests.netem.link import Conditions
from tests.netem.loop import run
from tests.netem.nack_module import DEFAULT_ROUND_TRIP
from tests.netem.picture import VIDEO_RATE
from tests.netem.viewing import SAMPLES, Outcome, Viewing, measure
from tests.netem.wire import size_of
from tests.netem.world import World
from tests.rtp_packets import write_rtp
from whipbird.media.encoding import Encoding
from whipbird.media.feed import Feed
from whipbird.media.source import Source
from whipbird.rtp.history import GopBudget
from whipbird.rtp.packet import RtpPacket
from whipbird.sdp.codecs import Codec

#: 720p30 of 2.2 Mb/s, with a key frame every two seconds; Opus of 128 kb/s.
PICTURES, GOP = Pictures(rate=30, key_packets=40, packets=(4, 12)), 60
SOUND = 320

_VP8 = Codec(96, "VP8/90000", feedback=("nack", "nack pli"))
_OPUS = Codec(111, "opus/48000/2")


class _Encoder:
    """A publisher of one encoding: sends its frames when they are due.

    Args:
        ticks: how long a frame lasts, of the codec's clock.
        payloads: gives those of a frame, by its number.

    Attributes:
        octets: of IP packets to one viewer, each sent once.
        frames: sent so far.
    """

    def __init__(
        self,
        world: World,
        codec: Codec,
        ticks: int,
        payloads: Callable[[int], list[bytes]],
    ) -> None:
        self.encoding = Encoding(codec, None, lambda: None)
        self.feed = Feed(self.encoding, {}, GopBudget())
        self.octets = self.frames = 0
        self._source: Source = self.encoding.add_source(1, codec)
        self._world, self._codec, self._ticks = world, codec, ticks
        self._payloads = payloads
        self._sequence = 0
        self._began = world.now
        self._send()

    def _send(self) -> None:
        payloads = self._payloads(self.frames)
        for number, payload in enumerate(payloads, 1):
            data = write_rtp(
                self._sequence & 0xFFFF,
                self.frames * self._ticks & 0xFFFFFFFF,
                1,
                payload,
                payload_type=self._codec.payload_type,
                marker=number == len(payloads),
            )
            packet = RtpPacket.parse(data)
            assert packet is not None
            self._source.receive(packet, self._codec, self._world.now)
            self._sequence += 1
            self.octets += size_of(data)
        self.frames += 1
        self.encoding.tick(self._world.now)
        due = self._began + self.frames * self._ticks / self._codec.clock_rate
        self._world.call_at(due, self._send)


class Broadcast:
    """A publisher of a picture and sound, the server, and one viewer.

    It has to be made in an event loop of the world's. The publisher does not answer
    requests for key frames.

    Args:
        world: whose time it is.
        down: the viewer's way from the server, once it is bad; before, it has the
            delay only.
        up: and back.
        round_trip: seconds, as the viewer knows it.
    """

    def __init__(
        self,
        world: World,
        down: Conditions,
        up: Conditions,
        round_trip: float = DEFAULT_ROUND_TRIP,
    ) -> None:
        self._down = down
        self.viewing = Viewing(world, Conditions(delay=down.delay), up, round_trip)
        rng, ticks = world.derive_rng("frames"), VIDEO_RATE // PICTURES.rate
        self._video = _Encoder(
            world, _VP8, ticks, lambda frame: PICTURES.draw(frame % GOP == 0, rng)
        )
        self._audio = _Encoder(world, _OPUS, SAMPLES, lambda _: speak(SOUND))
        self.viewing.watch("video", self._video.feed)
        self.viewing.watch("audio", self._audio.feed)

    @property
    def frames(self) -> int:
        """Frames of the picture, sent so far."""
        return self._video.frames

    @property
    def octets(self) -> int:
        """Octets of all IP packets that the server had to send once."""
        return self._video.octets + self._audio.octets

    @property
    def sent(self) -> int:
        """Octets of all IP packets that it has sent."""
        return self.viewing.wire.sent

    def worsen(self) -> None:
        """Let the path get bad."""
        self.viewing.wire.there.conditions = self._down

    def stop(self) -> None:
        """Leave nothing that is called later."""
        self.viewing.egress.stop()
        self._video.feed.close()
        self._audio.feed.close()


def watch(
    seed: int,
    down: Conditions,
    up: Conditions,
    round_trip: float = DEFAULT_ROUND_TRIP,
) -> Outcome:
    """Let a viewer watch for 15 s through a path: see `Broadcast`."""
    world = World(seed)

    async def watching() -> Outcome:
        return await measure(world, Broadcast(world, down, up, round_trip))

    return run(world, watching())
