"""Tests of applications: a server, its clients and their network in one process.

`Stage` is a server with applications, whose clients, publishers and viewers are real
peers; their datagrams go through memory. `run` runs it in virtual time, in which
waiting takes none::

    def test_shout():
        async def scenario():
            async with Stage(app) as stage:
                client = await stage.connect("room")
                channel = await client.open("shout")
                channel.send("hello")
                assert await channel.receive() == "HELLO"

        run(scenario())

Nothing here needs pytest; in an async test of it a `Stage` works too, in real time.
"""

from .client import Channel, Client, Publisher, Viewer
from .stage import Stage
from .virtual_time import Clock, DeadlockError, VirtualTimeLoop, run

__all__ = [
    "Channel",
    "Client",
    "Clock",
    "DeadlockError",
    "Publisher",
    "Stage",
    "Viewer",
    "VirtualTimeLoop",
    "run",
]
