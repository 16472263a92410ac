"""Writes one publisher's frames to a sequence of files; runs in a thread."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import av
from av.container.input import InputContainer

from ..rtp.bits import BitstreamError
from ..sdp.codecs import Codec
from .container import MediaFile
from .early import EarlyAudio
from .files import RecordingFolder
from .frame_data import FrameReader, audio_duration
from .header import FileHeader
from .segments import PlacedFrame, SegmentLimits
from .templates import UnusableError, template, without_parameter_sets

# The exceptions that writing raises; not all of FFmpeg's are OSErrors.
Log = logging.LoggerAdapter[logging.Logger]

WRITE_ERRORS = (OSError, av.FFmpegError)

# Seconds between requests for a key frame to start a new file at.
_REQUEST_INTERVAL = 1.0
# Seconds of audio before the key frame at which a file starts, if it continues the file
# before; and seconds after which audio is over.
_MAX_LEAD = 10.0
_SILENCE = 2.0
# Seconds for which audio waits for the first key frame.
_MAX_WAIT = 10.0
# Seconds: the shortest file that is ended because a track has changed.
_MIN_LENGTH = 0.3


class SegmentWriter:
    """Writes frames to a file, and starts a new file when needed.

    Args:
        folder: the folder for the files.
        stream: the name of the stream.
        limits: the limits of a file.
        request_key_frame: called when a new file needs a key frame.
        log: the log of the recording.

    Attributes:
        file: the name of the current file; None if there is none.
        files: files started so far.
        ended: the names of the files before it.
        frames: kind -> frames written.
        unusable: frames of video that could not be read, or not be decoded without
            others; and frames of audio that no file could take.
        stopped: when the recording was stopped, in the clock of arrival times; None
            before.
    """

    def __init__(
        self,
        folder: RecordingFolder,
        stream: str,
        limits: SegmentLimits,
        request_key_frame: Callable[[], None],
        log: Log,
    ) -> None:
        self._log = log
        self.file: str | None = None
        self.files = 0
        self.ended: list[str] = []
        self.frames = {"audio": 0, "video": 0}
        self.unusable = 0
        self.stopped: float | None = None
        self._folder = folder
        self._stream = stream
        self._limits = limits
        self._request_key_frame = request_key_frame
        self._media: MediaFile | None = None
        self._header = FileHeader()
        # The last key frame with parameters.
        self._described: tuple[Codec, bytes] | None = None
        self._reader = FrameReader()
        # Codecs of audio of which no track can be made.
        self._refused: set[Codec] = set()
        self._needs_key = True
        self._zero = 0.0
        self._ended_octets = 0
        # The last frame of each track; the end of the audio, in ticks.
        self._last: dict[str, PlacedFrame] = {}
        self._audio_end = 0
        # Two pictures, a second or more from each other and before the last one.
        self._due: list[PlacedFrame] = []
        self._requested_at = float("-inf")
        self._early = EarlyAudio()

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
            av.FFmpegError: when FFmpeg fails.
        """
        frame = placed.frame
        is_video = placed.kind == "video"
        if is_video and self._needs_key and not frame.is_key:
            self.unusable += 1
            return
        try:
            data = self._reader.read(frame)
            if self._starts_file(placed, data):
                self._begin(placed, data)
        except (BitstreamError, UnusableError) as error:
            self._log.debug("Cannot use a frame of %s: %s", self._stream, error)
            self._leave_out(is_video)
            return
        if self._media is None or self._header.codecs.get(placed.kind) != frame.codec:
            if is_video or frame.codec in self._refused:
                self._leave_out(is_video)
            else:
                self.unusable += self._early.add(placed, data)
            return
        if is_video:
            self._needs_key = False
        try:
            self._write(placed, data)
        except av.error.InvalidDataError as error:
            # The file is as it was before.
            self._log.debug("Cannot write a frame of %s: %s", self._stream, error)
            self._leave_out(is_video)

    def write_remaining(self) -> None:
        """Write the sound that still waits for a picture to a file without pictures.

        Raises:
            OSError: when the file cannot be written.
            av.FFmpegError: when FFmpeg rejects a frame.
        """
        last = self._early.last
        if last is not None:
            with contextlib.suppress(UnusableError):
                self._begin(replace(last, tracks={"audio": last.frame.codec}), b"")

    def close(self) -> None:
        """Finish the file.

        Raises:
            OSError: when the file cannot be written.
            av.FFmpegError: when FFmpeg fails.
        """
        self._close(self._stood(self._last.get("video")))

    def _stood(self, picture: PlacedFrame | None) -> float:
        """Seconds from a picture to the end of the recording; 0 before that.

        The picture may have come early, with others: they say when it was due.
        """
        if picture is None or self.stopped is None:
            return 0.0
        offset = min(p.seconds - p.frame.arrival for p in (picture, *self._due))
        return self.stopped + offset - picture.seconds

    def _close(self, stood: float) -> None:
        """Finish the file.

        Args:
            stood: seconds for which the last picture was shown.
        """
        media, self._media = self._media, None
        try:
            if media is not None:
                media.close()
        finally:
            file, self.file = self.file, None
            size = 0 if media is None else media.size
            self._ended_octets += size
            if file is not None and size:
                last = self._last.get("video")
                end = 0.0 if last is None else last.seconds - self._zero + stood
                self._folder.finish(file, end)
                self.ended.append(file)
            elif file is not None:
                self._folder.remove(file)

    def _starts_file(self, placed: PlacedFrame, data: bytes) -> bool:
        """Whether to start a new file at a frame; request a key frame if one is due."""
        media = self._media
        if media is not None and not self._is_due(media, placed, data):
            return False
        if placed.frame.is_key and (
            placed.kind == "video" or "video" not in placed.tracks
        ):
            return True
        if media is None and self._early.seconds(placed) >= _MAX_WAIT:
            # The publisher sends no key frame: the sound does not wait any longer.
            return True
        if abs(placed.seconds - self._requested_at) >= _REQUEST_INTERVAL:
            self._requested_at = placed.seconds
            self._request_key_frame()
        return False

    def _is_due(self, media: MediaFile, placed: PlacedFrame, data: bytes) -> bool:
        """Whether a new file is due: this one is large enough, or a track changes."""
        seconds = placed.seconds - self._zero
        limits = self._limits
        if limits.seconds is not None and seconds >= limits.seconds:
            return True
        if limits.octets is not None and media.size >= limits.octets:
            return True
        if placed.tracks.keys() > self._header.tracks.keys():
            return True
        if seconds < _MIN_LENGTH:
            return False
        return self._header.tracks != placed.tracks or self._header.has_changed(
            placed.frame, data, is_fixed=media.has_fixed_sets
        )

    def _begin(self, placed: PlacedFrame, data: bytes) -> None:
        """Start a file.

        Raises:
            UnusableError: when the frame has no valid codec parameters.
            OSError: when no file can be created, or the last one not be finished.
        """
        tracks = placed.tracks
        if placed.kind != "video":
            # Pictures begin another file, with their first key frame.
            tracks = {placed.kind: placed.frame.codec}
        with contextlib.ExitStack() as stack:
            sources = {placed.kind: stack.enter_context(self._template(placed, data))}
            for kind in tracks.keys() - sources.keys():
                try:
                    source = template(tracks[kind])
                except UnusableError as error:
                    self._log.warning("%s is recorded without %s", self._stream, error)
                    self._refused.add(tracks[kind])
                else:
                    sources[kind] = stack.enter_context(source)
            shown = self._last.get("video", placed)
            self._close(self._stood(shown) or placed.seconds - shown.seconds)
            header = FileHeader(tracks, {kind: tracks[kind] for kind in sources})
            codecs = {codec.name for codec in header.codecs.values()}
            container = self._folder.container(codecs)
            self.files += 1
            self.file, descriptor = self._folder.create(
                self._stream, datetime.now(UTC), self.files, container.suffix
            )
            self._media = MediaFile(descriptor, container)
            for kind, source in sources.items():
                rate = header.codecs[kind].clock_rate
                rotation = placed.frame.rotation if kind == placed.kind else 0
                self._media.add(kind, source.streams[0], rate, rotation)
        self._log.info("Recording %s to %s", self._stream, self.file)
        if placed.kind == "video":
            assert self._described is not None
            header.describe(placed.frame, self._described[1])
        self._header = header
        self._zero = self._beginning(placed)
        self._last.clear()
        self._due.clear()
        self._write_early()

    def _beginning(self, placed: PlacedFrame) -> float:
        """The beginning of a file in seconds, with the sound before its picture."""
        begin = placed.seconds
        audio = self._header.codecs.get("audio")
        first = self._early.first_of(audio)
        if first is not None:
            return min(begin, first.seconds)
        last = self._last.get("audio")
        if audio is None or last is None or last.frame.codec != audio:
            return begin
        end = self._audio_end / audio.clock_rate
        goes_on = placed.frame.arrival - last.frame.arrival < _SILENCE
        return end if goes_on and 0 < begin - end < _MAX_LEAD else begin

    def _write_early(self) -> None:
        """Write the sound that waited for this file."""
        audio = self._header.codecs.get("audio")
        for placed, data in self._early.take():
            if placed.frame.codec == audio:
                self._write(placed, data)
            else:
                self.unusable += 1

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
        if placed.kind == "video":
            self._described = codec, data
        return source

    def _write(self, placed: PlacedFrame, data: bytes) -> None:
        kind, codec = placed.kind, placed.frame.codec
        position = placed.position - round(self._zero * codec.clock_rate)
        if kind == "video":
            if not self._write_picture(placed, data, position):
                return
        else:
            self._write_audio(placed, data, position)
        self.frames[kind] += 1
        self._last[kind] = placed

    def _write_picture(self, placed: PlacedFrame, data: bytes, position: int) -> bool:
        """Write a picture; returns whether the file can have it."""
        assert self._media is not None
        if position < 0:
            # It is shown before the key frame, and refers to pictures before that.
            self.unusable += 1
            return False
        frame, header = placed.frame, self._header
        if header.has_other_sets(frame, data):
            self._media.allow_changes()
        if header.sets and self._media.has_fixed_sets:
            data = without_parameter_sets(frame.codec, data)
        self._media.write_picture(data, position, frame.is_key, header.depth)
        if not self._due or placed.seconds - self._due[-1].seconds >= 1:
            self._due = [*self._due[-1:], placed]
        return True

    def _write_audio(self, placed: PlacedFrame, data: bytes, position: int) -> None:
        assert self._media is not None
        duration = audio_duration(placed.frame)
        self._media.write_audio(data, max(position, 0), duration)
        self._audio_end = placed.position + duration

    def _leave_out(self, is_video: bool) -> None:
        self.unusable += 1
        if is_video:
            self._needs_key = True
            self._request_key_frame()
