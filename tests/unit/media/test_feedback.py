"""RTCP feedback to media senders."""

import asyncio
from collections.abc import Iterator

import pytest
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
)

from tests import offers
from tests.encoders import encode_video
from tests.unit.rtc.media import Rig, Rigged, rtp
from tests.unit.rtp.feedback_decoder import decode
from tests.waiting import until
from whipbird.rtp.extensions import TRANSPORT_CC
from whipbird.rtp.rtcp_requests import Estimate, parse_requests

pytestmark = pytest.mark.virtual_time

# Of the video section of these offers.
VP8, VP8_RTX = 96, 97
WITHOUT_TRANSPORT_CC = "".join(
    line
    for line in offers.CHROMIUM_MEDIA.splitlines(keepends=True)
    if "transport" not in line
)


def requests(made: Rig, kind: int) -> list[RtcpPsfbPacket]:
    """The payload-specific messages of a kind that were sent so far."""
    found = [p for p in made.sent() if isinstance(p, RtcpPsfbPacket)]
    return [p for p in found if p.fmt == kind]


def parts(compound: bytes) -> Iterator[bytes]:
    """The packets of a compound (RFC 3550 section 6.1)."""
    while compound:
        length = 4 * (int.from_bytes(compound[2:4]) + 1)
        yield compound[:length]
        compound = compound[length:]


async def test_reports(rigged: Rigged) -> None:
    """RFC 3550 section 6.4: of all sources in one report, with a name of ours."""
    made = rigged(offers.CHROMIUM_MEDIA)
    made.push(rtp(111, 5, ssrc=1))
    made.push(rtp(VP8, 7, ssrc=2))

    def reported() -> dict[int, int]:
        reports = [p for p in made.sent() if isinstance(p, RtcpRrPacket)]
        return {b.ssrc: b.highest_sequence for r in reports for b in r.reports}

    await until(lambda: reported() == {1: 5, 2: 7})


async def test_there_is_no_timer_while_nothing_comes(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_MEDIA)
    assert made.feedback._timer is None
    made.push(rtp(VP8, 1))
    assert made.feedback._timer is not None
    await until(lambda: made.feedback._timer is None)


async def test_arrivals_are_fed_back(rigged: Rigged) -> None:
    """draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1."""
    made = rigged(offers.CHROMIUM_MEDIA)
    for number in range(5):
        number_of_all = (65534 + number) & 0xFFFF
        made.push(rtp(111, number, extensions={3: number_of_all.to_bytes(2)}))
    await until(lambda: made.rtcp)
    [message] = [p for p in parts(made.rtcp[0]) if p[0] & 31 == 15 and p[1] == 205]
    base, count = message[12:14], message[14:16]
    assert (int.from_bytes(base), int.from_bytes(count)) == (65534, 5)


async def test_a_key_frame_is_requested_once(
    rigged: Rigged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 4585 section 6.3.1; however many want it, and until it comes."""
    monkeypatch.setattr("whipbird.media.encoding.KEY_FRAME_INTERVAL", 60.0)
    made = rigged(offers.CHROMIUM_MEDIA)
    made.push(rtp(VP8, 1, ssrc=5, payload=b"\x10\x01"))
    [encoding] = made.receivers[1].media.encodings
    for _ in range(3):
        encoding.request_key_frame()
    await until(lambda: requests(made, RTCP_PSFB_PLI))
    encoding.request_key_frame()
    made.push(rtp(VP8, 2, ssrc=5, payload=b"\x10\x01"))
    sent = len(made.rtcp)
    await until(lambda: len(made.rtcp) > sent)
    [request] = requests(made, RTCP_PSFB_PLI)
    assert request.media_ssrc == 5
    key_frame = encode_video("libvpx", 320, 180)[0].payloads[0]
    made.push(rtp(VP8, 3, 3000, ssrc=5, payload=key_frame))
    assert not encoding.wants_key_frame


async def test_a_key_frame_is_requested_again(
    rigged: Rigged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whipbird.media.encoding.KEY_FRAME_INTERVAL", 0.02)
    made = rigged(offers.CHROMIUM_MEDIA)
    made.push(rtp(VP8, 1, payload=b"\x10\x01"))
    made.receivers[1].media.encodings[0].request_key_frame()
    await until(lambda: len(requests(made, RTCP_PSFB_PLI)) == 3)


async def test_fir_if_pli_is_not_offered(
    rigged: Rigged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 5104 section 4.3.1: each request has a number of its own."""
    monkeypatch.setattr("whipbird.media.encoding.KEY_FRAME_INTERVAL", 0.02)
    made = rigged(offers.without(offers.CHROMIUM_MEDIA, "a=rtcp-fb:96 nack pli"))
    made.push(rtp(VP8, 1, ssrc=5, payload=b"\x10\x01"))
    made.receivers[1].media.encodings[0].request_key_frame()
    await until(lambda: len(requests(made, RTCP_PSFB_FIR)) == 2)
    first, second = (request.fci for request in requests(made, RTCP_PSFB_FIR)[:2])
    assert first[:4] == second[:4] == (5).to_bytes(4)
    assert second[4] == first[4] + 1


async def test_no_requests_without_negotiated_feedback(rigged: Rigged) -> None:
    made = rigged(offers.without(offers.CHROMIUM_MEDIA, "a=rtcp-fb:96"))
    made.push(rtp(VP8, 1, payload=b"\x10\x01"))
    made.receivers[1].media.encodings[0].request_key_frame()
    made.push(rtp(VP8, 5, payload=b"\x10\x01"))
    await until(lambda: made.rtcp)
    assert {type(packet) for packet in made.sent()} == {RtcpRrPacket, RtcpSdesPacket}


async def test_an_estimate_for_who_makes_none(rigged: Rigged) -> None:
    """draft-alvestrand-rmcat-remb-03 section 2."""
    made = rigged(WITHOUT_TRANSPORT_CC)
    made.push(rtp(VP8, 1, ssrc=5))
    await until(lambda: requests(made, RTCP_PSFB_APP))
    estimate = requests(made, RTCP_PSFB_APP)[0]
    assert estimate.fci[:4] == b"REMB"
    assert estimate.fci[8:] == (5).to_bytes(4)


async def test_the_estimate_falls_at_once_when_a_queue_grows(rigged: Rigged) -> None:
    """draft-ietf-rmcat-gcc-02: by abs-send-time, which is extension 2 of the offer."""
    made = rigged(WITHOUT_TRANSPORT_CC)
    estimates: list[int] = []
    for number in range(90):
        sent = number / 30
        delay = max(number - 60, 0) / 30
        await asyncio.sleep(max(sent + delay - asyncio.get_running_loop().time(), 0.0))
        units = int(sent * (1 << 18)) & 0xFFFFFF
        made.push(rtp(VP8, number, 3000 * number, extensions={2: units.to_bytes(3)}))
        for data in made.rtcp:
            for request in parse_requests(data):
                if isinstance(request, Estimate):
                    estimates.append(request.bitrate)
        made.rtcp.clear()
        if estimates and estimates[-1] < estimates[0]:
            break
    assert estimates[-1] < estimates[0]
    # A third of a second after the queue has begun to grow.
    assert 60 < number < 75


async def test_no_estimate_for_who_makes_its_own(rigged: Rigged) -> None:
    made = rigged(
        offers.added(
            offers.CHROMIUM_MEDIA,
            "a=extmap:3 http://www.ietf.org/id/"
            "draft-holmer-rmcat-transport-wide-cc-extensions-01",
            after="a=mid:1",
        )
    )
    for number in range(1, 4):
        sequence = number.to_bytes(2)
        made.push(rtp(VP8, number, extensions={3: sequence}))
        sent = len(made.rtcp)
        await until(lambda n=sent: len(made.rtcp) > n)  # type: ignore[misc]
    assert b"REMB" not in b"".join(made.rtcp)


@pytest.mark.parametrize("is_mended", [True, False])
async def test_how_much_loss_is_reported(rigged: Rigged, is_mended: bool) -> None:
    """All of it only while retransmission does not mend it."""
    made = rigged(
        offers.added(
            offers.CHROMIUM_MEDIA, f"a=extmap:3 {TRANSPORT_CC}", after="a=mid:1"
        )
    )
    number = 0

    def push(kind: int, sequence: int, ssrc: int, payload: bytes) -> None:
        nonlocal number
        number += 1
        extensions = {3: number.to_bytes(2)}
        made.push(rtp(kind, sequence, 0, ssrc, payload, extensions=extensions))

    reported = lost = 0
    for sequence in range(1, 600):
        if sequence % 5 == 3:
            number += 1
        else:
            push(VP8, sequence, 5, b"x")
        await asyncio.sleep(0.01)
        if sequence % 5 == 3 and is_mended:
            push(VP8_RTX, sequence, 6, sequence.to_bytes(2) + b"x")
        for data in made.rtcp:
            # The second half: what is lost for good is known by then.
            for part in parts(data) if sequence > 300 else ():
                if part[0] & 31 == 15 and part[1] == 205:
                    statuses = decode(part).statuses
                    reported += len(statuses)
                    lost += statuses.count(None)
        made.rtcp.clear()
    share = lost / reported
    assert share < 0.06 if is_mended else share == pytest.approx(0.2, abs=0.02)


async def test_reduced_size_rtcp(rigged: Rigged) -> None:
    """RFC 5506: where it was offered, a request need not follow a report."""
    without_reports: list[bool] = []
    for offer in (
        offers.CHROMIUM_MEDIA,
        offers.without(offers.CHROMIUM_MEDIA, "a=rtcp-rsize"),
    ):
        made = rigged(offer)
        made.push(rtp(VP8, 1, payload=b"\x10\x01"))
        await until(lambda made=made: made.rtcp)  # type: ignore[misc]
        made.rtcp.clear()
        made.feedback._next_report = float("inf")
        made.receivers[1].media.encodings[0].request_key_frame()
        await until(lambda made=made: requests(made, RTCP_PSFB_PLI))  # type: ignore[misc]
        reports = [p for p in made.sent() if isinstance(p, RtcpRrPacket)]
        without_reports.append(not reports)
    assert without_reports == [True, False]


async def test_a_request_has_a_datagram_of_its_own(rigged: Rigged) -> None:
    """FFmpeg takes a NACK no other way; beside audio without rtcp-rsize, too."""
    made = rigged(offers.FFMPEG)
    [codec, *_] = made.receivers[1].media._codecs
    made.push(rtp(codec, 1))
    made.push(rtp(codec, 4))
    await until(lambda: any(data[1] == 205 for data in made.rtcp))
    [request] = [data for data in made.rtcp if data[1] == 205]
    [nack] = RtcpPacket.parse(request)
    assert isinstance(nack, RtcpRtpfbPacket)
    assert nack.lost == [2, 3]


async def test_a_connection_that_is_gone(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_MEDIA)
    tried = asyncio.Event()

    def send_rtcp(_packet: bytes) -> None:
        tried.set()
        raise ConnectionError

    made.connection.send_rtcp = send_rtcp  # type: ignore[method-assign, assignment]
    made.push(rtp(VP8, 1))
    async with asyncio.timeout(10):
        await tried.wait()
    await until(lambda: made.feedback._timer is None)


async def test_no_feedback_after_the_end(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_MEDIA)
    made.push(rtp(VP8, 1))
    timer = made.feedback._timer
    assert timer is not None
    await made.stop()
    assert timer.cancelled()
    assert made.feedback.tracks == []
