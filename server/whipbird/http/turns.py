"""Requests that take long to compute: one at a time, the clients in turn."""

import asyncio

from ..net.clients import network_of


class Turns:
    """Lets one request pass in each turn of the event loop.

    An offer or a restart takes milliseconds. If a client sends many at once, all of
    them would be handled in one turn, and meanwhile nobody's datagrams are read.
    """

    def __init__(self) -> None:
        self._all = asyncio.Lock()
        self._clients: dict[str, tuple[asyncio.Lock, set[object]]] = {}

    async def wait(self, address: str) -> None:
        """Wait for the turn of a client's request.

        Args:
            address: the client's IP address.
        """
        client, me = network_of(address), object()
        lock, waiting = self._clients.setdefault(client, (asyncio.Lock(), set()))
        waiting.add(me)
        try:
            # One of each client waits for all others; so they take turns.
            async with lock, self._all:
                await asyncio.sleep(0)
        finally:
            waiting.discard(me)
            if not waiting:
                del self._clients[client]
