"""The packets of an encoding for another worker, as the viewers here get them."""

import asyncio

import pytest

from tests.netem.world import World
from tests.unit.media.watching import KEY, Source
from whipbird.media.feed import Feed
from whipbird.relay.encoding_relay import EncodingRelay
from whipbird.relay.frames import Kind
from whipbird.rtp.history import GopBudget
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.source_clock import share_offset

pytestmark = pytest.mark.virtual_time

# Seconds: the NTP time of the first frame.
NTP = 3_990_000_000


async def test_a_pause_is_in_the_timestamps(world: World) -> None:
    """What is kept, what comes, and the reports are of one clock."""
    source = Source()
    feed = Feed(source.encoding, {}, GopBudget())
    began, first = world.now, source.timestamp
    reception = source.source.reception

    def report() -> None:
        ntp = NTP + world.now - began
        reception.sender_report(int(ntp * 2**32), source.timestamp, world.now)
        share_offset([reception.clock])

    async def play() -> None:
        for _ in range(30):
            await source.play(KEY)
            await asyncio.sleep(1 / 30)
        report()

    await play()
    await asyncio.sleep(8)
    await play()
    taken: list[RtpPacket] = []
    relay = EncodingRelay(
        feed, lambda packet, _: taken.append(packet), lambda _: 1, lambda: False
    )
    await play()
    # The last one that is kept, and those that came.
    ahead = [
        (packet.timestamp - first) / 90_000 - 9 - (29 + n) / 30
        for n, packet in enumerate(taken)
    ]
    assert len(ahead) == 31
    assert max(map(abs, ahead)) < 0.05
    frame = relay.report(world.now)
    assert frame is not None
    data = frame[-28:]
    assert bytes([Kind.RTCP]) in frame[:8]
    timestamp = int.from_bytes(data[16:20])
    assert (timestamp - first) / 90_000 == pytest.approx(world.now - began, abs=0.05)
    relay.close()
    await source.play(KEY)
    assert len(taken) == 31
    feed.close()
