"""ICE (RFC 8445): aioice's agent without its waits, and a direct way in and out."""

import asyncio
import base64
import contextlib
import ipaddress
import logging
import math
import secrets
import socket
import time
from collections.abc import Callable
from typing import Any

import ifaddr
from aioice import Candidate, Connection
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import ICE_COMPLETED, CandidatePair, StunProtocol
from aioice.stun import Message
from aiortc import RTCIceGatherer, RTCIceTransport

logger = logging.getLogger(__name__)

# RFC 8445 section 14.2: Ta, the pace of checks, in seconds.
CHECK_INTERVAL = 0.02

# Seconds for which the addresses that were found are taken for the current ones.
ADDRESSES_LIFETIME = 1.0

# Datagrams kept until the DTLS transport takes them (a ClientHello may come early).
MAX_EARLY_DATAGRAMS = 64

SOCKET_BUFFER = 1024 * 1024

# No peer needs more addresses; each makes check pairs with every local candidate.
MAX_REMOTE_CANDIDATES = 64

# RFC 8839 section 5.4 wants at least 4 and 22 characters: these become 8 and 24.
UFRAG_OCTETS = 6
PWD_OCTETS = 18


def _random_ice_chars(octets: int) -> str:
    """Random octets in base64, whose alphabet is the one of ICE."""
    return base64.b64encode(secrets.token_bytes(octets)).decode()


class HostAddresses:
    """The IP addresses of this machine that can be ICE candidates.

    Looking at all interfaces takes as long as the rest of the gathering, so what was
    found is kept for a moment.

    Args:
        loopback: whether to include loopback addresses even when there are others;
            they are always given when there are no others.
    """

    def __init__(self, *, loopback: bool = False) -> None:
        self._loopback = loopback
        self._found: list[str] = []
        self._looked_at = -math.inf

    def current(self) -> list[str]:
        """The addresses as they are now, or were less than a second ago."""
        now = time.monotonic()
        if now - self._looked_at > ADDRESSES_LIFETIME:
            self._found = self._look()
            self._looked_at = now
        return self._found

    def _look(self) -> list[str]:
        found: list[str] = []
        local: list[str] = []
        for adapter in ifaddr.get_adapters():
            for ip in adapter.ips:
                text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
                address = ipaddress.ip_address(text)
                if address.is_loopback:
                    local.append(text)
                elif not address.is_link_local:
                    found.append(text)
        return found + local if self._loopback or not found else found


class IceProtocol(StunProtocol):
    """One local UDP socket. Tells STUN from the rest by its first octet (RFC 7983)."""

    receiver: "IceConnection"

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        assert isinstance(data, bytes)
        if not data:
            return
        if data[0] > 3:
            if addr[:2] in self.receiver.verified_addresses:
                self.receiver.data_received(data, 1)
            return
        try:
            super().datagram_received(data, addr)
        except Exception:
            # Anybody can send here. What cannot be parsed is dropped.
            logger.debug("Dropped a malformed STUN message", exc_info=True)


class IceConnection(Connection):
    """aioice's agent for one component, on host candidates.

    Overridden are the gathering (addresses are given, and may be loopback), the
    paced checks (the connection is reported when it is made, not at the next tick)
    and the way of a datagram (delivered in the socket's own callback).
    """

    def __init__(self, addresses: list[str]) -> None:
        super().__init__(
            ice_controlling=False,
            local_username=_random_ice_chars(UFRAG_OCTETS),
            local_password=_random_ice_chars(PWD_OCTETS),
        )
        self._addresses = addresses
        # Who has shown by a check to know the ICE password. DTLS takes the first
        # datagram from anybody for its peer's, so nobody else may reach it.
        self.verified_addresses: set[tuple[str, int]] = set()
        self._sink: Callable[[bytes], None] | None = None
        self._pace_now = asyncio.Event()

    @property
    def selected_pair(self) -> CandidatePair | None:
        """The nominated pair, or None before there is one."""
        return self._nominated.get(1)

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
                sink(item[0])

    def detach(self) -> None:
        """Drop datagrams from now on."""
        self._sink = _drop

    def add_remote(self, candidate: Candidate) -> None:
        """Add a remote candidate whose address is an IP address, up to a number."""
        full = len(self._remote_candidates) >= MAX_REMOTE_CANDIDATES
        if not self._closing and not full:
            self._add_remote_candidate(candidate, candidate.host)

    def send_now(self, data: bytes) -> None:
        """Send a datagram on the nominated pair.

        Raises:
            ConnectionError: when there is none.
        """
        pair = self._nominated.get(1)
        if pair is None:
            raise ConnectionError("Cannot send data, not connected")
        pair.protocol.transport.sendto(data, pair.remote_addr)

    # Overrides of aioice

    def data_received(self, data: bytes, component: int) -> None:
        if self._sink is not None:
            self._sink(data)
        elif self._queue.qsize() < MAX_EARLY_DATAGRAMS:
            self._queue.put_nowait((data, component))

    async def gather_candidates(self) -> None:
        """Gather host candidates, and nothing else."""
        loop = asyncio.get_running_loop()
        gathered = self._local_candidates
        for address in self._addresses:
            if self._closing:
                return
            try:
                sock = _bind(address)
            except OSError as error:
                logger.debug("Cannot bind to %s: %s", address, error)
                continue
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: IceProtocol(self), sock=sock
            )
            if self._closing:
                # The connection was closed while the socket was being made.
                transport.close()
                return
            host, port = sock.getsockname()[:2]
            protocol.local_candidate = Candidate(
                foundation=candidate_foundation("host", "udp", host),
                component=1,
                transport="udp",
                # The earlier an address is listed, the more it is preferred.
                priority=candidate_priority(1, "host", 65535 - len(gathered)),
                host=host,
                port=port,
                type="host",
            )
            self._protocols.append(protocol)
            gathered.append(protocol.local_candidate)
        self._local_candidates_start = self._local_candidates_end = True

    def check_incoming(
        self, message: Message, addr: tuple[str, int], protocol: StunProtocol
    ) -> None:
        known = addr in self.verified_addresses
        if not known and len(self.verified_addresses) >= MAX_REMOTE_CANDIDATES:
            return
        self.verified_addresses.add(addr)
        super().check_incoming(message, addr, protocol)

    def check_complete(self, pair: CandidatePair) -> None:
        if pair.state == CandidatePair.State.SUCCEEDED:
            self.verified_addresses.add(pair.remote_addr)
        super().check_complete(pair)

    def _pair_remote_candidate(self, remote_candidate: Candidate) -> None:
        super()._pair_remote_candidate(remote_candidate)
        self._pace_now.set()

    async def connect(self) -> None:
        if not self._local_candidates_end:
            raise ConnectionError("Local candidates gathering was not performed")
        if self.remote_username is None or self.remote_password is None:
            raise ConnectionError("Remote username or password is missing")

        for remote_candidate in self._remote_candidates:
            self._pair_remote_candidate(remote_candidate)
        self.sort_check_list()
        self._unfreeze_initial()
        for early_check in self._early_checks:
            self.check_incoming(*early_check)
        self._early_checks.clear()
        self._early_checks_done = True

        pacing = asyncio.create_task(self._pace_checks())
        try:
            result = await self._check_list_state.get()
        finally:
            pacing.cancel()
        for pair in self._check_list:
            if pair.task:
                pair.task.cancel()
        if result != ICE_COMPLETED:
            raise ConnectionError("ICE negotiation failed")
        self._query_consent_task = asyncio.create_task(self.query_consent())

    async def _pace_checks(self) -> None:
        """Start a waiting check every Ta, and sleep while there is none."""
        waiting = (CandidatePair.State.WAITING, CandidatePair.State.FROZEN)
        while not self._check_list_done:
            if not any(pair.state in waiting for pair in self._check_list):
                self._pace_now.clear()
                await self._pace_now.wait()
            self._check_periodic()
            await asyncio.sleep(CHECK_INTERVAL)


def _bind(address: str) -> socket.socket:
    """A UDP socket on a free port of an address.

    Raises:
        OSError: when the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
        sock.bind((address, 0))
    except OSError:
        sock.close()
        raise
    return sock


def _drop(_data: bytes) -> None:
    """The sink of a connection that is over."""


class IceGatherer(RTCIceGatherer):
    """Gathers host candidates on the given addresses."""

    _connection: IceConnection

    def __init__(self, addresses: list[str]) -> None:
        agent = IceConnection(addresses)
        super().__init__(
            iceServers=[],
            local_username=agent.local_username,
            local_password=agent.local_password,
        )
        self._connection = agent


class IceTransport(RTCIceTransport):
    """The ICE transport of a peer."""

    _connection: IceConnection

    def __init__(self, addresses: list[str]) -> None:
        super().__init__(IceGatherer(addresses))

    @property
    def connection(self) -> IceConnection:
        """The agent below."""
        return self._connection
