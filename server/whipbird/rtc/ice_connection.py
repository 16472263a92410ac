"""ICE of a peer (RFC 8445): its sockets, and an agent for each ICE session."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from aioice.ice import CandidatePair, StunProtocol
from aioice.stun import Message

from .addresses import HostAddresses
from .ice_agent import IceAgent
from .ice_socket import IceSocket, IceSockets
from .packet_buffer import PacketBuffer

# Datagrams kept until the DTLS transport takes them (a ClientHello may come early).
MAX_EARLY_DATAGRAMS = 64

# Seconds that an ICE restart may take once nothing can be sent on the old pair.
RESTART_TIMEOUT = 15.0


class IceConnection:
    """The way of datagrams between two peers, over all ICE sessions.

    An ICE restart (RFC 8445 section 9) makes a new agent on the same sockets, and on
    those of addresses that are new. The old agent's pair carries the data until the
    new agent has one.

    Args:
        addresses: where the addresses of this machine are found.

    Attributes:
        verified_addresses: who has shown by a check to know an ICE password. DTLS
            takes the first datagram from anybody for its peer's, so nobody else may
            reach it.
    """

    def __init__(self, addresses: HostAddresses) -> None:
        self._agent = IceAgent(self, controlling=False)
        self._next: IceAgent | None = None
        self._newest = self._agent
        self._sockets = IceSockets(self, addresses)
        self._pair: CandidatePair | None = None
        self.verified_addresses: set[tuple[str, int]] = set()
        self._sink: Callable[[bytes], None] | None = None
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._established: asyncio.Future[None] | None = None
        self._closing = False
        self._closed = asyncio.Event()
        # Whatever runs by itself; each is gone when the connection is closed.
        self._tasks: set[asyncio.Task[Any]] = set()
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def agent(self) -> IceAgent:
        """The agent of the newest ICE session."""
        return self._next or self._agent

    @property
    def selected_pair(self) -> CandidatePair | None:
        """The pair that carries the data, or None when there is none."""
        return self._pair

    async def connect(self) -> None:
        """Connect for the first time.

        Raises:
            ConnectionError: when no pair works, or the connection is closed.
        """
        self._established = asyncio.get_running_loop().create_future()
        if self._closing:
            raise ConnectionError("ICE is closed")
        self._start(self._agent)
        await self._established

    # Datagrams

    def send_now(self, data: bytes) -> None:
        """Send a datagram to the peer.

        Raises:
            ConnectionError: when there is no connection. While a restart may still
                bring it back, the datagram is lost as on any network.
        """
        pair = self._pair
        if pair is not None:
            pair.protocol.transport.sendto(data, pair.remote_addr)
        elif self._next is None:
            raise ConnectionError("Cannot send data, not connected")

    def send_batch(self, batch: PacketBuffer) -> None:
        """Send the packets of a buffer to the peer.

        Raises:
            ConnectionError: as above.
        """
        pair = self._pair
        if pair is not None:
            socket: IceSocket = pair.protocol  # type: ignore[assignment]
            socket.send_batch(batch, pair.remote_addr)
        elif self._next is None:
            raise ConnectionError("Cannot send data, not connected")

    @property
    def waiting(self) -> int:
        """Octets that the network has not taken yet."""
        pair = self._pair
        return 0 if pair is None else cast(IceSocket, pair.protocol).waiting

    def attach(self, sink: Callable[[bytes], None]) -> None:
        """Deliver datagrams to a function, those that came before it first."""
        early = []
        while not self._queue.empty():
            early.append(self._queue.get_nowait())
        self._sink = sink
        for item in early:
            if item is None:
                self._queue.put_nowait(None)
            else:
                sink(item)

    def detach(self) -> None:
        """Drop datagrams from now on."""
        self._sink = _drop

    def end(self) -> None:
        """Let whoever waits for a datagram know that there will be none."""
        self._queue.put_nowait(None)

    # ICE restart

    async def restart(self) -> IceAgent:
        """Begin a new ICE session beside the current one; an unfinished one is dropped.

        Returns:
            Its agent, with this side's new credentials and candidates.

        Raises:
            ConnectionError: when the connection is closed, or no socket can be opened.
        """
        sockets = await self._sockets.open()
        if self._closing:
            raise ConnectionError("ICE is closed")
        agent = IceAgent(self, controlling=self._agent.ice_controlling)
        agent.use(sockets)
        unfinished, self._next, self._newest = self._next, agent, agent
        if unfinished is not None:
            self._retire(unfinished)
        return agent

    def accept_restart(self, ufrag: str, pwd: str) -> None:
        """Begin the checks of the new ICE session, whose remote credentials are known.

        Raises:
            ConnectionError: when no restart has begun.
        """
        agent = self._next
        if agent is None:
            raise ConnectionError("No ICE restart has begun")
        agent.remote_username, agent.remote_password = ufrag, pwd
        agent.remote_is_lite = self._agent.remote_is_lite
        self._start(agent)

    async def restarted(self) -> None:
        """Wait until the new ICE session has a pair.

        Raises:
            ConnectionError: when it has been dropped.
        """
        agent = self._newest
        await agent.settled.wait()
        if self._closing or self._agent is not agent:
            raise ConnectionError("The ICE restart was given up")

    def abandon_restart(self) -> None:
        """Drop the new ICE session, if there is one, and keep the old."""
        if self._next is not None:
            agent, self._next = self._next, None
            self._retire(agent)
            if self._pair is None and self._was_established:
                self._close_soon()

    # What an agent and a socket tell

    def address_verified(self, address: tuple[str, int]) -> None:
        """Hear what comes from this address."""
        self.verified_addresses.add(address)

    def pair_nominated(self, agent: IceAgent, pair: CandidatePair) -> None:
        """Send on this pair from now on."""
        if agent is self._next:
            old, self._agent, self._next = self._agent, agent, None
            # What is still on its way from the old addresses is heard.
            self.verified_addresses = old.verified_addresses | agent.verified_addresses
            self._retire(old)
            if self._deadline is not None:
                self._deadline.cancel()
        if agent is self._agent:
            self._pair = pair
            if self._established is not None and not self._established.done():
                self._established.set_result(None)

    def consent_expired(self, agent: IceAgent) -> None:
        """Send nothing any more (RFC 7675 section 5.1)."""
        if agent is not self._agent:
            return
        self._pair = None
        if self._next is None:
            self._close_soon()
        else:
            # The end of the session too, unless the restart succeeds soon.
            self._deadline = asyncio.get_running_loop().call_later(
                RESTART_TIMEOUT, self.abandon_restart
            )

    def request_received(
        self, message: Message, addr: tuple[str, int], protocol: StunProtocol
    ) -> None:
        """Hand a STUN request to the agent whose session it is about."""
        agent = self._agent
        if self._next is not None:
            ufrag = str(message.attributes.get("USERNAME", "")).partition(":")[0]
            if ufrag != agent.local_username:
                agent = self._next
        agent.request_received(message, addr, protocol)

    def data_received(self, data: bytes) -> None:
        """Take a datagram that is not STUN."""
        if self._sink is not None:
            self._sink(data)
        elif self._queue.qsize() < MAX_EARLY_DATAGRAMS:
            self._queue.put_nowait(data)

    def protocol_lost(self, protocol: StunProtocol) -> None:
        """A socket has been closed: the end when it is the one in use."""
        if self._pair is not None and self._pair.protocol is protocol:
            self.end()

    async def close(self) -> None:
        """End it all, and wait until nothing of it is left."""
        self._closing = True
        self._pair = None
        if self._deadline is not None:
            self._deadline.cancel()
        for agent in (self._agent, self._next):
            if agent is not None:
                self._retire(agent)
        if self._established is not None and not self._established.done():
            self._established.set_exception(ConnectionError("ICE is closed"))
        if others := self._tasks - {asyncio.current_task()}:
            await asyncio.wait(others)
        await self._sockets.close()
        self.end()
        self._closed.set()

    # Private

    @property
    def _was_established(self) -> bool:
        return self._established is not None and self._established.done()

    def _start(self, agent: IceAgent) -> None:
        self._spawn(self._connect(agent))

    async def _connect(self, agent: IceAgent) -> None:
        try:
            await agent.connect()
        except ConnectionError as error:
            if agent is self._next:
                self.abandon_restart()
            elif self._next is None and not self._was_established:
                assert self._established is not None
                self._established.set_exception(error)

    def _retire(self, agent: IceAgent) -> None:
        """Stop an agent, and close the sockets that no other uses."""
        for task in agent.stop():
            self._keep(task)
        used = [a for a in (self._agent, self._next) if a is not None]
        for socket in self._sockets.take_unused(used):
            self._spawn(socket.close())

    def _close_soon(self) -> None:
        if not self._closing:
            self._spawn(self.close())

    def _spawn(self, coroutine: Any) -> None:
        self._keep(asyncio.create_task(coroutine))

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _drop(_data: bytes) -> None:
    """The sink of a connection that is over."""
