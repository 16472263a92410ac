"""Sound in stereo: both channels are heard, each on its side."""

import asyncio
import secrets

import pytest
from playwright.async_api import expect

from tests.server import ServerProcess

from .conftest import OpenPage, OpenViewer
from .ping_page import PingPage
from .watch_page import WatchPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEFT, RIGHT = 500, 1500

#: Publishes a tone on each side, in stereo.
_PUBLISH = """async ([stream, tones]) => {
    const { WhipClient } = await import('/client/whip-client.js');
    const audio = new AudioContext();
    const output = audio.createMediaStreamDestination();
    const sides = new ChannelMergerNode(audio, { numberOfInputs: 2 });
    tones.forEach((frequency, side) => {
        const oscillator = new OscillatorNode(audio, { frequency });
        oscillator.connect(sides, 0, side);
        oscillator.start();
    });
    sides.connect(output);
    window.client = new WhipClient(`/whip/${stream}`, {
        adaptOffer: (sdp) =>
            sdp.replace(/useinbandfec=1/, '$&;stereo=1;sprop-stereo=1'),
    });
    for (const track of output.stream.getTracks()) {
        client.pc.addTransceiver(track, { direction: 'sendonly' });
    }
    addEventListener('pagehide', () => client.close());
    await client.connect();
}"""

#: The loudest frequency of each side, in Hz, and its level in dB.
_LISTEN = """async (video) => {
    window.audio ??= new AudioContext();
    if (!window.sides) {
        const splitter = new ChannelSplitterNode(audio, { numberOfOutputs: 2 });
        new MediaStreamAudioSourceNode(audio, { mediaStream: video.srcObject })
            .connect(splitter);
        window.sides = [0, 1].map((side) => {
            const analyser = new AnalyserNode(audio, { fftSize: 4096 });
            splitter.connect(analyser, side);
            return analyser;
        });
    }
    return sides.map((analyser) => {
        const levels = new Float32Array(analyser.frequencyBinCount);
        analyser.getFloatFrequencyData(levels);
        const level = Math.max(...levels);
        return {
            frequency: levels.indexOf(level) * audio.sampleRate / analyser.fftSize,
            level: Number.isFinite(level) ? level : -1000,
        };
    });
}"""


async def heard(viewer: WatchPage) -> list[float]:
    """Wait until both sides are heard: the loudest frequency of each."""
    sides: list[dict[str, float]] = []
    async with asyncio.timeout(30):
        # Levels have no event.
        while min((side["level"] for side in sides), default=-1000) < -60:
            await asyncio.sleep(0.1)
            if await viewer.video.evaluate("(video) => video.srcObject !== null"):
                sides = await viewer.video.evaluate(_LISTEN)
    return [side["frequency"] for side in sides]


async def test_each_channel_is_heard_on_its_side(
    server: ServerProcess, open_page: OpenPage, open_viewer: OpenViewer
) -> None:
    stream = f"stereo-{secrets.token_hex(4)}"
    publisher = await open_page(server)
    await publisher.open_without_application()
    await publisher.run(_PUBLISH, [stream, [LEFT, RIGHT]])
    viewer = await open_viewer(server, stream)
    await viewer.open()
    await viewer.mute.click()
    assert await heard(viewer) == pytest.approx([LEFT, RIGHT], rel=0.05)
    # What the publisher sends stands in the answer (RFC 7587 section 6.1).
    answer = await viewer.frame.run("() => connections.at(-1).remoteDescription.sdp")
    assert "sprop-stereo=1" in answer
    # It stays so on a new network path, for which there is another offer.
    await viewer.page.locator("#restart").click()
    await expect(viewer.page.locator("#restart-note")).to_contain_text("ms")
    offer = await viewer.frame.run("() => connections.at(-1).localDescription.sdp")
    assert ";stereo=1" in offer
    assert await heard(viewer) == pytest.approx([LEFT, RIGHT], rel=0.05)
    await publisher.run("() => client.close()")


NACK = "a=rtcp-fb:111 nack\r\n"


@pytest.mark.parametrize(
    ("offered", "wanted"),
    [
        (
            "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n",
            f"a=rtpmap:111 opus/48000/2\r\n{NACK}"
            "a=fmtp:111 minptime=10;useinbandfec=1;stereo=1\r\n",
        ),
        (
            "a=rtpmap:109 OPUS/48000/2\na=mid:0\n",
            "a=rtpmap:109 OPUS/48000/2\n"
            "a=fmtp:109 stereo=1\na=rtcp-fb:109 nack\na=mid:0\n",
        ),
        (
            "a=fmtp:9 stereo=0; x=1\r\na=rtpmap:9 opus/48000/2\r\n",
            "a=fmtp:9  x=1;stereo=1\r\na=rtpmap:9 opus/48000/2\r\na=rtcp-fb:9 nack\r\n",
        ),
        *(
            (same, same)
            for same in (
                f"a=rtpmap:111 opus/48000/2\r\n{NACK}a=fmtp:111 stereo=1;x=2\r\n",
                "a=rtcp-fb:* nack\r\na=rtpmap:1 opus/48000/2\r\na=fmtp:1 stereo=1\r\n",
                "a=rtpmap:0 PCMU/8000\r\na=rtpmap:96 VP8/90000\r\n",
                "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n",
            )
        ),
    ],
)
async def test_sound_to_receive_is_offered(
    modules: PingPage, offered: str, wanted: str
) -> None:
    """In stereo, and with requests for lost packets."""
    found = await modules.run(
        "async (sdp) => "
        "(await import('/media/sound-offer.js')).offerReceivedSound(sdp)",
        offered,
    )
    assert found == wanted


@pytest.mark.parametrize(
    ("offered", "wanted"),
    [
        ("a=rtpmap:111 opus/48000/2\r\n", f"a=rtpmap:111 opus/48000/2\r\n{NACK}"),
        (
            "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n",
            f"a=rtpmap:111 opus/48000/2\r\n{NACK}a=rtcp-fb:111 transport-cc\r\n",
        ),
        *(
            (same, same)
            for same in (
                f"a=rtpmap:111 opus/48000/2\r\n{NACK}",
                "a=rtpmap:0 PCMU/8000\r\na=rtpmap:96 VP8/90000\r\n",
            )
        ),
    ],
)
async def test_sound_to_send_is_offered(
    modules: PingPage, offered: str, wanted: str
) -> None:
    """With answers to requests for lost packets."""
    found = await modules.run(
        "async (sdp) => (await import('/media/sound-offer.js')).offerSentSound(sdp)",
        offered,
    )
    assert found == wanted
