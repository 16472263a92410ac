"""Asks STUN questions from one UDP socket, or over a TCP connection."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, cast

from ..net.framing import Deframer, FrameError, pack_length
from ..rtc.probe import local_address
from ..transport.path import Address
from ..transport.stun import TRANSACTION_ID_SIZE, XOR_MAPPED_ADDRESS, StunError
from ..transport.turn.message import BINDING, TurnMessage, parse_message, request

# Seconds until the first retransmission; then twice as many.
RTO = 0.25

MakeRequest = Callable[[bytes], bytes]
"""Makes a request with a transaction id."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a question.

    Attributes:
        source: where it came from.
        seen: this client's address as the server saw it; None if it does not say.
        seconds: how long it took.
    """

    source: Address
    seen: Address | None
    seconds: float


def plain_request(transaction_id: bytes) -> bytes:
    """A question for a STUN server, without credentials."""
    return request(BINDING, transaction_id)


def local_towards(address: Address) -> str | None:
    """The address of this machine from which another is reached; None without a way."""
    try:
        return local_address(address)
    except OSError:
        return None


class Prober(asyncio.DatagramProtocol):
    """A UDP socket on all addresses of a family. Use ``Prober.open``."""

    _transport: asyncio.DatagramTransport

    def __init__(self) -> None:
        self._replies: dict[
            bytes, asyncio.Future[tuple[TurnMessage, Address, float]]
        ] = {}

    @classmethod
    async def open(cls, *, ipv6: bool) -> Self:
        """Open the socket.

        Raises:
            OSError: when this machine does not have the family.
        """
        loop = asyncio.get_running_loop()
        address = ("::" if ipv6 else "0.0.0.0", 0)
        _, prober = await loop.create_datagram_endpoint(cls, local_addr=address)
        return prober

    @property
    def port(self) -> int:
        """The port of the socket."""
        return int(self._transport.get_extra_info("sockname")[1])

    def close(self) -> None:
        """Close the socket."""
        self._transport.close()

    async def ask(
        self, make: MakeRequest, address: Address, timeout: float
    ) -> Reply | None:
        """Send a request, again and again, until there is an answer.

        Returns:
            None when there is none in time.
        """
        transaction_id = secrets.token_bytes(TRANSACTION_ID_SIZE)
        loop = asyncio.get_running_loop()
        future = self._replies[transaction_id] = loop.create_future()
        begin = loop.time()
        sending = asyncio.create_task(self._send(make(transaction_id), address))
        try:
            async with asyncio.timeout(timeout):
                message, source, at = await future
        except TimeoutError:
            return None
        finally:
            sending.cancel()
            del self._replies[transaction_id]
        return Reply(source, message.address(XOR_MAPPED_ADDRESS), at - begin)

    async def _send(self, data: bytes, address: Address) -> None:
        pause = RTO
        while True:
            self._transport.sendto(data, address)
            await asyncio.sleep(pause)
            pause *= 2

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        with contextlib.suppress(StunError):
            message = parse_message(data)
            future = self._replies.get(message.transaction_id)
            if future is not None and not future.done():
                now = asyncio.get_running_loop().time()
                future.set_result((message, (str(addr[0]), int(addr[1])), now))

    def error_received(self, exc: Exception) -> None:
        # Nothing listens there (ICMP), or there is no way: that is no answer.
        pass


async def ask_over_tcp(
    make: MakeRequest, address: Address, timeout: float
) -> Reply | None:
    """Connect, and send a request as a frame (RFC 4571).

    Returns:
        None when the connection ends or nothing comes back in time.

    Raises:
        OSError: when there is no connection.
    """
    loop = asyncio.get_running_loop()
    transaction_id = secrets.token_bytes(TRANSACTION_ID_SIZE)
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(*address[:2])
    except TimeoutError:
        raise OSError("it does not answer") from None
    try:
        begin = loop.time()
        data = make(transaction_id)
        writer.write(pack_length(len(data)) + data)
        async with asyncio.timeout(timeout):
            message = await _read_reply(reader, transaction_id)
        if message is None:
            return None
        seconds = loop.time() - begin
        return Reply(address, message.address(XOR_MAPPED_ADDRESS), seconds)
    except (TimeoutError, FrameError, OSError):
        return None
    finally:
        writer.close()


async def _read_reply(
    reader: asyncio.StreamReader, transaction_id: bytes
) -> TurnMessage | None:
    """The answer to a request; None when the connection ends before it."""
    deframer = Deframer()
    while data := await reader.read(65536):
        for frame in deframer.feed(data):
            with contextlib.suppress(StunError):
                message = parse_message(frame)
                if message.transaction_id == transaction_id:
                    return message
    return None
