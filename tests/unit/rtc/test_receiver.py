"""RTP in: counted, reported, and not decoded."""

import asyncio
import threading
from fractions import Fraction
from struct import pack
from typing import Any

import av
import pytest
from aiortc import MediaStreamTrack, RTCRtpReceiver, RTCSessionDescription

from tests.waiting import until
from whipbird.rtc import Certificate, Peer, PeerOptions
from whipbird.rtc import receiver as receiver_module
from whipbird.rtc.receiver import MAX_SOURCES, Receiver
from whipbird.sdp.offer import parse_offer


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


@pytest.mark.usefixtures("fast_reports")
async def test_media_is_received_without_decoding(certificate: Certificate) -> None:
    client, server = Peer(PeerOptions(certificate)), Peer(PeerOptions(certificate))
    client.addTransceiver(Packets(), direction="sendonly")
    client.createDataChannel("beside")
    try:
        await client.setLocalDescription(await client.createOffer())
        answer = await server.answer(parse_offer(client.localDescription.sdp))
        await client.setRemoteDescription(
            RTCSessionDescription(sdp=answer, type="answer")
        )
        receiver = server.getReceivers()[0]
        assert isinstance(receiver, Receiver)
        await until(lambda: receiver.packets > 100)
        assert receiver.octets > 100 * 100
        assert not [t.name for t in threading.enumerate() if "decoder" in t.name]
        sender = client.getSenders()[0]

        async def reported() -> bool:
            return any(
                s.type == "remote-inbound-rtp"
                for s in (await sender.getStats()).values()
            )

        while not await reported():
            before = receiver.packets
            await until(lambda n=before: receiver.packets > n)  # type: ignore[misc]
    finally:
        await client.close()
        await server.close()
    assert receiver._reports is not None
    assert receiver._reports.done()


@pytest.fixture
def fast_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "REPORT_INTERVAL", 0.02)


async def test_made_up_sources_do_not_fill_the_memory(
    certificate: Certificate,
) -> None:
    peer = Peer(PeerOptions(certificate))
    transceiver = peer.addTransceiver("audio", direction="recvonly")
    receiver = transceiver.receiver
    assert isinstance(receiver, Receiver)
    receiver._clock_rates[0] = 8000
    for ssrc in range(1000):
        receiver.receive_rtp(pack("!BBHLL", 128, 0, 1, 1, ssrc) + b"x")
    assert receiver.packets == 1000
    assert len(receiver._sources) == MAX_SOURCES
    await peer.close()


@pytest.mark.usefixtures("fast_reports")
async def test_reports_go_on_when_the_cycles_overflow(
    certificate: Certificate,
) -> None:
    """RFC 3550 section 6.4.1: the extended sequence number has 32 bits."""
    peer = Peer(PeerOptions(certificate))
    receiver = peer.addTransceiver("audio", direction="recvonly").receiver
    assert isinstance(receiver, Receiver)
    receiver._clock_rates[0] = 8000
    receiver.receive_rtp(pack("!BBHLL", 128, 0, 7, 1, 1) + b"x")
    receiver._sources[1].cycles = 0x1_0000_0000
    reports = asyncio.create_task(receiver._send_reports())
    done, _ = await asyncio.wait([reports], timeout=0.2)
    assert not done
    reports.cancel()
    await peer.close()


def test_what_aiortc_must_have() -> None:
    """The private parts that are overridden: a new aiortc may rename them."""
    for name in ("receive", "stop", "_handle_disconnect", "_send_rtcp"):
        assert callable(getattr(RTCRtpReceiver, name)), name
