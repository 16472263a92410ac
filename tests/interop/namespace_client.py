"""Clients for the namespaces: each does one thing, and prints what came of it.

python -m tests.interop.namespace_client answer|restart|watch URL
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from tests.waiting import until
from whipbird.client import WhipClient
from whipbird.sdp.parser import parse_description

from .aiortc_viewer import AiortcViewer

# Seconds from one message to the next.
INTERVAL = 0.02

# Messages, or frames, that are enough.
ENOUGH = 30


async def answer(url: str) -> dict[str, Any]:
    """The addresses and ports that the server offers, in its order."""
    async with WhipClient(url) as client:
        client.peer.createDataChannel("test")
        await client.post()
        section = parse_description(client.answer).media[0]
    lines = [a.value.split() for a in section.attributes if a.name == "candidate"]
    return {"candidates": [[line[2].lower(), line[4], int(line[5])] for line in lines]}


async def restart(url: str) -> dict[str, Any]:
    """Restart ICE after a line of input, while messages go to and fro."""
    sent: list[int] = []
    echoed: list[int] = []
    async with WhipClient(url) as client:
        channel = client.peer.createDataChannel("test")
        channel.on("message", lambda message: echoed.append(int(message)))
        await client.connect()
        await client.opened(channel)

        async def send() -> None:
            while True:
                sent.append(len(sent))
                channel.send(str(sent[-1]))
                await asyncio.sleep(INTERVAL)

        sending = asyncio.create_task(send())
        await until(lambda: len(echoed) >= ENOUGH)
        print("ready")  # noqa: T201
        await asyncio.to_thread(sys.stdin.readline)
        ufrags = [client.peer.local_ice.ice.ufrag]
        await client.restart()
        ufrags.append(client.peer.local_ice.ice.ufrag)
        later = len(sent) + ENOUGH
        await until(lambda: len(echoed) >= later)
        sending.cancel()
        await until(lambda: len(echoed) == len(sent))
        address = client.peer.peer_address
    return {"sent": sent, "echoed": echoed, "ufrags": ufrags, "address": address}


async def watch(url: str) -> dict[str, Any]:
    """Watch until there is enough picture and sound, with aiortc's own transport."""
    async with AiortcViewer(url) as viewer:
        await until(
            lambda: all(len(frames) >= ENOUGH for frames in viewer.frames.values())
        )
        counts = {kind: len(frames) for kind, frames in viewer.frames.items()}
        return {**counts, "sizes": viewer.sizes()}


def main() -> None:
    commands: dict[str, Callable[[str], Awaitable[dict[str, Any]]]] = {
        "answer": answer,
        "restart": restart,
        "watch": watch,
    }

    async def run() -> dict[str, Any]:
        return await commands[sys.argv[1]](sys.argv[2])

    print(json.dumps(asyncio.run(run())))  # noqa: T201


if __name__ == "__main__":
    main()
