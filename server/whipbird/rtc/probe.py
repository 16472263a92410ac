"""What looks at ICE from outside: a lone candidate, and a tap on a peer's sockets."""

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, cast

from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol
from aioice.stun import Class, Message, Method, TransactionError, parse_message

from ..sdp.candidate import Candidate
from .ice_socket import bind
from .peer import Peer

# Times that a lost check is sent again, within about 1.5 seconds (RFC 8489 6.2.1).
RETRANSMISSIONS = 1

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class BindingRequest:
    """A STUN binding request that has come (RFC 8445 section 7.2.2).

    Attributes:
        username: the receiver's ufrag, a colon, the sender's ufrag; empty for none.
        source: where it came from.
        time: when, in seconds of ``time.monotonic``.
        message: the message itself, to check its integrity with a password.
    """

    username: str
    source: Address
    time: float
    message: Message

    def is_authentic(self, password: str) -> bool:
        """Whether it was made with this password."""
        return self.message.check_message_integrity(password.encode())


def _binding_request(data: bytes, address: tuple[Any, ...]) -> BindingRequest | None:
    """Read a datagram; None when it is no binding request."""
    try:
        message = parse_message(data)
    except ValueError:
        return None
    if (message.message_method, message.message_class) != (
        Method.BINDING,
        Class.REQUEST,
    ):
        return None
    username = str(message.attributes.get("USERNAME", ""))
    return BindingRequest(username, address[:2], time.monotonic(), message)


class Arrivals:
    """Binding requests, in the order in which they came."""

    def __init__(self) -> None:
        self.requests: list[BindingRequest] = []
        self._changed = asyncio.Event()

    def add(self, request: BindingRequest) -> None:
        """Note one."""
        self.requests.append(request)
        self._changed.set()

    async def wait_for(
        self, wanted: Callable[[BindingRequest], bool], timeout: float
    ) -> BindingRequest | None:
        """The first request that is wanted; None when there is none in time."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    for request in self.requests:
                        if wanted(request):
                            return request
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return None


class StunProbe(asyncio.DatagramProtocol):
    """A UDP socket that is an ICE candidate, and answers nothing.

    Attributes:
        arrivals: the checks that have come.
        candidate: what to tell the other side of it.
    """

    arrivals: Arrivals
    candidate: Candidate
    _transport: asyncio.DatagramTransport

    @classmethod
    async def open(cls, towards: Address) -> Self:
        """Bind to the address from which another one is reached.

        Raises:
            OSError: when there is no way there.
        """
        sock = bind(local_address(towards))
        _, probe = await asyncio.get_running_loop().create_datagram_endpoint(
            cls, sock=sock
        )
        host, port = sock.getsockname()[:2]
        probe.candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=1,
            transport="udp",
            priority=candidate_priority(1, "host"),
            address=host,
            port=port,
            type="host",
        )
        return probe

    def __init__(self) -> None:
        self.arrivals = Arrivals()
        self._answers: dict[bytes, asyncio.Future[Message]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if (request := _binding_request(data, addr)) is not None:
            self.arrivals.add(request)
            return
        try:
            message = parse_message(data)
        except ValueError:
            return
        answer = self._answers.get(message.transaction_id)
        if answer is not None and not answer.done():
            answer.set_result(message)

    async def check(
        self, address: Address, username: str, password: str, timeout: float
    ) -> bool:
        """Send a connectivity check as a controlling agent would.

        Returns:
            Whether it was answered with success; an address of another family than
            the probe's is not asked.
        """
        if (":" in address[0]) != (":" in self.candidate.address):
            return False
        request = Message(Method.BINDING, Class.REQUEST)
        request.attributes["USERNAME"] = username
        request.attributes["PRIORITY"] = candidate_priority(1, "prflx")
        request.attributes["ICE-CONTROLLING"] = 1
        request.add_message_integrity(password.encode())
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[request.transaction_id] = answer
        self._transport.sendto(bytes(request), address)
        try:
            async with asyncio.timeout(timeout):
                return (await answer).message_class == Class.RESPONSE
        except TimeoutError:
            return False
        finally:
            del self._answers[request.transaction_id]

    def close(self) -> None:
        """Close the socket."""
        self._transport.close()


def local_address(towards: Address) -> str:
    """The address of this machine from which another one is reached.

    Raises:
        OSError: when there is no way there.
    """
    family = socket.AF_INET6 if ":" in towards[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        # Sends nothing: it only chooses the route.
        sock.connect(towards)
        return str(sock.getsockname()[0])


def tap(peer: Peer) -> Arrivals:
    """Note the checks that come to a peer from now on; it gets them all the same."""
    arrivals = Arrivals()

    def listen(stun: StunProtocol) -> None:
        deliver = stun.datagram_received

        def received(data: bytes | str, addr: tuple[Any, ...]) -> None:
            assert isinstance(data, bytes)
            if (request := _binding_request(data, addr)) is not None:
                arrivals.add(request)
            deliver(data, addr)

        stun.datagram_received = received  # type: ignore[method-assign]

    for stun in peer.transport.connection.agent.sockets:
        listen(stun)
    return arrivals


class _Silence(asyncio.DatagramTransport):
    """Sends nothing, and closes what it stands for."""

    def __init__(self, behind: asyncio.DatagramTransport) -> None:
        super().__init__()
        self._behind = behind

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Lose it."""

    def close(self) -> None:
        self._behind.close()


def fall_silent(peer: Peer) -> None:
    """Make a peer vanish: its sockets stay, nothing is sent or heard any more."""
    for stun in peer.transport.connection.agent.sockets:
        stun.transport = _Silence(stun.transport)
        stun.datagram_received = _hear_nothing  # type: ignore[method-assign]


def _hear_nothing(data: bytes | str, addr: tuple[Any, ...]) -> None:
    """What a vanished peer does with a datagram."""


async def is_answered(peer: Peer) -> bool:
    """Whether a consent check on the pair in use is answered (RFC 7675)."""
    connection = peer.transport.connection
    pair, agent = connection.selected_pair, connection._agent
    if pair is None or agent.remote_password is None:
        return False
    try:
        await pair.protocol.request(
            agent.build_request(pair, nominate=False),
            pair.remote_addr,
            integrity_key=agent.remote_password.encode(),
            retransmissions=RETRANSMISSIONS,
        )
    except TransactionError:
        return False
    return True
