"""Clients of a `Stage`: data channels, publishers and viewers."""

import asyncio
from collections.abc import AsyncIterator
from fractions import Fraction

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av.frame import Frame

from ..apps import Track
from ..rtc import DataChannel, Peer
from ..sessions import Session

# Seconds that anything awaited here may take.
LIMIT = 30.0

_TIME_BASE = Fraction(1, 1_000_000)

# Microseconds between frames that have no time of their own, at least.
MIN_STEP = 1000


class Channel:
    """A client's end of a data channel.

    Attributes:
        inner: the channel as aiortc has it.
    """

    def __init__(self, inner: DataChannel) -> None:
        self.inner = inner
        self._messages: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._opened, self._closed = asyncio.Event(), asyncio.Event()
        inner.on("open", self._opened.set)
        # Who waits for it to open waits for nothing then.
        inner.on("close", self._opened.set)
        inner.on("close", self._closed.set)
        inner.on("message", self._messages.put_nowait)

    @property
    def label(self) -> str:
        """Its label."""
        return self.inner.label

    def send(self, data: str | bytes) -> None:
        """Queue a message."""
        self.inner.send(data)

    async def receive(self, limit: float = LIMIT) -> str | bytes:
        """Wait for the next message.

        Raises:
            TimeoutError: when none comes within `limit` seconds.
        """
        async with asyncio.timeout(limit):
            return await self._messages.get()

    async def close(self) -> None:
        """Close it, and wait for that."""
        self.inner.close()
        await self.closed()

    async def opened(self) -> None:
        """Wait until it is open; or closed, if the session ends before."""
        if self.inner.readyState == "connecting":
            async with asyncio.timeout(LIMIT):
                await self._opened.wait()

    async def closed(self) -> None:
        """Wait until it is closed, by whichever side."""
        if self.inner.readyState != "closed":
            async with asyncio.timeout(LIMIT):
                await self._closed.wait()


class Client:
    """A client that is connected.

    Attributes:
        peer: its end of the connection, as aiortc has it.
        session: its session on the server.
    """

    def __init__(self, peer: Peer, session: Session) -> None:
        self.peer = peer
        self.session = session

    async def open(
        self, label: str, *, protocol: str = "", ordered: bool = True
    ) -> Channel:
        """Open a data channel, and wait until it is open."""
        inner = self.peer.createDataChannel(label, protocol=protocol, ordered=ordered)
        channel = Channel(inner)
        await channel.opened()
        return channel

    async def ended(self) -> str:
        """Wait until its session has ended.

        Returns:
            The reason, as in the server's log.
        """
        async with asyncio.timeout(LIMIT):
            # Nothing tells of it beforehand.
            while self.session.reason is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return str(self.session.reason)

    async def close(self) -> None:
        """Go, and tell the server."""
        await self.peer.close()


class Publisher(Client):
    """A client that publishes pictures or sound.

    Attributes:
        messages: its channel ``broadcast``, whose messages go to all viewers.
    """

    messages: Channel
    outlets: "dict[str, Outlet]"

    async def send(self, frame: av.VideoFrame | av.AudioFrame) -> None:
        """Send a picture or sound; wait until the one before it is encoded.

        A frame without a time is of this moment.
        """
        kind = "video" if isinstance(frame, av.VideoFrame) else "audio"
        await self.outlets[kind].put(frame)


class Viewer(Client):
    """A client that watches a stream.

    Attributes:
        messages: its channel ``broadcast``, on which the publisher's messages come.
    """

    messages: Channel
    tracks: dict[str, Track]

    def video(self) -> AsyncIterator[av.VideoFrame]:
        """The pictures that come, decoded."""
        return self.tracks["video"].video(latest=False)

    def audio(self) -> AsyncIterator[av.AudioFrame]:
        """The sound that comes, decoded."""
        return self.tracks["audio"].audio()


class Outlet(MediaStreamTrack):
    """A track of a publisher, whose frames somebody else puts in."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._frames: asyncio.Queue[Frame] = asyncio.Queue(1)
        self._last = 0
        self._now = asyncio.get_running_loop().time

    async def put(self, frame: av.VideoFrame | av.AudioFrame) -> None:
        """Queue a frame."""
        if frame.pts is None:
            # In virtual time several may be sent in one moment.
            self._last = max(round(self._now() / _TIME_BASE), self._last + MIN_STEP)
            frame.pts, frame.time_base = self._last, _TIME_BASE
        await self._frames.put(frame)

    async def recv(self) -> Frame:
        """The next frame.

        Raises:
            MediaStreamError: when the track has ended.
        """
        if self.readyState != "live":
            raise MediaStreamError
        return await self._frames.get()
