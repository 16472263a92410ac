"""Writes one publisher's frames to a sequence of files; runs in a thread."""

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import av
from av.container.input import InputContainer

from ..media.frames import RtpFrame
from ..rtp.bits import BitstreamError
from ..rtp.codecs import VideoParameters, payload_format
from ..rtp.codecs.opus import read_packet
from ..sdp.codecs import Codec
from .container import MediaFile, container_of
from .files import RecordingFolder
from .pcm import PcmDecoder, sampling_rate
from .segments import PlacedFrame, SegmentLimits
from .templates import UnusableError, parameter_sets, template

logger = logging.getLogger(__name__)

# The exceptions that writing raises; not all of FFmpeg's are OSErrors.
WRITE_ERRORS = (OSError, av.FFmpegError)

# Seconds between requests for a key frame to start a new file at.
_REQUEST_INTERVAL = 1.0
# Seconds of audio before the key frame at which a file starts, if it continues the file
# before.
_MAX_LEAD = 1.0
# ... and if it is the first file: audio that was sent before the first picture.
_MAX_EARLY = 0.1
# Seconds: the duration of a frame of unknown duration; and the longest duration of a
# video frame, which is assumed to be the time since the frame before.
_USUAL_DURATION = 0.02
_MAX_DURATION = 1.0


class SegmentWriter:
    """Writes frames to a file, and starts a new file when needed.

    Args:
        folder: the folder for the files.
        stream: the name of the stream.
        limits: the limits of a file.
        request_key_frame: called when a new file needs a key frame.

    Attributes:
        file: the name of the current file; None if there is none.
        files: files started so far.
        frames: kind -> frames written.
        unusable: video frames that could not be read, or decoded without others.
    """

    def __init__(
        self,
        folder: RecordingFolder,
        stream: str,
        limits: SegmentLimits,
        request_key_frame: Callable[[], None],
    ) -> None:
        self.file: str | None = None
        self.files = 0
        self.frames = {"audio": 0, "video": 0}
        self.unusable = 0
        self._folder = folder
        self._stream = stream
        self._limits = limits
        self._request_key_frame = request_key_frame
        self._media: MediaFile | None = None
        # The tracks that were received when the file was started; and those in it.
        self._tracks: Mapping[str, Codec] = {}
        self._codecs: dict[str, Codec] = {}
        self._parameters: VideoParameters | None = None
        self._sets: frozenset[bytes] = frozenset()
        self._rotation = 0
        self._described: tuple[Codec, bytes] | None = None
        self._decoder: tuple[Codec, PcmDecoder] | None = None
        self._needs_key = True
        self._zero = 0.0
        self._ended_octets = 0
        # The end of each track in seconds; the position of the last picture in ticks.
        self._ends: dict[str, float] = {}
        self._last_video: int | None = None
        self._requested_at = float("-inf")
        # Audio before the first file.
        self._early: deque[tuple[PlacedFrame, bytes]] = deque()

    @property
    def octets(self) -> int:
        """Octets written to all files together."""
        # It is called in another thread than that which closes the file.
        media = self._media
        return self._ended_octets + (0 if media is None else media.size)

    def write(self, placed: PlacedFrame) -> None:
        """Write a frame; leave it out if it is unusable or fits to no file.

        Raises:
            OSError: when the file cannot be written.
            av.FFmpegError: when FFmpeg rejects the frame.
        """
        frame = placed.frame
        is_video = placed.kind == "video"
        if is_video and self._needs_key and not frame.is_key:
            self.unusable += 1
            return
        try:
            data = self._data(frame)
            if self._starts_file(placed, data):
                self._begin(placed, data)
        except (BitstreamError, UnusableError) as error:
            logger.debug("Cannot use a frame of %s: %s", self._stream, error)
            self._leave_out(placed)
            return
        if self._media is None and not is_video:
            self._early.append((placed, data))
            self._forget_early(placed.seconds)
            return
        if self._media is None or self._codecs.get(placed.kind) != frame.codec:
            self._leave_out(placed)
            return
        if is_video:
            self._needs_key = False
        while self._early:
            self._write(*self._early.popleft())
        self._write(placed, data)

    def close(self) -> None:
        """Finish the file.

        Raises:
            OSError: when the file cannot be written.
            av.FFmpegError: when FFmpeg fails.
        """
        media, self._media = self._media, None
        try:
            if media is not None:
                media.close()
        finally:
            file, self.file = self.file, None
            size = 0 if media is None else media.size
            self._ended_octets += size
            if file is not None and not size:
                self._folder.remove(file)

    def _data(self, frame: RtpFrame) -> bytes:
        """The data of a frame as it is written.

        Raises:
            BitstreamError: when it is incomplete or malformed.
        """
        codec = frame.codec
        video = payload_format(codec.name)
        if video is not None:
            return video.join(frame.payloads)
        if sampling_rate(codec) is None:
            return frame.payloads[0]
        if self._decoder is None or self._decoder[0] != codec:
            self._decoder = codec, PcmDecoder(codec)
        return self._decoder[1].decode(frame.payloads[0])

    def _starts_file(self, placed: PlacedFrame, data: bytes) -> bool:
        """Whether to start a new file at a frame; request a key frame if one is due."""
        media = self._media
        if media is not None and self._tracks == placed.tracks:
            seconds = placed.seconds - self._zero
            if (
                (self._limits.seconds is None or seconds < self._limits.seconds)
                and (self._limits.octets is None or media.size < self._limits.octets)
                and not self._has_changed(placed, data)
            ):
                return False
        if placed.frame.is_key and (
            placed.kind == "video" or "video" not in placed.tracks
        ):
            return True
        if abs(placed.seconds - self._requested_at) >= _REQUEST_INTERVAL:
            self._requested_at = placed.seconds
            self._request_key_frame()
        return False

    def _has_changed(self, placed: PlacedFrame, data: bytes) -> bool:
        """Whether a frame has other parameters than the header of the file."""
        if placed.kind != "video":
            return False
        if placed.frame.rotation != self._rotation:
            return True
        if not placed.frame.is_key:
            return False
        parameters = _parameters(placed.frame)
        if parameters is not None and parameters != self._parameters:
            return True
        return not parameter_sets(placed.frame.codec, data) <= self._sets

    def _begin(self, placed: PlacedFrame, data: bytes) -> None:
        """Start a file.

        Raises:
            UnusableError: when the frame has no valid codec parameters.
            OSError: when no file can be created, or the last one not be finished.
        """
        with contextlib.ExitStack() as stack:
            sources = {placed.kind: stack.enter_context(self._template(placed, data))}
            for kind in placed.tracks.keys() - sources.keys():
                try:
                    source = template(placed.tracks[kind])
                except UnusableError as error:
                    logger.warning("%s is recorded without %s", self._stream, error)
                else:
                    sources[kind] = stack.enter_context(source)
            self.close()
            self._tracks = placed.tracks
            self._codecs = {kind: placed.tracks[kind] for kind in sources}
            container = container_of({codec.name for codec in self._codecs.values()})
            self.files += 1
            self.file, descriptor = self._folder.create(
                self._stream, datetime.now(UTC), self.files, container.suffix
            )
            self._media = MediaFile(descriptor, container)
            for kind, source in sources.items():
                rate = self._codecs[kind].clock_rate
                rotation = placed.frame.rotation if kind == placed.kind else 0
                self._media.add(kind, source.streams[0], rate, rotation)
        logger.info("Recording %s to %s", self._stream, self.file)
        self._parameters = _parameters(placed.frame) or self._parameters
        self._rotation = placed.frame.rotation
        if self._described is not None:
            self._sets = parameter_sets(*self._described)
        if "audio" not in self._codecs:
            self._early.clear()
        # Audio continues where the last file ended, a little before the key frame.
        begin = self._zero = placed.seconds
        self._forget_early(begin)
        if self._early:
            self._zero = min(begin, self._early[0][0].seconds)
        elif 0 < begin - self._ends.get("audio", begin) < _MAX_LEAD:
            self._zero = self._ends["audio"]

    def _forget_early(self, now: float) -> None:
        while self._early and self._early[0][0].seconds < now - _MAX_EARLY:
            self._early.popleft()

    def _template(self, placed: PlacedFrame, data: bytes) -> InputContainer:
        """A template for the track of a frame.

        Some senders send the parameters only once. So a key frame without parameters
        is assumed to have those of the last key frame that had them.

        Raises:
            UnusableError: when no key frame had them.
        """
        codec = placed.frame.codec
        try:
            source = template(codec, data)
        except UnusableError:
            if self._described is None or self._described[0] != codec:
                raise
            return template(*self._described)
        self._described = codec, data
        return source

    def _write(self, placed: PlacedFrame, data: bytes) -> None:
        assert self._media is not None
        kind, codec = placed.kind, placed.frame.codec
        position = placed.position - round(self._zero * codec.clock_rate)
        if position < 0:
            # Audio before the first picture.
            return
        duration = round(_USUAL_DURATION * codec.clock_rate)
        if kind == "video":
            if self._last_video is not None:
                longest = round(_MAX_DURATION * codec.clock_rate)
                duration = min(placed.position - self._last_video, longest)
            self._last_video = placed.position
        elif sampling_rate(codec) is not None:
            # G.711 and G.722 have one octet per tick.
            duration = len(placed.frame.payloads[0])
        elif (opus := read_packet(data)) is not None:
            duration = opus.samples
        self._media.write(kind, data, position, duration, placed.frame.is_key)
        self.frames[kind] += 1
        self._ends[kind] = (placed.position + duration) / codec.clock_rate

    def _leave_out(self, placed: PlacedFrame) -> None:
        if placed.kind == "video":
            self.unusable += 1
            self._needs_key = True
            self._request_key_frame()


def _parameters(frame: RtpFrame) -> VideoParameters | None:
    """The parameters in a key frame; None for audio."""
    video = payload_format(frame.codec.name)
    if video is None:
        return None
    found = map(video.read_parameters, frame.payloads)
    return next((parameters for parameters in found if parameters is not None), None)
