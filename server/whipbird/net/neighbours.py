"""The other workers of this server: what came to the wrong one is handed to its owner.

Every worker has an inbox, a Unix datagram socket that all others write to. A session
answers from its own worker's socket, which has the same address and port.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..transport.path import Address, Path
from .dispatcher import Dispatcher
from .outboxes import Outboxes
from .shard import Shard
from .worker_messages import (
    MAX_MESSAGE,
    Kind,
    Message,
    read,
    read_path,
    write,
    write_datagrams,
    write_facts,
    write_path,
)

logger = logging.getLogger(__name__)

# The name in ``Neighbours.listeners`` of what takes connections of ICE.
ICE_LISTENER = "ice"

# Messages that are read in one turn.
MAX_READS = 64

# A path is worth a socket when so many datagrams come by way of others, in so many
# seconds: those of a publisher, not the reports of a viewer.
BUSY = 100
BUSY_TIME = 2.0

# Where the octets of a STUN transaction id begin (RFC 8489 section 5).
_TRANSACTION_ID = slice(8, 20)

_DESCRIPTOR = socket.CMSG_SPACE(4) if hasattr(socket, "CMSG_SPACE") else 0


@dataclass(frozen=True, slots=True)
class HandoverStats:
    """What was handed over at a moment. Counts are since the start.

    Attributes:
        datagrams_out: datagrams that were handed to other workers.
        datagrams_in: those that others have handed to this one.
        connections_out: TCP connections that were handed to other workers.
        dropped: datagrams for workers that had no room for them.
    """

    datagrams_out: int
    datagrams_in: int
    connections_out: int
    dropped: int


class Neighbours:
    """The other workers, as one of them sees them.

    Args:
        shard: which one this is.
        inbox: where it is told.
        outboxes: the inbox of each worker, by its number.

    Attributes:
        shard: as given.
        hears: take the news of a subject.
        absent: the numbers of workers that have ended, and are to start again.
        on_busy: called with a path of this worker on which others hand over many
            datagrams.
        listeners: take connections that were handed over, by the name of the listener.
    """

    def __init__(
        self, shard: Shard, inbox: socket.socket, outboxes: Sequence[socket.socket]
    ) -> None:
        self.shard = shard
        self.hears: dict[str, Callable[[Mapping[str, Any]], None]] = {}
        self.absent: set[int] = set()
        self.listeners: dict[str, Callable[[socket.socket], None]] = {}
        self.on_busy: Callable[[Path], None] = lambda _: None
        self._inbox = inbox
        self._outboxes = Outboxes(
            {n: outbox for n, outbox in enumerate(outboxes) if n != shard.number}
        )
        self._dispatcher: Dispatcher | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # The workers that have sessions on a path, and the paths of a worker.
        self._owners: dict[tuple[Address, Address], tuple[int, ...]] = {}
        # Paths of sessions of this worker, for workers that start.
        self._claimed: dict[Path, None] = {}
        # Datagrams that others have handed over, by the path, and since when.
        self._handed: dict[Path, tuple[float, int]] = {}
        # What was taken in this turn.
        self._taken: dict[tuple[int, Address, Address], list[bytes]] = {}
        # What was said last of a subject, here and by each of the others.
        self._facts: dict[str, dict[str, Any]] = {}
        self._told: dict[str, dict[int, dict[str, Any]]] = {}
        self._is_handed = self._has_looked = False
        self._out = self._in = self._connections = self._dropped = 0

    def open(self, dispatcher: Dispatcher) -> None:
        """Begin to hand over, and to take what is handed over."""
        self._dispatcher = dispatcher
        self._loop = asyncio.get_running_loop()
        dispatcher.elsewhere = self
        self._loop.add_reader(self._inbox.fileno(), self._read)
        self._outboxes.tell_all(write(Kind.HELLO, self.shard.number))

    def close(self) -> None:
        """Hand over nothing any more. The sockets stay open, for the next worker."""
        if self._loop is None or self._dispatcher is None:
            return
        self._dispatcher.elsewhere = None
        self._loop.remove_reader(self._inbox.fileno())
        self._outboxes.close()
        self._loop = None

    @property
    def stats(self) -> HandoverStats:
        """A snapshot."""
        return HandoverStats(self._out, self._in, self._connections, self._dropped)

    # What the dispatcher does not know

    def take(self, datagram: bytes, local: Address, remote: Address) -> bool:
        """Take a datagram that is not for a session of this worker, if one has it."""
        if self._is_handed:
            return False
        owners = self._owners.get((local, remote))
        if owners is None and not self._has_looked:
            # The owner may have claimed the path just now: then its answer has led to
            # this datagram, and the claim is in the inbox already.
            self._has_looked = True
            self._read()
            owners = self._owners.get((local, remote))
        for owner in owners or ():
            self._hand_over(owner, datagram, local, remote)
        return owners is not None

    def take_stun(self, datagram: bytes, path: Path, ufrag: str) -> bool:
        """Take a STUN message of no session of this worker, if another has it."""
        if self._is_handed or path.is_tcp:
            return False
        shard = self.shard
        owner = (
            shard.other_of_ufrag(ufrag)
            if ufrag
            else shard.other_of_transaction(datagram[_TRANSACTION_ID])
        )
        if owner is None:
            return False
        self._hand_over(owner, datagram, path.local, path.remote)
        return True

    def _hand_over(
        self, owner: int, datagram: bytes, local: Address, remote: Address
    ) -> None:
        self._taken.setdefault((owner, local, remote), []).append(datagram)

    def flush(self) -> None:
        """Hand over what was taken."""
        self._has_looked = False
        if not self._taken:
            return
        taken, self._taken = self._taken, {}
        for (owner, local, remote), datagrams in taken.items():
            head = write_path(local, remote)
            self._out += len(datagrams)
            for message, count in write_datagrams(self.shard.number, head, datagrams):
                if not self._outboxes.send(owner, message):
                    # As in a network that is full.
                    self._dropped += count

    def path_claimed(self, path: Path) -> None:
        """Tell the others of a path of this worker."""
        self._claimed[path] = None
        self._outboxes.tell_all(self._about(Kind.CLAIMED, path))

    def path_released(self, path: Path) -> None:
        """Tell the others that it is none any more."""
        if path in self._claimed:
            del self._claimed[path]
            self._handed.pop(path, None)
            self._outboxes.tell_all(self._about(Kind.RELEASED, path))

    def _about(self, kind: Kind, path: Path) -> bytes:
        return write(kind, self.shard.number, write_path(path.local, path.remote))

    # Connections

    def pass_on(self, owner: int, listener: str, sock: socket.socket) -> bool:
        """Hand a TCP connection to its owner, with nothing read from it, and close it.

        Returns:
            Whether the owner could be handed it; else it stays open here.
        """
        message = write(Kind.CONNECTION, self.shard.number, listener.encode())
        if not self._outboxes.send_with(owner, message, sock.fileno()):
            return False
        self._connections += 1
        sock.close()
        return True

    # Facts

    def tell(self, subject: str, facts: Mapping[str, Any]) -> None:
        """Tell the others facts; those of the same name replace what was said before.

        Args:
            facts: numbers and texts, and lists of them; None takes a fact back.
        """
        known = self._facts.setdefault(subject, {})
        known.update(facts)
        for name in [name for name, fact in facts.items() if fact is None]:
            del known[name]
        for message in write_facts(Kind.FACTS, self.shard.number, subject, facts):
            self._outboxes.tell_all(message)

    def say(self, subject: str, news: Mapping[str, Any]) -> None:
        """Tell the others what has happened, once."""
        for message in write_facts(Kind.NEWS, self.shard.number, subject, news):
            self._outboxes.tell_all(message)

    def told(self, subject: str) -> dict[int, Mapping[str, Any]]:
        """What each of the others has said last of a subject, if it is there."""
        told = self._told.get(subject, {})
        return {n: facts for n, facts in told.items() if n not in self.absent}

    def _forget(self, worker: int) -> None:
        """Forget what a worker has said: another has taken its place."""
        for path, owners in list(self._owners.items()):
            if worker in owners:
                self._release(path, worker)
        for told in self._told.values():
            told.pop(worker, None)

    def _tell_everything(self, worker: int) -> None:
        for path in self._claimed:
            self._outboxes.tell(worker, self._about(Kind.CLAIMED, path))
        for subject, facts in self._facts.items():
            for message in write_facts(Kind.FACTS, self.shard.number, subject, facts):
                self._outboxes.tell(worker, message)

    # The inbox

    def _read(self) -> None:
        assert self._loop is not None
        assert self._dispatcher is not None
        now = self._loop.time()
        has_datagrams = False
        for _ in range(MAX_READS):
            try:
                octets, ancillary, _, _ = self._inbox.recvmsg(MAX_MESSAGE, _DESCRIPTOR)
            except OSError:
                break
            message = read(octets)
            if message.kind is Kind.DATAGRAMS:
                has_datagrams = True
                self._receive(message, now)
            else:
                self._take_note(message, ancillary)
        if has_datagrams and not self._has_looked:
            self._dispatcher.flush(now)

    def _receive(self, message: Message, now: float) -> None:
        assert self._dispatcher is not None
        local, remote = read_path(message.head)
        was_handed, self._is_handed = self._is_handed, True
        before = self._in
        for datagram in message.datagrams:
            self._in += 1
            self._dispatcher.receive(datagram, local, remote, now)
        self._is_handed = was_handed
        self._count(Path(local, remote), self._in - before, now)

    def _count(self, path: Path, count: int, now: float) -> None:
        """Count what was handed over; many datagrams are worth a socket."""
        if path not in self._claimed:
            return
        since, handed = self._handed.get(path, (now, 0))
        if now - since > BUSY_TIME:
            since, handed = now, 0
        self._handed[path] = since, handed + count
        if handed + count >= BUSY:
            # If there is no room for it, it is asked again.
            del self._handed[path]
            self.on_busy(path)

    def _take_note(
        self, message: Message, ancillary: list[tuple[int, int, bytes]]
    ) -> None:
        sender = message.sender
        match message.kind:
            case Kind.HELLO:
                self._forget(sender)
                self._tell_everything(sender)
            case Kind.CLAIMED:
                path = read_path(message.head)
                owners = self._owners.get(path, ())
                if sender not in owners:
                    self._owners[path] = (*owners, sender)
            case Kind.RELEASED:
                self._release(read_path(message.head), sender)
            case Kind.CONNECTION:
                self._accept(message.head.decode(), ancillary)
            case Kind.NEWS:
                hear = self.hears.get(message.head.decode())
                if hear is not None:
                    hear(message.facts)
            case Kind.FACTS:
                told = self._told.setdefault(message.head.decode(), {})
                known = told.setdefault(sender, {})
                known.update(message.facts)
                for name in [n for n, fact in known.items() if fact is None]:
                    del known[name]

    def _release(self, path: tuple[Address, Address], worker: int) -> None:
        owners = tuple(o for o in self._owners.get(path, ()) if o != worker)
        if owners:
            self._owners[path] = owners
        else:
            self._owners.pop(path, None)

    def _accept(self, name: str, ancillary: list[tuple[int, int, bytes]]) -> None:
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                sock = socket.socket(fileno=int.from_bytes(data[:4], "little"))
                sock.setblocking(False)
                accept = self.listeners.get(name)
                if accept is None:
                    sock.close()  # This worker ends.
                else:
                    accept(sock)
