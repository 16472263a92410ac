"""A received track, as applications have it: frames, decoded only while read."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import av

from ..media.track import Track as MediaTrack
from ..recording.sources import largest
from .decoder import Decoder
from .encoded import EncodedFrame, EncodedFrames, QueuedFrame


class Track:
    """Sound or pictures of a published stream.

    Nothing is decoded until somebody iterates over ``video`` or ``audio``, and then in
    a thread of its own; several may do so at once.

    Attributes:
        kind: ``audio`` or ``video``.
    """

    def __init__(self, media: MediaTrack) -> None:
        self.kind = media.kind
        self._media = media
        self._readers: set[EncodedFrames] = set()
        self._has_ended = False

    def __repr__(self) -> str:
        return f"<Track {self.kind}>"

    @property
    def codec(self) -> str | None:
        """The codec of what is received now, as ``h264``; None before it begins."""
        encoding = largest(self._media)
        return None if encoding is None else encoding.codec.name

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the picture, in pixels; None while they are unknown."""
        encoding = largest(self._media)
        if encoding is None or encoding.parameters is None:
            return None
        return encoding.parameters.width, encoding.parameters.height

    async def video(
        self,
        *,
        size: tuple[int, int] | None = None,
        rate: float | None = None,
        pixels: str | None = None,
        latest: bool = True,
        upright: bool = True,
    ) -> AsyncIterator[av.VideoFrame]:
        """Iterate over the pictures, from the next key frame to the end of the stream.

        ``frame.to_ndarray()`` makes a numpy array of one; ``frame.time`` is its time
        (see ``EncodedFrame``).

        Args:
            size: width and height to scale them to.
            rate: pictures per second, at most.
            pixels: a pixel format of FFmpeg, as ``rgb24`` or ``gray``; by default that
                of the stream.
            latest: whether a slow reader gets the newest picture each time. Otherwise
                it gets all, until it is behind by 300 (``MAX_FRAMES``).
            upright: whether the pictures of a phone that is held upright are rotated,
                as its stream says. Otherwise they are as they were encoded.

        Raises:
            TypeError: when this is no video.
        """
        self._must_be("video")
        pace = _Pace(rate)

        def pictures(queued: list[QueuedFrame]) -> Iterator[av.VideoFrame]:
            decoded = decoder.decode(queued)
            for one in decoded[-1:] if latest else decoded:
                assert isinstance(one.frame, av.VideoFrame)
                if not pace.is_due(one.frame.time):
                    continue
                frame = decoder.upright(one) if upright else one.frame
                if frame is not None:
                    width, height = size or (frame.width, frame.height)
                    yield frame.reformat(width, height, pixels or frame.format.name)

        with self._reading() as (frames, decoder):
            while queued := await frames.take(all_queued=latest):
                for picture in await decoder.run(lambda: [*pictures(queued)]):
                    yield picture

    async def audio(
        self, *, rate: int = 48000, layout: str = "mono", samples: int | None = None
    ) -> AsyncIterator[av.AudioFrame]:
        """Iterate over the sound, as frames of 16-bit samples (``s16``).

        ``frame.to_ndarray()`` makes a numpy array of one, with one row, in which the
        channels alternate.

        Args:
            rate: samples per second.
            layout: ``mono``, ``stereo`` or another layout of FFmpeg.
            samples: samples of a frame; by default those of the stream's, often 960.

        Raises:
            TypeError: when this is no audio.
        """
        self._must_be("audio")
        resampler = _Resampler(rate, layout, samples)

        def decode(frames: list[QueuedFrame]) -> list[av.AudioFrame]:
            made: list[av.AudioFrame] = []
            for one in decoder.decode(frames):
                assert isinstance(one.frame, av.AudioFrame)
                made += resampler.resample(one.frame)
            return made

        with self._reading() as (frames, decoder):
            while queued := await frames.take():
                for frame in await decoder.run(lambda: decode(queued)):
                    yield frame

    async def packets(self) -> AsyncIterator[EncodedFrame]:
        """Iterate over the encoded frames, from the next key frame; nothing decodes."""
        frames = self._open()
        try:
            while queued := await frames.take():
                yield queued[0].frame
        finally:
            self._close(frames)

    def end(self) -> None:
        """Note that the stream has ended: iterations end after what has come."""
        self._has_ended = True
        for frames in self._readers:
            frames.end()

    def _must_be(self, kind: str) -> None:
        if self.kind != kind:
            raise TypeError(f"a track of {self.kind} has no {kind}")

    @contextmanager
    def _reading(self) -> Iterator[tuple[EncodedFrames, Decoder]]:
        frames, decoder = self._open(), Decoder()
        try:
            yield frames, decoder
        finally:
            decoder.close()
            self._close(frames)

    def _open(self) -> EncodedFrames:
        frames = EncodedFrames(self._media)
        self._readers.add(frames)
        if self._has_ended:
            frames.end()
        return frames

    def _close(self, frames: EncodedFrames) -> None:
        self._readers.discard(frames)
        frames.close()


class _Resampler:
    """Makes frames of one kind of sound of those of any kind, which may change."""

    def __init__(self, rate: int, layout: str, samples: int | None) -> None:
        self._wanted = layout, rate, samples
        self._inner = av.AudioResampler("s16", *self._wanted)
        self._given: tuple[str, str, int] | None = None

    def resample(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        """Resample a frame; of the last one before a change less may be left."""
        given = frame.format.name, frame.layout.name, frame.sample_rate
        if given != self._given:
            self._given = given
            self._inner = av.AudioResampler("s16", *self._wanted)
        return self._inner.resample(frame)


class _Pace:
    """Says which pictures to take, so that there are no more than ``rate`` a second."""

    def __init__(self, rate: float | None) -> None:
        self._interval = 0.0 if rate is None else 1 / rate
        self._due = float("-inf")

    def is_due(self, time: float) -> bool:
        """Whether to take the picture of a time, in seconds."""
        if time < self._due:
            return False
        # Half an interval early is better than a picture too late.
        self._due = max(self._due + self._interval, time + self._interval / 2)
        return True
