"""What the workers of a server tell each other: messages as octets (no I/O)."""

import enum
import marshal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from struct import Struct
from typing import Any

from ..transport.path import Address
from .udp_socket import batch_end

# Kind, sender, the size of the datagrams but for the last, the length of the head.
_START = Struct("=BBHB")

# Octets of datagrams in one message.
MAX_DATAGRAMS = 60_000

# Facts in one message; each is short.
MAX_FACTS = 256

# Paths whose heads are remembered.
PATHS = 4096

# Octets of a message: what a batch of datagrams needs, and its start and head.
MAX_MESSAGE = 65_535


class Kind(enum.IntEnum):
    """What a message is."""

    # The sender has started: nothing that it said before holds any more.
    HELLO = 0
    # Datagrams that came to the sender. The head is their path.
    DATAGRAMS = 1
    # A session of the sender is on a path; none is any more.
    CLAIMED = 2
    RELEASED = 3
    # A TCP connection, whose descriptor comes along. The head is the listener's name.
    CONNECTION = 4
    # Facts of one subject, in a dict. The head is the subject.
    FACTS = 5
    # The same, of what has happened once: nobody remembers it.
    NEWS = 6


_KINDS = {int(kind): kind for kind in Kind}


@dataclass(slots=True)
class Message:
    """A message, read.

    Attributes:
        sender: the number of the worker that has sent it.
        head: what it is about.
        size: octets of each datagram but the last.
        body: the datagrams, one behind the other, or facts.
    """

    kind: Kind
    sender: int
    head: bytes
    size: int
    body: bytes

    @property
    def datagrams(self) -> Iterator[bytes]:
        """The datagrams."""
        size = self.size or len(self.body)
        for start in range(0, len(self.body), size):
            yield self.body[start : start + size]

    @property
    def facts(self) -> Mapping[str, Any]:
        """The facts."""
        facts: Mapping[str, Any] = marshal.loads(self.body)
        return facts


def write(kind: Kind, sender: int, head: bytes = b"", body: bytes = b"") -> bytes:
    """A message."""
    return _START.pack(kind, sender, 0, len(head)) + head + body


def write_datagrams(
    sender: int, head: bytes, datagrams: Sequence[bytes]
) -> Iterator[tuple[bytes, int]]:
    """Messages with datagrams of one path, as few as possible, in order.

    Yields:
        Each message, and how many datagrams it has.
    """
    start, count = 0, len(datagrams)
    while start < count:
        rest = datagrams[start:]
        sizes = list(map(len, rest))
        end = min(batch_end(sizes), max(1, MAX_DATAGRAMS // sizes[0]))
        begin = _START.pack(Kind.DATAGRAMS, sender, sizes[0], len(head))
        yield b"".join((begin, head, *rest[:end])), end
        start += end


def write_facts(
    kind: Kind, sender: int, subject: str, facts: Mapping[str, Any]
) -> Iterator[bytes]:
    """Messages with facts, or news, of one subject."""
    names = iter(facts)
    while some := list(islice(names, MAX_FACTS)):
        # Six times faster than JSON; all workers are forks of one process.
        body = marshal.dumps({name: facts[name] for name in some})
        yield write(kind, sender, subject.encode(), body)


def read(octets: bytes) -> Message:
    """Read a message; only this server's own workers can have sent it."""
    kind, sender, size, length = _START.unpack_from(octets)
    end = _START.size + length
    return Message(_KINDS[kind], sender, octets[_START.size : end], size, octets[end:])


@lru_cache(maxsize=PATHS)
def write_path(local: Address, remote: Address) -> bytes:
    """A path, as the head of a message."""
    return f"{local[0]} {local[1]} {remote[0]} {remote[1]}".encode()


@lru_cache(maxsize=PATHS)
def read_path(head: bytes) -> tuple[Address, Address]:
    """The local and the remote address of a path."""
    local, local_port, remote, remote_port = head.decode().split(" ")
    return (local, int(local_port)), (remote, int(remote_port))
