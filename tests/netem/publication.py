"""A stream from a publisher behind a bad path, through the server's media room.

The viewer's path is good. What is between the publisher's network and the viewer's is
the server's own code.
"""

from functools import partial
from typing import cast

from tests.netem.link import Conditions
from tests.netem.loop import run
from tests.netem.publisher import OFFER, Publisher
from tests.netem.viewing import Outcome, Viewing, measure, offered
from tests.netem.wire import Wire
from tests.netem.world import World
from whipbird.media.feed import Feed
from whipbird.media.feedback import Feedback
from whipbird.media.track import Track
from whipbird.media.transport import MediaTransport
from whipbird.rtp.history import GopBudget


class Publication:
    """A publisher of a picture and sound, the server, and one viewer.

    It has to be made in an event loop of the world's.

    Args:
        world: whose time it is.
        up: the publisher's way to the server, once it is bad; before, it has the delay
            only.
        down: and back.

    Attributes:
        publisher: sends.
        viewing: the viewer.
    """

    def __init__(self, world: World, up: Conditions, down: Conditions) -> None:
        self._up = up
        self.viewing = Viewing(world, Conditions(delay=0.0), Conditions(delay=0.0))
        self._wire = Wire(
            world, down, Conditions(delay=up.delay), "publisher", self._receive
        )
        transport = cast(MediaTransport, self._wire)
        self._feedback = Feedback(transport)
        self._wire.route_rtcp(self._feedback.rtcp_received)
        self._feeds: dict[Track, Feed] = {}
        for media in offered(OFFER):
            track = Track(media.kind, transport)
            track.configure(media, self._feedback)
            track.on_encodings_changed.append(partial(self._watch, track))
        self.publisher = Publisher(world, self._wire.send_back, up.delay + down.delay)

    @property
    def frames(self) -> int:
        """Frames of the picture, sent so far."""
        return self.publisher.frames

    @property
    def octets(self) -> int:
        """Octets of all IP packets that the publisher had to send once."""
        return self.publisher.octets

    @property
    def sent(self) -> int:
        """Octets of all IP packets that it has sent."""
        return self._wire.received

    def worsen(self) -> None:
        """Let the path get bad."""
        self._wire.back.conditions = self._up

    def stop(self) -> None:
        """Leave nothing that is called later."""
        self.viewing.egress.stop()
        self._feedback.stop()
        for feed in self._feeds.values():
            feed.close()

    def _watch(self, track: Track) -> None:
        """Let the viewer watch the track: its first packet has come."""
        (encoding,) = track.encodings
        self._feeds[track] = Feed(encoding, track.extension_map, GopBudget())
        self.viewing.watch(track.kind, self._feeds[track])

    def _receive(self, packet: bytes, sent_at: float) -> None:
        self.publisher.receive(packet, sent_at)


def publish(seed: int, up: Conditions, down: Conditions) -> Outcome:
    """Let a viewer watch for 15 s what comes through a path: see `Publication`."""
    world = World(seed)

    async def publishing() -> Outcome:
        return await measure(world, Publication(world, up, down))

    return run(world, publishing())
