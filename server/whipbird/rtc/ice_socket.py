"""The UDP sockets of a peer: STUN to the ICE agents, the rest to the DTLS transport."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Iterable
from socket import AF_INET, AF_INET6, SO_RCVBUF, SOCK_DGRAM, SOL_SOCKET, socket
from struct import Struct
from typing import TYPE_CHECKING, Any, cast

from aioice import Candidate
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol

from .addresses import HostAddresses
from .packet_buffer import PacketBuffer

if TYPE_CHECKING:
    from .ice_agent import IceAgent
    from .ice_connection import IceConnection

logger = logging.getLogger(__name__)

SOCKET_BUFFER = 1024 * 1024

# The highest local preference there is (RFC 8445 section 5.1.2.1).
MAX_LOCAL_PREFERENCE = 65535

# Linux: one call sends datagrams of one size (udp(7)); Python has no name for it.
_SOL_UDP = 17
_UDP_SEGMENT = 103
_SEGMENT_SIZE = Struct("=H")
# Octets that fit into such a call.
MAX_SEGMENTED = 65000


class IceSocket(StunProtocol):
    """One local UDP socket. Tells STUN from the rest by its first octet (RFC 7983)."""

    # Not aioice's connection but what stands for it.
    receiver: "IceConnection"  # type: ignore[assignment]

    def __init__(self, receiver: "IceConnection", sock: socket) -> None:
        super().__init__(cast(Any, receiver))
        self._socket = sock
        self._segments = _can_segment(sock)
        self._has_backlog = False

    @property
    def waiting(self) -> int:
        """Octets of packets sent in batches that the network has not taken yet."""
        if not self._has_backlog:
            return 0
        # Every transport of datagrams has it, but typeshed does not know.
        size = cast(int, cast(Any, self.transport).get_write_buffer_size())
        self._has_backlog = size > 0
        return size

    def send_batch(self, batch: PacketBuffer, address: tuple[str, int]) -> None:
        """Send the packets of a buffer, those of one size with one call."""
        slots, lengths = batch.slots, batch.lengths
        count = len(lengths)
        start = 0
        while start < count:
            size = lengths[start]
            end = start + 1
            if self._segments:
                last = min(count, start + MAX_SEGMENTED // size)
                while end < last and lengths[end] == size:
                    end += 1
                # The last one may be shorter.
                if end < last and lengths[end] < size:
                    end += 1
            self._send(
                [slots[i][: lengths[i]] for i in range(start, end)], size, address
            )
            start = end

    def _send(
        self, packets: list[memoryview], size: int, address: tuple[str, int]
    ) -> None:
        try:
            if self._has_backlog and self.waiting:
                raise BlockingIOError
            if len(packets) == 1:
                self._socket.sendto(packets[0], address)
            else:
                segment = (_SOL_UDP, _UDP_SEGMENT, _SEGMENT_SIZE.pack(size))
                self._socket.sendmsg(packets, [segment], 0, address)
        except BlockingIOError:
            self._has_backlog = True
            for packet in packets:
                self.transport.sendto(bytes(packet), address)
        except OSError as error:
            logger.debug("Cannot send: %s", error)
            if len(packets) > 1:
                # The path cannot have it so, or nothing at all.
                self._segments = False
                for packet in packets:
                    self._send([packet], size, address)

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        assert isinstance(data, bytes)
        if not data:
            return
        if data[0] > 3:
            if addr[:2] in self.receiver.verified_addresses:
                self.receiver.data_received(data)
            return
        try:
            super().datagram_received(data, addr)
        except Exception:
            # Anybody can send here. What cannot be parsed is dropped.
            logger.debug("Dropped a malformed STUN message", exc_info=True)


class IceSockets:
    """The sockets of a peer: one for each address of the machine.

    Args:
        owner: what takes the datagrams.
        addresses: where the addresses are found.
    """

    def __init__(self, owner: "IceConnection", addresses: HostAddresses) -> None:
        self._owner = owner
        self._addresses = addresses
        self._sockets: dict[str, IceSocket] = {}
        self._closed = False

    async def open(self) -> list[IceSocket]:
        """A socket for each address as the addresses are now.

        Those that are open already are used again, so that an ICE restart costs none.
        The earlier an address is listed, the more its candidate is preferred.

        Raises:
            ConnectionError: when there is none, or they are closed.
        """
        found = []
        for index, address in enumerate(self._addresses.current()):
            if address not in self._sockets:
                try:
                    opened = await self._open(address, MAX_LOCAL_PREFERENCE - index)
                except OSError as error:
                    logger.debug("Cannot bind to %s: %s", address, error)
                    continue
                if self._closed:
                    # Closed while the socket was being made.
                    opened.transport.close()
                    break
                self._sockets[address] = opened
            found.append(self._sockets[address])
        if self._closed:
            raise ConnectionError("ICE is closed")
        if not found:
            # Out of descriptors, or without any network.
            raise ConnectionError("No UDP socket can be opened")
        return found

    async def _open(self, address: str, preference: int) -> IceSocket:
        sock = bind(address)
        _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: IceSocket(self._owner, sock), sock=sock
        )
        host, port = sock.getsockname()[:2]
        protocol.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=1,
            transport="udp",
            priority=candidate_priority(1, "host", preference),
            host=host,
            port=port,
            type="host",
        )
        return protocol

    def take_unused(self, agents: Iterable["IceAgent"]) -> list[IceSocket]:
        """Let go of the sockets that none of these agents uses."""
        used = [s for agent in agents for s in agent.sockets]
        unused = {a: s for a, s in self._sockets.items() if s not in used}
        for address in unused:
            del self._sockets[address]
        return list(unused.values())

    async def close(self) -> None:
        """Close them all, for good."""
        self._closed = True
        for opened in self._sockets.values():
            await opened.close()
        self._sockets.clear()


def _can_segment(sock: socket) -> bool:
    """Whether this system cuts what is sent into datagrams."""
    if sys.platform != "linux":
        return False
    try:
        sock.getsockopt(_SOL_UDP, _UDP_SEGMENT)
    except OSError:
        return False
    return True


def bind(address: str) -> socket:
    """A UDP socket on a free port of an address.

    Raises:
        OSError: when the address cannot be used.
    """
    sock = socket(AF_INET6 if ":" in address else AF_INET, SOCK_DGRAM)
    try:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER)
        sock.bind((address, 0))
    except OSError:
        sock.close()
        raise
    return sock
