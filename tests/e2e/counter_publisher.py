"""A page that publishes a counter and a clock in black and white blocks, and a tone.

The picture has eight columns of four blocks, each of them a bit: the upper two rows are
the counter, the lower two the time at which it was drawn, in ms, as far as it fits.
"""

from .ping_page import PingPage

#: Of the tone, in Hz.
TONE = 1000

#: Of the counter and of the clock, each.
BITS = 16

#: Publishes, and makes `window.drawn`: when each number was drawn, in ms of the clock
#: that all pages of a browser share.
_PUBLISH = """async ([stream, first, tone, picture, codec]) => {
    const { WhipClient } = await import('/client/whip-client.js');
    const canvas = Object.assign(
        document.createElement('canvas'), { width: 320, height: 180 });
    const paint = canvas.getContext('2d');
    let number = first;
    window.drawn = {};
    const draw = () => {
        number += 1;
        const time = performance.timeOrigin + performance.now();
        [number, time % 65536].forEach((value, half) => {
            for (let bit = 0; bit < 16; bit += 1) {
                paint.fillStyle = (value >> bit) & 1 ? '#fff' : '#000';
                paint.fillRect(40 * (bit % 8), 90 * half + 45 * (bit >> 3), 40, 45);
            }
        });
        window.drawn[number] = time;
    };
    draw();
    setInterval(draw, 1000 / 20);
    const audio = new AudioContext();
    const oscillator = new OscillatorNode(audio, { frequency: tone });
    const output = audio.createMediaStreamDestination();
    oscillator.connect(output);
    oscillator.start();
    window.client = new WhipClient(`/whip/${stream}`);
    const media = output.stream;
    if (picture) media.addTrack(canvas.captureStream().getVideoTracks()[0]);
    for (const track of media.getTracks()) {
        const transceiver = client.pc.addTransceiver(
            track, { direction: 'sendonly', streams: [media] });
        if (codec && track.kind === 'video') {
            transceiver.setCodecPreferences(RTCRtpSender.getCapabilities('video').codecs
                .filter(({ mimeType }) => mimeType === codec));
        }
    }
    addEventListener('pagehide', () => client.close());
    await client.connect();
}"""


class CounterPublisher:
    """The page.

    Args:
        frame: not opened yet.
        stream: its name.
    """

    def __init__(self, frame: PingPage, stream: str) -> None:
        self._frame = frame
        self.stream = stream

    async def start(
        self, first: int = 0, *, picture: bool = True, codec: str = ""
    ) -> None:
        """Open the page anew, and publish.

        Args:
            first: where the counter begins; it goes up to 65535.
            picture: whether there is a picture beside the tone.
            codec: the MIME type of the picture; empty for the browser's choice.
        """
        # A page that is open ends its session now.
        await self._frame.page.goto("about:blank")
        await self._frame.open_without_application()
        await self._frame.run(_PUBLISH, [self.stream, first, TONE, picture, codec])

    async def stop(self) -> None:
        """End the session, if there is one."""
        await self._frame.run("() => window.client?.close()")

    async def drawn(self) -> dict[int, float]:
        """When each number was drawn, in ms."""
        times = await self._frame.run("() => drawn")
        return {int(number): time for number, time in times.items()}
