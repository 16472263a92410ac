"""One stream of another worker, passed on to the viewers that it has here."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..streams import Audiences, Stream, Streams
from .chat import RemoteRoom
from .description import describe_choice
from .frames import Kind, read_message, write_control
from .link import Link
from .source import RelayedSource

logger = logging.getLogger(__name__)

# Seconds for which a stream is still passed on without viewers: others may come.
LINGER = 5.0
# Seconds that a new viewer's answer waits until it is known what the stream has.
READY_TIME = 3.0
# Seconds until the other worker is tried again: at first, and at most.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


class Incoming:
    """Gets a stream of another worker, and publishes it to the viewers here.

    While the other worker is starting, viewers stay, as when a publisher has left.

    Args:
        stream: the name of the stream.
        path: the local socket of the worker that owns it.
        hello: the frame that says which stream is wanted.
        streams, audiences: those of this worker.
        on_over: called when nobody has wanted it for a while.

    Attributes:
        stream: see above.
        room: its chat.
    """

    def __init__(
        self,
        stream: str,
        path: Path,
        hello: bytes,
        streams: Streams,
        audiences: Audiences,
        on_over: Callable[["Incoming"], None],
    ) -> None:
        self.stream = stream
        self.room = RemoteRoom()
        self._path = path
        self._hello = hello
        self._streams = streams
        self._audiences = audiences
        self._on_over = on_over
        self._loop = asyncio.get_running_loop()
        self._link: Link | None = None
        self._closed = asyncio.Event()
        self._settled = asyncio.Event()
        self._source: RelayedSource | None = None
        self._published: Stream | None = None
        self._wanted = 0
        self._lingering: asyncio.TimerHandle | None = None
        # What the other worker was told last; and whether it is to be told more.
        self._told: dict[str, Any] = {}
        self._is_to_tell = False
        self._running = asyncio.create_task(self._run())

    # Those who want it

    def demand(self) -> None:
        """Count a viewer."""
        self._wanted += 1
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        self._tell_soon()

    def release(self) -> None:
        """Count it no longer."""
        self._wanted -= 1
        self._tell_soon()
        if not self._wanted and not self._running.done():
            self._lingering = self._loop.call_later(LINGER, self._on_over, self)

    async def ready(self) -> None:
        """Wait until it is known what the stream has, or the other worker is away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_TIME):
                await self._settled.wait()

    def viewers_changed(self) -> None:
        """Tell the other worker of the viewers here, and of what they have chosen."""
        self._tell_soon()

    async def close(self) -> None:
        """End it, for good."""
        if self._lingering is not None:
            self._lingering.cancel()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    # The connection

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        try:
            while True:
                if await self._connect():
                    pause = FIRST_PAUSE
                    await self._closed.wait()
                    logger.info(
                        "Stream %s: its worker has ended the connection", self.stream
                    )
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            if self._link is not None:
                self._link.on_closed = _nothing
                self._link.close()
            self._disconnected()

    async def _connect(self) -> bool:
        self._closed.clear()
        link = Link(self._frame_received, self._disconnected)
        try:
            await self._loop.create_unix_connection(lambda: link, str(self._path))
        except OSError:
            self._settled.set()
            return False
        self._link = link
        link.send(self._hello)
        self._told = {}
        self._tell()
        self.room.connected(link.send)
        return True

    def _disconnected(self) -> None:
        self._link = self.room.send = None
        self._unpublish()
        self._audiences.set_elsewhere(self.stream, 0)
        self._audiences.set_upstream(self.stream, None)
        self._closed.set()

    def _tell_soon(self) -> None:
        if not self._is_to_tell:
            self._is_to_tell = True
            self._loop.call_soon(self._tell)

    def _tell(self) -> None:
        self._is_to_tell = False
        if self._link is None:
            return
        facts = {
            "wanted": self._wanted,
            "viewers": self._audiences.count_here(self.stream),
            "choice": describe_choice(self._audiences.choice(self.stream)),
        }
        changed = {n: v for n, v in facts.items() if self._told.get(n) != v}
        if changed:
            self._told = facts
            self._link.send(write_control(changed))

    # What the other worker says

    def _frame_received(self, kind: Kind, body: bytes) -> None:
        source = self._source
        match kind:
            case Kind.PACKETS:
                if source is not None:
                    source.packets_received(body)
            case Kind.RTCP:
                if source is not None:
                    source.rtcp_received(body)
            case Kind.MESSAGE:
                self._audiences.broadcast(self.stream, *read_message(body))
            case Kind.CONTROL:
                for what, value in json.loads(body).items():
                    self._heard(what, value)

    def _heard(self, what: str, value: Any) -> None:
        match what:
            case "stream":
                self._unpublish()
                if value is not None:
                    self._publish(value)
            case "source" if self._source is not None:
                self._source.name_source(*value)
            case "ended" if self._source is not None:
                self._source.forget(tuple(value))
            case "settled":
                self._settled.set()
            case "elsewhere":
                self._audiences.set_elsewhere(self.stream, value)
            case "upstream":
                self._audiences.set_upstream(self.stream, value)
            case "layers" if self._published is not None:
                self._published.layers = value
                self._audiences.announce(self.stream)
            case "chat":
                self.room.told(*value)
            case "said":
                self.room.said(*value)

    def _publish(self, described: dict[str, Any]) -> None:
        if self._streams.get(self.stream) is not None:
            return  # An application of this worker publishes it, for itself.
        self._source = RelayedSource(described, self._key_frame_requested)
        stream = Stream(
            self.stream, self._source, lambda _: self._unpublish(), is_relayed=True
        )
        stream.layers = described["layers"]
        self._published = stream
        self._streams.publish(stream)

    def _unpublish(self) -> None:
        source, self._source, self._published = self._source, None, None
        if source is not None:
            self._streams.leave(self.stream, source, "ended at its worker")
            source.close()

    def _key_frame_requested(self, ssrc: int) -> None:
        if self._link is not None:
            self._link.send(write_control({"key_frame": ssrc}))


def _nothing() -> None:
    return None
