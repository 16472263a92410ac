"""Offers ask for answers to receiver reference times (RFC 3611)."""

import re

import pytest
from playwright.async_api import expect

from tests.server import ServerProcess

from .conftest import OpenViewer
from .ping_page import PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

_VIDEO = (
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99\r\n"
    "a=mid:1\r\n"
    "a=rtpmap:96 VP8/90000\r\n"
    "{vp8}"
    "a=rtcp-fb:96 nack\r\n"
    "a=rtpmap:97 rtx/90000\r\n"
    "a=fmtp:97 apt=96\r\n"
    "a=rtpmap:98 AV1/90000\r\n"
    "{av1}"
    "a=rtpmap:99 red/90000\r\n"
)
_SOUND = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n"
_SESSION = "v=0\r\na=group:BUNDLE 0 1\r\n"

_PLAIN = _VIDEO.format(vp8="", av1="")
_ASKING = _VIDEO.format(vp8="a=rtcp-fb:96 rrtr\r\n", av1="a=rtcp-fb:98 rrtr\r\n")
_STANDARD = "a=rtcp-xr:rcvr-rtt=all\r\n"


@pytest.mark.parametrize(
    ("offered", "wanted"),
    [
        (_SESSION + _SOUND + _PLAIN, _SESSION + _SOUND + _ASKING),
        (_SESSION + _PLAIN + _SOUND, _SESSION + _ASKING + _SOUND),
        (_PLAIN.replace("\r", ""), _ASKING.replace("\r", "")),
        (_SESSION + _SOUND, _SESSION + _SOUND),
        # Browsers that ask for it themselves need no help.
        (_SESSION + _PLAIN + _STANDARD, _SESSION + _PLAIN + _STANDARD),
        (_SESSION + _STANDARD + _PLAIN, _SESSION + _STANDARD + _PLAIN),
        (
            _PLAIN + "a=rtcp-xr:voip-metrics\r\n",
            _ASKING + "a=rtcp-xr:voip-metrics\r\n",
        ),
    ],
)
async def test_reference_times_are_offered(
    modules: PingPage, offered: str, wanted: str
) -> None:
    found = await modules.run(
        "async (sdp) => "
        "(await import('/media/picture-offer.js')).offerReferenceTime(sdp)",
        offered,
    )
    assert found == wanted


async def test_browsers_take_it_as_their_own(modules: PingPage) -> None:
    """Also one that asks for it itself; that may not be taken out of its offer."""
    local = await modules.run(
        """async () => {
            const { offerReferenceTime } = await import('/media/picture-offer.js');
            const pc = new RTCPeerConnection();
            pc.addTransceiver('video', { direction: 'recvonly' });
            const { type, sdp } = await pc.createOffer();
            const hidden = sdp.replaceAll('a=rtcp-xr:', 'a=x-rtcp-xr:');
            const asking = offerReferenceTime(hidden);
            await pc.setLocalDescription(
                { type, sdp: asking.replaceAll('a=x-rtcp-xr:', 'a=rtcp-xr:') });
            pc.close();
            return pc.localDescription.sdp;
        }"""
    )
    codecs = re.findall(r"^a=rtpmap:(\d+) (?!rtx|red|ulpfec|flexfec)", local, re.M)
    assert codecs
    for codec in codecs:
        assert f"a=rtcp-fb:{codec} rrtr\r\n" in local


async def test_viewers_offer_it(server: ServerProcess, open_viewer: OpenViewer) -> None:
    viewer = await open_viewer(server, "reference-time")
    await viewer.open()
    await expect(viewer.frame.state_word).to_have_text("Connected")
    offer = viewer.requests("POST")[-1].post_data
    assert offer is not None
    assert "a=rtcp-xr:rcvr-rtt=all\r\n" in offer or " rrtr\r\n" in offer
