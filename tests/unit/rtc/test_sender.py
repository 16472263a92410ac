"""RTP out: requests for key frames reach whoever encodes."""

from aiortc import RTCRtpSender
from aiortc.rtp import RTCP_PSFB_FIR, RTCP_PSFB_PLI, RtcpPsfbPacket

from whipbird.rtc import Certificate, Peer, PeerOptions
from whipbird.rtc.sender import Sender


async def test_key_frames_are_asked_of_the_encoder(certificate: Certificate) -> None:
    peer = Peer(PeerOptions(certificate))
    sender = peer.addTransceiver("video", direction="sendonly").sender
    assert isinstance(sender, Sender)
    asked: list[int] = []
    for fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
        request = RtcpPsfbPacket(fmt=fmt, ssrc=1, media_ssrc=sender._ssrc)
        # Nobody is there to be asked.
        await sender._handle_rtcp_packet(request)
        sender.on_key_frame_request = lambda fmt=fmt: asked.append(fmt)  # type: ignore[misc]
        await sender._handle_rtcp_packet(request)
        sender.on_key_frame_request = None
    assert asked == [RTCP_PSFB_PLI, RTCP_PSFB_FIR]
    await peer.close()


def test_what_aiortc_must_have() -> None:
    """The private parts that are overridden: a new aiortc may rename them."""
    for name in ("_send_keyframe", "_handle_rtcp_packet"):
        assert callable(getattr(RTCRtpSender, name)), name
