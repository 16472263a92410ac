"""An allocation on a TURN server (RFC 8656), without I/O."""

import math
import random
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Protocol

from ..path import Address
from ..stun import XOR_MAPPED_ADDRESS, StunError, write_xor_address
from . import message as stun
from .framing import is_channel_data, read_channel_data, write_channel_data
from .message import TurnMessage, attribute
from .requests import Request, Requests, TurnError

# Seconds before the end of an allocation at which it is refreshed.
_REFRESH_AHEAD = 60.0
# Seconds after which a channel is bound again: its permission lasts 300 (section 9).
CHANNEL_INTERVAL = 240.0

# Channel numbers: section 12. No session sends to more addresses.
_FIRST_CHANNEL = 0x4000
MAX_CHANNELS = 64
# Datagrams for one address that wait for its channel.
_MAX_WAITING = 8

_UDP = bytes((17, 0, 0, 0))
_IPV6 = bytes((2, 0, 0, 0))

_SYSTEM_RANDOM = random.SystemRandom()


class AllocationSinks(Protocol):
    """What an allocation calls."""

    def send(self, data: bytes) -> None:
        """Send a message to the TURN server."""

    def allocated(self) -> None:
        """The server relays: ``relayed`` is known."""

    def relayed_data(self, data: bytes, peer: Address) -> None:
        """A peer has sent a datagram to the relayed address."""

    def peer_refused(self, peer: Address, error: TurnError) -> None:
        """The server does not relay to an address."""

    def ended(self, error: TurnError) -> None:
        """There is no allocation, or no longer."""


@dataclass(slots=True)
class _Channel:
    """The channel for one address.

    Attributes:
        waiting: what is sent when it is bound; None once it is.
        refused: whether the server does not relay to the address.
        bind_at: when to bind it again.
    """

    number: int
    peer: Address
    waiting: list[bytes] | None = field(default_factory=list)
    refused: bool = False
    bind_at: float = math.inf


class Allocation:
    """Relays datagrams through a TURN server, with long-term credentials.

    Each address that is sent to gets a channel, which permits its answers.

    Args:
        sinks: what is called.
        username, credential: as the server was told of them.
        reliable: whether the connection to the server loses nothing (TCP).
        ipv6: whether to ask for an IPv6 address, not for one of IPv4.
        rng: for transaction ids.

    Attributes:
        relayed: the address at which peers see this side; None before there is one.
        mapped: this side's address as the server sees it.
        deadline: when ``handle_timeout`` is due.
    """

    def __init__(
        self,
        sinks: AllocationSinks,
        username: str,
        credential: str,
        *,
        reliable: bool = False,
        ipv6: bool = False,
        rng: random.Random = _SYSTEM_RANDOM,
    ) -> None:
        self._sinks = sinks
        self._reliable = reliable
        self._ipv6 = ipv6
        self._requests = Requests(
            sinks.send, username, credential, reliable=reliable, rng=rng
        )
        self._channels: dict[Address, _Channel] = {}
        self._by_number: dict[int, _Channel] = {}
        self._refresh_at = math.inf
        self._ended = False
        self.relayed: Address | None = None
        self.mapped: Address | None = None

    @property
    def deadline(self) -> float:
        """When ``handle_timeout`` is due; infinite when nothing is waited for."""
        if self._ended:
            return math.inf
        dues = (channel.bind_at for channel in self._channels.values())
        return min(self._refresh_at, self._requests.deadline, *dues)

    def start(self, now: float) -> None:
        """Ask for an allocation (RFC 8656 section 7)."""
        wanted = attribute(stun.REQUESTED_TRANSPORT, _UDP)
        if self._ipv6:
            wanted += attribute(stun.REQUESTED_ADDRESS_FAMILY, _IPV6)
        self._requests.ask(Request(stun.ALLOCATE, lambda _: wanted), now)

    def send(self, data: bytes, peer: Address, now: float) -> None:
        """Send a datagram to a peer; it is lost when the server does not relay there.

        What is sent before there is a channel waits for it, up to a bound.
        """
        if self._ended or self.relayed is None:
            return
        channel = self._channels.get(peer) or self._open_channel(peer, now)
        if channel is None or channel.refused:
            return
        if channel.waiting is None:
            self._send_on(channel, data)
        elif len(channel.waiting) < _MAX_WAITING:
            channel.waiting.append(data)

    def receive(self, data: bytes, now: float) -> None:
        """Take a message of the server; what is malformed is ignored."""
        if self._ended:
            return
        if is_channel_data(data):
            found = read_channel_data(data)
            channel = self._by_number.get(found[0]) if found else None
            if found and channel is not None:
                self._sinks.relayed_data(found[1], channel.peer)
            return
        try:
            response = stun.parse_message(data)
        except StunError:
            return
        answered = self._requests.receive(response, now)
        if answered is not None:
            request, answer = answered
            if isinstance(answer, TurnError):
                self._give_up(request, answer)
            else:
                self._succeeded(request, answer, now)

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        for request in self._requests.handle_timeout(now):
            self._give_up(request, TurnError(0, "it does not answer"))
        if self._ended:
            return
        if now >= self._refresh_at:
            self._refresh_at = math.inf
            self._requests.ask(Request(stun.REFRESH, lambda _: b""), now)
        for channel in self._channels.values():
            if now >= channel.bind_at:
                self._bind(channel, now)

    def close(self, now: float) -> None:
        """Give the allocation back (RFC 8656 section 8); the answer is not awaited."""
        if self._ended:
            return
        if self.relayed is not None:
            nothing = attribute(stun.LIFETIME, bytes(4))
            self._requests.ask(Request(stun.REFRESH, lambda _: nothing), now)
        self._stop()

    # Answers

    def _succeeded(self, request: Request, response: TurnMessage, now: float) -> None:
        if request.method == stun.CHANNEL_BIND:
            if request.peer is not None:
                self._bound(self._channels[request.peer], now)
            return
        lifetime = response.number(stun.LIFETIME) or 0
        ahead = min(_REFRESH_AHEAD, lifetime / 2)
        self._refresh_at = now + max(lifetime - ahead, 1.0)
        if request.method == stun.ALLOCATE:
            self.relayed = response.address(stun.XOR_RELAYED_ADDRESS)
            self.mapped = response.address(XOR_MAPPED_ADDRESS)
            if self.relayed is None:
                self._give_up(request, TurnError(0, "it names no relayed address"))
            else:
                self._sinks.allocated()

    def _give_up(self, request: Request, error: TurnError) -> None:
        if self._ended:
            return
        if request.peer is not None:
            channel = self._channels[request.peer]
            channel.refused, channel.waiting = True, None
            self._sinks.peer_refused(request.peer, error)
        else:
            self._stop()
            self._sinks.ended(error)

    def _stop(self) -> None:
        self._ended = True
        self._requests.clear()
        self._channels.clear()
        self._by_number.clear()

    # Channels

    def _open_channel(self, peer: Address, now: float) -> _Channel | None:
        number = _FIRST_CHANNEL + len(self._channels)
        if len(self._channels) >= MAX_CHANNELS or not self._is_of_family(peer):
            return None
        channel = self._channels[peer] = _Channel(number, peer)
        self._by_number[number] = channel
        self._bind(channel, now)
        return channel

    def _is_of_family(self, peer: Address) -> bool:
        return (ip_address(peer[0]).version == 6) is self._ipv6

    def _bind(self, channel: _Channel, now: float) -> None:
        """Bind a channel, or keep it bound (RFC 8656 section 12)."""
        channel.bind_at = math.inf
        number = attribute(
            stun.CHANNEL_NUMBER, channel.number.to_bytes(2, "big") + bytes(2)
        )

        def attributes(transaction_id: bytes) -> bytes:
            return number + write_xor_address(
                stun.XOR_PEER_ADDRESS, channel.peer, transaction_id
            )

        self._requests.ask(Request(stun.CHANNEL_BIND, attributes, channel.peer), now)

    def _bound(self, channel: _Channel, now: float) -> None:
        channel.bind_at = now + CHANNEL_INTERVAL
        waiting, channel.waiting = channel.waiting or (), None
        for data in waiting:
            self._send_on(channel, data)

    def _send_on(self, channel: _Channel, data: bytes) -> None:
        self._sinks.send(
            write_channel_data(channel.number, data, padded=self._reliable)
        )
