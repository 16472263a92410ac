"""``python -m bench --packets``: a packet to a viewer, compiled and in Python.

A feed's packets are rewritten, encrypted and sent through a real UDP socket to sockets
on loopback; both ways in turn, in one process. CPU time of all threads is measured,
the kernel's too; reading what has come is not. Frames are of 10 packets of 1,200
octets, as of 2.5 Mb/s and 30 frames per second.
"""

import argparse
import asyncio
import os
import statistics
import time

from tests.rtp_packets import write_rtp
from whipbird.media.encoding import Encoding
from whipbird.media.feed import Feed
from whipbird.native import Native, NativeError, find_native
from whipbird.rtp.history import GopBudget
from whipbird.rtp.packet import RtpPacket
from whipbird.transport.srtp import PROFILES, Profile

from .. import program
from ..clients import BenchError
from .viewers import VIDEO, Viewers

COUNTS = (1, 50, 200, 1000)
ROUNDS = 5
# Packets to viewers that are measured in a round, at least.
WORK = 20_000

PACKETS, OCTETS = 10, 1200
CODEC = VIDEO.codecs[0]
# The first octets of VP8: descriptor, and a key frame or another one (RFC 7741).
_KEY, _DELTA = b"\x10\x10\x02\x00\x9d\x01\x2a\x40\x01\xb4\x00", b"\x10\x11\x02\x00"


class Source:
    """An encoding, and the sender of its frames."""

    def __init__(self) -> None:
        self.encoding = Encoding(CODEC, None, lambda: None)
        self._source = self.encoding.add_source(1, CODEC)
        self._sequence = self._timestamp = 0

    async def send(self, *, is_key: bool = False) -> None:
        """Send a frame, and let the feed forward it."""
        now = asyncio.get_running_loop().time()
        for number in range(PACKETS):
            begin = (_KEY if is_key else _DELTA) if number == 0 else b"\x00"
            packet = RtpPacket.parse(
                write_rtp(
                    self._sequence & 0xFFFF,
                    self._timestamp & 0xFFFFFFFF,
                    1,
                    begin.ljust(OCTETS, b"x"),
                    payload_type=CODEC.payload_type,
                    marker=number == PACKETS - 1,
                )
            )
            assert packet is not None
            self._source.receive(packet, CODEC, now)
            self._sequence += 1
        self._timestamp += 3000
        await asyncio.sleep(0)


async def measure(
    count: int, profile: Profile, native: Native | None, work: int = WORK
) -> float:
    """Send frames to viewers.

    Returns:
        Microseconds of CPU for a packet to one of them.
    """
    source, viewers = Source(), Viewers(count, profile, native)
    feed = Feed(
        source.encoding, {}, GopBudget(), None if native is None else native.fan_out
    )
    try:
        for forwarder in viewers.forwarders:
            forwarder.watch(feed)
        await source.send(is_key=True)
        viewers.drain()
        frames = max(work // (count * PACKETS), 3)
        used, came = 0.0, 0
        for _ in range(frames):
            began = time.process_time()
            await source.send()
            used += time.process_time() - began
            came += viewers.drain()
        sent = frames * PACKETS * count
        if viewers.dropped or came < sent * OCTETS:
            raise BenchError("not all packets have come")
        return used * 1e6 / sent
    finally:
        feed.close()
        viewers.close()


async def _main(options: argparse.Namespace) -> int:
    try:
        native = find_native("on")
    except NativeError as error:
        print(f"Skipped: {error}.")
        return 0
    print(
        "us of CPU for a packet to one viewer; medians of "
        f"{options.rounds} rounds, in turn; {len(os.sched_getaffinity(0))} cores.\n\n"
        f"{'profile':28}{'viewers':>8}{'Python':>9}{'compiled':>10}{'ratio':>8}"
    )
    for profile in PROFILES:
        for count in options.viewers:
            ways: dict[Native | None, list[float]] = {None: [], native: []}
            for _ in range(options.rounds):
                for way, found in ways.items():
                    found.append(await measure(count, profile, way))
            python, compiled = (statistics.median(f) for f in ways.values())
            print(
                f"{profile.name.decode():28}{count:8}{python:9.2f}{compiled:10.2f}"
                f"{python / compiled:8.1f}"
            )
    return 0


def main(arguments: list[str]) -> int:
    """Run, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench --packets", description=__doc__
    )
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, metavar="N", help="[default: %(default)s]"
    )
    parser.add_argument(
        "--viewers",
        type=int,
        nargs="+",
        default=COUNTS,
        metavar="N",
        help="[default: %(default)s]",
    )
    return program.run(_main(parser.parse_args(arguments)))
