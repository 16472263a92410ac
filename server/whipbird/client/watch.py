"""Watches a stream over WHEP: figures of what comes, and a recording of it."""

import asyncio
import enum
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..media.encoding import Encoding
from ..media.frames import RtpFrame
from ..media.track import Track
from ..recording.named import NamedFile
from ..recording.recording import Recording
from ..recording.segments import SegmentLimits
from ..recording.sources import TrackSource, largest
from ..streams import Stream
from .errors import WhipError
from .whep import WhepClient

# Seconds between looks at what has come.
_LOOK_INTERVAL = 0.2
# Seconds without media after which a stream has ended.
SILENCE = 10.0
# Seconds between offers to a server on which nobody publishes, unless it says so.
_RETRY_PAUSE = 2.0
# Statuses of such a server: that of the draft (section 4.3.8), and that of others.
NOT_PUBLISHED = (404, 409, 503)


class End(enum.StrEnum):
    """Why watching has ended."""

    FRAMES = "the frames that were asked for have come"
    TIME = "the time is over"
    CLOSED = "the server has closed the connection"
    LOST = "the connection is lost"
    SILENT = "nothing comes any more"
    NOTHING = "nothing has come: does anybody publish?"


@dataclass(frozen=True, slots=True)
class TrackFigures:
    """A track at a moment; counts are those since the beginning.

    Attributes:
        codec: the encoding name; None before the first packet.
        size: width and height of the picture; None if unknown, and for audio.
        frames: frames received whole, from the first key frame on.
        left_out: frames that were not, as packets are missing.
        frame_rate, bitrate: per second, over the last second.
        jitter: in seconds (RFC 3550 section 6.4.1).
        nacked: packets requested by NACK, each time.
        key_frame_requests: PLI and FIR sent.
    """

    kind: str
    codec: str | None = None
    size: tuple[int, int] | None = None
    frames: int = 0
    left_out: int = 0
    frame_rate: float = 0.0
    bitrate: float = 0.0
    packets: int = 0
    octets: int = 0
    lost: int = 0
    recovered: int = 0
    jitter: float = 0.0
    key_frames: int = 0
    nacked: int = 0
    key_frame_requests: int = 0


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """When watching ends, and what is recorded.

    Attributes:
        frames: pictures to receive, or frames of sound where there are no pictures.
        seconds: the longest time, from the connection on.
        waits: whether to wait for a publisher, before and after there is one.
        file: where to record to; None for nowhere.
    """

    frames: int | None = None
    seconds: float | None = None
    waits: bool = False
    file: NamedFile | None = None


class Watch:
    """Watches a stream.

    Args:
        client: a client that is not connected yet.
        on_second: called every second with the seconds since the connection.
    """

    def __init__(
        self,
        client: WhepClient,
        options: WatchOptions,
        on_second: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._options = options
        self._on_second = on_second
        self._now = asyncio.get_running_loop().time
        self._frames: dict[str, int] = {}
        self._sources: dict[str, TrackSource] = {}
        self._counted = asyncio.Event()
        self._began = 0.0
        self.recording: Recording | None = None

    async def connect(self, on_wait: Callable[[WhipError], None]) -> None:
        """Open the session, again and again if it waits for a publisher.

        Args:
            on_wait: called with the first refusal.

        Raises:
            WhipError: when the server refuses, or the connection fails.
        """
        is_told = False
        while True:
            try:
                await self._client.connect()
                break
            except WhipError as refusal:
                if not self._options.waits or refusal.status not in NOT_PUBLISHED:
                    raise
                if not is_told:
                    on_wait(refusal)
                    is_told = True
                await asyncio.sleep(refusal.retry_after or _RETRY_PAUSE)
        self._began = self._now()
        for track in self._client.peer.tracks:
            self._frames[track.kind] = 0
            self._sources[track.kind] = TrackSource(
                track, partial(self._frame_came, track.kind)
            )
        if self._options.file is not None:
            stream = Stream("watch", self._client.peer, lambda _: None)
            self.recording = Recording(stream, self._options.file, SegmentLimits())

    async def run(self) -> End:
        """Watch until something ends it."""
        seconds = 0
        while (end := self._end()) is None:
            passed = int(self._now() - self._began)
            if passed > seconds:
                seconds = passed
                self._on_second(seconds)
            for source in self._sources.values():
                source.follow()
            await self._wait()
        return end

    async def close(self) -> None:
        """Stop counting, and finish the recording."""
        for source in self._sources.values():
            source.stop()
        if self.recording is not None:
            await self.recording.close()

    @property
    def seconds(self) -> float:
        """Seconds since the connection."""
        return self._now() - self._began if self._began else 0.0

    @property
    def figures(self) -> list[TrackFigures]:
        """A snapshot of each track."""
        return [self._figures(track) for track in self._client.peer.tracks]

    @property
    def frames(self) -> int:
        """Pictures that have come whole, or frames of sound where no picture has."""
        video = self._sources.get("video")
        kind = "video" if video is not None and video.encoding else "audio"
        return self._frames.get(kind, 0)

    def _figures(self, track: Track) -> TrackFigures:
        encoding, source = largest(track), self._sources.get(track.kind)
        received, parameters = track.received, encoding and encoding.parameters
        return TrackFigures(
            kind=track.kind,
            codec=encoding.codec.name if encoding else None,
            size=(parameters.width, parameters.height) if parameters else None,
            frames=self._frames.get(track.kind, 0),
            left_out=source.left_out if source else 0,
            frame_rate=encoding.frame_rate if encoding else 0.0,
            bitrate=encoding.bitrate if encoding else 0.0,
            packets=received.packets,
            octets=received.octets,
            lost=received.lost,
            recovered=received.recovered,
            jitter=encoding.reception.jitter if encoding else 0.0,
            key_frames=received.key_frames,
            nacked=received.nacked,
            key_frame_requests=received.key_frame_requests,
        )

    def _frame_came(self, kind: str, _frame: RtpFrame, _encoding: Encoding) -> None:
        self._frames[kind] += 1
        if self._options.frames is not None and self.frames >= self._options.frames:
            self._counted.set()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_INTERVAL):
                await self._counted.wait()
        except TimeoutError:
            pass

    def _end(self) -> End | None:
        """Why it ends now; None if it does not."""
        options, peer = self._options, self._client.peer
        if options.frames is not None and self.frames >= options.frames:
            return End.FRAMES
        if options.seconds is not None and self.seconds >= options.seconds:
            return End.TIME
        if peer.connectionState in ("closed", "failed"):
            return End.CLOSED if peer.closed_by_peer else End.LOST
        if options.waits:
            return None
        encodings = [e for track in peer.tracks for e in track.encodings]
        last = max((e.last_packet_at for e in encodings), default=None)
        if self._now() - (last or self._began) < SILENCE:
            return None
        return End.NOTHING if last is None else End.SILENT
