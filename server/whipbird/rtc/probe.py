"""ICE seen from outside: a lone candidate, and a tap on a peer's checks."""

import asyncio
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, cast

from ..net.udp_socket import bind
from ..sdp.candidate import Candidate
from ..transport.ice import MAX_LOCAL_PREFERENCE, host_candidate
from ..transport.path import Address, Path
from ..transport.stun import (
    BINDING_REQUEST,
    BINDING_SUCCESS,
    StunError,
    StunMessage,
    binding_request,
    parse,
)
from .peer import Peer

# Seconds that an answer to a consent check is waited for.
CONSENT_LIMIT = 1.5

_TRANSACTION_ID_LENGTH = 12


@dataclass(frozen=True, slots=True)
class BindingRequest:
    """A received STUN binding request (RFC 8445 section 7.2.2).

    Attributes:
        username: the receiver's ufrag, a colon, the sender's ufrag; empty for none.
        source: where it came from.
        time: when, in seconds of ``time.monotonic``.
        message: the message itself, to check its integrity with a password.
    """

    username: str
    source: Address
    time: float
    message: StunMessage

    def is_authentic(self, password: str) -> bool:
        """Whether it was made with this password."""
        return self.message.is_authentic(password.encode())


def _parse(data: bytes) -> StunMessage | None:
    """Read a datagram; None when it is no STUN."""
    try:
        return parse(data)
    except StunError:
        return None


def _binding_request(message: StunMessage, source: Address) -> BindingRequest | None:
    """A message as a binding request; None when it is none."""
    if message.type != BINDING_REQUEST:
        return None
    username = (message.username or b"").decode("utf-8", "replace")
    return BindingRequest(username, source, time.monotonic(), message)


class Arrivals:
    """Binding requests, in the order in which they came."""

    def __init__(self) -> None:
        self.requests: list[BindingRequest] = []
        self._changed = asyncio.Event()

    def add(self, request: BindingRequest) -> None:
        """Add one, and wake whoever waits."""
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
        arrivals: the checks that have arrived.
        candidate: its candidate, for the other side.
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
        sock = bind(local_address(towards), 0)
        _, probe = await asyncio.get_running_loop().create_datagram_endpoint(
            cls, sock=sock
        )
        host, port = base = sock.getsockname()[:2]
        local = host_candidate(host, port, base, MAX_LOCAL_PREFERENCE)
        probe.candidate = local.candidate
        return probe

    def __init__(self) -> None:
        self.arrivals = Arrivals()
        self._answers: dict[bytes, asyncio.Future[StunMessage]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        message = _parse(data)
        if message is None:
            return
        if (request := _binding_request(message, addr[:2])) is not None:
            self.arrivals.add(request)
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
        transaction_id = secrets.token_bytes(_TRANSACTION_ID_LENGTH)
        request = binding_request(
            transaction_id,
            username=username.encode(),
            key=password.encode(),
            priority=self.candidate.priority,
            controlling=True,
            tie_breaker=1,
        )
        answer: asyncio.Future[StunMessage] = asyncio.get_running_loop().create_future()
        self._answers[transaction_id] = answer
        self._transport.sendto(request, address)
        try:
            async with asyncio.timeout(timeout):
                return (await answer).type == BINDING_SUCCESS
        except TimeoutError:
            return False
        finally:
            del self._answers[transaction_id]

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


def tap(peer: Peer, *ufrags: str) -> Arrivals:
    """Record the checks that arrive at a peer from now on; the peer handles them too.

    Args:
        ufrags: record checks to these ufrags, too, which are not the peer's: nobody
            answers them.
    """
    arrivals = Arrivals()

    def heard(datagram: bytes, path: Path) -> None:
        message = _parse(datagram)
        if message is not None and (request := _binding_request(message, path.remote)):
            arrivals.add(request)

    peer.connection.transport.on_stun = heard
    for ufrag in ufrags:
        peer.connection.overhear(ufrag)
    return arrivals


def fall_silent(peer: Peer) -> None:
    """Make a peer vanish: nothing is sent or heard any more, and nobody is told."""
    peer.connection.vanish()


async def is_answered(peer: Peer) -> bool:
    """Whether a consent check on the path in use is answered (RFC 7675)."""
    connection = peer.connection
    ice, before = connection.transport.ice, connection.transport.ice.responses_received
    if ice.selected is None:
        return False
    heard = asyncio.Event()

    def listen(_datagram: bytes, _path: Path) -> None:
        heard.set()

    connection.check_consent()
    transport, listening = connection.transport, connection.transport.on_stun
    transport.on_stun = listen
    try:
        async with asyncio.timeout(CONSENT_LIMIT):
            while ice.responses_received == before:
                heard.clear()
                await heard.wait()
                # ``on_stun`` is called before ICE handles the message.
                await asyncio.sleep(0)
    except TimeoutError:
        return False
    finally:
        transport.on_stun = listening
    return True
