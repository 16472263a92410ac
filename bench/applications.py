"""What an application that does nothing costs: echoes and media with it and without it.

    python -m bench.applications

Server, clients and network are in one process and in virtual time, so that only the
CPU counts; its time is that of all of them together. Both variants take turns.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from whipbird import Application, Channel, EncodedFrame, Session, Source, Stream
from whipbird.testing import Stage, run

ROUNDS = 31
MESSAGES = 5_000
FRAMES = 150
VIEWERS = 10

# Messages on their way at once.
_BATCH = 50
# Octets of a picture, and of a message.
_PICTURE, _MESSAGE = 8_000, 100

Trial = Callable[[Stage, int], Coroutine[Any, Any, float]]


class Idle(Application):
    """Has all handlers, and does nothing in them. It takes channels of its label."""

    channels = "idle"

    async def on_session(self, session: Session) -> None:
        """Do nothing."""

    async def on_message(self, channel: Channel, data: str | bytes) -> None:
        """Do nothing."""

    async def on_stream(self, stream: Stream) -> None:
        """Do nothing."""


async def echoes(stage: Stage, count: int) -> float:
    """CPU seconds for a message and its echo."""
    client = await stage.connect("bench")
    channel = await client.open("echo")
    began = time.process_time()
    for _ in range(count // _BATCH):
        for _ in range(_BATCH):
            channel.send(bytes(_MESSAGE))
        for _ in range(_BATCH):
            await channel.receive()
    return (time.process_time() - began) / count


async def media(stage: Stage, count: int) -> float:
    """CPU seconds for a picture to one of the viewers."""
    source = await stage.server.publish("bench")
    await send(source, 0)
    viewers = [await stage.watch("bench") for _ in range(VIEWERS)]
    began = time.process_time()
    for number in range(1, count + 1):
        await send(source, number)
    took = time.process_time() - began
    if any(viewer.tracks["video"].size is None for viewer in viewers):
        raise RuntimeError("a viewer has got no picture")
    for viewer in viewers:
        await viewer.close()
    await source.close()
    return took / count / VIEWERS


async def send(source: Source, number: int) -> None:
    """Send a picture of VP8, whose contents mean nothing."""
    now = asyncio.get_running_loop().time()
    head = bytes.fromhex("100200 9d012a 8002 6801" if number == 0 else "110200")
    picture = head + bytes(_PICTURE - len(head))
    await source.send(EncodedFrame("vp8", picture, now, number == 0))
    await asyncio.sleep(1 / 30)


async def trial(measure: Trial, apps: list[Application], count: int) -> float:
    """One measurement with a new server."""
    async with Stage(*apps) as stage:
        return await measure(stage, count)


def compare(
    rounds: int = ROUNDS, messages: int = MESSAGES, frames: int = FRAMES
) -> Mapping[str, tuple[float, float, float]]:
    """Measure both variants in turn.

    Returns:
        For each path: the median microseconds without and with the application, and
        the median of the ratios of each round.
    """
    found: dict[str, tuple[float, float, float]] = {}
    paths: Mapping[str, tuple[Trial, int]] = {
        "echo": (echoes, messages),
        "media": (media, frames),
    }
    for name, (measure, count) in paths.items():
        pairs: list[tuple[float, float]] = []
        for number in range(rounds):
            took: dict[bool, float] = {}
            for has_app in (False, True) if number % 2 else (True, False):
                apps: list[Application] = [Idle()] if has_app else []
                took[has_app] = 1e6 * run(trial(measure, apps, count))
            pairs.append((took[False], took[True]))
        without = statistics.median(before for before, _ in pairs)
        with_it = statistics.median(after for _, after in pairs)
        ratio = statistics.median(after / before for before, after in pairs)
        found[name] = (without, with_it, ratio)
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.applications")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    print(f"{'CPU':8} {'without':>10} {'with':>10} {'ratio':>7}")
    for name, (without, with_it, ratio) in compare(rounds).items():
        print(f"{name:8} {without:8.2f}µs {with_it:8.2f}µs {ratio:7.3f}")


if __name__ == "__main__":
    main()
