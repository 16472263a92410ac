"""A publisher and viewers, without a network between them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from tests.rtp_packets import write_rtp
from whipbird.media.encoding import Encoding
from whipbird.media.forwarder import Forwarder
from whipbird.media.transport import FanOut
from whipbird.rtc.connection import Connection
from whipbird.rtp import extensions
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.rewriter import Rewriter, Rewriting
from whipbird.sdp.codecs import Codec
from whipbird.sdp.media import OfferedMedia
from whipbird.transport.packet_buffer import PacketBuffer

VP8 = Codec(96, "VP8/90000", feedback=("nack", "nack pli"))
H264 = Codec(103, "H264/90000", "packetization-mode=1", feedback=("nack", "nack pli"))
AV1 = Codec(45, "AV1/90000")
OPUS = Codec(111, "opus/48000/2")

# The first octets of a frame of VP8: descriptor, then the frame's own (RFC 7741).
KEY = b"\x10\x10\x02\x00\x9d\x01\x2a\x40\x01\xb4\x00"
DELTA = b"\x10\x11\x02\x00"
# ... and of a packet that goes on with it.
MORE = b"\x00more"

# The viewer's payload types.
VIEWER_VP8 = Codec(120, "VP8/90000", feedback=("nack", "nack pli", "goog-remb"))
VIEWER_H264 = Codec(121, "H264/90000", "packetization-mode=1", feedback=("nack",))
VIEWER_OPUS = Codec(109, "opus/48000/2")
RTX = Codec(122, "rtx/90000", "apt=120", retransmits=120)

ABS_SEND_TIME = (3, extensions.ABS_SEND_TIME)


def taken(*codecs: Codec, extmap: tuple[tuple[int, str], ...] = ()) -> OfferedMedia:
    """A media section of a viewer's offer."""
    return OfferedMedia(
        kind="audio" if "opus" in codecs[0].rtpmap else "video",
        mid="0",
        protocol="UDP/TLS/RTP/SAVPF",
        codecs=codecs,
        extensions=extmap,
    )


@dataclass
class Wire:
    """A viewer's connection, from which nothing goes anywhere.

    Attributes:
        is_congested: whether the network takes less than it is sent.
        round_trip: seconds, as ICE has measured it.
        scheduled: when the forwarder wants to send something later.
        is_connected: or else it raises what a closed connection raises.
    """

    rtp: list[bytes] = field(default_factory=list)
    rtcp: list[bytes] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    rtcp_route: Callable[[bytes], None] | None = None
    is_congested: bool = False
    round_trip: float | None = None
    scheduled: list[float] = field(default_factory=list)
    is_connected: bool = True

    @property
    def connection(self) -> Connection:
        return cast(Connection, self)

    def schedule(self, when: float) -> None:
        self.scheduled.append(when)

    @property
    def fan_out(self) -> FanOut | None:
        return None

    def make_rewriter(self, ssrc: int, *, sequence: int, timestamp: int) -> Rewriting:
        return Rewriter(ssrc, sequence=sequence, timestamp=timestamp)

    def route_rtcp(self, take: Callable[[bytes], None]) -> None:
        self.rtcp_route = take

    def send_rtp(self, packet: bytes) -> None:
        self._check()
        self.rtp.append(packet)

    def send_rtp_batch(self, batch: PacketBuffer) -> None:
        self._check()
        self.batches.append(len(batch.lengths))
        for slot, length in zip(batch.slots, batch.lengths, strict=False):
            self.rtp.append(bytes(slot[:length]))

    def send_rtcp(self, packet: bytes) -> None:
        self._check()
        self.rtcp.append(packet)

    def _check(self) -> None:
        if not self.is_connected:
            raise ConnectionError

    @property
    def packets(self) -> list[RtpPacket]:
        """The sent packets."""
        found = [RtpPacket.parse(data) for data in self.rtp]
        assert None not in found
        return [packet for packet in found if packet is not None]

    @property
    def sequences(self) -> list[int]:
        """The sequence numbers of the sent packets, from 0."""
        packets = self.packets
        return [(p.sequence - packets[0].sequence) & 0xFFFF for p in packets]


class Source:
    """An encoding and the sender of its packets."""

    def __init__(self, codec: Codec = VP8, ssrc: int = 1, rid: str | None = None):
        self.key_frames_requested = 0
        self.encoding = Encoding(codec, rid, self._send_feedback_soon)
        self.source = self.encoding.add_source(ssrc, codec)
        self.codec = codec
        self.sequence = 1000 * ssrc
        self.timestamp = 90_000 * ssrc
        self._ssrc = ssrc
        self._now = asyncio.get_running_loop().time

    def _send_feedback_soon(self) -> None:
        if self.encoding.wants_key_frame:
            self.key_frames_requested += 1

    def send(self, *payloads: bytes) -> None:
        """Send a frame in several packets."""
        for index, payload in enumerate(payloads):
            data = write_rtp(
                self.sequence & 0xFFFF,
                self.timestamp & 0xFFFFFFFF,
                self._ssrc,
                payload,
                payload_type=self.codec.payload_type,
                marker=index == len(payloads) - 1,
            )
            packet = RtpPacket.parse(data)
            assert packet is not None
            self.source.receive(packet, self.codec, self._now())
            self.sequence += 1
        self.timestamp += self.codec.clock_rate // 30

    async def play(self, *frames: bytes) -> None:
        """Send frames of one packet each, and let the event loop forward them."""
        for payload in frames:
            self.send(payload)
        await asyncio.sleep(0)


def forwarder(
    wire: Wire,
    media: OfferedMedia | None = None,
    on_source_changed: Callable[[Forwarder], None] = lambda _: None,
) -> Forwarder:
    """A forwarder with the SSRCs 7 and 8."""
    media = media or taken(VIEWER_VP8, RTX)
    return Forwarder(media, 7, 8, wire.connection, on_source_changed, wire.schedule)
