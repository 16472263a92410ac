"""The namespaces of the benchmark through loss, and the relay between them."""

import asyncio
import json
import sys
from typing import Any

import pytest

from bench.loss.lab import CLIENT_ADDRESS, SERVER_ADDRESS, Lab, LabError, lab, started
from bench.loss.way import Impairment
from bench.servers import ROOT

from .namespace import run, why_impossible
from .program import LIMIT

COUNT, SIZE = 1000, 1000
# Octets of IPv4 and UDP headers.
HEADERS = 28

# Sends datagrams in batches, as the server does (udp(7), UDP_SEGMENT).
SEND = f"""
import socket, time
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.IPPROTO_UDP, 103, {SIZE})
for _ in range({COUNT} // 10):
    sender.sendto(bytes({SIZE} * 10), ("{CLIENT_ADDRESS}", 5000))
    time.sleep(0.002)
sender.sendto(b"end", ("{CLIENT_ADDRESS}", 5001))
"""
# Says what has come to its first port when something comes to the other one.
RECEIVE = """
import json, select, socket, time
taken, end = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
taken.bind(("", 5000))
end.bind(("", 5001))
print("ready", flush=True)
sizes, sources = [], set()
while True:
    ready, _, _ = select.select([taken, end], [], [])
    if taken in ready:
        datagram, source = taken.recvfrom(65536)
        sizes.append(len(datagram))
        sources.add(source[0])
    elif end in ready:
        break
print(json.dumps([sizes, list(sources)]), flush=True)
"""


@pytest.fixture(autouse=True)
def _possible() -> None:
    if reason := why_impossible():
        pytest.skip(reason)


async def send(made: Lab) -> tuple[list[int], list[str]]:
    """Send datagrams from the server's side.

    Returns:
        The sizes of those that came, and from where they did.
    """
    receive, transmit = ([sys.executable, "-c", text] for text in (RECEIVE, SEND))
    async with started(made.client, receive, ROOT) as receiver:
        assert receiver.stdout is not None
        await asyncio.wait_for(receiver.stdout.readline(), LIMIT)
        async with started(made.server, transmit, ROOT) as sender:
            await asyncio.wait_for(sender.wait(), LIMIT)
        line = await asyncio.wait_for(receiver.stdout.readline(), LIMIT)
    found: list[Any] = json.loads(line)
    return found[0], found[1]


async def test_packets_pass_the_relay_and_some_are_lost() -> None:
    async with lab(seed=1) as made:
        sizes, sources = await send(made)
        clean = (await made.impair(Impairment(loss=0.2)))["down"]
        assert sizes == [SIZE] * COUNT
        assert sources == [SERVER_ADDRESS]
        assert clean.lost == clean.overflowed == 0
        # One more said that it was the end.
        assert clean.datagrams == COUNT + 1
        assert clean.octets == COUNT * (SIZE + HEADERS) + len(b"end") + HEADERS

        lossy = (await made.impair(up=Impairment()))["down"]
        assert lossy.datagrams == 0
        # The end may be among the lost ones: so it is asked of the relay.
        transmit = [sys.executable, "-c", SEND]
        async with started(made.server, transmit, ROOT) as sender:
            await asyncio.wait_for(sender.wait(), LIMIT)
        lossy = (await made.impair())["down"]
        assert lossy.lost / lossy.datagrams == pytest.approx(0.2, abs=0.05)


async def test_nothing_is_left_of_it() -> None:
    before = run("ip", "-brief", "link")
    async with lab(seed=1) as made:
        names = {made.server, made.client}
        assert names < {n.split()[0] for n in run("ip", "netns").splitlines()}
    assert not names & {n.split()[0] for n in run("ip", "netns").splitlines()}
    assert run("ip", "-brief", "link") == before


async def test_two_at_once_of_one_process_are_refused() -> None:
    async with lab(seed=1):
        with pytest.raises(LabError, match="File exists"):
            async with lab(seed=1):
                pass
