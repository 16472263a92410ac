"""The streams that workers pass on to each other, and where new viewers go."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..net.shard import Shard
from ..sessions import Demand, Supply
from ..streams import Audiences, Streams
from ..streams.chat import Elsewhere
from .frames import Kind, write_control
from .incoming import Incoming
from .link import Link
from .outgoing import Outgoing
from .placement import taker


class _Here:
    """A viewer of a stream that this worker owns."""

    def __init__(self, demand: Demand, viewers: Counter[str], stream: str) -> None:
        self._demand = demand
        self._viewers = viewers
        self._stream = stream
        viewers[stream] += 1

    async def ready(self) -> None:
        await self._demand.ready()

    def release(self) -> None:
        self._demand.release()
        self._viewers[self._stream] -= 1
        if not self._viewers[self._stream]:
            del self._viewers[self._stream]


class _Elsewhere:
    """A viewer of a stream that another worker owns."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        incoming.demand()

    async def ready(self) -> None:
        await self._incoming.ready()

    def release(self) -> None:
        self._incoming.release()


class Relays:
    """Passes streams on between this worker and the others.

    It is the supply of sessions: streams of other workers come from these, those of
    this worker from other servers, perhaps.

    Args:
        shard: which worker this is.
        folder: that of local sockets; nobody else may enter it.
        streams, audiences: those of this worker.
        supply: gets the streams that this worker owns from other servers.
        loads: the sessions of this worker, and those of each of the others that is
            running, by number.
        stays: whether the viewers of a stream stay with its owner.
        kept: viewers of a stream that do in any case.
    """

    def __init__(
        self,
        shard: Shard,
        folder: Path,
        streams: Streams,
        audiences: Audiences,
        supply: Supply,
        loads: Callable[[], tuple[int, Mapping[int, int]]],
        stays: Callable[[str], bool],
        kept: int,
    ) -> None:
        self._shard = shard
        self._folder = folder
        self._streams = streams
        self._audiences = audiences
        self._supply = supply
        self._loads = loads
        self._stays = stays
        self._kept = kept
        self._server: asyncio.AbstractServer | None = None
        self._links: set[Link] = set()
        self._outgoing: dict[str, dict[int, Outgoing]] = {}
        self._incoming: dict[str, Incoming] = {}
        self._ending: set[asyncio.Task[None]] = set()
        # Viewers of the streams of this worker that are here; and those that are on
        # their way to each other worker.
        self._here: Counter[str] = Counter()
        self._handed: Counter[int] = Counter()
        audiences.on_choice.append(self._viewers_changed)
        audiences.chats.elsewhere = self._room

    async def open(self) -> None:
        """Begin to pass streams on.

        Raises:
            OSError: when the local socket cannot be made.
        """
        loop = asyncio.get_running_loop()
        path = str(self._path_of(self._shard.number))
        self._server = await loop.create_unix_server(self._accept, path)

    async def close(self) -> None:
        """Pass nothing on any more."""
        if self._server is not None:
            self._server.close()
        for link in tuple(self._links):
            link.close()
        # Those that are over stay known: their sessions have not ended yet.
        for incoming in self._incoming.values():
            await incoming.close()
        await asyncio.gather(*self._ending)

    # Viewers

    def demand(self, stream: str, path: tuple[str, ...]) -> Demand:
        """See ``Supply``."""
        if self._shard.owns(stream):
            return _Here(self._supply.demand(stream, path), self._here, stream)
        if stream not in self._incoming:
            hello = {"stream": stream, "worker": self._shard.number}
            self._incoming[stream] = Incoming(
                stream,
                self._path_of(self._shard.owner_of(stream)),
                write_control(hello),
                self._streams,
                self._audiences,
                self._forget,
            )
        return _Elsewhere(self._incoming[stream])

    def taker(self, stream: str) -> int | None:
        """See ``http.all_workers.Placement``."""
        if self._stays(stream):
            return None
        own, others = self._loads()
        loads = {number: n + self._handed[number] for number, n in others.items()}
        relayed = self._outgoing.get(stream, {})
        return taker(self._here[stream], own, loads, relayed, self._kept)

    @contextmanager
    def handing(self, worker: int) -> Iterator[None]:
        """See ``http.all_workers.Placement``."""
        self._handed[worker] += 1
        try:
            yield
        finally:
            self._handed[worker] -= 1

    def _viewers_changed(self, stream: str) -> None:
        if incoming := self._incoming.get(stream):
            incoming.viewers_changed()

    def _room(self, stream: str) -> Elsewhere | None:
        incoming = self._incoming.get(stream)
        return None if incoming is None else incoming.room

    def _forget(self, incoming: Incoming) -> None:
        del self._incoming[incoming.stream]
        task = asyncio.create_task(incoming.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    # Other workers

    def _path_of(self, worker: int) -> Path:
        return self._folder / f"relay-{worker}"

    def _accept(self) -> Link:
        """Make the end of a connection of another worker."""

        def hello(_kind: Kind, body: bytes) -> None:
            said = json.loads(body)
            stream, worker = said["stream"], said["worker"]
            outgoing = Outgoing(stream, worker, link, self._audiences, self._supply)
            self._outgoing.setdefault(stream, {})[worker] = outgoing
            link.on_frame = outgoing.frame_received
            link.on_closed = lambda: closed(outgoing)

        def closed(outgoing: Outgoing | None = None) -> None:
            self._links.discard(link)
            if outgoing is None:
                return
            outgoing.close()
            workers = self._outgoing[outgoing.stream]
            # It may have come back already.
            if workers.get(outgoing.worker) is outgoing:
                del workers[outgoing.worker]
            if not workers:
                del self._outgoing[outgoing.stream]

        link = Link(hello, closed)
        self._links.add(link)
        return link
