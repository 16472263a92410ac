"""Requests to media senders: when they are sent, and in which datagrams."""

import asyncio

import pytest
from aiortc.rtp import RtcpPacket, RtcpPsfbPacket, RtcpRrPacket, RtcpRtpfbPacket

from tests import offers
from tests.unit.rtc.media import Rig, Rigged, rtp
from tests.waiting import until
from whipbird.media.requests import (
    ASSUMED_RTT,
    FRAME_PAUSE,
    LOSSY_TIME,
    MAX_AHEAD,
    MAX_RTT,
)
from whipbird.rtp.extensions import TRANSPORT_CC
from whipbird.rtp.missing import SENDER_DELAY
from whipbird.rtp.rtcp_requests import Nack, parse_requests
from whipbird.rtp.xr import DelaySince, ReferenceTime, parse_xr, write_delay_since

pytestmark = pytest.mark.virtual_time

OPUS, VP8, VP8_RTX = 111, 96, 97


class Sent:
    """What a rig sends, and when."""

    def __init__(self, made: Rig) -> None:
        self.now = asyncio.get_running_loop().time
        self.datagrams: list[tuple[float, bytes]] = []
        made.connection.send_rtcp = self._send  # type: ignore[method-assign]

    def _send(self, packet: bytes) -> None:
        self.datagrams.append((self.now(), packet))

    def requested(self) -> list[tuple[float, int]]:
        """When each packet was requested."""
        return [
            (at, sequence)
            for at, data in self.datagrams
            for request in parse_requests(data)
            if isinstance(request, Nack)
            for sequence in request.sequences
        ]

    def references(self) -> list[ReferenceTime]:
        found = [block for _, data in self.datagrams for block in parse_xr(data)]
        return [block for block in found if isinstance(block, ReferenceTime)]


async def test_at_the_end_of_the_turn(rigged: Rigged) -> None:
    """One request for all gaps of a batch, and none for what comes in it."""
    made = rigged(offers.CHROMIUM_MEDIA)
    sent = Sent(made)
    start = sent.now()
    for sequence in (1, 3, 6, 5):
        made.push(rtp(VP8, sequence))
    assert sent.datagrams == []
    await asyncio.sleep(0)
    assert sent.requested() == [(start, 2), (start, 4)]
    assert len(sent.datagrams) == 1


async def test_again_after_a_round_trip(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_MEDIA)
    sent = Sent(made)
    made.push(rtp(VP8, 1))
    made.push(rtp(VP8, 3, marker=True))
    pause = 0.02 + SENDER_DELAY
    await asyncio.sleep(3.5 * pause)
    times = [at for at, _ in sent.requested()]
    steps = [at - times[0] for at in times]
    assert steps == pytest.approx([0, pause, 2 * pause, 3 * pause], abs=0.005)


async def test_a_round_trip_that_nobody_knows(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_MEDIA)
    requests = made.feedback._requests
    made.connection.round_trip = None
    assert requests.rtt == ASSUMED_RTT
    made.connection.round_trip = 5.0
    assert requests.rtt == MAX_RTT


async def test_the_round_trip_by_retransmissions(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_MEDIA)
    made.push(rtp(VP8, 1, ssrc=5))
    made.push(rtp(VP8, 3, ssrc=5))
    await asyncio.sleep(0.004)
    made.push(rtp(VP8_RTX, 1, ssrc=6, payload=bytes([0, 2, 7])))
    await asyncio.sleep(0.1)
    made.push(rtp(VP8, 5, ssrc=5))
    await asyncio.sleep(0)
    requests = made.feedback._requests
    assert requests.rtt == pytest.approx(0.004)


async def test_nothing_runs_when_nothing_is_missing(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_MEDIA)
    requests = made.feedback._requests
    made.push(rtp(VP8, 1, ssrc=5))
    assert requests._timer is None
    made.push(rtp(VP8, 3, ssrc=5))
    assert requests._timer is not None
    await asyncio.sleep(0.001)
    made.push(rtp(VP8_RTX, 1, ssrc=6, payload=bytes([0, 2, 7])))
    await asyncio.sleep(LOSSY_TIME + 0.1)
    assert requests._timer is None
    await made.stop()
    made.feedback.send_soon()
    assert requests._timer is None


async def test_what_is_too_late_is_given_up(rigged: Rigged) -> None:
    """The packets behind it go on, and a key frame is requested."""
    made = rigged(offers.CHROMIUM_MEDIA)
    found: list[int] = []
    made.push(rtp(VP8, 1))
    encoding = made.tracks[1].encodings[0]
    encoding.subscribe(lambda packet: found.append(packet.sequence))
    made.push(rtp(VP8, 3))
    await asyncio.sleep(0.9)
    assert found == []
    await asyncio.sleep(0.2)
    assert found == [3]
    plis = [p for p in made.sent() if isinstance(p, RtcpPsfbPacket) and p.fmt == 1]
    assert len(plis) == 1


async def test_sound_is_requested_too(rigged: Rigged) -> None:
    """The offer has no NACK for it: browsers answer all the same."""
    made = rigged(offers.CHROMIUM_MEDIA)
    sent = Sent(made)
    found: list[int] = []
    made.push(rtp(OPUS, 1, 0))
    encoding = made.tracks[0].encodings[0]
    encoding.subscribe(lambda packet: found.append(packet.sequence))
    made.push(rtp(OPUS, 3, 1920))
    await asyncio.sleep(0.02)
    assert [sequence for _, sequence in sent.requested()] == [2]
    made.push(rtp(OPUS, 2, 960))
    assert found == [2, 3]
    assert (encoding.totals.lost, encoding.totals.retransmitted) == (0, 1)


async def test_behind_a_report_where_it_must_be(rigged: Rigged) -> None:
    """RFC 3550 section 6.1; without rtcp-rsize."""
    made = rigged(offers.without(offers.CHROMIUM_MEDIA, "a=rtcp-rsize"))
    made.push(rtp(VP8, 1))
    made.push(rtp(VP8, 3))
    await until(lambda: made.rtcp)
    packets = RtcpPacket.parse(made.rtcp[0])
    assert isinstance(packets[0], RtcpRrPacket)
    assert isinstance(packets[-1], RtcpRtpfbPacket)


class TestAhead:
    """The last packets of a frame have none behind them that would show a gap."""

    NUMBERED = offers.added(
        offers.CHROMIUM_MEDIA, f"a=extmap:3 {TRANSPORT_CC}", after="a=mid:1"
    )

    def push(self, made: Rig, number: int, payload_type: int, sequence: int) -> None:
        """A packet with a transport-wide number."""
        ssrc = 5 if payload_type == VP8 else 1
        extensions = {3: number.to_bytes(2)}
        made.push(
            rtp(
                payload_type,
                sequence,
                ssrc=ssrc,
                extensions=extensions,
                marker=payload_type == VP8,
            )
        )

    async def test_a_gap_that_no_source_explains(self, rigged: Rigged) -> None:
        made = rigged(self.NUMBERED)
        sent = Sent(made)
        self.push(made, 1, VP8, 10)
        self.push(made, 2, OPUS, 1)
        self.push(made, 4, OPUS, 2)
        await asyncio.sleep(0.001)
        assert [sequence for _, sequence in sent.requested()] == [11]
        # Once: it may not have been sent yet.
        self.push(made, 6, OPUS, 3)
        await asyncio.sleep(0.5)
        assert [sequence for _, sequence in sent.requested()] == [11]

    async def test_a_gap_that_is_explained(self, rigged: Rigged) -> None:
        made = rigged(self.NUMBERED)
        sent = Sent(made)
        self.push(made, 1, VP8, 10)
        self.push(made, 2, OPUS, 1)
        self.push(made, 4, OPUS, 3)
        await asyncio.sleep(0.001)
        assert [sequence for _, sequence in sent.requested()] == [2]

    async def test_packets_that_are_reordered(self, rigged: Rigged) -> None:
        made = rigged(self.NUMBERED)
        sent = Sent(made)
        self.push(made, 1, VP8, 10)
        self.push(made, 3, OPUS, 1)
        self.push(made, 2, VP8, 11)
        await asyncio.sleep(0.001)
        assert sent.requested() == []

    async def test_a_large_gap(self, rigged: Rigged) -> None:
        made = rigged(self.NUMBERED)
        sent = Sent(made)
        self.push(made, 1, VP8, 10)
        self.push(made, 5000, OPUS, 1)
        await asyncio.sleep(0.001)
        assert len(sent.requested()) == MAX_AHEAD

    async def test_not_requested_twice_in_a_round_trip(self, rigged: Rigged) -> None:
        made = rigged(self.NUMBERED)
        sent = Sent(made)
        self.push(made, 1, VP8, 10)
        self.push(made, 3, OPUS, 1)
        await asyncio.sleep(0.005)
        self.push(made, 4, VP8, 12)
        await asyncio.sleep(0.02)
        assert [sequence for _, sequence in sent.requested()] == [11]
        await asyncio.sleep(SENDER_DELAY)
        assert [sequence for _, sequence in sent.requested()] == [11, 11]

    async def test_a_frame_that_pauses_on_a_lossy_path(self, rigged: Rigged) -> None:
        made = rigged(offers.CHROMIUM_MEDIA)
        sent = Sent(made)
        made.push(rtp(VP8, 1, 0, marker=True))
        made.push(rtp(VP8, 3, 3000))
        await asyncio.sleep(2.5 * FRAME_PAUSE)
        assert [sequence for _, sequence in sent.requested()] == [2, 4]

    async def test_a_frame_that_pauses_on_a_clean_path(self, rigged: Rigged) -> None:
        made = rigged(offers.CHROMIUM_MEDIA)
        sent = Sent(made)
        made.push(rtp(VP8, 1, 0))
        await asyncio.sleep(0.5)
        assert sent.requested() == []

    async def test_what_has_come_is_not_missing(self, rigged: Rigged) -> None:
        made = rigged(self.NUMBERED)
        self.push(made, 1, VP8, 10)
        self.push(made, 3, OPUS, 1)
        await asyncio.sleep(0.001)
        made.push(rtp(VP8_RTX, 1, ssrc=6, payload=bytes([0, 11, 7])))
        self.push(made, 5, VP8, 12)
        reception = made.tracks[1].encodings[0].reception
        assert (reception.recovered, reception.lost) == (1, 1)
        assert not reception.missing


class TestReferenceTimes:
    """RFC 3611 section 4.4: only while packets are missing."""

    async def test_none_on_a_clean_path(self, rigged: Rigged) -> None:
        made = rigged(offers.CHROMIUM_MEDIA)
        sent = Sent(made)
        for sequence in range(30):
            made.push(rtp(VP8, sequence))
            await asyncio.sleep(0.1)
        assert sent.references() == []

    async def test_the_answer_tells_the_round_trip(self, rigged: Rigged) -> None:
        made = rigged(offers.CHROMIUM_MEDIA)
        sent = Sent(made)
        for sequence in range(1, 60, 2):
            made.push(rtp(VP8, sequence))
            await asyncio.sleep(0.1)
            if references := sent.references():
                break
        [reference] = references
        sent_at = next(at for at, data in sent.datagrams if parse_xr(data))
        await asyncio.sleep(sent_at + 0.512 - sent.now())
        middle = reference.ntp_timestamp >> 16 & 0xFFFFFFFF
        answer = DelaySince(reference.ssrc, middle, 0x8000)
        made.feedback.rtcp_received(write_delay_since(9, [answer]))
        rtt = made.feedback._requests.rtt
        assert rtt == pytest.approx(0.012, abs=0.001)

    async def test_who_does_not_answer_gets_few(self, rigged: Rigged) -> None:
        made = rigged(offers.CHROMIUM_MEDIA)
        sent = Sent(made)
        for sequence in range(1, 600, 2):
            made.push(rtp(VP8, sequence))
            await asyncio.sleep(0.1)
        assert len(sent.references()) == 5
