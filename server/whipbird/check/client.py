"""A real client: publishes silence and a black picture, or watches."""

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from aiortc import MediaStreamTrack, RTCSessionDescription
from av import Packet, VideoFrame

from ..net import HostAddresses, UdpPort
from ..rtc import Certificate, DataChannel, Peer, PeerOptions
from ..rtc.probe import is_answered
from ..sdp.errors import SdpError
from ..sdp.parser import parse_description
from .answer import Answer
from .offers import LocalTransport, Source

# Seconds to wait for an echo: from a server that is known to echo, and otherwise.
ECHO_TIMEOUT = 5.0
FIRST_ECHO_TIMEOUT = 2.0

# Seconds to wait for a receiver report (RFC 3550 section 6.2: about every 5).
REPORT_TIMEOUT = 8.0

# The frame of Opus that says nothing, for 20 ms.
_SILENCE = b"\xf8\xff\xfe"
_AUDIO_TIME = 0.02
_AUDIO_BASE = Fraction(1, 48000)
_VIDEO_TIME = 0.1
_VIDEO_BASE = Fraction(1, 90000)


class _Silence(MediaStreamTrack):
    """Audio that says nothing, encoded already."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._pts = 0

    async def recv(self) -> "Packet[Any]":
        await asyncio.sleep(_AUDIO_TIME)
        packet = Packet(_SILENCE)
        packet.pts, packet.time_base = self._pts, _AUDIO_BASE
        self._pts += round(_AUDIO_TIME / _AUDIO_BASE)
        return packet


class _Darkness(MediaStreamTrack):
    """A small black picture, ten times a second."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._pts = 0

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(_VIDEO_TIME)
        frame = VideoFrame(64, 64, "yuv420p")
        for plane, value in zip(frame.planes, (16, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts, frame.time_base = self._pts, _VIDEO_BASE
        self._pts += round(_VIDEO_TIME / _VIDEO_BASE)
        return frame


def _sources(offer: str) -> Iterator[Source]:
    """The sources of a peer's own offer: with media, its sections come first."""
    for media in parse_description(offer).media:
        described = [ssrc.value.partition(" cname:") for ssrc in media.all("ssrc")]
        ssrcs = [int(number) for number, _, cname in described if cname]
        if ssrcs:
            yield Source(ssrcs[0], ssrcs[-1], described[0][2])


class NotConnected(Exception):  # noqa: N818 - what there is, not an error of ours
    """No connection was made. The message says why."""


class Client:
    """A peer that offers some kinds of media, on a UDP port of its own.

    Args:
        certificate: its DTLS certificate.
        addresses: of this machine, to be reached at.
        kinds: what it offers.
        direction: whether it sends that, or receives it.

    Attributes:
        peer: this side's end of the connection.
        kinds: what it offers.
        transport: what the offer says of it.
        channel: its data channel; None when it offers none.
    """

    def __init__(
        self,
        certificate: Certificate,
        addresses: HostAddresses,
        kinds: tuple[str, ...],
        direction: str = "sendonly",
    ) -> None:
        self._direction = direction
        self._port = UdpPort(addresses)
        self.peer = Peer(PeerOptions(certificate, self._port))
        self.kinds = kinds
        self.transport = LocalTransport.made_up()
        self.channel: DataChannel | None = None
        self._messages: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._changed = asyncio.Event()

    async def prepare(self) -> None:
        """Gather candidates."""
        await self._port.open()
        for kind in self.kinds:
            if kind == "application":
                self.channel = self.peer.createDataChannel("whipbird-check")
                self.channel.on("message", self._messages.put_nowait)
                self.channel.on("open", self._changed.set)
                self.channel.on("close", self._closed)
            elif self._direction == "recvonly":
                self.peer.addTransceiver(kind, "recvonly")
            else:
                track = _Silence() if kind == "audio" else _Darkness()
                self.peer.addTransceiver(track, "sendonly")
        self.peer.on("connectionstatechange", self._changed.set)
        await self.peer.setLocalDescription(await self.peer.createOffer())
        local, fingerprint = self.peer.local_ice, self.peer.certificate.fingerprint
        self.transport = LocalTransport(
            local.ice,
            f"{fingerprint.algorithm} {fingerprint.value}",
            local.candidates,
            tuple(_sources(self.peer.localDescription.sdp)),
            self._received_codecs(),
        )

    def _received_codecs(self) -> dict[str, tuple[str, list[str]]]:
        """The codecs of a client that receives: what comes has their payload types."""
        if self._direction != "recvonly":
            return {}
        return {
            media.kind: (
                " ".join(media.formats),
                [
                    f"{name}:{attribute.value}"
                    for name in ("extmap", "rtpmap", "fmtp", "rtcp-fb")
                    for attribute in media.all(name)
                ],
            )
            for media in parse_description(self.peer.localDescription.sdp).media
        }

    async def accept(self, answer: Answer) -> None:
        """Take the answer, and begin to connect.

        Raises:
            NotConnected: when the answer cannot be used.
        """
        try:
            await self.peer.setRemoteDescription(
                RTCSessionDescription(sdp=answer.text, type="answer")
            )
        except SdpError as error:
            raise NotConnected(f"the answer cannot be used: {error.detail}") from error

    async def connected(self, timeout: float) -> None:
        """Wait for the connection, and for the data channel to be open.

        Raises:
            NotConnected: when it fails, or is not made in time.
        """
        try:
            async with asyncio.timeout(timeout):
                while not self._is_ready():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            ice = self.peer.iceConnectionState
            raise NotConnected(
                f"no connection within {timeout:g} seconds (ICE is {ice}, "
                f"all in all it is {self.peer.connectionState})"
            ) from None

    def _is_ready(self) -> bool:
        state = self.peer.connectionState
        if state in ("failed", "closed"):
            raise NotConnected(f"the connection is {state}")
        opened = self.channel is None or self.channel.readyState == "open"
        return state == "connected" and opened

    async def echo(self, timeout: float) -> bool:
        """Whether a message on the data channel comes back."""
        channel = self.channel
        if channel is None or channel.readyState != "open":
            return False
        message = secrets.token_hex(8)
        channel.send(message)
        try:
            async with asyncio.timeout(timeout):
                while (received := await self._messages.get()) != message:
                    if received is None:
                        return False
        except TimeoutError:
            return False
        return True

    async def is_alive(self, echoes: bool) -> bool:
        """Whether the way to the server carries something.

        Args:
            echoes: whether the server is known to echo. If not, its answer to a
                consent check counts.
        """
        if self.peer.connectionState != "connected":
            return False
        if echoes and self.channel is not None:
            return await self.echo(ECHO_TIMEOUT)
        return await is_answered(self.peer)

    async def reported(self) -> set[str]:
        """The kinds of media of which the server's receiver reports speak.

        Waits until there is one for each, or for ``REPORT_TIMEOUT``.
        """
        wanted = {kind for kind in self.kinds if kind != "application"}
        seen: set[str] = set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REPORT_TIMEOUT):
                while seen != wanted:
                    await asyncio.sleep(0.1)
                    for sender in self.peer.getSenders():
                        for stats in (await sender.getStats()).values():
                            if stats.type == "remote-inbound-rtp":
                                seen.add(sender.kind)
        return seen

    async def received(self, timeout: float) -> set[str]:
        """The kinds of media that come; empty if none does within some time."""
        found: set[str] = set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not found:
                    await asyncio.sleep(0.05)
                    found = {t.kind for t in self.peer.tracks if t.received.packets}
        return found

    async def closed_by_peer(self, timeout: float) -> bool:
        """Whether the server says good-bye (DTLS close_notify) within some time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self.peer.closed_by_peer:  # noqa: ASYNC110 - no event for it
                    await asyncio.sleep(0.02)
        return self.peer.closed_by_peer

    async def close(self) -> None:
        """End the connection."""
        await self.peer.close()
        self._port.close()

    def _closed(self) -> None:
        self._changed.set()
        self._messages.put_nowait(None)
