"""A viewer of a stream: the server's part, the path, and the browser."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, cast

from tests.netem.link import Conditions
from tests.netem.nack_module import DEFAULT_ROUND_TRIP
from tests.netem.picture import frozen
from tests.netem.receiver import Receiver
from tests.netem.wire import Wire
from tests.netem.world import World
from tests.offers import CHROMIUM_VIEWER
from whipbird.media.egress import Egress
from whipbird.media.feed import Feed
from whipbird.media.report_rounds import ReportRounds
from whipbird.media.transport import MediaTransport
from whipbird.sdp.media import OfferedMedia
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.role import PUBLISHER, VIEWER, Role

#: Samples of a packet of sound.
SAMPLES = 960

#: Seconds before a path gets bad, until then, and of the measurement.
CLEAN, SETTLE, SECONDS = 1.0, 2.0, 15.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a viewer got in the seconds that are measured.

    Attributes:
        frozen: seconds.
        frames: that were shown, of those that were sent.
        frames_sent: these.
        buffer: mean seconds of a frame in the jitter buffer.
        concealed: share of the sound, 0 to 1.
        beside: octets on the bad path beside the first transmission of each packet,
            as a share of the latter.
        bitrate: all that was sent into the bad path, in bit/s.
    """

    frozen: float
    frames: int
    frames_sent: int
    buffer: float
    concealed: float
    beside: float
    bitrate: float


class Viewing:
    """One viewer of one picture and one sound.

    Args:
        world: whose time it is.
        down: the way from the server.
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
        self.wire = Wire(world, down, up, "viewer", self._receive)
        self.egress = Egress(cast(MediaTransport, self.wire), "stream")
        audio, video = (
            self.egress.add(media) for media in offered(CHROMIUM_VIEWER, VIEWER)
        )
        assert video.rtx_ssrc is not None
        self.receiver = Receiver(
            world,
            self.wire.send_back,
            video=video.ssrc,
            rtx_ssrc=video.rtx_ssrc,
            audio=audio.ssrc,
            round_trip=round_trip,
        )
        self.egress.start(ReportRounds())

    def watch(self, kind: str, feed: Feed) -> None:
        """Watch a feed of audio or video."""
        (forwarder,) = (f for f in self.egress.forwarders if f.kind == kind)
        forwarder.watch(feed)

    def _receive(self, packet: bytes, sent_at: float) -> None:
        self.receiver.receive(packet, sent_at)


class Stream(Protocol):
    """What is watched, through a bad path.

    Attributes:
        viewing: the viewer.
    """

    viewing: Viewing

    @property
    def frames(self) -> int:
        """Frames of the picture, sent so far."""

    @property
    def octets(self) -> int:
        """Octets of all IP packets so far that have to be sent once over it."""

    @property
    def sent(self) -> int:
        """Octets of all IP packets that were sent over it so far."""

    def worsen(self) -> None:
        """Let the path get bad."""

    def stop(self) -> None:
        """Leave nothing that is called later."""


async def measure(world: World, stream: Stream) -> Outcome:
    """Let a viewer watch through a path that gets bad."""
    await asyncio.sleep(CLEAN)
    stream.worsen()
    await asyncio.sleep(SETTLE)
    begin, octets, sent, frames = world.now, stream.octets, stream.sent, stream.frames
    await asyncio.sleep(SECONDS)
    end = world.now
    octets, sent = stream.octets - octets, stream.sent - sent
    frames = stream.frames - frames
    # What was just sent may still come.
    await asyncio.sleep(1.0)
    stream.stop()
    picture, sound = stream.viewing.receiver.picture, stream.viewing.receiver.sound
    shown = [n for n, when in enumerate(picture.shown) if begin <= when < end]
    buffered = [picture.buffered[n] for n in shown]
    return Outcome(
        frozen=frozen(picture.shown, begin, end),
        frames=len(shown),
        frames_sent=frames,
        buffer=sum(buffered) / len(buffered) if buffered else 0.0,
        concealed=sound.concealed(begin, end, SAMPLES),
        beside=sent / octets - 1,
        bitrate=sent * 8 / SECONDS,
    )


def offered(sdp: str, role: Role = PUBLISHER) -> Iterator[OfferedMedia]:
    """The sections of an offer, all of which are accepted."""
    for section in parse_offer(sdp, role).sections:
        assert isinstance(section, OfferedMedia)
        yield section
