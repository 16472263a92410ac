"""Snapshots of media: what has ended stays counted, once."""

import asyncio

import pytest

from tests import offers
from tests.netem.world import World
from tests.unit.media.watching import (
    DELTA,
    KEY,
    RTX,
    VIEWER_VP8,
    Source,
    Wire,
    taken,
)
from tests.unit.rtc.media import Rigged, rtp
from whipbird.media.egress import MAX_REQUESTS, Egress
from whipbird.media.feed import Feed
from whipbird.media.stats import ReceivedCounts
from whipbird.rtp.history import GopBudget
from whipbird.rtp.rtcp import write_nack, write_pli
from whipbird.rtp.rtcp_requests import KeyFrameRequest, Nack, parse_requests

VP8 = 96


async def test_sources_that_end_stay_counted(rigged: Rigged) -> None:
    rig = rigged(offers.CHROMIUM_MEDIA)
    _, track = rig.tracks
    data = rtp(VP8, 1, ssrc=1, payload=KEY)
    rig.push(data)
    rig.push(rtp(VP8, 1, ssrc=1, payload=KEY))
    rig.push(rtp(VP8, 2, 3000, ssrc=1, payload=DELTA))
    before = track.received
    assert before == ReceivedCounts(
        packets=before.packets,
        octets=before.octets,
        duplicates=1,
        frames=2,
        key_frames=1,
    )
    assert before.octets == len(data) + len(rtp(VP8, 2, payload=DELTA))
    # The encoding goes on with another source; then it ends as a whole.
    rig.push(rtp(VP8, 1, 6000, ssrc=2, payload=KEY))
    track.forget((1,))
    assert track.received.packets == before.packets + 1
    track.forget((2,))
    assert track.encodings == []
    ended = track.received
    assert (ended.packets, ended.frames) == (before.packets + 1, before.frames + 1)
    assert ended.duplicates == 1
    # One that begins again with the same number is counted beside it.
    rig.push(rtp(VP8, 9, 9000, ssrc=2, payload=KEY))
    assert track.received.packets == ended.packets + 1
    assert track.stats.received == track.received


async def test_layers_are_counted_together(rigged: Rigged) -> None:
    rig = rigged(offers.CHROMIUM_SIMULCAST)
    for ssrc, rid in enumerate((b"q", b"h", b"f"), start=1):
        rig.push(rtp(VP8, 1, 0, ssrc, KEY, extensions={10: rid}))
    _, track = rig.tracks
    assert track.received.packets == track.received.key_frames == 3
    assert [encoding.rid for encoding in track.stats.encodings] == ["q", "h", "f"]
    track.forget((2,))
    assert track.received.packets == 3
    assert [encoding.rid for encoding in track.stats.encodings] == ["q", "f"]


async def test_what_a_viewer_gets_and_requests() -> None:
    wire, source = Wire(), Source()
    egress = Egress(wire.connection, "live")
    ssrc = egress.add(taken(VIEWER_VP8, RTX)).ssrc
    (forwarder,) = egress.forwarders
    forwarder.watch(Feed(source.encoding, {}, GopBudget()))
    await source.play(KEY, DELTA)
    assert forwarder.sent.packets == 2
    # Descriptors and payloads; headers are not counted.
    assert forwarder.sent.octets == sum(len(p.payload) for p in wire.packets)
    lost = wire.packets[1].sequence
    egress.rtcp_received(write_nack(5, ssrc, [lost]) + write_pli(5, ssrc))
    egress.rtcp_received(write_pli(5, ssrc + 1))
    sent = forwarder.sent
    assert (sent.nacked, sent.retransmissions) == (1, 1)
    assert (sent.key_frame_requests, sent.nacks_refused) == (1, 0)
    egress.stop()
    # What it has sent is known after its end.
    assert forwarder.sent == sent


@pytest.mark.virtual_time
async def test_requests_beyond_the_limit_are_counted_as_refused(world: World) -> None:
    egress = Egress(Wire().connection, "live")
    ssrc = egress.add(taken(VIEWER_VP8, RTX)).ssrc
    for _ in range(100):
        egress.rtcp_received(write_nack(5, ssrc, range(500)))
    (forwarder,) = egress.forwarders
    sent = forwarder.sent
    assert sent.nacked == 50_000
    assert sent.nacks_refused == 50_000 - 2 * MAX_REQUESTS
    egress.stop()


@pytest.mark.virtual_time
@pytest.mark.parametrize("feedback", ["nack pli", "ccm fir"])
async def test_what_is_requested_of_a_publisher(rigged: Rigged, feedback: str) -> None:
    """As many as its RTCP has."""
    other = {"nack pli": "ccm fir", "ccm fir": "nack pli"}[feedback]
    rig = rigged(offers.CHROMIUM_MEDIA.replace(f"a=rtcp-fb:96 {other}\r\n", ""))
    _, track = rig.tracks
    rig.push(rtp(VP8, 1, payload=KEY))
    rig.push(rtp(VP8, 4, 6000, payload=DELTA))
    await asyncio.sleep(3)
    requests = [r for data in rig.rtcp for r in parse_requests(data)]
    nacked = sum(len(r.sequences) for r in requests if isinstance(r, Nack))
    asked = sum(isinstance(r, KeyFrameRequest) for r in requests)
    found = track.received
    assert found.nacked == nacked >= 2
    assert found.key_frame_requests == asked >= 1
    # They never came, and are given up.
    assert (found.lost, found.recovered) == (2, 0)


async def test_retransmissions_beyond_the_limit_are_counted_as_refused() -> None:
    wire, source = Wire(), Source()
    egress = Egress(wire.connection, "live")
    ssrc = egress.add(taken(VIEWER_VP8, RTX)).ssrc
    (forwarder,) = egress.forwarders
    forwarder.watch(Feed(source.encoding, {}, GopBudget()))
    await source.play(KEY, *[DELTA] * 9)
    numbers = [packet.sequence for packet in wire.packets]
    forwarder.retransmitter._left = 6
    egress.rtcp_received(write_nack(5, ssrc, numbers))
    sent = forwarder.sent
    assert (sent.retransmissions, sent.retransmissions_refused) == (6, 4)
    egress.stop()
