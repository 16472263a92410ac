"""A model of a browser that watches one video, behind a network in virtual time.

It requests lost packets as libwebrtc's NACK module does: at once, then after each round
trip as it knows it (100 ms when it does not), looked at every 20 ms, at most 10 times.
It reports once a second, and estimates the bandwidth by delay alone.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from tests.netem.link import Conditions, Datagram, Link
from tests.netem.world import World
from tests.unit.media.watching import KEY
from whipbird.media.transport import FanOut
from whipbird.rtc.connection import Connection
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.rewriter import Rewriter, Rewriting
from whipbird.rtp.rtcp import (
    ReportBlock,
    SenderReport,
    parse_rtcp,
    write_nack,
    write_receiver_report,
    write_remb,
)
from whipbird.rtp.rtx import unwrap
from whipbird.transport.packet_buffer import PacketBuffer

UNKNOWN_ROUND_TRIP = 0.1
MAX_REQUESTS = 10
LOOK_INTERVAL = 0.02
REPORT_INTERVAL = 1.0

# The estimate: seconds until the first one without a queue; what shows a queue; what
# of the bitrate is left then; how it grows otherwise.
FIRST_ESTIMATE = 5.0
QUEUE = 0.03
DECREASE = 0.85
GROWTH = 1.08
LIMIT = 1.5

# A frame that comes so much later than usual is a freeze (W3C webrtc-stats,
# ``freezeCount``): three intervals, or one and 150 ms.
FREEZE_INTERVALS, FREEZE_TIME = 3, 0.15

_SERVER, _BROWSER = ("192.0.2.1", 8080), ("192.0.2.2", 40000)


@dataclass
class Way:
    """The network between an egress and a browser; it has the methods of a connection.

    Attributes:
        down, up: the links to and from the browser.
        octets: those of all RTP packets sent to it.
        sent: how many packets.
    """

    world: World
    conditions: Conditions
    round_trip: float | None = None
    is_congested: bool = False
    octets: int = 0
    sent: int = 0
    rtcp_route: Callable[[bytes], None] | None = None

    def __post_init__(self) -> None:
        back = Conditions(delay=self.conditions.delay)
        self.browser: Browser | None = None
        self.down = Link(self.world, "down", self._arrive, self.conditions)
        self.up = Link(self.world, "up", self._return, back)

    @property
    def connection(self) -> Connection:
        return cast(Connection, self)

    @property
    def fan_out(self) -> FanOut | None:
        return None

    def make_rewriter(self, ssrc: int, *, sequence: int, timestamp: int) -> Rewriting:
        return Rewriter(ssrc, sequence=sequence, timestamp=timestamp)

    def route_rtcp(self, take: Callable[[bytes], None]) -> None:
        self.rtcp_route = take

    def send_rtp(self, packet: bytes) -> None:
        self.octets += len(packet)
        self.sent += 1
        self.down.send(Datagram(_SERVER, _BROWSER, packet))

    def send_rtp_batch(self, batch: PacketBuffer) -> None:
        for slot, length in zip(batch.slots, batch.lengths, strict=False):
            self.send_rtp(bytes(slot[:length]))

    def send_rtcp(self, packet: bytes) -> None:
        self.down.send(Datagram(_SERVER, _BROWSER, packet))

    def _arrive(self, datagram: Datagram) -> None:
        assert self.browser is not None
        self.browser.receive(datagram.data)

    def _return(self, datagram: Datagram) -> None:
        assert self.rtcp_route is not None
        self.rtcp_route(datagram.data)


@dataclass
class Browser:
    """Receives one RTP stream.

    Args:
        ssrc, payload_type: those of the stream; any other RTP packet is of RTX.
        estimates: whether it sends REMB.

    Attributes:
        lost: packets that never came.
        late: packets that had to be requested more than once.
        frozen: seconds without a picture that was due.
        delays: of each frame, seconds from its first packet to when it is whole.
        estimate: its last bandwidth estimate; None before the first.
    """

    way: Way
    ssrc: int
    payload_type: int
    estimates: bool = True
    round_trip: float = UNKNOWN_ROUND_TRIP
    lost: int = 0
    late: int = 0
    frozen: float = 0.0
    pictures: int = 0
    delays: list[float] = field(default_factory=list)
    estimate: float | None = None

    def __post_init__(self) -> None:
        self.way.browser = self
        self._world = self.way.world
        self._newest: int | None = None
        self._base = 0
        self._known: set[int] = set()
        # Lost packets: when requested, and how often.
        self._missing: dict[int, list[float]] = {}
        # Frames whose end has come: the number of the last packet -> the timestamp.
        self._ends: dict[int, int] = {}
        # When the first packet of each frame came, by timestamp.
        self._begun: dict[int, float] = {}
        # The number of the next packet that is to be decoded.
        self._next = 0
        # Packets that are not requested any more, and the first ones of key frames.
        self._given_up: set[int] = set()
        self._key_frames: set[int] = set()
        self._shown_at = -math.inf
        self._report: tuple[int, float] | None = None
        self._received = self._expected = self._received_before = 0
        self._arrived: deque[tuple[float, int]] = deque()
        self._shortest = math.inf
        # The shortest one since the last report, beyond that.
        self._transit = math.inf
        self._began = self._world.now
        self._world.call_later(LOOK_INTERVAL, self._look)
        self._world.call_later(REPORT_INTERVAL, self._send_report)

    def receive(self, data: bytes) -> None:
        """Take an RTP or RTCP packet."""
        now = self._world.now
        if 192 <= data[1] <= 223:
            for packet in parse_rtcp(data):
                if isinstance(packet, SenderReport):
                    self._report = packet.ntp_timestamp >> 16 & 0xFFFFFFFF, now
            return
        self._arrived.append((now, len(data)))
        found = RtpPacket.parse(data)
        assert found is not None
        if found.ssrc == self.ssrc:
            self._received += 1
        else:
            found = unwrap(found, self.payload_type, self.ssrc)
            assert found is not None
        self._take(found, now)

    def _take(self, packet: RtpPacket, now: float) -> None:
        if self._newest is None:
            self._newest = self._base = packet.sequence
            self._next = packet.sequence
        step = (packet.sequence - self._newest) & 0xFFFF
        number = self._newest + (step if step < 0x8000 else step - 0x10000)
        if number in self._known or number < self._next:
            return
        self._known.add(number)
        self._begun.setdefault(packet.timestamp, now)
        if number > self._newest:
            self._measure(packet, now)
            lost = range(self._newest + 1, number)
            self._newest = number
            fresh = [n for n in lost if n not in self._known]
            self._missing |= {n: [now, 1] for n in fresh}
            self._request(fresh)
        else:
            self._missing.pop(number, None)
        if packet.payload.startswith(KEY):
            self._key_frames.add(number)
        if packet.marker:
            self._ends[number] = packet.timestamp
        self._show(now)

    def _show(self, now: float) -> None:
        """Show the frames that are whole, in order."""
        if self._next in self._given_up:
            # A decoder goes on at the next key frame.
            later = [n for n in self._key_frames if n > self._next]
            if not later:
                return
            self._next = min(later)
            self._given_up = {n for n in self._given_up if n > self._next}
            self._key_frames = {n for n in later if n > self._next}
            self._ends = {n: t for n, t in self._ends.items() if n > self._next}
        while self._next in self._known:
            self._known.remove(self._next)
            if (timestamp := self._ends.pop(self._next, None)) is not None:
                self._picture(timestamp, now)
            self._next += 1

    def _picture(self, timestamp: int, now: float) -> None:
        self.pictures += 1
        self.delays.append(now - self._begun.pop(timestamp))
        gap = now - self._shown_at
        interval = 1 / 30
        if math.inf > gap > max(FREEZE_INTERVALS * interval, interval + FREEZE_TIME):
            self.frozen += gap
        self._shown_at = now

    def _request(self, numbers: list[int]) -> None:
        if numbers:
            sequences = [n & 0xFFFF for n in numbers]
            self._send(write_nack(1, self.ssrc, sequences))

    def _look(self) -> None:
        now = self._world.now
        again = []
        for number, state in list(self._missing.items()):
            if now - state[0] >= self.round_trip - 1e-9:
                if state[1] == 1:
                    self.late += 1
                state[0], state[1] = now, state[1] + 1
                again.append(number)
                if state[1] >= MAX_REQUESTS:
                    del self._missing[number]
                    self._given_up.add(number)
                    self.lost += 1
        self._request(again)
        self._world.call_later(LOOK_INTERVAL, self._look)

    def _measure(self, packet: RtpPacket, now: float) -> None:
        """How long packets are on their way, by the timestamps of a steady source."""
        transit = now - packet.timestamp / 90_000
        self._shortest = min(self._shortest, transit)
        self._transit = min(self._transit, transit - self._shortest)

    def _send_report(self) -> None:
        now = self._world.now
        self._world.call_later(REPORT_INTERVAL, self._send_report)
        if self._newest is None:
            return
        expected = self._newest - self._base + 1
        interval = expected - self._expected
        arrived = self._received - self._received_before
        fraction = max(0, interval - arrived) / max(interval, 1)
        self._expected, self._received_before = expected, self._received
        last, at = self._report or (0, now)
        delay = round((now - at) * 65536)
        highest = self._newest & 0xFFFFFFFF
        block = ReportBlock(self.ssrc, int(fraction * 256), 0, highest, 0, last, delay)
        data = write_receiver_report(1, [block])
        if self.estimates and (estimate := self._estimate(now)) is not None:
            data += write_remb(1, round(estimate), [self.ssrc])
        self._send(data)

    def _estimate(self, now: float) -> float | None:
        while self._arrived and self._arrived[0][0] < now - 1:
            self._arrived.popleft()
        bitrate = 8.0 * sum(size for _, size in self._arrived)
        if math.inf > self._transit > QUEUE:
            self.estimate = DECREASE * bitrate
        elif self.estimate is None:
            if now - self._began > FIRST_ESTIMATE:
                self.estimate = bitrate
        elif self.estimate < (most := LIMIT * bitrate + 10_000):
            self.estimate = min(GROWTH * self.estimate, most)
        self._transit = math.inf
        return self.estimate

    def _send(self, data: bytes) -> None:
        self.way.up.send(Datagram(_BROWSER, _SERVER, data))
