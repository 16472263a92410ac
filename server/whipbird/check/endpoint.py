"""The endpoint under test, what is asked of it, and what has been learned of it."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any, TypeVar

from aiohttp import hdrs
from yarl import URL

from ..net import HostAddresses
from ..rtc import Certificate
from ..rtc.probe import StunProbe
from ..sdp.errors import SdpError
from .answer import Answer
from .exchange import Exchange, NoResponse, location_of
from .offers import LocalTransport, Shape, write_offer
from .publisher import NotConnected, Publisher
from .requests import Options, Requests, is_loopback
from .rule import Failed, Skipped
from .session import Connected, OpenSession

T = TypeVar("T")


class Endpoint(Requests):
    """A WHIP endpoint.

    Attributes:
        greeting: the POST of the usual offer, when it has been sent.
        shape: what the usual offer looks like.
        path_kinds: what is offered where media is to flow.
        echoes: whether the server echoes messages of data channels.
    """

    def __init__(self, url: URL, options: Options) -> None:
        super().__init__(url, options)
        self.greeting: Exchange | None = None
        self.shape = Shape()
        self.path_kinds: tuple[str, ...] = ()
        self.echoes = False
        self._certificate = Certificate.generate()
        # A server that is tried out may have no other addresses.
        self._addresses = HostAddresses(loopback=is_loopback(url))
        self._shared: dict[Callable[..., Any], asyncio.Task[Any]] = {}
        self._publishers: list[Publisher] = []
        self._probes: list[StunProbe] = []
        self._nobody: LocalTransport | None = None

    # What greeting it has found

    @property
    def standard(self) -> Exchange:
        """The POST of the usual offer, which was a success."""
        assert self.greeting is not None
        return self.greeting

    def session(self) -> OpenSession:
        """The session of the usual offer: its answer to look at; it may have ended.

        Raises:
            Skipped: when there is none.
        """
        assert self._nobody is not None
        return self._opened(self.standard, self._nobody, self.shape)

    # Sessions

    async def post_shape(
        self, shape: Shape, local: LocalTransport | None = None
    ) -> Exchange:
        """POST an offer of some shape, by default with nobody behind it."""
        if local is None:
            local = await self.nobody()
        return await self.post(write_offer(local, shape).encode())

    async def nobody(self) -> LocalTransport:
        """The transport of offers that are not to connect: with one candidate."""
        if self._nobody is None:
            host, port = self.url.host or "", self.url.port or 0
            try:
                probe = await self._new_probe(await _resolve(host, port))
            except OSError as error:
                raise NoResponse(f"{host}: {error.strerror or error}") from error
            self._nobody = LocalTransport.made_up(probe.candidate)
        return self._nobody

    async def open(
        self, shape: Shape | None = None, local: LocalTransport | None = None
    ) -> OpenSession:
        """Open a session of its own for a rule that changes it.

        Raises:
            Skipped: when the server does not open one.
        """
        shape = shape or self.shape
        if local is None:
            # Its own credentials, so that sessions are not mixed up.
            local = LocalTransport.made_up(*(await self.nobody()).candidates)
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

    async def publisher(self) -> Publisher:
        """A client that is ready to offer what carries media here."""
        publisher = Publisher(self._certificate, self._addresses, self.path_kinds)
        self._publishers.append(publisher)
        await publisher.prepare()
        return publisher

    async def connect(
        self, *, setup: str = "actpass", candidates: bool = True
    ) -> Connected:
        """Open a session and connect.

        Args:
            setup: the DTLS role that is offered.
            candidates: whether the offer has any.

        Raises:
            Skipped: when there is no session, or no connection.
        """
        publisher = await self.publisher()
        local = publisher.transport
        if not candidates:
            local = LocalTransport(local.ice, local.fingerprint)
        session = await self.open(Shape(self.path_kinds, setup=setup), local)
        try:
            await publisher.accept(session.answer)
            await publisher.connected(self.options.timeout)
        except NotConnected as error:
            raise Skipped(f"not connected: {error}", session.exchange) from error
        return Connected(session, publisher)

    async def expect_connection(
        self, *, setup: str = "actpass", candidates: bool = True
    ) -> None:
        """Connect in some way, where the usual way connects.

        Raises:
            Failed: when no connection is made, or it carries nothing.
            Skipped: when the usual way does not connect either.
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
        return await connected.publisher.is_alive(self.echoes)

    async def end(self, connected: Connected) -> None:
        """End a session that is not needed any more."""
        await self.request("DELETE", connected.session.url)
        await connected.publisher.close()

    async def probe(self, session: OpenSession) -> StunProbe:
        """A lone candidate that the server of a session can reach.

        Raises:
            Skipped: when there is no way from there to here.
        """
        usable = session.answer.usable_candidates
        if not usable:
            raise Skipped("the answer has no usable candidate", session.exchange)
        address = usable[0].address
        try:
            probe = await self._new_probe((address, usable[0].port))
        except OSError as error:
            raise Skipped(f"no way to {address}: {error.strerror}") from error
        own = probe.candidate.address
        if ip_address(address).is_global and ip_address(own).is_private:
            raise Skipped(f"{own} of this machine is behind a NAT")
        return probe

    async def _new_probe(self, towards: tuple[str, int]) -> StunProbe:
        probe = await StunProbe.open(towards)
        self._probes.append(probe)
        return probe

    # What several rules look at

    async def shared(self, make: Callable[["Endpoint"], Awaitable[T]]) -> T:
        """What a function makes of this endpoint; it is called once only."""
        task = self._shared.get(make)
        if task is None:
            task = asyncio.ensure_future(make(self))
            # Who waits for it hears of its failure; there may be nobody.
            task.add_done_callback(lambda t: t.cancelled() or t.exception())
            self._shared[make] = task
        return await asyncio.shield(task)

    async def end_sessions(self) -> None:
        """End everything but the ability to send requests."""
        for task in self._shared.values():
            task.cancel()
        if self._shared:
            await asyncio.wait(self._shared.values())
        for publisher in self._publishers:
            await publisher.close()
        for probe in self._probes:
            probe.close()
        await self.http.end_sessions()

    async def close(self) -> None:
        """End everything."""
        try:
            await self.end_sessions()
        finally:
            await self.http.close()


async def _usual_connection(endpoint: Endpoint) -> None:
    """See whether the usual offer leads to a connection at all."""
    await endpoint.end(await endpoint.connect())


def answer_of(exchange: Exchange) -> Answer:
    """The answer in a response.

    Raises:
        Skipped: when it is none.
    """
    try:
        return Answer.parse(exchange.text)
    except SdpError as error:
        raise Skipped(f"the answer is no SDP: {error.detail}", exchange) from error


async def _resolve(host: str, port: int) -> tuple[str, int]:
    """An address of a host.

    Raises:
        OSError: when it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port)
    address = found[0][4]
    return str(address[0]), int(address[1])
