"""The relay: a process between two interfaces, which it joins like a bridge.

It runs in a namespace of its own and reads whole Ethernet frames, so both sides keep
their addresses. It obeys the lines of its standard input: see `main`.
"""

import contextlib
import dataclasses
import heapq
import json
import os
import select
import struct
import sys
import time
from collections.abc import Sequence
from socket import AF_PACKET, SOCK_RAW, htons, socket

from .way import Counters, Impairment, Way

#: The two directions, by the interface that packets come from.
DIRECTIONS = {"down": "server", "up": "client"}

# Of Linux: packet(7), if_ether.h, virtio_net.h. Python has no names for these.
_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_VNET_HDR = 15
_PACKET_OUTGOING = 4
# A frame begins with what the kernel has yet to do with it: its checksum.
_VNET_HEADER = 10
_ETHERNET_HEADER = 14
_IP, _UDP = 0x0800, 17
_BUFFER = 4 * 1024 * 1024
_SO_RCVBUFFORCE = 33

_MAX_FRAME = 65536


class _Direction:
    """Packets from one interface to the other."""

    def __init__(self, name: str, source: socket, sink: socket, seed: int) -> None:
        self.way = Way(f"{seed}/{name}")
        self.source = source
        self._sink = sink
        self._waiting: list[tuple[float, int, bytes]] = []
        self._count = 0

    @property
    def deadline(self) -> float | None:
        """When the next packet leaves."""
        return self._waiting[0][0] if self._waiting else None

    def read(self) -> None:
        """Take all frames that have come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, address = self.source.recvfrom(_MAX_FRAME)
                if address[2] != _PACKET_OUTGOING:
                    self._take(frame)

    def _take(self, frame: bytes) -> None:
        now = time.monotonic()
        size = len(frame) - _VNET_HEADER - _ETHERNET_HEADER
        leaves = self.way.departure(size, _is_udp(frame), now)
        if leaves is not None:
            self._count += 1
            heapq.heappush(self._waiting, (leaves, self._count, frame))

    def write(self) -> None:
        """Pass on what is due."""
        waiting, counters = self._waiting, self.way.counters
        while waiting and waiting[0][0] <= (now := time.monotonic()):
            due, _, frame = heapq.heappop(waiting)
            counters.passed += 1
            counters.late += now - due
            # An interface that takes no more drops it, as a real one does.
            with contextlib.suppress(OSError):
                self._sink.send(frame)


def _is_udp(frame: bytes) -> bool:
    kind = int.from_bytes(frame[_VNET_HEADER + 12 : _VNET_HEADER + 14])
    return kind == _IP and frame[_VNET_HEADER + _ETHERNET_HEADER + 9] == _UDP


def _open(interface: str) -> socket:
    opened = socket(AF_PACKET, SOCK_RAW, htons(_ETH_P_ALL))
    opened.setblocking(False)
    opened.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, struct.pack("@i", 1))
    opened.setsockopt(1, _SO_RCVBUFFORCE, struct.pack("@i", _BUFFER))
    opened.bind((interface, _ETH_P_ALL))
    return opened


class _Relay:
    """Both directions, and the commands."""

    def __init__(self, seed: int) -> None:
        sockets = {name: _open(name) for name in DIRECTIONS.values()}
        other = dict(zip(sockets, reversed(sockets), strict=True))
        self._directions = {
            name: _Direction(name, sockets[side], sockets[other[side]], seed)
            for name, side in DIRECTIONS.items()
        }

    def run(self) -> None:
        """Pass packets on until the standard input ends."""
        sources = {d.source: d for d in self._directions.values()}
        while True:
            ready, _, _ = select.select([*sources, sys.stdin], [], [], self._pause())
            for source, direction in sources.items():
                if source in ready:
                    direction.read()
            if sys.stdin in ready:
                line = sys.stdin.readline()
                if not line:
                    return
                self._obey(line)
            for direction in sources.values():
                direction.write()

    def _pause(self) -> float | None:
        deadlines = [d.deadline for d in self._directions.values()]
        known = [deadline for deadline in deadlines if deadline is not None]
        return max(min(known) - time.monotonic(), 0.0) if known else None

    def _obey(self, line: str) -> None:
        counters = {}
        for name, impairment in json.loads(line).items():
            way = self._directions[name].way
            if impairment is not None:
                way.change(Impairment(**impairment))
            counters[name] = dataclasses.asdict(way.counters)
            way.counters = Counters()
        print(json.dumps(counters), flush=True)


def main(arguments: Sequence[str]) -> None:
    """Join the interfaces ``server`` and ``client``.

    A line of the standard input is a JSON object: the name of each direction, with the
    fields of an `Impairment` or null to leave it. The answer is a line with the
    `Counters` of these directions since the line before.

    Args:
        arguments: the seed.
    """
    # Late packets would be the relay's, not the path's.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    relay = _Relay(int(arguments[0]))
    print("{}", flush=True)
    relay.run()


if __name__ == "__main__":
    main(sys.argv[1:])
