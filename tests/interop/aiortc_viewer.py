"""A viewer that is aiortc's own: it knows nothing of this server."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import is_rtcp
from av.frame import Frame
from yarl import URL

from tests.waiting import until
from whipbird.rtp.packet import RtpPacket


class AiortcViewer:
    """Watches a WHEP endpoint, and decodes everything.

    Args:
        url: the endpoint.
        kinds: what it takes.
        retransmissions: whether it offers RTX.

    Attributes:
        frames: what it has decoded, by kind.
        packets: what has come, by SSRC, decrypted.
        rtcp: likewise.
        loses: tells by its header which packet is lost on the way.
        connection: its end.
        answer: the SDP that it got.
    """

    def __init__(
        self,
        url: str,
        kinds: tuple[str, ...] = ("audio", "video"),
        *,
        retransmissions: bool = True,
    ) -> None:
        self.frames: dict[str, list[Any]] = {kind: [] for kind in kinds}
        self.packets: dict[int, list[RtpPacket]] = {}
        self.rtcp: list[bytes] = []
        self.loses: Callable[[RtpPacket], bool] = lambda _: False
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.answer = ""
        self._url = URL(url)
        self._session: URL | None = None
        self._reading: list[asyncio.Task[None]] = []
        self.connection.on("track", self._read)
        for kind in kinds:
            transceiver = self.connection.addTransceiver(kind, direction="recvonly")
            capabilities = RTCRtpReceiver.getCapabilities(kind)
            assert capabilities is not None
            transceiver.setCodecPreferences(
                [c for c in capabilities.codecs if retransmissions or c.name != "rtx"]
            )

    async def __aenter__(self) -> Self:
        connection = self.connection
        await connection.setLocalDescription(await connection.createOffer())
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                self._url,
                data=connection.localDescription.sdp,
                headers={"Content-Type": "application/sdp"},
            ) as response,
        ):
            self.answer = await response.text()
            assert response.status == 201, self.answer
            self._session = self._url.join(URL(response.headers["Location"]))
        await connection.setRemoteDescription(
            RTCSessionDescription(self.answer, "answer")
        )
        self._listen()
        await until(lambda: connection.connectionState == "connected")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            async with (
                aiohttp.ClientSession() as http,
                http.delete(self._session) as response,
            ):
                assert response.status in (200, 404)
        await self.connection.close()
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    def sizes(self) -> list[tuple[int, int]]:
        """The sizes of the decoded pictures, without repetitions in a row."""
        sizes = [(frame.width, frame.height) for frame in self.frames["video"]]
        return [s for n, s in enumerate(sizes) if n == 0 or sizes[n - 1] != s]

    def ssrc(self, kind: str) -> int:
        """The source of a kind, by the answer."""
        section = self.answer.partition(f"m={kind}")[2].partition("\r\nm=")[0]
        return int(section.partition("a=ssrc:")[2].split()[0])

    def sent(self, kind: str) -> list[RtpPacket]:
        """The packets of a kind, without those that came again over RTX."""
        return self.packets.get(self.ssrc(kind), [])

    def _read(self, track: MediaStreamTrack) -> None:
        self._reading.append(asyncio.create_task(self._collect(track)))

    async def _collect(self, track: MediaStreamTrack) -> None:
        frames: list[Frame | Any] = self.frames[track.kind]
        try:
            while True:
                frames.append(await track.recv())
        except MediaStreamError:
            return

    def _listen(self) -> None:
        """See what comes before aiortc does."""
        found = {receiver.transport for receiver in self.connection.getReceivers()}
        transport: Any = found.pop()
        assert not found
        handle_rtp: Callable[..., Awaitable[None]] = transport._handle_rtp_data
        handle_rtcp: Callable[..., Awaitable[None]] = transport._handle_rtcp_data
        receive: Callable[[], Awaitable[bytes]] = transport.transport._recv

        async def datagram() -> bytes:
            while True:
                data = await receive()
                # Headers are not encrypted; RTCP and DTLS are not lost.
                packet = RtpPacket.parse(data)
                if packet is None or is_rtcp(data) or not self.loses(packet):
                    return data

        async def rtp(data: bytes, arrival_time_ms: int) -> None:
            packet = RtpPacket.parse(data)
            assert packet is not None
            self.packets.setdefault(packet.ssrc, []).append(packet)
            await handle_rtp(data, arrival_time_ms=arrival_time_ms)

        async def rtcp(data: bytes) -> None:
            self.rtcp.append(data)
            await handle_rtcp(data)

        transport.transport._recv = datagram
        transport._handle_rtp_data = rtp
        transport._handle_rtcp_data = rtcp
