"""The workers of a server, as one of them takes part."""

from dataclasses import asdict
from typing import Any

from aiohttp import web

from ..net import Neighbours, Sharing, UdpPort
from ..net.neighbours import ICE_LISTENER
from ..workers import RUNNING, Worker, WorkerState
from .all_workers import AllWorkers, Placement
from .clients import Client
from .inside import Inside


class WorkerGroup:
    """Makes one server of the workers, together with those in the others.

    Args:
        worker: which one this is.

    Attributes:
        worker: as given.
        neighbours: what comes to the wrong worker.
        states: what the supervisor has said last of all workers.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.neighbours = Neighbours(worker.shard, worker.inbox, worker.outboxes)
        self.states: list[WorkerState] = []
        self._insides: dict[str, Inside] = {}
        self._middlewares: list[AllWorkers] = []

    def inside(self, listener: str) -> Inside:
        """The way to the others' listeners of this name."""
        if listener not in self._insides:
            shard, folder = self.worker.shard, self.worker.folder
            self._insides[listener] = Inside(shard, folder, listener)
        return self._insides[listener]

    def middleware(self, listener: str) -> AllWorkers:
        """What makes one server of the workers, for a listener."""
        made = AllWorkers(self.inside(listener), self._describe)
        self._middlewares.append(made)
        return made

    def place_viewers(self, placement: Placement) -> None:
        """Let new viewers go to other workers, too."""
        for middleware in self._middlewares:
            middleware.placement = placement

    @property
    def running(self) -> list[int]:
        """The numbers of the other workers that answer requests."""
        own = self.worker.shard.number
        states = (s for s in self.states if s.state == RUNNING)
        return [state.number for state in states if state.number != own]

    def client_told(self, request: web.Request) -> Client | None:
        """The client of a request that another worker has sent; None of any other."""
        for inside in self._insides.values():
            if (client := inside.client_told(request)) is not None:
                return client
        return None

    @property
    def sharing(self) -> Sharing:
        """How the ports are shared."""
        first = self.worker.ports is None
        return Sharing.FIRST if first else Sharing.WITH_OTHERS

    def open(self, port: UdpPort) -> None:
        """Begin to hand over what comes to the wrong worker."""
        port.dispatcher.mark = self.worker.shard.mark
        port.tcp.neighbours = self.neighbours
        self.neighbours.on_busy = port.connect
        self.neighbours.listeners[ICE_LISTENER] = port.tcp.keep
        self.neighbours.open(port.dispatcher)

    async def close(self) -> None:
        """Hand over nothing any more."""
        self.neighbours.close()
        for inside in self._insides.values():
            await inside.close()

    def follow(self, states: list[WorkerState]) -> None:
        """Take note of the state of all workers."""
        self.states = states
        self.neighbours.absent = {s.number for s in states if s.pid is None}

    def _describe(self) -> list[dict[str, Any]]:
        return [asdict(state) for state in self.states]
