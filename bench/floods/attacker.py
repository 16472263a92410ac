"""What the attackers have: an address of their own, sessions, and a pace."""

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from socket import AF_INET, SOCK_DGRAM, SOCK_STREAM, socket

import aiohttp
from yarl import URL

from whipbird.client import WhipClient, WhipHttp
from whipbird.client.whip import SDP, TIMEOUT
from whipbird.net import HostAddresses, UdpPort
from whipbird.rtc import Certificate, PeerOptions
from whipbird.transport.path import Path
from whipbird.transport.sctp import Association

# Where the attacks of this process come from: on Linux all of 127.0.0.0/8 is this
# machine. Another one has other limits.
ADDRESS = f"127.0.0.{2 + os.getpid() % 250}"

# Seconds from one look at the clock to the next.
_TICK = 0.002
# Seconds that are made up for at most, when the attacker itself was late.
_MOST_LATE = 0.01

_FINGERPRINT = ":".join(["5B"] * 32)


class _AttackerHttp(WhipHttp):
    """Sends its requests from the attackers' address."""

    def _new_session(self) -> aiohttp.ClientSession:
        return http_session()


class _OneAddress(HostAddresses):
    def current(self) -> list[str]:
        return [ADDRESS]


class Attacker(WhipClient):
    """A client at the attackers' address whose transport can be abused."""

    def __init__(self, url: str) -> None:
        self.udp_port = UdpPort(_OneAddress())
        options = PeerOptions(Certificate.generate(), self.udp_port)
        super().__init__(url, options=options)
        self._port = self.udp_port
        self.http = _AttackerHttp(None, TIMEOUT)

    @property
    def path(self) -> Path:
        """The path in use."""
        path = self.peer.connection.transport.ice.selected
        assert path is not None
        return path

    @property
    def association(self) -> Association:
        """Its end of the SCTP association."""
        association = self.peer.connection.transport.sctp
        assert association is not None
        return association

    def send_raw(self, datagram: bytes) -> None:
        """Send a datagram as it is, on the path of the session."""
        self.peer.connection.send(datagram, self.path)

    def send_encrypted(self, data: bytes) -> None:
        """Send an SCTP packet, or what looks like one, in a DTLS record."""
        self.send_raw(self.peer.connection.transport.dtls.send(data))

    def fall_silent(self) -> None:
        """Take nothing more from the network: no acknowledgements, no answers."""
        transport = self.peer.connection.transport
        transport.dtls_data = _ignore


def _ignore(_data: bytes, _now: float) -> None:
    return


def http_session() -> aiohttp.ClientSession:
    """An HTTP client at the attackers' address, without a limit of connections."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(local_addr=(ADDRESS, 0), limit=0)
    )


def udp_socket(url: str) -> socket:
    """A UDP socket at the attackers' address, to the server's port."""
    sock = socket(AF_INET, SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((ADDRESS, 0))
    sock.connect(("127.0.0.1", URL(url).port or 0))
    return sock


def tcp_socket(url: str) -> socket:
    """A TCP connection from the attackers' address to the server."""
    sock = socket(AF_INET, SOCK_STREAM)
    sock.bind((ADDRESS, 0))
    sock.settimeout(2.0)
    sock.connect(("127.0.0.1", URL(url).port or 0))
    sock.setblocking(False)
    return sock


def data_offer(candidates: int = 0) -> str:
    """A new offer of a data channel, by nobody who means to connect."""
    ufrag, password = secrets.token_hex(4), secrets.token_hex(16)
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{password}",
        f"a=fingerprint:sha-256 {_FINGERPRINT}",
        "a=setup:actpass",
        "a=mid:0",
        "a=sctp-port:5000",
        *candidate_lines(candidates),
    ]
    return "".join(f"{line}\r\n" for line in lines)


def candidate_lines(count: int) -> list[str]:
    """Candidates at addresses for documentation, to which nothing leads."""
    return [
        f"a=candidate:{n} 1 udp {2130706431 - n} 198.51.100.{n + 1} 50000 typ host"
        for n in range(count)
    ]


async def post_offer(http: aiohttp.ClientSession, url: str, offer: str) -> str:
    """Open a session that nobody will connect.

    Returns:
        The answer; nothing, if the server has refused.
    """
    async with http.post(url, data=offer, headers={"Content-Type": SDP}) as response:
        text = await response.text()
        return text if response.status == 201 else ""


def attribute(description: str, name: str) -> str:
    """The value of the first attribute with a name."""
    return description.partition(f"\na={name}:")[2].partition("\n")[0].strip()


async def paced(strike: Callable[[], None], rate: float, seconds: float) -> int:
    """Call a function so many times per second.

    Returns:
        How many times; less when the server has ended the session of the attack.
    """
    count, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        due = int(elapsed * rate)
        if due - count > rate * _MOST_LATE:
            # Not all at once what could not be sent in its time.
            began += (due - count) / rate - _MOST_LATE
            due = int(count + rate * _MOST_LATE)
        try:
            for _ in range(due - count):
                strike()
                count += 1
        except ConnectionError:
            return count
        await asyncio.sleep(_TICK)
    return count


async def paced_requests(
    strike: Callable[[], Awaitable[None]], rate: float, seconds: float, most: int = 64
) -> int:
    """Start so many requests per second, as long as not too many are under way.

    Returns:
        How many have ended, in whatever way.
    """
    under_way: set[asyncio.Task[None]] = set()
    ended = 0

    async def one() -> None:
        nonlocal ended
        try:
            async with asyncio.timeout(TIMEOUT):
                await strike()
        except (aiohttp.ClientError, OSError, TimeoutError):
            pass
        ended += 1

    def begin() -> None:
        if len(under_way) < most:
            task = asyncio.ensure_future(one())
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    await paced(begin, rate, seconds)
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    return ended
