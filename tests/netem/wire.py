"""A peer's media transport over two links, without ICE, DTLS and SRTP."""

from collections.abc import Callable
from struct import Struct

from tests.netem.link import Conditions, Datagram, Link
from tests.netem.world import World
from whipbird.media.transport import FanOut
from whipbird.rtp.rewriter import Rewriter, Rewriting
from whipbird.transport.packet_buffer import PacketBuffer

_SERVER, _PEER = ("198.51.100.1", 8080), ("192.0.2.1", 5000)
# In place of what SRTP adds: when the packet was sent.
_TAG = Struct("!d2x")

#: The second octet of RTCP packets (RFC 5761 section 4).
RTCP = range(192, 224)

#: Takes an RTP or RTCP packet, and when it was sent.
Take = Callable[[bytes, float], object]


def size_of(packet: bytes) -> int:
    """Octets of the IP packet around an RTP or RTCP packet."""
    return Datagram(_SERVER, _PEER, packet).size + _TAG.size


class Wire:
    """The server's end of a connection, as `whipbird.media.transport` has it.

    Args:
        world: whose time it is.
        there: the way to the peer.
        back: the way from it.
        take: what the peer does with a packet.

    Attributes:
        there, back: the links.
        sent: octets of IP packets that the server has sent.
        received: the same of the peer.
    """

    def __init__(
        self, world: World, there: Conditions, back: Conditions, name: str, take: Take
    ) -> None:
        self.rtp_routes: dict[int, Callable[[bytes], None]] = {}
        self.is_congested = False
        self.sent = self.received = 0
        self.there = Link(world, f"{name} there", self._arrive, there)
        self.back = Link(world, f"{name} back", self._arrive_back, back)
        self._world = world
        self._take = take
        self._take_rtcp: Callable[[bytes], None] | None = None

    @property
    def round_trip(self) -> float | None:
        """What ICE would have measured."""
        return self.there.conditions.delay + self.back.conditions.delay

    @property
    def fan_out(self) -> FanOut | None:
        return None

    def make_rewriter(self, ssrc: int, *, sequence: int, timestamp: int) -> Rewriting:
        return Rewriter(ssrc, sequence=sequence, timestamp=timestamp)

    def route_rtcp(self, take: Callable[[bytes], None]) -> None:
        self._take_rtcp = take

    def send_rtp(self, packet: bytes) -> None:
        self.sent += size_of(packet)
        tagged = packet + _TAG.pack(self._world.now)
        self.there.send(Datagram(_SERVER, _PEER, tagged))

    def send_rtp_batch(self, batch: PacketBuffer) -> None:
        for slot, length in zip(batch.slots, batch.lengths, strict=False):
            self.send_rtp(bytes(slot[:length]))

    def send_rtcp(self, packet: bytes) -> None:
        self.send_rtp(packet)

    def send_back(self, packet: bytes) -> None:
        """Send a packet from the peer to the server."""
        self.received += size_of(packet)
        self.back.send(Datagram(_PEER, _SERVER, packet + bytes(_TAG.size)))

    def _arrive(self, datagram: Datagram) -> None:
        packet, tag = datagram.data[: -_TAG.size], datagram.data[-_TAG.size :]
        self._take(packet, *_TAG.unpack(tag))

    def _arrive_back(self, datagram: Datagram) -> None:
        packet = datagram.data[: -_TAG.size]
        if packet[1] not in RTCP:
            self.rtp_routes[packet[1] & 0x7F](packet)
        elif self._take_rtcp is not None:
            self._take_rtcp(packet)
