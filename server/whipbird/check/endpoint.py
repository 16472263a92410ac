"""The endpoint under test: its sessions, and shared results about it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, TypeVar

from aiohttp import hdrs
from yarl import URL

from ..net import HostAddresses
from ..rtc import Certificate
from ..rtc.probe import StunProbe
from ..sdp.errors import SdpError
from .answer import Answer
from .client import Client, NotConnected
from .exchange import Exchange, NoResponse, location_of
from .offers import LocalTransport, Shape, write_offer
from .presence import Presence
from .protocol import WHIP, Protocol
from .requests import Options, Requests, is_loopback
from .rule import Failed, Skipped
from .session import Connected, OpenSession

T = TypeVar("T")


class Endpoint(Requests):
    """A WHIP endpoint.

    Attributes:
        greeting: the POST of the usual offer; None before it is sent.
        presence: tells whether sessions are still there.
        shape: the shape of the usual offer.
        path_kinds: the kinds to offer for sessions that connect.
        echoes: whether the server echoes data-channel messages.
    """

    def __init__(self, url: URL, options: Options, protocol: Protocol = WHIP) -> None:
        super().__init__(url, options, protocol)
        self.greeting: Exchange | None = None
        self.presence = Presence(self)
        self.shape = Shape()
        self.path_kinds: tuple[str, ...] = ()
        self.echoes = False
        self._certificate = Certificate.generate()
        # A server that is tried out may have no other addresses.
        self._addresses = HostAddresses(loopback=is_loopback(url))
        self._shared: dict[Callable[..., Any], asyncio.Task[Any]] = {}
        self._probes: list[StunProbe] = []
        self._unconnected: LocalTransport | None = None
        # Sessions that may be connected, their clients, and the task that has them.
        self._connected: list[Connected] = []
        self._clients: list[Client] = []
        self._turn = asyncio.Lock()
        self._turn_of: asyncio.Task[Any] | None = None

    # The usual offer (see greeting.py)

    @property
    def standard(self) -> Exchange:
        """The successful POST of the usual offer."""
        assert self.greeting is not None
        return self.greeting

    def session(self) -> OpenSession:
        """The session of the usual offer, to examine its answer; it may have ended.

        Raises:
            Skipped: when there is none.
        """
        assert self._unconnected is not None
        return self._opened(self.standard, self._unconnected, self.shape)

    # Sessions

    async def post_shape(
        self,
        shape: Shape,
        local: LocalTransport | None = None,
        timeout: float | None = None,
    ) -> Exchange:
        """POST an offer of some shape, by default one that will not connect."""
        if local is None:
            local = await self.unconnected_transport()
        if not shape.direction:
            shape = replace(shape, direction=self.protocol.direction)
        return await self.post(write_offer(local, shape).encode(), timeout=timeout)

    async def unconnected_transport(self) -> LocalTransport:
        """The transport of offers that will not connect: it has one candidate."""
        if self._unconnected is None:
            host, port = self.url.host or "", self.url.port or 0
            try:
                probe = await self._new_probe(await _resolve(host, port))
            except OSError as error:
                raise NoResponse(f"{host}: {error.strerror or error}") from error
            self._unconnected = LocalTransport.made_up(probe.candidate)
        return self._unconnected

    async def another_transport(self) -> LocalTransport:
        """The same with credentials and a certificate of its own: another client."""
        return LocalTransport.made_up(*(await self.unconnected_transport()).candidates)

    async def open(
        self, shape: Shape | None = None, local: LocalTransport | None = None
    ) -> OpenSession:
        """Open a separate session, for a rule that changes it.

        Raises:
            Skipped: when the server does not open one.
        """
        shape = shape or self.shape
        if local is None:
            local = await self.another_transport()
        exchange = await self.post_shape(shape, local)
        return self._opened(exchange, local, shape)

    def _opened(
        self, exchange: Exchange, local: LocalTransport, shape: Shape
    ) -> OpenSession:
        if not exchange.is_success:
            raise Skipped(f"no session was opened: {exchange}", exchange)
        answer = answer_of(exchange)
        url = location_of(exchange)
        if url is None:
            raise Skipped("the session has no URL", exchange)
        return OpenSession(
            exchange, url, local, shape, answer, exchange.received.get(hdrs.ETAG)
        )

    async def offer(
        self,
        *,
        setup: str = "actpass",
        candidates: bool = True,
        describes_sources: bool = True,
    ) -> Connected:
        """Open a session of a client that can connect.

        Only one of them is there at a time, since many servers let one client publish a
        stream, and end the session of the one before. It ends with the rule or shared
        result that has opened it; until then others wait.

        Args:
            setup: the DTLS role to offer.
            candidates: whether to offer candidates.
            describes_sources: see ``Shape``.

        Raises:
            Skipped: when the session does not open.
        """
        await self._take_turn()
        client = Client(
            self._certificate, self._addresses, self.path_kinds, self.protocol.direction
        )
        self._clients.append(client)
        await client.prepare()
        local = client.transport
        if not candidates:
            local = replace(local, candidates=())
        shape = Shape(self.path_kinds, setup=setup, describes_sources=describes_sources)
        session = await self.open(shape, local)
        connected = Connected(session, client)
        self._connected.append(connected)
        return connected

    async def connect(
        self,
        *,
        setup: str = "actpass",
        candidates: bool = True,
        describes_sources: bool = True,
    ) -> Connected:
        """Open a session and connect (see ``offer``).

        Raises:
            Skipped: when the session does not open or connect.
        """
        connected = await self.offer(
            setup=setup, candidates=candidates, describes_sources=describes_sources
        )
        session, client = connected.session, connected.client
        try:
            await client.accept(session.answer)
            await client.connected(self.options.timeout)
        except NotConnected as error:
            raise Skipped(f"not connected: {error}", session.exchange) from error
        return connected

    async def _take_turn(self) -> None:
        task = asyncio.current_task()
        if self._turn_of is not task:
            await self._turn.acquire()
            self._turn_of = task

    async def end_turn(self) -> None:
        """End the sessions that this task has connected; others may connect now."""
        if self._turn_of is not asyncio.current_task():
            return
        try:
            while self._connected:
                with contextlib.suppress(NoResponse):
                    await self.end(self._connected[-1])
            while self._clients:
                await self._clients.pop().close()
        finally:
            self._turn_of = None
            self._turn.release()

    async def expect_connection(
        self, *, setup: str = "actpass", candidates: bool = True
    ) -> None:
        """Check that a session connects with these parameters.

        Raises:
            Failed: when it does not connect, or nothing is received.
            Skipped: when the usual offer does not connect either.
        """
        await self.shared(_usual_connection)
        try:
            connected = await self.connect(setup=setup, candidates=candidates)
        except Skipped as problem:
            raise Failed(problem.reason, *problem.exchanges) from None
        alive = await self.is_alive(connected)
        await self.end(connected)
        if not alive:
            raise Failed(
                "connected, but nothing comes back", connected.session.exchange
            )

    async def is_alive(self, connected: Connected) -> bool:
        """Whether the media path of a session works."""
        return await connected.client.is_alive(self.echoes)

    async def end(self, connected: Connected) -> None:
        """End a session that is not needed any more."""
        self._connected.remove(connected)
        try:
            await self.request("DELETE", connected.session.url)
        finally:
            await connected.client.close()

    async def probe(self, session: OpenSession) -> StunProbe:
        """Open a probe: a candidate that the server can reach.

        Raises:
            Skipped: when the server cannot reach this machine.
        """
        usable = session.answer.usable_candidates
        if not usable:
            raise Skipped("the answer has no usable candidate", session.exchange)
        address = usable[0].address
        try:
            probe = await self._new_probe((address, usable[0].port))
        except OSError as error:
            raise Skipped(f"no route to {address}: {error.strerror}") from error
        own = probe.candidate.address
        if ip_address(address).is_global and ip_address(own).is_private:
            raise Skipped(f"this machine ({own}) is behind a NAT")
        return probe

    async def _new_probe(self, towards: tuple[str, int]) -> StunProbe:
        probe = await StunProbe.open(towards)
        self._probes.append(probe)
        return probe

    # Results shared by several rules

    async def shared(self, make: Callable[["Endpoint"], Awaitable[T]]) -> T:
        """Call a function with this endpoint once, and share its result."""
        task = self._shared.get(make)
        if task is None:
            task = asyncio.create_task(self._make(make))
            # Mark its exception as retrieved: there may be nobody waiting for it.
            task.add_done_callback(lambda t: t.cancelled() or t.exception())
            self._shared[make] = task
        return await asyncio.shield(task)

    async def _make(self, make: Callable[["Endpoint"], Awaitable[T]]) -> T:
        try:
            return await make(self)
        finally:
            await self.end_turn()

    async def end_sessions(self) -> None:
        """End all sessions, clients and probes."""
        for task in self._shared.values():
            task.cancel()
        if self._shared:
            await asyncio.wait(self._shared.values())
        for client in self._clients:
            await client.close()
        self._clients.clear()
        for probe in self._probes:
            probe.close()
        await self.http.end_sessions()

    async def close(self) -> None:
        """End all sessions, and close the connections to the server."""
        try:
            await self.end_sessions()
        finally:
            await self.http.close()


async def _usual_connection(endpoint: Endpoint) -> None:
    """Check whether the usual offer connects."""
    await endpoint.end(await endpoint.connect())


def answer_of(exchange: Exchange) -> Answer:
    """Parse the answer in a response.

    Raises:
        Skipped: when it is not SDP.
    """
    try:
        return Answer.parse(exchange.text)
    except SdpError as error:
        raise Skipped(f"the answer is not SDP: {error.detail}", exchange) from error


async def _resolve(host: str, port: int) -> tuple[str, int]:
    """Resolve the address of a host.

    Raises:
        OSError: when it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port)
    address = found[0][4]
    return str(address[0]), int(address[1])
