"""RTP and RTCP to one viewer, and its RTCP."""

import asyncio
from collections.abc import Callable
from functools import partial
from struct import pack

import pytest
from aiortc.rtp import RtcpPacket, RtcpSdesPacket, RtcpSrPacket

from tests.netem.world import World
from tests.unit.media.watching import (
    DELTA,
    KEY,
    MORE,
    OPUS,
    RTX,
    VIEWER_OPUS,
    VIEWER_VP8,
    Source,
    Wire,
    taken,
)
from tests.waiting import until
from whipbird.media.egress import (
    MAX_REFERENCE_TIMES,
    MAX_REQUESTS,
    Egress,
)
from whipbird.media.feed import Feed
from whipbird.media.report_rounds import REPORT_INTERVAL, TURNS, ReportRounds
from whipbird.rtp import extensions
from whipbird.rtp.extensions import read_extensions
from whipbird.rtp.history import GopBudget
from whipbird.rtp.rtcp import (
    ReportBlock,
    write_fir,
    write_nack,
    write_pli,
    write_receiver_report,
    write_remb,
)
from whipbird.rtp.source_clock import share_offset
from whipbird.rtp.viewer_estimate import FALL_TIME
from whipbird.rtp.xr import DelaySince, parse_xr, write_reference_time

NTP = 3_900_000_000
AUDIO, VIDEO = taken(VIEWER_OPUS), taken(VIEWER_VP8, RTX)


def reports_of(wire: Wire) -> list[RtcpSrPacket]:
    found = [packet for data in wire.rtcp for packet in RtcpPacket.parse(data)]
    return [packet for packet in found if isinstance(packet, RtcpSrPacket)]


async def test_what_the_answer_says() -> None:
    egress = Egress(Wire().connection, "live")
    audio, video = egress.add(AUDIO), egress.add(VIDEO)
    assert audio.msid == video.msid == "live"
    assert audio.cname == video.cname
    ssrcs = {audio.ssrc, audio.rtx_ssrc, video.ssrc, video.rtx_ssrc}
    assert len(ssrcs) == 4
    assert [f.rewriter.ssrc for f in egress.forwarders] == [audio.ssrc, video.ssrc]


async def test_lost_packets_are_retransmitted() -> None:
    wire, source = Wire(), Source()
    egress = Egress(wire.connection, "live")
    sent = egress.add(VIDEO)
    assert wire.rtcp_route is not None
    egress.forwarders[0].watch(Feed(source.encoding, {}, GopBudget()))
    await source.play(KEY, DELTA)
    lost = wire.packets[1].sequence
    wire.rtcp_route(write_nack(5, sent.ssrc, [lost]))
    assert wire.packets[2].payload == lost.to_bytes(2) + DELTA
    wire.rtcp_route(write_nack(5, sent.ssrc + 1, [lost]))
    assert len(wire.rtp) == 3


@pytest.mark.parametrize("ask", [write_pli, partial(write_fir, request=1)])
async def test_key_frame_requests_are_forwarded(
    ask: Callable[[int, int], bytes],
) -> None:
    wire, source = Wire(), Source()
    egress = Egress(wire.connection, "live")
    sent = egress.add(VIDEO)
    egress.rtcp_received(ask(5, sent.ssrc))
    egress.forwarders[0].watch(Feed(source.encoding, {}, GopBudget()))
    await source.play(KEY)
    assert not source.encoding.wants_key_frame
    egress.rtcp_received(ask(5, sent.ssrc + 1))
    assert not source.encoding.wants_key_frame
    egress.rtcp_received(ask(5, sent.ssrc))
    assert source.encoding.wants_key_frame


async def test_estimate_and_loss() -> None:
    estimates: list[int | None] = []
    egress = Egress(Wire().connection, "live")
    sent = egress.add(VIDEO)
    egress.on_feedback = lambda: estimates.append(egress.estimate.bitrate)
    egress.rtcp_received(write_remb(5, 1_000_000, [sent.ssrc]))
    assert estimates == [pytest.approx(1_000_000, rel=0.001)]
    block = ReportBlock(sent.ssrc, 64, 10, 0, 0, last_report=0, delay=0)
    egress.rtcp_received(write_receiver_report(5, [block]))
    assert egress.forwarders[0].fraction_lost == 0.25


@pytest.mark.virtual_time
async def test_the_round_trip(world: World) -> None:
    """By what a report returns of the last sender report (RFC 3550 section 6.4.1)."""
    wire, source = Wire(round_trip=0.02), Source()
    egress = Egress(wire.connection, "live")
    sent = egress.add(VIDEO)
    egress.start(ReportRounds())
    assert egress.round_trip.smoothed == 0.02
    egress.forwarders[0].watch(Feed(source.encoding, {}, GopBudget()))
    await source.play(KEY)
    (report,) = reports_of(wire)
    await asyncio.sleep(0.3)
    last = report.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF
    for returned in (last, last + 1, 0):
        block = ReportBlock(sent.ssrc, 0, 0, 0, 0, returned, round(0.2 * 65536))
        egress.rtcp_received(write_receiver_report(5, [block]))
    assert egress.round_trip.last == pytest.approx(0.1, abs=0.001)
    egress.stop()


@pytest.mark.virtual_time
async def test_reference_times_are_answered(world: World) -> None:
    """RFC 3611 section 4.5: with the next report, and each once."""
    wire, source = Wire(), Source()
    egress = Egress(wire.connection, "live")
    egress.add(VIDEO)
    egress.start(ReportRounds())
    for ssrc in range(1, 100):
        egress.rtcp_received(write_reference_time(ssrc, NTP << 32))
    await asyncio.sleep(REPORT_INTERVAL / 2)
    egress.rtcp_received(write_reference_time(1, (NTP + 1) << 32))
    await asyncio.sleep(REPORT_INTERVAL)
    # There is no report before there is media.
    assert wire.rtcp == []
    egress.forwarders[0].watch(Feed(source.encoding, {}, GopBudget()))
    await source.play(KEY)
    await asyncio.sleep(2 * REPORT_INTERVAL)
    answers = [block for data in wire.rtcp for block in parse_xr(data)]
    assert len(answers) == MAX_REFERENCE_TIMES
    second = (NTP << 16) & 0xFFFFFFFF
    expected = [((NTP + 1) << 16) & 0xFFFFFFFF, second, second, second]
    assert [a.last_rr for a in answers if isinstance(a, DelaySince)] == expected
    delays = [a.delay / 65536 for a in answers if isinstance(a, DelaySince)]
    assert delays == pytest.approx([1.5, 2.0, 2.0, 2.0], abs=0.01)
    egress.stop()


@pytest.mark.virtual_time
async def test_copies_until_it_stops(world: World) -> None:
    wire, source = Wire(), Source()
    egress = Egress(wire.connection, "live")
    sent = egress.add(VIDEO)
    egress.start(ReportRounds())
    egress.forwarders[0].watch(Feed(source.encoding, {}, GopBudget()))
    await source.play(KEY, DELTA)
    block = ReportBlock(sent.ssrc, 51, 0, 0xFFFF, 0, last_report=0, delay=0)
    egress.rtcp_received(write_receiver_report(5, [block]))
    lost = wire.packets[0].sequence
    egress.rtcp_received(write_nack(5, sent.ssrc, [lost]))
    await asyncio.sleep(0.2)
    copies = wire.packets[2:]
    assert [copy.payload for copy in copies] == [lost.to_bytes(2) + KEY] * 4
    first = copies[0].sequence
    numbers = [(copy.sequence - first) & 0xFFFF for copy in copies]
    assert numbers == [0, 1, 2, 3]
    egress.rtcp_received(write_nack(5, sent.ssrc, [lost]))
    egress.stop()
    await asyncio.sleep(0.2)
    assert len(wire.rtp) == 7


@pytest.mark.virtual_time
async def test_a_key_frame_to_a_viewer_behind_a_thin_path(world: World) -> None:
    """It takes the time of a frame; its packets say when they were sent."""
    wire, source = Wire(round_trip=0.03), Source()
    egress = Egress(wire.connection, "live")
    extmap = ((3, extensions.ABS_SEND_TIME),)
    sent = egress.add(taken(VIEWER_VP8, RTX, extmap=extmap))
    egress.start(ReportRounds())
    egress.forwarders[0].watch(Feed(source.encoding, {}, GopBudget()))
    await source.play(KEY, DELTA)
    egress.rtcp_received(write_remb(5, 1_000_000, [sent.ssrc]))
    source.send(KEY, *[MORE + bytes(1000)] * 149)
    await asyncio.sleep(0)
    assert 10 <= len(wire.rtp) - 2 < 20
    await source.play(DELTA)
    await asyncio.sleep(0.02)
    assert 60 < len(wire.rtp) - 2 < 120
    await asyncio.sleep(0.02)
    assert wire.sequences == list(range(153))
    times = [read_extensions(packet, (3,))[3] for packet in wire.packets[2:]]
    assert times == sorted(times)
    # 6.18 bits of a second.
    took = int.from_bytes(times[-1]) - int.from_bytes(times[0])
    assert 0.02 < took / (1 << 18) <= 0.041
    # What is held back when it leaves is sent, too.
    source.send(KEY, *[MORE + bytes(1000)] * 149)
    await asyncio.sleep(0)
    egress.stop()
    assert wire.sequences == list(range(303))


@pytest.mark.virtual_time
async def test_an_estimate_that_falls_ends_the_copies(world: World) -> None:
    wire, source = Wire(), Source()
    egress = Egress(wire.connection, "live")
    sent = egress.add(VIDEO)
    egress.start(ReportRounds())
    egress.forwarders[0].watch(Feed(source.encoding, {}, GopBudget()))
    await source.play(KEY)
    allowance = egress.forwarders[0].retransmitter.allowance
    for estimate in (1_000_000, 1_080_000):
        egress.rtcp_received(write_remb(5, estimate, [sent.ssrc]))
        assert not allowance.is_congested
    egress.rtcp_received(write_remb(5, 900_000, [sent.ssrc]))
    assert allowance.is_congested
    await asyncio.sleep(FALL_TIME + REPORT_INTERVAL)
    assert not allowance.is_congested
    egress.stop()


async def test_what_is_malformed_does_no_harm() -> None:
    egress = Egress(Wire().connection, "live")
    egress.add(VIDEO)
    whole = write_remb(5, 1_000_000, [1]) + write_nack(5, 1, [1, 2, 40])
    for end in range(len(whole)):
        egress.rtcp_received(whole[:end])
        egress.rtcp_received(pack("!BBH", 0x81, 206, end) + whole[:end])


@pytest.mark.virtual_time
async def test_reports_of_sender(world: World) -> None:
    """One with the first packet, so that the picture and the sound are in time."""
    wire, sound, picture = Wire(), Source(OPUS, ssrc=1), Source(ssrc=2)
    egress = Egress(wire.connection, "live")
    audio, video = egress.add(AUDIO), egress.add(VIDEO)
    for source, watcher in zip((sound, picture), egress.forwarders, strict=True):
        watcher.watch(Feed(source.encoding, {}, GopBudget()))
    await sound.play(b"\xfc\xff\xfe")
    assert [report.ssrc for report in reports_of(wire)] == [audio.ssrc]
    await picture.play(KEY, DELTA)
    assert [report.ssrc for report in reports_of(wire)] == [audio.ssrc, video.ssrc]
    began = world.now
    egress.start(ReportRounds())
    await until(lambda: len(reports_of(wire)) >= 6)
    early = 2 * REPORT_INTERVAL - (world.now - began)
    assert 0 <= early <= REPORT_INTERVAL / TURNS + 0.01
    last = reports_of(wire)[-1]
    assert last.ssrc == video.ssrc
    assert last.sender_info.packet_count == 2
    assert last.sender_info.octet_count == len(KEY) + len(DELTA)
    # RFC 3550 section 6.1: with the name of whom it is from.
    _, name = RtcpPacket.parse(wire.rtcp[-1])
    assert isinstance(name, RtcpSdesPacket)
    assert name.chunks[0].items == [(1, audio.cname.encode())]
    egress.stop()
    count = len(wire.rtcp)
    await picture.play(DELTA)
    assert len(wire.rtcp) == count
    assert len(wire.rtp) == 3


async def test_sender_reports_have_the_publishers_clock() -> None:
    """The publisher's clock is forwarded to the viewer, exact to a millisecond."""
    wire, source = Wire(), Source()
    egress = Egress(wire.connection, "live")
    egress.add(VIDEO)
    watcher = egress.forwarders[0]
    watcher.watch(Feed(source.encoding, {}, GopBudget()))
    encoding = source.encoding
    await source.play(KEY)
    first = wire.packets[0].timestamp
    # The picture came when it was taken, and the report takes no time.
    now = encoding.last_packet_at
    encoding.reception.sender_report(int(NTP * (1 << 32)), 90_000, now)
    share_offset([encoding.reception.clock])
    found = watcher.timestamp_at(now + 2)
    assert found is not None
    assert (found - first) & 0xFFFFFFFF == pytest.approx(2 * 90_000, abs=90)


async def test_a_closed_connection() -> None:
    wire, source = Wire(is_connected=False), Source()
    egress = Egress(wire.connection, "live")
    sent = egress.add(VIDEO)
    egress.forwarders[0].watch(Feed(source.encoding, {}, GopBudget()))
    await source.play(KEY)
    egress.rtcp_received(write_nack(5, sent.ssrc, [0]))
    egress.stop()
    assert wire.rtp == []


@pytest.mark.virtual_time
async def test_requests_beyond_a_number_are_not_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither those for packets that were never sent."""
    egress = Egress(Wire().connection, "live")
    ssrc = egress.add(VIDEO).ssrc
    asked: list[int] = []
    (forwarder,) = egress.forwarders
    monkeypatch.setattr(
        forwarder, "retransmit", lambda sequences, _now: asked.extend(sequences)
    )
    for _ in range(100):
        egress.rtcp_received(write_nack(5, ssrc, range(500)))
    assert len(asked) == 2 * MAX_REQUESTS
    egress.stop()
