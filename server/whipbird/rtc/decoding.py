"""Decoded frames of a received track, decoded only while somebody reads them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import av
from aiortc.codecs import get_decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack
from av.frame import Frame

from ..media.frames import FrameAssembler, RtpFrame, join
from ..rtp.bits import BitstreamError
from ..rtp.packet import RtpPacket
from ..sdp.codecs import Codec

logger = logging.getLogger(__name__)

# The codecs that aiortc can decode, by encoding name.
DECODABLE = frozenset({"vp8", "h264", "opus", "pcmu", "pcma", "g722"})

# Seconds without a ``recv()`` after which decoding stops.
IDLE_LIMIT = 5.0

# Decoded frames kept for a slow reader; then the oldest are dropped.
MAX_DECODED = 30
# Frames queued for the decoder; then all are dropped up to the next key frame.
MAX_ENCODED = 30


class PacketSource(Protocol):
    """The source of a track's packets, as ``Encoding`` is one."""

    codec: Codec

    def subscribe(self, handler: Callable[[RtpPacket], None]) -> None:
        """Call a function with every packet from now on, in order."""

    def unsubscribe(self, handler: Callable[[RtpPacket], None]) -> None:
        """Stop calling a function."""

    def request_key_frame(self) -> None:
        """Request a key frame from the sender."""


class LazyTrack(RemoteStreamTrack):
    """A received track that decodes only while ``recv()`` is called regularly.

    Args:
        kind: ``audio`` or ``video``.
        source: waits for an encoding to decode and returns it; None if there is none.
    """

    def __init__(
        self, kind: str, source: Callable[[], Awaitable[PacketSource | None]]
    ) -> None:
        super().__init__(kind)
        self._source = source
        self._decoding: Decoding | None = None
        self._idle: asyncio.TimerHandle | None = None

    @property
    def is_decoding(self) -> bool:
        """Whether a decoder exists now."""
        return self._decoding is not None

    async def recv(self) -> Frame:
        """The next frame; video starts at a key frame.

        Raises:
            MediaStreamError: when the track has ended, or its codec has no decoder.
        """
        if self.readyState != "live":
            raise MediaStreamError
        if self._idle is not None:
            self._idle.cancel()
        if self._decoding is None:
            source = await self._source()
            if source is None or source.codec.name not in DECODABLE:
                self.stop()
                raise MediaStreamError
            if self._decoding is None:
                self._decoding = Decoding(source)
        frame = await self._decoding.frames.get()
        if frame is None:
            self.stop()
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(IDLE_LIMIT, self._stop_decoding)
        return frame

    def stop(self) -> None:
        """End the track."""
        self._stop_decoding()
        super().stop()

    def _stop_decoding(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._decoding is not None:
            self._decoding.stop()
            self._decoding = None


class Decoding:
    """Assembles packets to frames and decodes them in a thread.

    Attributes:
        frames: the decoded frames; None marks the end.
    """

    def __init__(self, source: PacketSource) -> None:
        self.frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._source = source
        codec = source.codec
        kind = "video" if codec.clock_rate == 90000 else "audio"
        self._parameters = RTCRtpCodecParameters(
            mimeType=f"{kind}/{codec.name.upper() if kind == 'video' else codec.name}",
            clockRate=codec.clock_rate,
            payloadType=codec.payload_type,
        )
        self._assembler = FrameAssembler(
            self._on_frame, source.request_key_frame, is_hasty=True
        )
        self._last_timestamp: int | None = None
        self._elapsed = 0
        self._waiting = 0
        self._decoder: Any = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decoder")
        self._loop = asyncio.get_running_loop()
        source.subscribe(self._on_packet)
        source.request_key_frame()

    def stop(self) -> None:
        """Stop decoding, and drop what is queued."""
        self._source.unsubscribe(self._on_packet)
        self._thread.shutdown(wait=False, cancel_futures=True)
        self.frames.put_nowait(None)

    def _on_packet(self, packet: RtpPacket) -> None:
        self._assembler.push(packet, self._source.codec, self._loop.time())

    def _on_frame(self, frame: RtpFrame) -> None:
        if self._waiting >= MAX_ENCODED:
            self._assembler.restart()
            self._source.request_key_frame()
            return
        if self._last_timestamp is not None:
            # Timestamps wrap, and may go back (RFC 3550 section 5.1).
            step = (frame.timestamp - self._last_timestamp) & 0xFFFFFFFF
            self._elapsed += step - (1 << 32) if step >> 31 else step
        self._last_timestamp = frame.timestamp
        self._waiting += 1
        future = self._loop.run_in_executor(
            self._thread, self._decode_in_thread, frame, self._elapsed
        )
        future.add_done_callback(self._on_decoded)

    def _decode_in_thread(self, frame: RtpFrame, timestamp: int) -> list[Frame]:
        """Decode one frame; runs in the decoder's thread."""
        if self._decoder is None:
            self._decoder = get_decoder(self._parameters)
        try:
            data = join(frame)
            frames: list[Frame] = self._decoder.decode(JitterFrame(data, timestamp))
        except (BitstreamError, av.FFmpegError) as error:
            logger.debug("Cannot decode a frame: %s", error)
            return []
        return frames

    def _on_decoded(self, future: "asyncio.Future[list[Frame]]") -> None:
        self._waiting -= 1
        if future.cancelled():
            return
        for frame in future.result():
            if self.frames.qsize() >= MAX_DECODED:
                self.frames.get_nowait()
            self.frames.put_nowait(frame)
