"""An application as a publisher: frames or packets in, a stream of the server out."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import av

from ..media.feedback import Feedback
from ..media.local_transport import LocalTransport
from ..sdp.codecs import Codec
from .closed import Closed
from .encoded import EncodedFrame
from .line import Line, kind_of

# Seconds between sender reports.
REPORT_INTERVAL = 1.0

Sendable = av.VideoFrame | av.AudioFrame | EncodedFrame


class SourceClosed(Closed):
    """The stream has ended: it was closed, or another publisher has taken its name."""


class Source:
    """A stream that an application publishes. Made by ``Server.publish``.

    Frames are encoded in threads, one after another of each kind; ``send`` waits for
    that. Encoded frames are passed on as they are. A key frame is made when a viewer
    needs one; who sends encoded frames makes them often enough.

    Times (``frame.time``) have any beginning, the same for sound and pictures. Frames
    without one are of the moment in which they are sent.

    Args:
        codecs: one of ``CODECS`` for each kind.
        bitrate: of the pictures, in bit/s; None for one that fits their size.

    Attributes:
        tracks: see ``streams.StreamSource``, as for all that follows.
        on_close: called once when it ends by ``close``.
    """

    silence = 0.0  # It is in this process: nobody needs to ask whether it is there.
    can_ask = True

    def __init__(self, codecs: Sequence[Codec], bitrate: int | None = None) -> None:
        self.on_close: Callable[[], None] = lambda: None
        self._loop = asyncio.get_running_loop()
        transport = LocalTransport(self._key_frame_requested)
        self._feedback = Feedback(transport)
        cname = secrets.token_hex(8)
        self._lines = {
            kind_of(codec): Line(codec, transport, self._feedback, cname, bitrate)
            for codec in codecs
        }
        self.tracks = tuple(line.track for line in self._lines.values())
        self._is_open = True
        # From the times of frames to those of the event loop; None before the first.
        self._ahead: float | None = None
        self._timer = self._loop.call_later(REPORT_INTERVAL, self._report)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def connectionState(self) -> str:  # noqa: N802 - as aiortc has it
        """``connected`` or ``closed``."""
        return "connected" if self._is_open else "closed"

    async def responds(self) -> bool:
        """Whether it has not ended."""
        return self._is_open

    async def send(self, frame: Sendable) -> None:
        """Send a picture, sound, or an encoded frame; wait until it is encoded.

        Raises:
            SourceClosed: when the stream has ended.
            ValueError: when it has no track for this, or it cannot be encoded
                (``NoEncoder``), or an encoded frame is no frame of the codec.
        """
        self._check_open()
        line = self._line_for(frame)
        async with line.lock:
            if isinstance(frame, EncodedFrame):
                made = [line.pack(frame)]
            else:
                made = await line.encode(frame, self._loop.time())
            self._check_open()
            for written in made:
                if self._ahead is None:
                    self._ahead = self._loop.time() - written.time
                line.write(written, self._ahead)

    async def close(self) -> None:
        """End the stream."""
        if self._is_open:
            self.end()
            self.on_close()

    def end(self) -> None:
        """Stop, without telling the streams."""
        self._is_open = False
        self._timer.cancel()
        self._feedback.stop()

    def _check_open(self) -> None:
        if not self._is_open:
            raise SourceClosed("the stream has ended")

    def _line_for(self, frame: Sendable) -> Line:
        if isinstance(frame, EncodedFrame):
            for line in self._lines.values():
                if line.codec.name == frame.codec:
                    return line
            raise ValueError(f"the stream has no {frame.codec}")
        kind = "video" if isinstance(frame, av.VideoFrame) else "audio"
        if kind not in self._lines:
            raise ValueError(f"the stream has no {kind}: see Server.publish")
        return self._lines[kind]

    def _key_frame_requested(self, _ssrc: int) -> None:
        for line in self._lines.values():
            line.wants_key = True

    def _report(self) -> None:
        for line in self._lines.values():
            line.report(self._feedback, self._loop.time())
        self._timer = self._loop.call_later(REPORT_INTERVAL, self._report)
