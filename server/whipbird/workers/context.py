"""What a worker is given by its supervisor, and what they tell each other."""

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..net.shard import Shard

# The state of a worker that answers requests.
RUNNING = "running"

# Octets of a message between a worker and the supervisor, at most.
MAX_MESSAGE = 65_536


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that all workers share, as the first one has got them.

    Attributes:
        http: of the public listener.
        udp: of media.
        ice_tcp: of ICE, if it has one of its own; else 0.
        admin: of operators; 0 without.
    """

    http: int
    udp: int
    ice_tcp: int
    admin: int


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker, as the supervisor sees it.

    Attributes:
        number: which one it is.
        pid: of its process; None while there is none.
        state: ``running``, or ``starting``.
        restarts: how often it has ended by itself.
    """

    number: int
    pid: int | None
    state: str
    restarts: int


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker process needs beside the settings.

    Attributes:
        shard: which one it is.
        inbox: what the others tell it.
        outboxes: the inbox of each, by its number.
        control: to the supervisor.
        folder: that of local sockets.
        secret: signs what all workers accept, where the settings name no secret.
        ports: those that others have already; None for the first to start.
    """

    shard: Shard
    inbox: socket.socket
    outboxes: tuple[socket.socket, ...]
    control: socket.socket
    folder: Path
    secret: bytes
    ports: Ports | None

    def tell_ready(self, ports: Ports) -> None:
        """Tell the supervisor that requests are answered."""
        self.control.send(json.dumps(asdict(ports)).encode())

    def listen(
        self,
        told: Callable[[list[WorkerState]], None],
        abandoned: Callable[[], None],
    ) -> None:
        """Hear the supervisor, in the running loop.

        Args:
            told: called with the state of all workers whenever one has changed.
            abandoned: called when the supervisor has ended.
        """
        loop = asyncio.get_running_loop()

        def read() -> None:
            try:
                octets = self.control.recv(MAX_MESSAGE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                octets = b""
            if octets:
                told([WorkerState(**state) for state in json.loads(octets)])
            else:
                loop.remove_reader(self.control.fileno())
                abandoned()

        self.control.setblocking(False)
        loop.add_reader(self.control.fileno(), read)


def read_ports(octets: bytes) -> Ports:
    """The ports that a worker has told."""
    document: Mapping[str, Any] = json.loads(octets)
    return Ports(**document)


def write_states(states: list[WorkerState]) -> bytes:
    """The states of all workers, as they are told."""
    return json.dumps([asdict(state) for state in states]).encode()
