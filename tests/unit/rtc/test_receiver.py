"""Receiving RTP: in order, retransmitted, demultiplexed, and not decoded."""

import asyncio
import threading
from fractions import Fraction
from typing import Any

import av
import pytest
from aiortc import MediaStreamTrack
from aiortc.rtp import RTCP_PSFB_PLI, RtcpPsfbPacket, RtcpRtpfbPacket

from tests import offers
from tests.unit.media.watching import KEY
from tests.unit.rtc.conftest import Net, NewPeer, negotiate
from tests.unit.rtc.media import Rigged, rtp
from tests.waiting import until
from whipbird.media.feedback import REPORT_INTERVAL
from whipbird.media.track import MAX_SOURCES, RID_PATIENCE, Track
from whipbird.rtc.receiver import Receiver
from whipbird.rtp.extensions import RID as RID_URI
from whipbird.rtp.packet import RtpPacket


class Packets(MediaStreamTrack):
    """A track of packets that are already encoded."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._pts = 0

    async def recv(self) -> Any:
        await asyncio.sleep(0.002)
        packet = av.Packet(bytes(2500))
        packet.pts = self._pts
        packet.time_base = Fraction(1, 90000)
        self._pts += 3000
        return packet


@pytest.mark.virtual_time
async def test_media_is_received_without_decoding(new_peer: NewPeer, net: Net) -> None:
    client, server = new_peer(net.client), new_peer(net.server)
    client.addTransceiver(Packets(), direction="sendonly")
    client.createDataChannel("beside")
    await negotiate(client, server)
    receiver = server.getReceivers()[0]
    assert isinstance(receiver, Receiver)
    await until(lambda: receiver.media.packets > 100)
    assert receiver.media.octets > 100 * 100
    assert not [t.name for t in threading.enumerate() if "decoder" in t.name]
    sender = client.getSenders()[0]

    async def reported() -> bool:
        return any(
            s.type == "remote-inbound-rtp" for s in (await sender.getStats()).values()
        )

    async with asyncio.timeout(2 * REPORT_INTERVAL):
        while not await reported():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# Payload types of the video section of this offer.
VP8, VP8_RTX = 96, 97


def collected(track: Track, encoding: int = 0) -> list[int]:
    """The sequence numbers of what an encoding gives out."""
    found: list[int] = []
    track.encodings[encoding].subscribe(lambda packet: found.append(packet.sequence))
    return found


async def test_packets_come_out_in_order_and_once(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_MEDIA)
    video = made.tracks[1]
    made.push(rtp(VP8, 0))
    found = collected(video)
    for sequence in (1, 3, 2, 2, 3, 5, 4, 6):
        made.push(rtp(VP8, sequence))
    assert found == [1, 2, 3, 4, 5, 6]
    assert video.packets == 7
    assert video.encodings[0].reception.duplicates == 2


@pytest.mark.virtual_time
async def test_what_is_lost_is_asked_for_and_comes_again(rigged: Rigged) -> None:
    """RFC 4585 section 6.2.1, RFC 4588."""
    made = rigged(offers.CHROMIUM_MEDIA)
    video = made.tracks[1]
    made.push(rtp(VP8, 10))
    found = collected(video)
    made.push(rtp(VP8, 12))
    made.push(rtp(VP8, 14))

    def lost() -> set[int]:
        nacks = [p for p in made.sent() if isinstance(p, RtcpRtpfbPacket)]
        return {sequence for nack in nacks for sequence in nack.lost}

    await until(lambda: lost() == {11, 13})
    for sequence in (11, 13):
        made.push(rtp(VP8_RTX, 500 + sequence, ssrc=2, payload=bytes([0, sequence, 7])))
    assert found == [11, 12, 13, 14]
    reception = video.encodings[0].reception
    assert (reception.recovered, reception.lost) == (2, 2)
    assert not reception.missing


async def test_a_retransmission_has_the_original_payload(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_MEDIA)
    made.push(rtp(VP8, 1))
    packets: list[RtpPacket] = []
    made.receivers[1].media.encodings[0].subscribe(packets.append)
    made.push(rtp(VP8, 3))
    made.push(rtp(VP8_RTX, 9, 90, 2, b"\x00\x02hello", marker=True))
    [retransmission, _] = packets
    assert retransmission.payload == b"hello"
    assert (
        retransmission.payload_type,
        retransmission.sequence,
        retransmission.ssrc,
    ) == (VP8, 2, 1)
    assert (retransmission.timestamp, retransmission.marker) == (90, True)


async def test_a_retransmission_of_nothing_is_dropped(rigged: Rigged) -> None:
    """Before its original has come, and of a source that nobody knows."""
    made = rigged(offers.CHROMIUM_MEDIA)
    made.push(rtp(VP8_RTX, 1, payload=b"\x00\x02x"))
    assert made.receivers[1].media.encodings == []
    made.push(rtp(VP8, 1))
    made.push(rtp(VP8_RTX, 1, ssrc=2, payload=b""))
    made.push(bytes([0x80, VP8]))
    assert made.receivers[1].media.packets == 1


@pytest.mark.virtual_time
async def test_what_is_lost_for_good_is_passed_over(rigged: Rigged) -> None:
    """... and a key frame is asked for instead (RFC 4585 section 6.3.1)."""
    made = rigged(offers.CHROMIUM_MEDIA)
    made.push(rtp(VP8, 1))
    found = collected(made.tracks[1])
    made.push(rtp(VP8, 3))
    await until(lambda: found == [3])
    await until(
        lambda: any(
            isinstance(p, RtcpPsfbPacket) and p.fmt == RTCP_PSFB_PLI
            for p in made.sent()
        )
    )


RID, REPAIRED_RID = 10, 11


async def test_the_encodings_of_simulcast(rigged: Rigged) -> None:
    """RFC 8853, RFC 8852: told apart by rid, then by SSRC."""
    made = rigged(offers.CHROMIUM_SIMULCAST)
    video = made.tracks[1]
    for ssrc, rid in ((1, b"q"), (2, b"h"), (3, b"f")):
        made.push(rtp(VP8, 1, ssrc=ssrc, extensions={RID: rid}))
        made.push(rtp(VP8, 2, ssrc=ssrc))
    assert [(x.rid, x.ssrc, x.reception.packets) for x in video.encodings] == [
        *(("q", 1, 2), ("h", 2, 2), ("f", 3, 2))
    ]
    # Retransmissions name the encoding, too.
    made.push(rtp(VP8, 4, ssrc=2))
    made.push(
        rtp(VP8_RTX, 1, ssrc=9, payload=b"\0\3x", extensions={REPAIRED_RID: b"h"})
    )
    assert [x.reception.recovered for x in video.encodings] == [0, 1, 0]


async def test_an_encoding_that_is_not_offered(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_SIMULCAST)
    made.push(rtp(VP8, 1, ssrc=1, extensions={RID: b"x"}))
    made.push(rtp(VP8, 1, ssrc=2))
    assert made.receivers[1].media.encodings == []


# Three sources with retransmission, which the offer puts into a group.
GROUPED = offers.added(
    offers.without(offers.CHROMIUM_MEDIA, "a=ssrc"),
    "a=ssrc-group:SIM 1 2 3",
    *(f"a=ssrc-group:FID {ssrc} {10 + ssrc}" for ssrc in (1, 2, 3)),
    after="a=mid:1",
)
NO_RID = ("a=extmap:10 ", "a=extmap:11 ")


@pytest.mark.parametrize(
    ("offer", "rids"),
    [
        (GROUPED, ["0", "1", "2"]),
        (offers.without(GROUPED, *NO_RID), ["0", "1", "2"]),
        (
            offers.added(
                offers.without(offers.CHROMIUM_SIMULCAST, *NO_RID, "a=ssrc"),
                *(f"a=ssrc-group:FID {n} {10 + n}" for n in (1, 2, 3)),
                *(f"a=ssrc:{ssrc} cname:x" for ssrc in (1, 2, 3, 11, 12, 13)),
                after="a=mid:1",
            ),
            ["q", "h", "f"],
        ),
    ],
)
@pytest.mark.virtual_time
async def test_encodings_that_the_offer_tells_by_their_sources(
    rigged: Rigged, offer: str, rids: list[str]
) -> None:
    made = rigged(offer)
    video = made.tracks[1]
    assert list(video.rids) == rids
    for sequence in range(3):
        for ssrc in (1, 2, 3):
            made.push(rtp(VP8, sequence, ssrc=ssrc))
        await asyncio.sleep(RID_PATIENCE)
    assert [(x.rid, x.ssrc) for x in video.encodings] == [
        (rid, ssrc) for ssrc, rid in enumerate(rids, start=1)
    ]
    assert min(x.reception.packets for x in video.encodings) >= 2
    made.push(rtp(VP8, 4, ssrc=2))
    made.push(rtp(VP8_RTX, 1, ssrc=12, payload=b"\0\3x"))
    assert [x.reception.recovered for x in video.encodings] == [0, 1, 0]


async def test_the_rid_extension_at_session_level(rigged: Rigged) -> None:
    """RFC 8285 section 5: it is that of all sections."""
    offer = offers.without(offers.CHROMIUM_SIMULCAST, *NO_RID)
    made = rigged(offers.added(offer, f"a=extmap:{RID} {RID_URI}", after="t="))
    for ssrc, rid in ((1, b"q"), (2, b"h"), (3, b"f")):
        made.push(rtp(VP8, 1, ssrc=ssrc, extensions={RID: rid}))
    assert [x.rid for x in made.tracks[1].encodings] == ["q", "h", "f"]


async def test_nothing_tells_the_encodings(rigged: Rigged) -> None:
    """Then the answer has no simulcast, and what comes is a plain track at once."""
    made = rigged(offers.without(offers.CHROMIUM_SIMULCAST, *NO_RID, "a=ssrc"))
    video = made.tracks[1]
    made.push(rtp(VP8, 1, ssrc=5))
    made.push(rtp(VP8, 2, ssrc=5))
    assert video.rids == ()
    assert [(x.rid, x.reception.packets) for x in video.encodings] == [(None, 2)]


@pytest.mark.virtual_time
async def test_packets_that_never_tell_their_rid(rigged: Rigged) -> None:
    """They are waited for (RFC 8853 section 5.5), but not for ever."""
    made = rigged(offers.without(offers.CHROMIUM_SIMULCAST, "a=ssrc"))
    video = made.tracks[1]
    made.push(rtp(VP8, 1, ssrc=5))
    await asyncio.sleep(RID_PATIENCE / 2)
    made.push(rtp(VP8, 2, ssrc=5))
    assert video.encodings == []
    await asyncio.sleep(RID_PATIENCE / 2)
    made.push(rtp(VP8, 3, ssrc=5))
    assert [(x.rid, x.ssrc) for x in video.encodings] == [(None, 5)]


@pytest.mark.virtual_time
async def test_beside_encodings_with_a_rid_there_are_none_without(
    rigged: Rigged,
) -> None:
    made = rigged(offers.CHROMIUM_SIMULCAST)
    made.push(rtp(VP8, 1, ssrc=1, extensions={RID: b"q"}))
    for sequence in range(3):
        made.push(rtp(VP8, sequence, ssrc=5))
        await asyncio.sleep(RID_PATIENCE)
    assert [x.rid for x in made.tracks[1].encodings] == ["q"]


async def test_an_encoding_whose_encoder_is_restarted(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_SIMULCAST)
    made.push(rtp(VP8, 1, ssrc=1, extensions={RID: b"q"}))
    [encoding] = made.tracks[1].encodings
    found = collected(made.tracks[1])
    made.push(rtp(VP8, 900, ssrc=7, extensions={RID: b"q"}))
    assert (encoding.rid, encoding.ssrc) == ("q", 1)
    # It goes on with the first key frame of the other, without a gap.
    made.push(rtp(VP8, 901, 90, 7, KEY))
    assert made.tracks[1].encodings == [encoding]
    assert (encoding.rid, encoding.ssrc, encoding.epoch) == ("q", 7, 1)
    assert found == [2]


async def test_made_up_sources_do_not_fill_the_memory(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_MEDIA)
    for ssrc in range(1000):
        made.push(rtp(0, 1, ssrc=ssrc))
        made.push(rtp(VP8_RTX, 1, ssrc=5000 + ssrc, payload=b"\0\1x"))
    audio, video = made.tracks
    assert len(audio.encodings) == 1
    assert len(audio._sources) == MAX_SOURCES
    assert len(video._rtx_sources) == 0
    made.push(rtp(VP8, 1, ssrc=5))
    for ssrc in range(1000):
        made.push(rtp(VP8_RTX, 1, ssrc=5000 + ssrc, payload=b"\0\1x"))
    assert 0 < len(video._rtx_sources) <= MAX_SOURCES


async def test_a_source_says_good_bye(rigged: Rigged) -> None:
    """RFC 3550 section 6.6."""
    made = rigged(offers.CHROMIUM_MEDIA)
    made.push(rtp(VP8, 1, ssrc=5))
    made.push(rtp(VP8_RTX, 1, ssrc=6, payload=b"\0\1x"))
    made.feedback.rtcp_received(bytes([0x81, 203, 0, 1, 0, 0, 0, 5]))
    video = made.tracks[1]
    assert (video.encodings, video._sources, video._rtx_sources) == ([], {}, {})


async def test_parameters_of_video(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_MEDIA)
    encoder: Any = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 320, 180, "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.options = {"deadline": "realtime", "g": "2", "lag-in-frames": "0"}
    for n in range(4):
        frame = av.VideoFrame(320, 180, "yuv420p")
        frame.pts = n
        for packet in encoder.encode(frame):
            payload = b"\x10" + bytes(packet)
            made.push(rtp(VP8, n, 3000 * n, payload=payload, marker=True))
    encoding = made.receivers[1].media.encodings[0]
    assert encoding.parameters is not None
    assert (encoding.parameters.width, encoding.parameters.height) == (320, 180)
    assert (encoding.frames, encoding.key_frames) == (4, 2)
    assert encoding.key_frame_interval is not None


async def test_parameters_of_audio(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_MEDIA)
    made.push(rtp(111, 1, payload=b"\xfc\0\0"))
    [encoding] = made.receivers[0].media.encodings
    assert (encoding.codec.name, encoding.channels) == ("opus", 2)
    made.push(rtp(8, 2, 160))
    assert (encoding.codec.name, encoding.channels) == ("pcma", 1)


@pytest.mark.virtual_time
async def test_an_encoder_that_has_another_ssrc_each_time(rigged: Rigged) -> None:
    made = rigged(offers.CHROMIUM_MEDIA)
    found: list[int] = []
    for ssrc in range(1, 5 * MAX_SOURCES):
        for number in range(3):
            made.push(rtp(VP8, number, 3000 * number, ssrc, KEY))
        if ssrc == 1:
            [encoding] = made.tracks[1].encodings
            encoding.subscribe(lambda packet: found.append(packet.ssrc))
        await asyncio.sleep(2.0)
    assert found == [s for s in range(2, 5 * MAX_SOURCES) for _ in range(3)]
    assert len(made.tracks[1]._sources) <= MAX_SOURCES
