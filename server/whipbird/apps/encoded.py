"""The encoded frames of a track, queued for a reader that may be slow."""

import asyncio
from collections import deque
from dataclasses import dataclass

from ..media.frames import RtpFrame, join
from ..media.track import Track
from ..recording.sources import TrackSource
from ..rtp.bits import BitstreamError
from ..rtp.codecs import payload_format
from ..rtp.source_clock import difference
from ..sdp.codecs import Codec

# What waits for a reader, at most; beyond it frames are left out up to a key frame.
MAX_FRAMES = 300
MAX_OCTETS = 16 * 1024 * 1024

# Seconds between looks for a better encoding, and for a frame that has ended.
_FOLLOW_INTERVAL = 0.25


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One encoded frame, as FFmpeg has it.

    Attributes:
        codec: its codec, as ``h264`` or ``opus``.
        data: its octets: H.264 and H.265 with start codes, AV1 as a temporal unit.
        time: seconds on the clock of the event loop: when the first frame of the track
            came, and how far this one is from it by its timestamps.
        is_key: whether a decoder can start at it; true for all audio.
        rotation: degrees clockwise by which to rotate the picture to be upright: 0, 90,
            180 or 270. Phones send it as the camera is held.
    """

    codec: str
    data: bytes
    time: float
    is_key: bool
    rotation: int = 0


@dataclass(frozen=True, slots=True)
class QueuedFrame:
    """A frame that waits for its reader, with all that a decoder needs."""

    codec: Codec
    frame: EncodedFrame


class EncodedFrames:
    """Queues the frames of a track, from a key frame on.

    With simulcast they are those of the largest encoding. A reader that falls behind by
    ``MAX_FRAMES`` or ``MAX_OCTETS`` goes on with the next key frame; nobody else
    notices.

    Attributes:
        left_out: frames left out because the reader was behind.
    """

    def __init__(self, track: Track) -> None:
        self.left_out = 0
        self._frames: deque[QueuedFrame] = deque()
        self._octets = 0
        self._needs_key = False
        self._has_ended = False
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._clock: tuple[Codec, int, float] | None = None
        self._source: TrackSource | None = TrackSource(track, self._on_frame)
        self._timer = self._loop.call_later(_FOLLOW_INTERVAL, self._follow)

    async def take(self, *, all_queued: bool = False) -> list[QueuedFrame]:
        """Wait for a frame, and take it.

        Args:
            all_queued: whether to take all that wait.

        Returns:
            The frames, one at least; none when the track has ended.
        """
        while not self._frames and not self._has_ended:
            self._wake.clear()
            await self._wake.wait()
        count = len(self._frames) if all_queued else min(len(self._frames), 1)
        taken = [self._frames.popleft() for _ in range(count)]
        self._octets -= sum(len(queued.frame.data) for queued in taken)
        return taken

    def end(self) -> None:
        """End the queue after what waits in it: nothing more comes."""
        if self._source is not None:
            self._timer.cancel()
            self._source.stop()
            self._source = None
        self._has_ended = True
        self._wake.set()

    def close(self) -> None:
        """Stop, and drop what waits."""
        self.end()
        self._frames.clear()

    def _follow(self) -> None:
        if self._source is not None:
            self._source.follow()
            self._timer = self._loop.call_later(_FOLLOW_INTERVAL, self._follow)

    def _on_frame(self, frame: RtpFrame, _encoding: object) -> None:
        is_video = payload_format(frame.codec.name) is not None
        if self._needs_key and not frame.is_key:
            self.left_out += 1
            return
        try:
            data = join(frame)
        except BitstreamError:
            self._needs_key = is_video
            return
        self._needs_key = False
        if len(self._frames) >= MAX_FRAMES or self._octets + len(data) > MAX_OCTETS:
            self._drop(is_video)
            if is_video and not frame.is_key:
                return
        moment = self._time_of(frame)
        made = EncodedFrame(
            frame.codec.name, data, moment, frame.is_key, frame.rotation
        )
        self._frames.append(QueuedFrame(frame.codec, made))
        self._octets += len(data)
        self._wake.set()

    def _drop(self, is_video: bool) -> None:
        """Leave out what waits: the reader is behind."""
        self.left_out += len(self._frames)
        self._frames.clear()
        self._octets = 0
        if is_video and self._source is not None:
            self._needs_key = True
            self._source.request_key_frame()

    def _time_of(self, frame: RtpFrame) -> float:
        """The time of a frame: see ``EncodedFrame``."""
        rate = frame.codec.clock_rate
        moment = frame.arrival
        if self._clock is not None and self._clock[0] is frame.codec:
            _, timestamp, before = self._clock
            # Timestamps wrap, and pictures in decoding order may go back.
            moment = before + difference(frame.timestamp, timestamp) / rate
        self._clock = frame.codec, frame.timestamp, moment
        return moment
