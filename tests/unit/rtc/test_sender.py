"""RTP out: key frames are asked of whoever encodes, lost packets are sent again."""

import pytest
from aiortc import RTCRtpSender
from aiortc.rtp import (
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtpPacket,
)

from whipbird.rtc import Certificate, Peer, PeerOptions
from whipbird.rtc.sender import HISTORY_SIZE, Sender


def video_sender(peer: Peer) -> Sender:
    sender = peer.addTransceiver("video", direction="sendonly").sender
    assert isinstance(sender, Sender)
    return sender


async def test_key_frames_are_asked_of_the_encoder(certificate: Certificate) -> None:
    peer = Peer(PeerOptions(certificate))
    sender = video_sender(peer)
    asked: list[int] = []
    for fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
        request = RtcpPsfbPacket(fmt=fmt, ssrc=1, media_ssrc=sender._ssrc)
        # Nobody is there to be asked.
        await sender._handle_rtcp_packet(request)
        sender.on_key_frame_request = lambda fmt=fmt: asked.append(fmt)
        await sender._handle_rtcp_packet(request)
        sender.on_key_frame_request = None
    assert asked == [RTCP_PSFB_PLI, RTCP_PSFB_FIR]
    await peer.close()


async def test_packets_that_can_be_sent_again(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those before aiortc's last 128, and where the numbers begin anew."""
    peer = Peer(PeerOptions(certificate))
    sender = video_sender(peer)
    sent: list[int] = []

    async def send(data: bytes) -> None:
        sent.append(RtpPacket.parse(data).sequence_number)

    monkeypatch.setattr(sender.transport, "_send_rtp", send)
    first = 65536 - 100
    last = first + HISTORY_SIZE
    # As aiortc fills it.
    history = sender._history
    for number in range(first, last + 1):
        sequence = number % 65536
        history[sequence % 128] = RtpPacket(sequence_number=sequence)
    wanted = [n % 65536 for n in (first, first + 1, first + 2, first + 200, last)]
    request = RtcpRtpfbPacket(
        fmt=RTCP_RTPFB_NACK, ssrc=1, media_ssrc=sender._ssrc, lost=wanted
    )
    await sender._handle_rtcp_packet(request)
    # The first is forgotten.
    assert sent == wanted[1:]
    assert sender.retransmitted == 4
    await peer.close()


async def test_what_aiortc_must_have(certificate: Certificate) -> None:
    """The private parts that are overridden: a new aiortc may rename them."""
    for name in ("_send_keyframe", "_handle_rtcp_packet", "_retransmit"):
        assert callable(getattr(RTCRtpSender, name)), name
    peer = Peer(PeerOptions(certificate))
    plain = RTCRtpSender("video", video_sender(peer).transport)
    assert plain._RTCRtpSender__rtp_history == {}  # type: ignore[attr-defined]
    await peer.close()
