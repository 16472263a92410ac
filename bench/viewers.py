"""Many who watch one stream."""

import asyncio
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from .arrivals import Comparison, frames_between, missing
from .clients import BenchError, Clients
from .publisher import Player, Publisher
from .servers import Server
from .viewer import Viewer

# Viewers that are set up at the same time.
AT_ONCE = 10
# Seconds from one reading of a viewer to the next, and in how many parts all of them
# are read meanwhile: each part takes less time than a frame.
PERIOD = 0.1
PARTS = 50
# Seconds after which a packet that has not come is taken for lost: as long as a
# player's buffer may be.
GRACE = 0.25
# The part of its frames that the publisher has to send in time, for a trial to count.
PUNCTUAL = 0.9


@dataclass(frozen=True, slots=True)
class Seen:
    """What some viewers have seen in some seconds.

    Attributes:
        cpu: cores that the server has used.
        packets: how many have come to one viewer in a second, of audio and video.
        video: what became of the picture's frames.
        audio_missing: how many packets of sound have not come.
    """

    cpu: float
    packets: float
    video: Comparison
    audio_missing: int


class Viewers:
    """Watch the first of a server's streams together.

    Args:
        clients: makes their sessions.
    """

    def __init__(self, server: Server, clients: Clients) -> None:
        self._server = server
        self._clients = clients
        self._endpoint = server.watch(0)
        self._viewers: list[Viewer] = []
        self._loop = asyncio.get_running_loop()
        self._part = 0
        self._error: BenchError | None = None
        self._timer = self._loop.call_later(PERIOD / PARTS, self._read_part)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        viewers = self._viewers
        for start in range(0, len(viewers), AT_ONCE):
            some = viewers[start : start + AT_ONCE]
            await asyncio.gather(*(viewer.close() for viewer in some))

    async def grow(self, count: int) -> None:
        """Let more come, until there are so many.

        Raises:
            WhipError: when the server does not take one.
        """
        while (more := min(count - len(self._viewers), AT_ONCE)) > 0:
            numbers = range(len(self._viewers), len(self._viewers) + more)
            new = [
                Viewer(self._clients.with_one_path(self._endpoint), number)
                for number in numbers
            ]
            try:
                connecting = (viewer.connect() for viewer in new)
                for error in await asyncio.gather(*connecting, return_exceptions=True):
                    if error is not None:
                        raise error
            except BaseException:
                await asyncio.gather(*(viewer.close() for viewer in new))
                raise
            self._viewers += new

    async def watch(self, publisher: Publisher, seconds: float) -> Seen:
        """See what comes.

        Args:
            publisher: of a picture and sound.
            seconds: for how long, and more than the picture's clip lasts.

        Raises:
            BenchError: when what comes is not what was sent, or this side has not
                sent or read all of it in time.
        """
        self._read_all()
        for viewer in self._viewers:
            viewer.clear()
        begin, began, cpu = time.time_ns(), time.perf_counter(), self._server.cpu()
        await asyncio.sleep(seconds)
        end, elapsed = time.time_ns(), time.perf_counter() - began
        cpu = self._server.cpu() - cpu
        await asyncio.sleep(GRACE)
        self._read_all()
        return await self._compare(publisher, begin, end, cpu / elapsed)

    async def _compare(
        self, publisher: Publisher, begin: int, end: int, cpu: float
    ) -> Seen:
        picture, sound = publisher.players
        wanted = frames_between(picture.clip, picture.sent_at, begin, end)
        due = (end - begin) / 1e9 * picture.clip.clock_rate / picture.clip.ticks
        if len(wanted) < PUNCTUAL * due:
            raise BenchError("the publisher has not sent what it should have")
        video, came, audio_missing = Comparison(), 0, 0
        for viewer in self._viewers:
            # The publisher goes on meanwhile.
            await asyncio.sleep(0)
            self._check(viewer, picture, sound)
            came += len(viewer.arrivals.times)
            frames = viewer.arrivals.frames()
            video.add(
                picture.clip,
                picture.sent_at,
                wanted,
                frames.get(viewer.ssrc("video"), {}),
            )
            audio_missing += missing(sound.clip, frames.get(viewer.ssrc("audio"), {}))
        seconds = (end - begin) / 1e9 + GRACE
        return Seen(cpu, came / len(self._viewers) / seconds, video, audio_missing)

    def _check(self, viewer: Viewer, *players: Player) -> None:
        """See that this side lost nothing, and that what comes is what was sent."""
        if viewer.dropped:
            raise BenchError("the viewers' side is too slow")
        sample = viewer.sample()
        if (
            sample is not None
            and self._server.program.forwards
            and not any(sample in player.clip.contents for player in players)
        ):
            raise BenchError("what a viewer is sent is not what was published")

    def _read_all(self) -> None:
        if self._error is not None:
            raise self._error
        for viewer in self._viewers:
            viewer.read()

    def _read_part(self) -> None:
        """Read some of the viewers, and soon the next ones."""
        self._timer = self._loop.call_later(PERIOD / PARTS, self._read_part)
        self._part = (self._part + 1) % PARTS
        try:
            for viewer in self._viewers[self._part :: PARTS]:
                viewer.read()
        except BenchError as error:
            self._error = error
            self._timer.cancel()
