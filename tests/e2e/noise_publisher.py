"""A page that publishes noise, of which an encoder makes as much as it may send."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.interop.described import described, layer_of
from tests.interop.lossy_path import LossyPath

from .ping_page import PingPage

STREAM = "noise"

# Bits per second that the encoder may make at most.
MAX_BITRATE = 2_500_000

#: Publishes, and makes `window.sent`: what the browser says it sends.
_PUBLISH = """async ([stream, maxBitrate, width, height]) => {
    const { WhipClient } = await import('/client/whip-client.js');
    const canvas = Object.assign(
        document.createElement('canvas'), { width: 640, height: 360 });
    const paint = canvas.getContext('2d');
    const noise = new OffscreenCanvas(1280, 720);
    const pixels = new ImageData(1280, 720);
    for (let i = 0; i < pixels.data.length; i += 1) {
        pixels.data[i] = i % 4 === 3 ? 255 : 256 * Math.random();
    }
    noise.getContext('2d').putImageData(pixels, 0, 0);
    setInterval(() => paint.drawImage(noise,
        (1280 - width) * Math.random(), (720 - height) * Math.random(), width, height,
        0, 0, width, height), 40);
    const [track] = canvas.captureStream(25).getTracks();
    window.client = new WhipClient(`/whip/${stream}`);
    const { sender } = client.pc.addTransceiver(track, {
        direction: 'sendonly', sendEncodings: [{ maxBitrate }],
    });
    window.sent = async () => [...(await client.pc.getStats()).values()]
        .find(({ type }) => type === 'outbound-rtp');
    window.stop = () => sender.replaceTrack(null);
    await client.connect();
}"""


class NoisePublisher:
    """A page that publishes over a bad path.

    Args:
        frame: not opened yet.
        server: the server's URL.
        path: to the server.
    """

    def __init__(self, frame: PingPage, server: str, path: LossyPath) -> None:
        self._frame = frame
        self._server = server
        # The page, too, comes over the path: it may ask its own origin only.
        frame.url = path.url

    async def start(self, width: int = 640, height: int = 360) -> None:
        """Connect, and begin to send.

        Args:
            width, height: of the part of the picture that is noise, in pixels.
        """
        await self._frame.open_without_application()
        await self._frame.run(_PUBLISH, [STREAM, MAX_BITRATE, width, height])

    async def stop(self) -> None:
        """Send no more; the connection stays."""
        await self._frame.run("() => stop()")

    async def close(self) -> None:
        await self._frame.run("() => client.close()")

    async def sent(self) -> dict[str, Any]:
        """The browser's statistics of what it sends (``RTCOutboundRtpStreamStats``)."""
        statistics: dict[str, Any] = await self._frame.run("() => sent()")
        return statistics

    async def sends(
        self, until: Callable[[dict[str, Any]], bool], limit: float
    ) -> dict[str, Any]:
        """Ask the browser until what it sends is as it should be.

        Raises:
            AssertionError: when that is not so within `limit` seconds.
        """
        sent: dict[str, Any] = {}
        try:
            async with asyncio.timeout(limit):
                # Statistics have no event.
                while not until(sent := await self.sent()):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"the browser sends {sent}") from None
        return sent

    async def received(self, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The server's description of the video, when it meets a condition."""

        def is_there(stream: dict[str, Any]) -> bool:
            layer = layer_of(stream, "video")
            return bool(layer["packets"]) and until(layer)

        url = f"{self._server}/"
        return layer_of(await described(url, STREAM, is_there, token=""), "video")
