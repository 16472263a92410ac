"""Targets: RTP and RTCP, as an authentic publisher or viewer may send them."""

import asyncio
import contextlib
from collections.abc import Iterator
from functools import cache

from tests import offers
from tests.encoders import encode_video
from tests.fuzz.records import join, split
from tests.native import NATIVE
from tests.netem.loop import VirtualTimeLoop
from tests.netem.world import World
from tests.unit.media.watching import Wire
from tests.unit.rtc.media import Rig, rig, rtp
from tests.unit.rtp.codecs.test_registry import ENCODERS, check
from whipbird.media.egress import MAX_REFERENCE_TIMES, Egress
from whipbird.media.feed import Feed
from whipbird.media.report_rounds import ReportRounds
from whipbird.media.track import MAX_SOURCES, Track
from whipbird.media.transport import FanOut
from whipbird.native import Native
from whipbird.net.udp_socket import bind
from whipbird.rtp.bits import BitstreamError
from whipbird.rtp.codecs import payload_format
from whipbird.rtp.codecs.opus import read_packet
from whipbird.rtp.extensions import find_extension, read_extensions
from whipbird.rtp.history import MAX_GOP, SIZE, GopBudget, GopLimits
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.red import RedError, parse_red, take_apart, write_red
from whipbird.rtp.report_blocks import parse_report_blocks
from whipbird.rtp.rewriter import Rewriting
from whipbird.rtp.rtcp import (
    ReportBlock,
    SenderReport,
    parse_rtcp,
    split_rtcp,
    write_fir,
    write_nack,
    write_pli,
    write_receiver_report,
    write_remb,
    write_sdes,
    write_sender_report,
)
from whipbird.rtp.rtcp_requests import MAX_LOST, Nack, parse_requests
from whipbird.rtp.rtx import unwrap
from whipbird.rtp.xr import (
    DelaySince,
    parse_xr,
    write_delay_since,
    write_reference_time,
)
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.role import VIEWER
from whipbird.transport.srtp import MAX_PLAIN, PROFILES, SrtpTransport

# Actions of the reception target.
RTP, RTCP, VIEWER_RTCP, WAIT = range(4)

OPUS, RED, VP8 = 111, 63, 96
GOP_OCTETS = 1 << 20
# RTCP packets for each record, and for each 50 ms: what is sent cannot run away.
MAX_RTCP = 40


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return VirtualTimeLoop(World())


def reception(data: bytes) -> None:
    """RTP and RTCP of a publisher with a viewer, and RTCP of the viewer, in time.

    With each packet path that there is.
    """
    for native in {None, NATIVE}:
        _loop().run_until_complete(_receive(data, native))


class _CompiledWire(Wire):
    """A viewer that the compiled packet path sends to, on a socket that nobody reads.

    Args:
        native: the compiled packet path.
    """

    def __init__(self, native: Native) -> None:
        super().__init__()
        self._native = native
        self._sockets = [bind("127.0.0.1", 0) for _ in range(2)]
        sender, sink = self._sockets
        self._outlet = native.outlet()
        self._outlet.aim(
            native.srtp_sender(bytes(16), bytes(12)),
            native.socket(sender.fileno(), segments=True, unsent=lambda *_: None),
            sink.getsockname(),
        )

    @property
    def fan_out(self) -> FanOut | None:
        return self._native.fan_out

    def make_rewriter(self, ssrc: int, *, sequence: int, timestamp: int) -> Rewriting:
        return self._native.rewriter(
            ssrc, sequence=sequence, timestamp=timestamp, outlet=self._outlet
        )

    def close(self) -> None:
        """Close the sockets."""
        self._outlet.clear()
        for sock in self._sockets:
            sock.close()


class _Stream:
    """A publisher and its viewer, without a network between them."""

    def __init__(self, native: Native | None) -> None:
        self.publisher: Rig = rig(parse_offer(offers.CHROMIUM_SIMULCAST))
        self.wire = Wire() if native is None else _CompiledWire(native)
        fan_out = None if native is None else native.fan_out
        self.egress = Egress(self.wire.connection, "live")
        self.budget = GopBudget(GopLimits(GOP_OCTETS, 60.0, GOP_OCTETS))
        self.feeds: dict[int, Feed] = {}
        for media in parse_offer(offers.CHROMIUM_VIEWER, VIEWER).media:
            self.egress.add(media)
        send_reports = None if native is None else native.send_reports
        self.egress.start(ReportRounds(send_reports))
        for track, forwarder in zip(
            self.publisher.tracks, self.egress.forwarders, strict=True
        ):

            def watch(track: Track = track, forwarder: object = forwarder) -> None:
                for encoding in track.encodings:
                    if id(encoding) not in self.feeds:
                        feed = Feed(encoding, track.extension_map, self.budget, fan_out)
                        self.feeds[id(encoding)] = feed
                        forwarder.watch(feed)  # type: ignore[attr-defined]

            track.on_encodings_changed.append(watch)

    def check(self) -> None:
        for track in self.publisher.tracks:
            assert len(track._sources) <= MAX_SOURCES
            assert len(track._rtx_sources) <= MAX_SOURCES
            assert len(track.encodings) <= MAX_SOURCES
            assert len(track._nameless) <= MAX_SOURCES
        assert len(self.egress._reference_times) <= MAX_REFERENCE_TIMES
        assert 0 <= self.budget.octets <= GOP_OCTETS
        for feed in self.feeds.values():
            assert len(feed._pending) <= MAX_GOP + SIZE

    async def stop(self) -> None:
        self.egress.stop()
        for feed in self.feeds.values():
            feed.close()
        await self.publisher.stop()
        if isinstance(self.wire, _CompiledWire):
            self.wire.close()
        assert self.budget.octets == 0


async def _receive(data: bytes, native: Native | None) -> None:
    stream = _Stream(native)
    routes = stream.publisher.connection.rtp_routes
    records = 0
    waited = 0.0
    for action, octets in split(data):
        records += 1
        action %= 4
        if action == RTP and len(octets) > 1:
            route = routes.get(octets[1] & 0x7F)
            if route is not None:
                route(octets)
        elif action == RTCP:
            stream.publisher.feedback.rtcp_received(octets)
        elif action == VIEWER_RTCP:
            stream.egress.rtcp_received(octets)
        elif action == WAIT:
            seconds = int.from_bytes(octets[:2]) % 3000 / 1000
            waited += seconds
            await asyncio.sleep(seconds)
        await asyncio.sleep(0)
        stream.check()
    await asyncio.sleep(1)
    sent = len(stream.publisher.rtcp) + len(stream.wire.rtcp)
    assert sent <= MAX_RTCP * (records + (waited + 1) / 0.05), (sent, records, waited)
    stream.check()
    await stream.stop()


def srtp(data: bytes) -> None:
    """What is sent: the compiled path writes the octets that libsrtp writes."""
    for profile in PROFILES:
        keys = bytes(range(profile.keying_length))
        ways = [
            SrtpTransport(profile, keys, is_client=True, native=native)
            for native in {None, NATIVE}
        ]
        for action, octets in split(data):
            found = set()
            for way in ways:
                # libsrtp looks at no more than the first octets.
                if action % 2 and len(octets) >= 12:
                    protect = way.protect_rtp
                elif len(octets) >= 8:
                    protect = way.protect_rtcp
                else:
                    continue
                try:
                    found.add(protect(octets[:MAX_PLAIN]))
                except ConnectionError:
                    found.add(b"")
            assert len(found) <= 1, (profile, octets)


def srtp_seeds() -> Iterator[tuple[str, bytes]]:
    numbers = (1, 2, 2, 40_000, 65_535, 0, 1, 2000, 2)
    packets = [(RTCP, rtp(VP8, n, 3000, 7, b"data")) for n in numbers]
    report = write_receiver_report(5, [])
    yield "numbers", join([*packets, (RTP, report), (RTP, report)])
    extended = rtp(VP8, 1, 2, 3, extensions={1: b"abc", 4: b"1", 14: b"z" * 16})
    yield "extensions", join([(RTCP, extended), (RTCP, extended[:20])])
    yield "csrc", join([(RTCP, b"\xa2\x60\0\1" + bytes(16) + b"data\0\0\3")])


def reception_seeds() -> Iterator[tuple[str, bytes]]:
    key = b"\x10\x10\x02\x00\x9d\x01\x2a\x40\x01\xb4\x00"
    frames = [
        (RTP, rtp(VP8, n, 3000 * n, 7, key if n % 5 == 0 else b"\x10\x11\x02\x00"))
        for n in (0, 1, 2, 5, 4, 9)
    ]
    wait = (WAIT, (500).to_bytes(2))
    report = write_sender_report(SenderReport(7, 3_900_000_000 << 32, 9000, 6, 600))
    yield "video", join([*frames, wait, (RTCP, report), *frames])
    red = write_red(OPUS, b"\xf8abc", [(960, b"\xf8ab")])
    sound = [(RTP, rtp(RED, n, 960 * n, 9, red)) for n in (1, 3, 2, 70)]
    yield "sound", join([*sound, wait, wait])
    named = [
        (RTP, rtp(VP8, 1, 1, 20 + n, key, extensions={10: b"hml"[n : n + 1], 4: b"1"}))
        for n in range(3)
    ]
    yield "layers", join([*named, wait, wait, wait])
    block = ReportBlock(7, 20, 3, 100, 90, last_report=1, delay=2)
    viewer = [
        write_nack(5, 7, [1, 2, 3, 40]),
        write_pli(5, 7),
        write_fir(5, 7, 1),
        write_remb(5, 300_000, [7]),
        write_receiver_report(5, [block]),
        write_reference_time(5, 1 << 40),
        write_delay_since(5, [DelaySince(7, 1, 2)]),
    ]
    yield "viewer", join([*frames, *((VIEWER_RTCP, one) for one in viewer), wait])
    bye = b"\x81\xcb\0\1" + (7).to_bytes(4)
    yield "bye", join([*frames, (RTCP, bye), wait, *frames])


def rtp_packet(data: bytes) -> None:
    """One packet: its header, its extensions, retransmission and redundancy."""
    packet = RtpPacket.parse(data)
    if packet is None:
        return
    assert len(packet.payload) <= len(data)
    found = read_extensions(packet, range(1, 256))
    for identifier, value in found.items():
        assert find_extension(packet, identifier) == value
    original = unwrap(packet, VP8, 7)
    assert original is None or original.ssrc == 7
    with contextlib.suppress(RedError):
        plain = take_apart(packet, OPUS)
        assert sum(len(p.payload) for p in plain) <= len(packet.payload)
    read_packet(packet.payload)


def rtp_packet_seeds() -> Iterator[tuple[str, bytes]]:
    yield "plain", rtp(VP8, 1, 2, 3)
    yield (
        "extensions",
        rtp(VP8, 1, 2, 3, extensions={1: b"abc", 4: b"1", 14: b"z" * 16}),
    )
    two = b"\x10\x00\x00\x04" + b"\x01\x02ab\x02\x00\xff\x01x\0\0\0\0\0\0\0"
    yield "two-byte", b"\x90\x60\0\1" + bytes(8) + two + b"payload"
    yield "csrc-and-padding", b"\xa2\x60\0\1" + bytes(16) + b"data\0\0\3"
    red = write_red(OPUS, b"\xf8abc", [(1920, b"\xf8a"), (960, b"\xf8ab")])
    yield "red", rtp(RED, 10, 9600, 3, red)
    yield "opus", rtp(OPUS, 10, 9600, 3, b"\xfb\x03abc")


def rtcp(data: bytes) -> None:
    """A compound packet, for publishers and for viewers."""
    assert sum(len(body) for _, _, body in split_rtcp(data)) <= len(data)
    parse_rtcp(data)
    requests = parse_requests(data)
    nacked = sum(len(r.sequences) for r in requests if isinstance(r, Nack))
    assert nacked <= MAX_LOST
    assert len(requests) <= len(data) // 4
    assert len(parse_xr(data)) <= len(data) // 8
    for block in parse_report_blocks(data):
        assert 0 <= block.ssrc < 1 << 32


def rtcp_seeds() -> Iterator[tuple[str, bytes]]:
    block = ReportBlock(7, 20, 3, 100, 90, last_report=1, delay=2)
    report = write_receiver_report(5, [block, block])
    sdes = write_sdes(5, "name")
    yield "report", report + sdes
    sender = SenderReport(7, 3_900_000_000 << 32, 9000, 6, 600)
    yield "sender", write_sender_report(sender) + sdes
    yield "nack", report + write_nack(5, 7, range(0, 400, 3))
    yield "key-frame", write_pli(5, 7) + write_fir(5, 7, 3)
    yield "remb", write_remb(5, 1_000_000, [7, 8])
    both = write_reference_time(5, 1 << 40) + write_delay_since(
        5, [DelaySince(7, 1, 2)]
    )
    yield "extended", both
    yield "bye", b"\xa2\xcb\0\4" + bytes(8) + b"\4gone\0\0\4"


def redundancy(data: bytes) -> None:
    """A redundant payload is what a writer makes of it, or is refused."""
    with contextlib.suppress(RedError):
        payload = parse_red(data)
        assert len(payload.primary) <= len(data)
        assert sum(len(b.data) for b in payload.redundant) <= len(data)


def redundancy_seeds() -> Iterator[tuple[str, bytes]]:
    yield "plain", write_red(OPUS, b"abc", [])
    yield "two", write_red(OPUS, b"abc", [(1920, b"ab"), (960, b"")])


def codecs(data: bytes) -> None:
    """Payloads of each codec: the first octet tells which; then a frame of several."""
    if not data:
        return
    name = sorted(ENCODERS)[data[0] % len(ENCODERS)]
    codec = payload_format(name)
    assert codec is not None
    payloads = [octets for _, octets in split(data[1:])]
    for payload in payloads:
        check(codec, payload)
    with contextlib.suppress(BitstreamError):
        joined = codec.join(payloads)
        # Start codes, and sizes, are all that is added.
        assert len(joined) <= 8 * sum(map(len, payloads)) + 64


def codecs_seeds() -> Iterator[tuple[str, bytes]]:
    for index, name in enumerate(sorted(ENCODERS)):
        for number, frame in enumerate(encode_video(ENCODERS[name], 64, 48)[:2]):
            parts = [(0, payload[:400]) for payload in frame.payloads[:4]]
            yield f"{name.lower()}-{number}", bytes([index]) + join(parts)
