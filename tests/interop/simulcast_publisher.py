"""Three layers of one picture, at their bitrates, without an encoder's load."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from aiohttp import web

from tests import offers
from tests.encoders import EncodedFrame, encode_video
from tests.unit.rtc.media import rtp
from whipbird.app import STORE
from whipbird.rtc.connection import Connection
from whipbird.rtp.rtcp_requests import KeyFrameRequest, parse_requests
from whipbird.sdp.offer import parse_offer
from whipbird.sessions import EndReason

# Of the layers, by their names in the offer. Of noise their bitrates are about as
# large as their sizes: 0.13, 0.47 and 1.9 Mb/s.
SIZES = {"q": (80, 48), "h": (160, 96), "f": (320, 192)}

RATE = 15
GROUP = 45

# Identifiers in the offer.
_VP8, _RID = 96, 10


class _Layer:
    """An encoder that has done its work: the same pictures, over and over.

    Attributes:
        is_key_frame_wanted: whether the next one shall be a key frame.
    """

    def __init__(self, connection: Connection, ssrc: int, rid: str) -> None:
        self.is_key_frame_wanted = False
        self._take = connection.rtp_routes[_VP8]
        self._ssrc = ssrc
        self._rid = rid.encode()
        self._frames = _encode(*SIZES[rid])
        self._position = 0
        self._sequence = 0

    def send(self, timestamp: int) -> None:
        """Send the next frame."""
        if self.is_key_frame_wanted:
            self.is_key_frame_wanted, self._position = False, 0
        payloads = self._frames[self._position].payloads
        self._position = (self._position + 1) % GROUP
        for payload in payloads:
            self._sequence = (self._sequence + 1) & 0xFFFF
            self._take(
                rtp(
                    _VP8,
                    self._sequence,
                    timestamp,
                    self._ssrc,
                    payload,
                    marker=payload is payloads[-1],
                    extensions={_RID: self._rid},
                )
            )


def _encode(width: int, height: int) -> tuple[EncodedFrame, ...]:
    frames = encode_video(
        "libvpx",
        width,
        height,
        options=(("b", "50k"),),
        frames=GROUP,
        key_interval=GROUP + 1,
    )
    assert [frame.is_key for frame in frames] == [True] + [False] * (GROUP - 1)
    return frames


@asynccontextmanager
async def publishing(app: web.Application, stream: str) -> AsyncIterator[None]:
    """Publish VP8, in real time: packets as if they had come over the network.

    Args:
        app: whose setup timeout must be longer than that lasts.
    """
    offer = parse_offer(offers.CHROMIUM_SIMULCAST)
    session, _ = await app[STORE].publish(stream, offer, "-")
    connection = session.peer.connection
    layers = {
        ssrc: _Layer(connection, ssrc, rid)
        for ssrc, rid in enumerate(SIZES, start=1000)
    }

    def requested(data: bytes) -> None:
        for request in parse_requests(data):
            if isinstance(request, KeyFrameRequest) and request.ssrc in layers:
                layers[request.ssrc].is_key_frame_wanted = True

    connection.send_rtcp = requested  # type: ignore[assignment]
    sending = asyncio.create_task(_send(tuple(layers.values())))
    try:
        yield
    finally:
        sending.cancel()
        await asyncio.wait([sending])
        await session.end(EndReason.DELETED)


async def _send(layers: tuple[_Layer, ...]) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    for frame in count():
        await asyncio.sleep(start + frame / RATE - loop.time())
        for layer in layers:
            layer.send(frame * 90_000 // RATE)
