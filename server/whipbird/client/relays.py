"""The TURN servers of a session: they help when there is no direct path."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ..net import UdpPort
from ..net.relay import Relay
from ..rtc import Peer
from ..sdp.link import IceServer
from ..transport.turn import TurnError

# Seconds that a direct path has before TURN servers are asked to relay.
DIRECT_TIME = 1.0

TURN_TIMEOUT = 5.0

# TURN servers that are used at once.
MAX_SERVERS = 4


class Relays:
    """Brings TURN servers in when no direct path is found soon.

    The server learns of a relayed address from the checks that come from it. Of several
    only the one that carries the connection is kept.

    Args:
        peer: this side's end of the connection.
        port: its UDP port; None for one that takes no relays.
        timeout: seconds that a connection may take; half of them, or ``TURN_TIMEOUT``,
            are for a TURN server to answer.

    Attributes:
        problems: why TURN servers did not help, in words.
    """

    def __init__(self, peer: Peer, port: UdpPort | None, timeout: float) -> None:
        self._peer = peer
        self._port = port
        self._timeout = min(TURN_TIMEOUT, timeout / 2)
        self._opened: list[Relay] = []
        self.problems: list[str] = []

    @asynccontextmanager
    async def helping(self, servers: Sequence[IceServer]) -> AsyncIterator[None]:
        """Help while a path is looked for; afterwards the one that is used stays."""
        usable = [server for server in servers if _is_usable(server)][:MAX_SERVERS]
        if self._port is None or not usable:
            yield
            return
        self.problems.clear()
        helping = asyncio.create_task(self._help(self._port, usable))
        try:
            yield
        finally:
            helping.cancel()
            (error,) = await asyncio.gather(helping, return_exceptions=True)
            self._close_unused()
            if isinstance(error, Exception):
                raise error

    def close(self) -> None:
        """Give all allocations back."""
        for relay in self._opened:
            if self._port is not None:
                self._port.relays.close(relay)
        self._opened.clear()

    async def _help(self, port: UdpPort, servers: Sequence[IceServer]) -> None:
        await asyncio.sleep(DIRECT_TIME)
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(self._open(port, server))

    async def _open(self, port: UdpPort, server: IceServer) -> None:
        remote = self._peer.remote_candidates
        ipv6 = bool(remote) and all(":" in candidate.address for candidate in remote)
        relay = Relay(server, ipv6=ipv6)
        try:
            await relay.open(self._timeout)
        except TurnError as error:
            self.problems.append(f"the TURN server {server.url} refuses: {error}")
        except TimeoutError:
            self.problems.append(f"the TURN server {server.url} does not answer")
        except OSError as error:
            self.problems.append(
                f"the TURN server {server.url} cannot be reached: "
                f"{error.strerror or error}"
            )
        else:
            self._opened.append(relay)
            self._peer.add_local_candidate(port.relays.add(relay))

    def _close_unused(self) -> None:
        path = self._peer.connection.transport.ice.selected
        used = None if path is None else path.local
        for relay in [relay for relay in self._opened if relay.relayed != used]:
            self._opened.remove(relay)
            if self._port is not None:
                self._port.relays.close(relay)


def _is_usable(server: IceServer) -> bool:
    """Whether it relays, and is reached by UDP, TCP or TLS; DTLS is not supported."""
    address = server.address
    return address.is_turn and (address.is_tcp or not address.is_secure)
