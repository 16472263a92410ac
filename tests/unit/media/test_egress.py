"""RTP and RTCP to one viewer, and its RTCP."""

from collections.abc import Callable
from functools import partial
from struct import pack

import pytest
from aiortc.rtp import RtcpPacket, RtcpSdesPacket, RtcpSrPacket

from tests.netem.world import World
from tests.unit.media.watching import (
    DELTA,
    KEY,
    OPUS,
    RTX,
    VIEWER_OPUS,
    VIEWER_VP8,
    Source,
    Wire,
    taken,
)
from tests.waiting import until
from whipbird.media.egress import REPORT_INTERVAL, Egress
from whipbird.media.feed import Feed
from whipbird.rtp.history import GopBudget
from whipbird.rtp.rtcp import (
    ReportBlock,
    write_fir,
    write_nack,
    write_pli,
    write_receiver_report,
    write_remb,
)

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
    egress.on_feedback = lambda: estimates.append(egress.estimate)
    egress.rtcp_received(write_remb(5, 1_000_000, [sent.ssrc]))
    assert estimates == [pytest.approx(1_000_000, rel=0.001)]
    block = ReportBlock(sent.ssrc, 64, 10, 0, 0, last_report=0, delay=0)
    egress.rtcp_received(write_receiver_report(5, [block]))
    assert egress.forwarders[0].fraction_lost == 0.25


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
    egress.start()
    await until(lambda: len(reports_of(wire)) >= 6)
    assert world.now - began == pytest.approx(2 * REPORT_INTERVAL, abs=0.01)
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
    # The publisher's clock is 1000 s ahead, and its reports take no time.
    now = encoding.last_packet_at
    encoding.clock_offset = -1000.0
    encoding.reception.sender_report(int((now + 1000) * (1 << 32)), 90_000, now)
    await source.play(KEY)
    first = wire.packets[0].timestamp
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
