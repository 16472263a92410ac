"""RTP out: a track in packets that aiortc reads, and what is done for lost ones."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from typing import Any

import pytest
from aiortc import (
    InvalidStateError,
    MediaStreamTrack,
    RTCRtpParameters,
    RTCRtpSender,
)
from aiortc.codecs.base import Encoder
from aiortc.codecs.vpx import vp8_depayload
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    HeaderExtensionsMap,
    RtcpByePacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSrPacket,
    RtpPacket,
    pack_remb_fci,
    unwrap_rtx,
)
from aiortc.stats import (
    RTCOutboundRtpStreamStats,
    RTCRemoteInboundRtpStreamStats,
    RTCStatsReport,
)
from av import AudioFrame, VideoFrame
from av.frame import Frame
from av.packet import Packet

from whipbird.rtc import encoding
from whipbird.rtc import sender as sender_module
from whipbird.rtc.outgoing import SendParameters
from whipbird.rtc.sender import PacedTrack, Sender
from whipbird.rtp import extensions
from whipbird.sdp.codecs import Codec

# Seconds, on a machine that is busy with something else.
PATIENCE = 30.0

IDENTIFIERS = {
    extensions.MID: 1,
    extensions.AUDIO_LEVEL: 2,
    extensions.ABS_SEND_TIME: 3,
}
OPUS = SendParameters(
    codec=Codec(111, "opus/48000/2"), cname="name", mid="0", extensions=IDENTIFIERS
)
VP8 = SendParameters(codec=Codec(96, "VP8/90000"), cname="name")
VP8_WITH_RTX = SendParameters(
    codec=Codec(96, "VP8/90000"), cname="name", rtx_payload_type=97
)


class Wire:
    """What the sender sends over: everything stays here."""

    def __init__(self) -> None:
        self.state = "connected"
        self.log_fields = {"session": "abc"}
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        self._changed = asyncio.Event()

    def send_rtp(self, data: bytes) -> None:
        self._send(self.rtp, data)

    def send_rtcp(self, data: bytes) -> None:
        self._send(self.rtcp, data)

    def _send(self, sent: list[bytes], data: bytes) -> None:
        if self.state == "closed":
            raise ConnectionError
        sent.append(data)
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def packets(self, count: int) -> list[RtpPacket]:
        """The packets, as soon as there are so many."""
        await self.until(lambda: len(self.rtp) >= count)
        mapping = HeaderExtensionsMap()
        mapping.configure(
            RTCRtpParameters(
                headerExtensions=[
                    RTCRtpHeaderExtensionParameters(id=n, uri=uri)
                    for uri, n in IDENTIFIERS.items()
                ]
            )
        )
        return [RtpPacket.parse(data, mapping) for data in self.rtp]

    async def reports(self, count: int = 1) -> list[list[Any]]:
        """The compound packets of RTCP, as soon as there are so many."""
        await self.until(lambda: len(self.rtcp) >= count)
        return [RtcpPacket.parse(data) for data in self.rtcp]


class Track(MediaStreamTrack):
    """Gives what it is given."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.queue: asyncio.Queue[Any] = asyncio.Queue()

    async def recv(self) -> Any:
        given = await self.queue.get()
        if isinstance(given, Exception):
            raise given
        return given

    def put(self, *given: object) -> None:
        for each in given:
            self.queue.put_nowait(each)


def encoded(data: bytes, pts: int, clock_rate: int) -> "Packet[Any]":
    packet: Packet[Any] = Packet(data)
    packet.pts, packet.time_base = pts, Fraction(1, clock_rate)
    return packet


def picture(number: int) -> VideoFrame:
    frame = VideoFrame(64, 64, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes([8 * number + 16]) * plane.buffer_size)
    frame.pts, frame.time_base = 3000 * number, Fraction(1, 90000)
    return frame


def sound(samples: int, value: int = 0) -> AudioFrame:
    frame = AudioFrame("s16", "stereo", samples)
    frame.planes[0].update(value.to_bytes(2, "little", signed=True) * 2 * samples)
    frame.sample_rate = 48000
    frame.pts, frame.time_base = 0, Fraction(1, 48000)
    return frame


class Rig:
    """A sender, its track, and what it sends."""

    def __init__(self, kind: str) -> None:
        self.wire = Wire()
        self.track = Track(kind)
        self.sender = Sender(self.track, self.wire)

    def hear(self, *packets: Any, now: float = 100.0) -> None:
        """RTCP comes."""
        self.sender.rtcp_received(b"".join(bytes(p) for p in packets), now)

    def nack(self, *sequences: int, now: float = 100.0) -> None:
        lost = list(sequences)
        ssrc = self.sender.ssrc
        self.hear(
            RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=1, media_ssrc=ssrc, lost=lost),
            now=now,
        )


@pytest.fixture
async def video() -> AsyncIterator[Rig]:
    rig = Rig("video")
    yield rig
    await rig.sender.stop()


@pytest.fixture
async def audio() -> AsyncIterator[Rig]:
    rig = Rig("audio")
    yield rig
    await rig.sender.stop()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports follow each other immediately."""
    monkeypatch.setattr(sender_module, "REPORT_INTERVAL", 0.0)


class FakeEncoder(Encoder):
    """Says what was asked of it, in place of a picture."""

    def __init__(self) -> None:
        self.target_bitrate = 0

    def encode(
        self, frame: Frame, force_keyframe: bool = False
    ) -> tuple[list[bytes], int]:
        payload = b"key" if force_keyframe else b"delta"
        return [payload + str(self.target_bitrate).encode()], frame.pts or 0

    def pack(self, packet: "Packet[Any]") -> tuple[list[bytes], int]:
        return [bytes(packet)], packet.pts or 0


@pytest.fixture
def fake_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "get_encoder", lambda codec: FakeEncoder())


# Packets


async def test_encoded_audio(audio: Rig) -> None:
    await audio.sender.send(OPUS)
    audio.track.put(*(encoded(b"opus", 960 * n, 48000) for n in range(3)))
    first, *others = await audio.wire.packets(3)
    assert first.payload_type == 111
    assert first.ssrc == audio.sender.ssrc
    assert first.payload == b"opus"
    assert first.extensions.mid == "0"
    assert first.extensions.abs_send_time is not None
    # What is encoded tells nothing of how loud it is.
    assert first.extensions.audio_level is None
    for n, packet in enumerate(others, start=1):
        assert packet.sequence_number == first.sequence_number + n
        assert packet.timestamp == (first.timestamp + 960 * n) & 0xFFFFFFFF
    # RFC 3551 section 4.1: of audio, the marker is where silence ends.
    assert [p.marker for p in (first, *others)] == [1, 0, 0]
    stats = await audio.sender.getStats()
    [outbound] = stats.values()
    assert isinstance(outbound, RTCOutboundRtpStreamStats)
    assert (outbound.packetsSent, outbound.bytesSent) == (3, 12)
    assert (outbound.ssrc, outbound.kind) == (audio.sender.ssrc, "audio")


async def test_sound_is_encoded(audio: Rig) -> None:
    """Each 20 ms of it have a packet and a timestamp of their own."""
    await audio.sender.send(OPUS)
    audio.track.put(sound(4 * 960, 32767))
    packets = await audio.wire.packets(3)
    steps = [(p.timestamp - packets[0].timestamp) & 0xFFFFFFFF for p in packets]
    assert steps == [960 * n for n in range(len(packets))]
    # RFC 6464: as loud as can be.
    assert packets[0].extensions.audio_level == (False, 0)


async def test_pictures_are_encoded(video: Rig) -> None:
    await video.sender.send(VP8)
    video.track.put(picture(0), picture(1))
    first, second = await video.wire.packets(2)
    assert [is_key(p) for p in (first, second)] == [True, False]
    # libvpx counts in other units.
    step = (second.timestamp - first.timestamp) & 0xFFFFFFFF
    assert step == pytest.approx(3000, abs=1)
    assert (first.marker, second.marker) == (1, 1)
    # Nothing was negotiated.
    assert first.extensions.mid is None
    assert first.extensions.abs_send_time is None


async def test_a_frame_of_many_packets(video: Rig) -> None:
    """The marker is on its last (RFC 7741 section 4.1)."""
    await video.sender.send(VP8)
    video.track.put(encoded(bytes(5000), 0, 90000))
    packets = await video.wire.packets(4)
    assert [p.marker for p in packets] == [0] * (len(packets) - 1) + [1]
    assert len({p.timestamp for p in packets}) == 1


def is_key(packet: RtpPacket) -> bool:
    """RFC 7741 section 4.3: a bit of the frame's first octet says so."""
    return not vp8_depayload(packet.payload)[0] & 1


# What the receiver asks for


async def test_lost_packets_come_over_rtx(video: Rig) -> None:
    """RFC 4588 section 4."""
    await video.sender.send(VP8_WITH_RTX)
    video.track.put(encoded(bytes(range(256)) * 8, 0, 90000))
    originals = await video.wire.packets(2)
    lost = originals[0].sequence_number
    video.nack(lost, lost + 1)
    *_, first, second = await video.wire.packets(len(originals) + 2)
    assert (first.payload_type, first.ssrc) == (97, video.sender.repair_ssrc)
    assert second.sequence_number == (first.sequence_number + 1) & 0xFFFF
    for original, repair in zip(originals, (first, second), strict=False):
        again = unwrap_rtx(repair, payload_type=96, ssrc=video.sender.ssrc)
        assert bytes(again.serialize()) == bytes(original.serialize())
    assert video.sender.retransmitted == 2
    # Retransmissions are no packets of the source (RFC 3550 section 6.4.1).
    [outbound] = (await video.sender.getStats()).values()
    assert isinstance(outbound, RTCOutboundRtpStreamStats)
    assert outbound.packetsSent == len(originals)


async def test_header_extensions_are_retransmitted(audio: Rig) -> None:
    parameters = SendParameters(
        OPUS.codec, "name", rtx_payload_type=112, mid="0", extensions=IDENTIFIERS
    )
    await audio.sender.send(parameters)
    audio.track.put(encoded(b"opus", 0, 48000))
    [original] = await audio.wire.packets(1)
    audio.nack(original.sequence_number)
    _, repair = await audio.wire.packets(2)
    assert repair.extensions.mid == "0"
    assert repair.payload == original.sequence_number.to_bytes(2) + b"opus"


async def test_lost_packets_without_rtx(video: Rig) -> None:
    await video.sender.send(VP8)
    video.track.put(encoded(b"frame", 0, 90000))
    [packet] = await video.wire.packets(1)
    video.nack(packet.sequence_number)
    # Of another source, and of one asked for just now; the next one is unknown.
    video.hear(RtcpRtpfbPacket(RTCP_RTPFB_NACK, 1, 2, lost=[packet.sequence_number]))
    video.nack(packet.sequence_number, packet.sequence_number + 1)
    assert video.wire.rtp == [video.wire.rtp[0]] * 2
    assert video.sender.retransmitted == 1


@pytest.mark.parametrize("fmt", [RTCP_PSFB_PLI, RTCP_PSFB_FIR])
async def test_key_frames(video: Rig, fmt: int) -> None:
    ssrc = video.sender.ssrc
    request = RtcpPsfbPacket(fmt=fmt, ssrc=1, media_ssrc=ssrc)
    if fmt == RTCP_PSFB_FIR:
        request.media_ssrc, request.fci = 0, ssrc.to_bytes(4) + bytes(4)
    asked: list[int] = []
    # Nobody is there to be asked.
    video.hear(request)
    await video.sender.send(VP8)
    video.track.put(picture(0), picture(1))
    await video.wire.packets(2)
    video.hear(request)
    video.sender.on_key_frame_request = lambda: asked.append(fmt)
    video.hear(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=1, media_ssrc=2))
    assert asked == []
    video.hear(request)
    assert asked == [fmt]
    video.track.put(picture(2), picture(3))
    packets = await video.wire.packets(4)
    assert [is_key(p) for p in packets] == [True, False, True, False]


@pytest.mark.usefixtures("fake_encoder")
async def test_the_bitrate_follows_remb(video: Rig) -> None:
    """draft-alvestrand-rmcat-remb."""

    def remb(bitrate: int) -> RtcpPsfbPacket:
        fci = pack_remb_fci(bitrate, [video.sender.ssrc])
        return RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=fci)

    await video.sender.send(VP8)
    # Before there is an encoder, and while there is one.
    video.hear(remb(300_000))
    video.track.put(picture(0))
    await video.wire.packets(1)
    video.hear(remb(400_000))
    video.track.put(picture(1))
    packets = await video.wire.packets(2)
    assert [p.payload for p in packets] == [b"delta300000", b"delta400000"]


async def test_nothing_is_done_for_rubbish(video: Rig) -> None:
    await video.sender.send(VP8)
    report = RtcpRrPacket(ssrc=1, reports=[block(video.sender.ssrc)])
    for data in (b"", b"\x80", b"\xff" * 40, bytes(report)[:-4]):
        video.sender.rtcp_received(data, 1.0)
    assert len(await video.sender.getStats()) == 1


# Reports


@pytest.mark.usefixtures("at_once")
async def test_sender_reports(audio: Rig) -> None:
    """RFC 3550 section 6.4.1."""
    await audio.sender.send(OPUS)
    # Nothing is said of nothing.
    await asyncio.sleep(0)
    assert audio.wire.rtcp == []
    audio.track.put(encoded(b"opus", 0, 48000))
    [[report, name]] = (await audio.wire.reports())[:1]
    assert isinstance(report, RtcpSrPacket)
    assert report.ssrc == audio.sender.ssrc
    assert report.sender_info.packet_count == 1
    assert report.sender_info.octet_count == 4
    assert isinstance(name, RtcpSdesPacket)
    assert name.chunks[0].items == [(1, b"name")]
    # Both clocks go on together.
    reports = await audio.wire.reports(3)
    first, last = reports[0][0].sender_info, reports[-1][0].sender_info
    seconds = (last.ntp_timestamp - first.ntp_timestamp) / (1 << 32)
    ticks = (last.rtp_timestamp - first.rtp_timestamp) & 0xFFFFFFFF
    assert ticks / 48000 == pytest.approx(seconds, abs=0.05)


async def test_reports_go_by_when_a_frame_was_due(at_once: None) -> None:
    """A track that was held up is not moved against the others."""

    class Late(PacedTrack):
        kind = "audio"
        late = 5.0

        async def recv(self) -> Any:
            if not frames:
                await asyncio.Event().wait()
            return frames.pop()

    frames = [encoded(b"opus", 0, 48000)]
    wire = Wire()
    sender = Sender(Late(), wire)
    try:
        await sender.send(OPUS)
        [packet] = await wire.packets(1)
        [[report, _], *_] = await wire.reports()
    finally:
        await sender.stop()
    elapsed = (report.sender_info.rtp_timestamp - packet.timestamp) & 0xFFFFFFFF
    assert 5.0 <= elapsed / 48000 < 5.0 + PATIENCE


def block(ssrc: int, lsr: int = 0) -> RtcpReceiverInfo:
    return RtcpReceiverInfo(
        ssrc=ssrc,
        fraction_lost=64,
        packets_lost=2,
        highest_sequence=9,
        jitter=7,
        lsr=lsr,
        dlsr=0,
    )


def remote(stats: RTCStatsReport) -> RTCRemoteInboundRtpStreamStats:
    """What the receiver has said."""
    [found] = (s for s in stats.values() if s.type == "remote-inbound-rtp")
    assert isinstance(found, RTCRemoteInboundRtpStreamStats)
    return found


@pytest.mark.usefixtures("at_once")
async def test_what_the_receiver_reports(audio: Rig) -> None:
    await audio.sender.send(OPUS)
    audio.track.put(*(encoded(b"opus", 960 * n, 48000) for n in range(5)))
    await audio.wire.packets(5)
    [[report, _], *_] = await audio.wire.reports()
    ssrc = audio.sender.ssrc
    audio.hear(RtcpRrPacket(ssrc=1, reports=[block(3), block(ssrc)]))
    stats = remote(await audio.sender.getStats())
    assert (stats.packetsLost, stats.packetsReceived) == (2, 3)
    assert (stats.fractionLost, stats.jitter) == (0.25, 7)
    assert stats.roundTripTime is None
    lsr = report.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF
    later = asyncio.get_running_loop().time() + 1.0
    audio.hear(RtcpRrPacket(ssrc=1, reports=[block(ssrc, lsr)]), now=later)
    assert remote(await audio.sender.getStats()).roundTripTime >= 1.0


# The end


async def test_the_receiver_is_told_of_the_end(audio: Rig) -> None:
    """RFC 3550 section 6.6."""
    before = asyncio.all_tasks()
    await audio.sender.send(OPUS)
    audio.track.put(encoded(b"opus", 0, 48000))
    await audio.wire.packets(1)
    await audio.sender.stop()
    assert asyncio.all_tasks() == before
    [[report, name, bye]] = await audio.wire.reports()
    assert isinstance(report, RtcpSrPacket)
    assert isinstance(name, RtcpSdesPacket)
    assert isinstance(bye, RtcpByePacket)
    assert bye.sources == [audio.sender.ssrc]
    assert audio.track.readyState == "ended"
    # Once.
    await audio.sender.stop()
    await audio.sender.send(OPUS)
    audio.sender.replaceTrack(Track("audio"))
    assert asyncio.all_tasks() == before
    assert len(audio.wire.rtcp) == 1


async def test_who_has_sent_nothing_says_nothing(audio: Rig) -> None:
    await audio.sender.send(OPUS)
    await audio.sender.stop()
    assert audio.wire.rtcp == []


async def test_a_sender_that_never_began(audio: Rig) -> None:
    await audio.sender.stop()
    # Its track is somebody else's.
    assert audio.track.readyState == "live"
    await audio.sender.send(OPUS)
    assert audio.wire.rtp == audio.wire.rtcp == []


@pytest.mark.usefixtures("at_once")
async def test_a_connection_that_is_gone(audio: Rig) -> None:
    await audio.sender.send(OPUS)
    audio.track.put(encoded(b"opus", 0, 48000))
    [packet] = await audio.wire.packets(1)
    ended = asyncio.Event()
    audio.track.on("ended", ended.set)
    audio.wire.state = "closed"
    audio.track.put(encoded(b"opus", 960, 48000))
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
    audio.nack(packet.sequence_number)
    await audio.sender.stop()
    assert len(audio.wire.rtp) == 1
    with pytest.raises(InvalidStateError):
        Sender("audio", audio.wire)


@pytest.mark.expects_fault
@pytest.mark.parametrize(
    ("problem", "logged"), [(MediaStreamError(), 0), (RuntimeError("broken"), 1)]
)
async def test_a_track_that_ends(
    audio: Rig,
    problem: Exception,
    logged: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await audio.sender.send(OPUS)
    ended = asyncio.Event()
    audio.track.on("ended", ended.set)
    audio.track.put(encoded(b"opus", 0, 48000), problem)
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == logged
    # Another one may follow.
    other = Track("audio")
    audio.sender.replaceTrack(other)
    other.put(encoded(b"other", 0, 48000))
    _, packet = await audio.wire.packets(2)
    assert packet.payload == b"other"


# Tracks


async def test_another_track(video: Rig) -> None:
    """It goes on in the same source, and with a key frame."""
    await video.sender.send(VP8)
    video.track.put(picture(7), picture(8))
    await video.wire.packets(2)
    other = Track("video")
    video.sender.replaceTrack(other)
    assert video.sender.track is other
    assert video.track.readyState == "live"
    other.put(picture(0))
    _, before, after = await video.wire.packets(3)
    assert is_key(after)
    assert after.ssrc == before.ssrc
    assert after.sequence_number == before.sequence_number + 1
    # It is later by as much as has gone by: less than an hour.
    assert (after.timestamp - before.timestamp) & 0xFFFFFFFF < 3600 * 90000


async def test_no_track(video: Rig) -> None:
    sender = Sender("video", video.wire)
    assert sender.kind == "video"
    assert sender.track is None
    before = asyncio.all_tasks()
    await sender.send(VP8)
    assert asyncio.all_tasks() == before
    sender.replaceTrack(video.track)
    assert sender.track_id == video.track.id
    video.track.put(encoded(b"frame", 0, 90000))
    await video.wire.packets(1)
    sender.replaceTrack(None)
    assert sender.track_id != video.track.id
    await sender.stop()
    assert asyncio.all_tasks() == before
    assert video.track.readyState == "live"


# aiortc


def test_nothing_of_aiortcs_own_is_used() -> None:
    """All that it documents is overridden, but for what is of no sender."""
    public = {name for name in vars(RTCRtpSender) if not name.startswith("_")}
    assert public - vars(Sender).keys() == {"getCapabilities"}


async def test_nothing_of_aiortcs_own_is_made(video: Rig) -> None:
    assert not [name for name in vars(video.sender) if "RTCRtpSender" in name]
    assert video.sender.transport is video.wire
    with pytest.raises(InvalidStateError):
        video.sender.setTransport(video.wire)


@pytest.mark.expects_fault
async def test_a_track_that_fails_is_logged_with_its_session(
    audio: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    ended = asyncio.Event()
    audio.track.on("ended", ended.set)
    await audio.sender.send(OPUS)
    audio.track.put(ValueError("the application's"))
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
    (record,) = (r for r in caplog.records if r.levelname == "ERROR")
    assert record.getMessage() == "Sending audio failed"
    assert record.exc_info is not None
    assert record.__dict__["session"] == "abc"
