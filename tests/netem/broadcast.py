"""A stream through the server's media room to a viewer behind a bad path.

There is no network before the server, and no encryption. What is between the viewer's
network and the encoding is the server's own code.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import cast

from tests.netem.link import Conditions, Datagram, Link
from tests.netem.loop import run
from tests.netem.nack_module import DEFAULT_ROUND_TRIP
from tests.netem.picture import VIDEO_RATE, frozen
from tests.netem.receiver import Receiver
from tests.netem.world import World
from tests.offers import CHROMIUM_VIEWER
from tests.rtp_packets import write_rtp
from whipbird.media.egress import Egress
from whipbird.media.encoding import Encoding
from whipbird.media.feed import Feed
from whipbird.media.source import Source
from whipbird.media.transport import MediaTransport
from whipbird.rtp.history import GopBudget
from whipbird.rtp.packet import RtpPacket
from whipbird.sdp.codecs import Codec
from whipbird.sdp.media import OfferedMedia
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.role import VIEWER
from whipbird.transport.packet_buffer import PacketBuffer

FRAME_RATE, GOP = 30, 60
SAMPLES = 960
#: Packets of a key frame, and of others at least and at most: 2.2 Mb/s.
KEY_PACKETS, PACKETS = 40, (4, 12)
_PAYLOAD, _OPUS_PAYLOAD = 1100, 320

_VP8 = Codec(96, "VP8/90000", feedback=("nack", "nack pli"))
_OPUS = Codec(111, "opus/48000/2")

# A frame of VP8 begins with its descriptor, then its own header (RFC 7741).
_KEY = b"\x10\x10\x02\x00\x9d\x01\x2a\x00\x05\xd0\x02"
_DELTA = b"\x10\x11\x02\x00"
_MORE = b"\x00"

_SERVER, _VIEWER = ("198.51.100.1", 8080), ("192.0.2.1", 5000)
# What SRTP adds: here it tells when a packet was sent.
_TAG = Struct("!d2x")

#: Seconds before the path gets bad, until then, and of the measurement.
CLEAN, SETTLE, SECONDS = 1.0, 2.0, 15.0


def _size(packet: bytes) -> int:
    """Octets of the IP packet around an RTP or RTCP packet."""
    return Datagram(_SERVER, _VIEWER, packet).size + _TAG.size


def _offered() -> Iterator[OfferedMedia]:
    """The sections of a browser's offer, of sound and of the picture."""
    for section in parse_offer(CHROMIUM_VIEWER, VIEWER).sections:
        assert isinstance(section, OfferedMedia)
        yield section


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a viewer got in the seconds that are measured.

    Attributes:
        frozen: seconds.
        frames: that were shown, of those that were sent.
        frames_sent: these.
        buffer: mean seconds of a frame in the jitter buffer.
        concealed: share of the sound, 0 to 1.
        beside: octets for the viewer beside the first transmission of each packet, as
            a share of the latter.
        bitrate: all that was sent to the viewer, in bit/s.
    """

    frozen: float
    frames: int
    frames_sent: int
    buffer: float
    concealed: float
    beside: float
    bitrate: float


class _Wire:
    """The viewer's transport: a link, without encryption."""

    def __init__(self, world: World, link: Link) -> None:
        self.rtp_routes: dict[int, Callable[[bytes], None]] = {}
        self.waiting = 0
        self.take_rtcp: Callable[[bytes], None] | None = None
        self.sent = 0
        self._world = world
        self._link = link

    def route_rtcp(self, take: Callable[[bytes], None]) -> None:
        self.take_rtcp = take

    def send_rtp(self, packet: bytes) -> None:
        datagram = Datagram(_SERVER, _VIEWER, packet + _TAG.pack(self._world.now))
        self.sent += datagram.size
        self._link.send(datagram)

    def send_rtp_batch(self, batch: PacketBuffer) -> None:
        for slot, length in zip(batch.slots, batch.lengths, strict=False):
            self.send_rtp(bytes(slot[:length]))

    def send_rtcp(self, packet: bytes) -> None:
        # The model learns nothing from it.
        self.sent += _size(packet)


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
            self.octets += _size(data)
        self.frames += 1
        due = self._began + self.frames * self._ticks / self._codec.clock_rate
        self._world.call_at(due, self._send)


class Broadcast:
    """A publisher of 720p30 and sound, the server, and one viewer.

    It has to be made in an event loop of the world's. The publisher does not answer
    requests for key frames; one comes every two seconds.

    Args:
        world: whose time it is.
        down: the viewer's way from the server.
        up: and back.
        round_trip: seconds, as the viewer knows it.

    Attributes:
        down, up: the links.
        egress: the server's part of the viewer.
        receiver: the viewer.
        encoders: of the sound and of the picture.
        video: the latter.
    """

    def __init__(
        self,
        world: World,
        down: Conditions,
        up: Conditions,
        round_trip: float = DEFAULT_ROUND_TRIP,
    ) -> None:
        self._world = world
        self.down = Link(world, "down", self._take_rtp, down)
        self.up = Link(world, "up", self._take_rtcp, up)
        self.wire = _Wire(world, self.down)
        self.egress = Egress(cast(MediaTransport, self.wire), "stream")
        audio, video = (self.egress.add(media) for media in _offered())
        assert video.rtx_ssrc is not None
        self.receiver = Receiver(
            world,
            self._send_rtcp,
            video=video.ssrc,
            rtx_ssrc=video.rtx_ssrc,
            audio=audio.ssrc,
            round_trip=round_trip,
        )
        sizes = world.derive_rng("frames")

        def picture(frame: int) -> list[bytes]:
            first = _KEY if frame % GOP == 0 else _DELTA
            count = sizes.randint(*PACKETS) if frame % GOP else KEY_PACKETS
            return [p.ljust(_PAYLOAD, b"x") for p in (first, *[_MORE] * (count - 1))]

        self.encoders = [
            _Encoder(world, _OPUS, SAMPLES, lambda _: [b"\xfc".ljust(_OPUS_PAYLOAD)]),
            _Encoder(world, _VP8, VIDEO_RATE // FRAME_RATE, picture),
        ]
        self.video = self.encoders[1]
        for forwarder, encoder in zip(
            self.egress.forwarders, self.encoders, strict=True
        ):
            forwarder.watch(encoder.feed)
        self.egress.start()

    @property
    def octets(self) -> int:
        """Octets of all IP packets that the server had to send once."""
        return sum(encoder.octets for encoder in self.encoders)

    def stop(self) -> None:
        """Leave nothing that is called later."""
        self.egress.stop()
        for encoder in self.encoders:
            encoder.feed.close()

    def _send_rtcp(self, packet: bytes) -> None:
        self.up.send(Datagram(_VIEWER, _SERVER, packet))

    def _take_rtcp(self, datagram: Datagram) -> None:
        assert self.wire.take_rtcp is not None
        self.wire.take_rtcp(datagram.data)

    def _take_rtp(self, datagram: Datagram) -> None:
        packet, tag = datagram.data[: -_TAG.size], datagram.data[-_TAG.size :]
        self.receiver.receive(packet, *_TAG.unpack(tag))


def watch(
    seed: int,
    down: Conditions,
    up: Conditions,
    round_trip: float = DEFAULT_ROUND_TRIP,
) -> Outcome:
    """Let a viewer watch for 15 s through a path.

    Args:
        down: the way of the media, once it is bad; before, it has the delay only.
    """
    world = World(seed)
    return run(world, _watch(world, down, up, round_trip))


async def _watch(
    world: World, down: Conditions, up: Conditions, round_trip: float
) -> Outcome:
    broadcast = Broadcast(world, Conditions(delay=down.delay), up, round_trip)
    await asyncio.sleep(CLEAN)
    broadcast.down.conditions = down
    await asyncio.sleep(SETTLE)
    picture, wire = broadcast.receiver.picture, broadcast.wire
    begin, octets, sent = world.now, broadcast.octets, wire.sent
    frames_sent = broadcast.video.frames
    await asyncio.sleep(SECONDS)
    end = world.now
    octets, sent = broadcast.octets - octets, wire.sent - sent
    frames_sent = broadcast.video.frames - frames_sent
    # What was just sent may still come.
    await asyncio.sleep(1.0)
    broadcast.stop()
    shown = [n for n, when in enumerate(picture.shown) if begin <= when < end]
    buffered = [picture.buffered[n] for n in shown]
    return Outcome(
        frozen=frozen(picture.shown, begin, end),
        frames=len(shown),
        frames_sent=frames_sent,
        buffer=sum(buffered) / len(buffered) if buffered else 0.0,
        concealed=broadcast.receiver.sound.concealed(begin, end, SAMPLES),
        beside=sent / octets - 1,
        bitrate=sent * 8 / SECONDS,
    )
