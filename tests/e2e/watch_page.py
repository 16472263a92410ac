"""The Watch view as a test sees it, and what its picture says."""

import asyncio
import re
from typing import Any, NamedTuple

from playwright.async_api import Locator, Page, Request, expect

from .counter_publisher import BITS
from .ping_page import PingPage

#: Makes `window.connections`: all that the page makes.
_KEEP_CONNECTIONS = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
        super(...args);
        connections.push(this);
    }
};
"""

#: Presses the button, and waits for the first picture: the ms that it takes.
_JOIN = """(video) => new Promise((resolve) => {
    const pressed = performance.now();
    video.requestVideoFrameCallback((now) => resolve(now - pressed));
    document.getElementById('watch-start').click();
})"""

#: Makes `window.readings`: what the pictures of a `CounterPublisher` say, and when they
#: were seen.
_READ = """(video) => {
    if (window.readings) return;
    window.readings = [];
    const canvas = new OffscreenCanvas(320, 180);
    const paint = canvas.getContext('2d', { willReadFrequently: true });
    const read = () => {
        paint.drawImage(video, 0, 0, 320, 180);
        const { data } = paint.getImageData(0, 0, 320, 180);
        const [number, clock] = [0, 1].map((half) => {
            let value = 0;
            for (let bit = 0; bit < 16; bit += 1) {
                const [x, y] = [40 * (bit % 8) + 20, 90 * half + 45 * (bit >> 3) + 22];
                if (data[4 * (320 * y + x)] > 127) value |= 1 << bit;
            }
            return value;
        });
        readings.push([number, clock, performance.timeOrigin + performance.now()]);
        video.requestVideoFrameCallback(read);
    };
    video.requestVideoFrameCallback(read);
}"""

#: What is heard: the loudest frequency, in Hz, and the energy that was received.
_LISTEN = """async (video) => {
    window.audio ??= new AudioContext();
    if (!window.analyser) {
        window.analyser = new AnalyserNode(audio, { fftSize: 4096 });
        new MediaStreamAudioSourceNode(audio, { mediaStream: video.srcObject })
            .connect(analyser);
    }
    const levels = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(levels);
    const loudest = levels.indexOf(Math.max(...levels));
    const report = await connections.at(-1).getStats();
    const received = [...report.values()].find(
        ({ type, kind }) => type === 'inbound-rtp' && kind === 'audio');
    return {
        frequency: loudest * audio.sampleRate / analyser.fftSize,
        level: Number.isFinite(levels[loudest]) ? levels[loudest] : -1000,
        energy: received?.totalAudioEnergy ?? 0,
    };
}"""


class Reading(NamedTuple):
    """A picture that was seen: its number, its clock, and when that was, in ms."""

    number: int
    clock: int
    time: float

    @property
    def latency(self) -> float:
        """From its drawing to its being seen, in ms."""
        return (self.time - self.clock) % (1 << BITS)


class Sound(NamedTuple):
    """The loudest frequency in Hz, its level in dB, and the energy received so far."""

    frequency: float
    level: float
    energy: float


class WatchPage:
    """The Watch view of an open page; `frame` is what it shares with the others."""

    def __init__(self, frame: PingPage, stream: str) -> None:
        self.frame = frame
        self.page: Page = frame.page
        self.stream = stream
        page = frame.page
        self.video = page.locator("#watch-video")
        self.note = page.locator("#watch-note")
        self.start = page.locator("#watch-start")
        self.name = page.get_by_label("Stream to watch")
        self.mute = page.locator("#watch-mute")
        self.full_screen = page.locator("#full-screen")
        self.layer = page.get_by_label("Layer")

    async def open(self) -> None:
        await self.page.add_init_script(_KEEP_CONNECTIONS)
        await self.frame.open(f"/#watch/{self.stream}")

    async def plays(self, limit: float = 20.0) -> None:
        """Wait until the picture moves."""
        before = await self._frames()
        async with asyncio.timeout(limit):
            # Not every frame makes an event.
            while await self._frames() < before + 3:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await expect(self.note).to_be_empty()

    async def _frames(self) -> int:
        quality = "(video) => video.getVideoPlaybackQuality().totalVideoFrames"
        return int(await self.video.evaluate(quality))

    async def readings(self) -> list[Reading]:
        """The numbers that were seen since this was first called."""
        await self.video.evaluate(_READ)
        return [Reading(*pair) for pair in await self.frame.run("() => readings")]

    async def reads(
        self, beyond: int, count: int = 10, limit: float = 20.0
    ) -> list[Reading]:
        """Wait until as many numbers greater than one were seen.

        Raises:
            AssertionError: with what was seen last, when that does not happen.
        """
        found: list[Reading] = []
        try:
            async with asyncio.timeout(limit):
                while len(found) < count:
                    found = [r for r in await self.readings() if r.number > beyond]
                    await asyncio.sleep(0.05)
        except TimeoutError:
            seen = (await self.readings())[-5:]
            raise AssertionError(f"no {count} beyond {beyond}, but {seen}") from None
        return found

    async def hears(self) -> Sound:
        return Sound(**await self.video.evaluate(_LISTEN))

    async def leave(self) -> None:
        """Stop watching, and wait until the server has answered the DELETE."""
        async with self.page.expect_response(
            lambda response: response.request.method == "DELETE"
        ):
            await self.start.click()

    async def join(self) -> float:
        """Watch again.

        Returns:
            How long it took from the click to the first picture, in ms.
        """
        async with asyncio.timeout(60):
            return float(await self.video.evaluate(_JOIN))

    async def received(self) -> dict[str, Any]:
        """The browser's statistics of the received video."""
        statistics: dict[str, Any] = await self.frame.run(
            """async () => {
                const report = await connections.at(-1).getStats();
                const video = [...report.values()].find(
                    ({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
                return { ...video, codec: report.get(video.codecId)?.mimeType };
            }"""
        )
        return statistics

    def figure(self, name: str) -> Locator:
        """A figure by its name."""
        title = self.page.locator("dt", has_text=re.compile(f"^{name}$"))
        return (
            self.page.locator(".watch .figures > div").filter(has=title).locator("dd")
        )

    def requests(self, method: str) -> list[Request]:
        """The requests to the WHEP endpoint."""
        return [
            request
            for request in self.frame.requests
            if request.method == method and "/whep/" in request.url
        ]
