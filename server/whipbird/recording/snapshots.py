"""Snapshots: JPEG pictures of streams, decoded on request from their last key frame."""

import asyncio
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import av
from av.video.codeccontext import VideoCodecContext

from ..media.encoding import Encoding
from ..media.frames import IDLE_TIME, FrameAssembler, RtpFrame, join
from ..rtp.bits import BitstreamError
from ..rtp.packet import RtpPacket
from ..streams import Stream
from .sources import largest, orientation_of
from .templates import UnusableError, template

# Seconds that a snapshot is cached.
LIFETIME = 2.0
# Seconds after which a kept key frame is too old, and a new one is requested.
MAX_AGE = 10.0
# Seconds to wait for it.
KEY_FRAME_TIMEOUT = 4.0

# The largest picture that is decoded, in pixels (8K has 33 million), and the largest
# width of the JPEG.
_MAX_PIXELS = 40_000_000
_MAX_WIDTH = 1280
# FFmpeg's quality scale, from 1 (best) to 31.
_QUALITY = 5

_CLOCK_RATE = 90000

KeptPackets = Callable[[Stream, Encoding], Sequence[RtpPacket]]


class NoVideo(Exception):  # noqa: N818 - a state, not a fault
    """The stream has no video."""


class NoPicture(Exception):  # noqa: N818 - a state, not a fault
    """No snapshot can be made now. The message is a sentence that says why."""


class Snapshots:
    """Makes snapshots: one at a time, cached for ``LIFETIME``.

    Args:
        kept: returns the kept packets of an encoding since its last key frame.
    """

    def __init__(self, kept: KeptPackets) -> None:
        self._kept = kept
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="snapshot")
        # Snapshots being made, and cached ones.
        self._pictures: dict[Stream, asyncio.Task[bytes]] = {}

    async def take(self, stream: Stream) -> bytes:
        """Make a snapshot of the stream's largest encoding, as JPEG.

        Raises:
            NoVideo: when the stream has no video.
            NoPicture: when there is no key frame, or it cannot be decoded.
        """
        task = self._pictures.get(stream)
        if task is None:
            task = asyncio.create_task(self._make(stream))
            self._pictures[stream] = task
            task.add_done_callback(lambda _: self._forget_later(stream))
        # A request that is cancelled must not cancel it for the others.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Cancel all snapshots."""
        tasks = list(self._pictures.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pictures.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _forget_later(self, stream: Stream) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(LIFETIME, self._pictures.pop, stream, None)

    async def _make(self, stream: Stream) -> bytes:
        video = [t for t in stream.source.tracks if t.kind == "video"]
        if not video:
            raise NoVideo
        encoding = largest(video[0])
        if encoding is None:
            raise NoPicture("No video packet has been received yet.")
        frame = await self._key_frame(stream, encoding, orientation_of(video[0]))
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, _decode, frame)
        except (BitstreamError, UnusableError, av.FFmpegError, StopIteration) as error:
            raise NoPicture("Its last key frame cannot be decoded.") from error

    async def _key_frame(
        self, stream: Stream, encoding: Encoding, orientation: int
    ) -> RtpFrame:
        packets = self._kept(stream, encoding)
        kept = _first_frame(packets, encoding, orientation)
        if kept is not None:
            age = (packets[-1].timestamp - kept.timestamp) & 0xFFFFFFFF
            if age < MAX_AGE * _CLOCK_RATE:
                return kept
        try:
            async with asyncio.timeout(KEY_FRAME_TIMEOUT):
                return await _next_key_frame(encoding, orientation)
        except TimeoutError:
            if kept is not None:
                return kept
            raise NoPicture("Its publisher has not sent a key frame.") from None


def _first_frame(
    packets: Sequence[RtpPacket], encoding: Encoding, orientation: int
) -> RtpFrame | None:
    """The key frame at the start of kept packets, if it is complete."""
    frames: list[RtpFrame] = []
    assembler = FrameAssembler(frames.append, frames.clear, orientation)
    for packet in packets:
        assembler.push(packet, encoding.codec, 0.0)
        if frames:
            return frames[0]
    assembler.flush()
    return frames[0] if frames else None


async def _next_key_frame(encoding: Encoding, orientation: int) -> RtpFrame:
    """Request a key frame, and wait for it."""
    found: asyncio.Future[RtpFrame] = asyncio.get_running_loop().create_future()

    def take(frame: RtpFrame) -> None:
        if not found.done():
            found.set_result(frame)

    assembler = FrameAssembler(take, encoding.request_key_frame, orientation)
    now = asyncio.get_running_loop().time

    def push(packet: RtpPacket) -> None:
        assembler.push(packet, encoding.codec, now())

    encoding.subscribe(push)
    try:
        encoding.request_key_frame()
        while not found.done():
            await asyncio.wait((found,), timeout=IDLE_TIME)
            # The next frame may come late, or never.
            assembler.flush_idle(now())
        return found.result()
    finally:
        encoding.unsubscribe(push)


def _decode(frame: RtpFrame) -> bytes:
    """Convert a key frame to JPEG; runs in the thread.

    Raises:
        NoPicture: when it is too large.
        BitstreamError, UnusableError, av.FFmpegError, StopIteration: when it cannot be
            decoded.
    """
    with template(frame.codec, join(frame)) as container:
        stream = container.streams.video[0]
        if stream.width * stream.height > _MAX_PIXELS:
            raise NoPicture("Its pictures are too large.")
        picture = next(container.decode(stream))
    width = min(picture.width, _MAX_WIDTH) // 2 * 2
    height = max(picture.height * width // picture.width // 2 * 2, 2)
    context = av.CodecContext.create("mjpeg", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height = max(width, 2), height
    context.pix_fmt = "yuvj420p"
    context.qmin = context.qmax = _QUALITY
    scaled = picture.reformat(context.width, context.height, "yuvj420p")
    packets = [*context.encode(scaled), *context.encode(None)]
    return _with_rotation(b"".join(map(bytes, packets)), frame.rotation)


def _with_rotation(jpeg: bytes, rotation: int) -> bytes:
    """Add a rotation to a JPEG, as Exif orientation.

    Exif has a directory of one entry: tag 0x0112 of type 3, the orientation.

    Args:
        rotation: degrees clockwise.
    """
    if not rotation:
        return jpeg
    orientation = {90: 6, 180: 3, 270: 8}[rotation]
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    directory = struct.pack(">H", 1) + entry + struct.pack(">I", 0)
    exif = b"Exif\0\0" + struct.pack(">2sHI", b"MM", 42, 8) + directory
    application = struct.pack(">HH", 0xFFE1, 2 + len(exif)) + exif
    return jpeg[:2] + application + jpeg[2:]
