"""One direction of a way through a network."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tests.netem.world import World
from whipbird.transport.path import Address

# IPv4 and UDP headers, IPv6 and UDP headers.
IPV4_OVERHEAD = 28
IPV6_OVERHEAD = 48


class Datagram(NamedTuple):
    """A UDP datagram on its way."""

    source: Address
    destination: Address
    data: bytes

    @property
    def size(self) -> int:
        """Octets with the headers of IP and UDP."""
        overhead = IPV6_OVERHEAD if ":" in self.destination[0] else IPV4_OVERHEAD
        return len(self.data) + overhead


@dataclass(slots=True)
class Conditions:
    """How good a link is. May change at any time, for what is sent from then on.

    Attributes:
        loss: probability that a datagram is lost.
        burst: datagrams lost one after another at the beginning of each second.
        delay: seconds of transit.
        jitter: at most so many seconds more, of equal probability; the order stays.
        reordering: probability that a datagram is held up so that later ones may
            overtake it.
        hold_up: seconds that such a datagram is held up at most.
        duplication: probability that a datagram arrives twice.
        corruption: probability that one bit arrives wrong (and that nobody's checksum
            notices).
        mtu: the largest IP packet in octets; larger ones vanish.
        rate: octets a second, with headers.
        queue: octets that wait for the rate at most; what comes then is dropped.
        is_down: nothing passes.
    """

    loss: float = 0.0
    burst: int = 0
    delay: float = 0.01
    jitter: float = 0.0
    reordering: float = 0.0
    hold_up: float = 0.05
    duplication: float = 0.0
    corruption: float = 0.0
    mtu: int = 1500
    rate: float = math.inf
    queue: int = 65536
    is_down: bool = False


class Link:
    """A link that hands on what is sent over it, later, or never.

    Each datagram draws the same number of random values whatever becomes of it, so a
    change of one property changes nothing of what the others do.

    Attributes:
        conditions: how good it is; may be changed in place, replaced, or shared.
        sent: datagrams put in.
        delivered: datagrams that came out; duplicates count.
        lost: datagrams lost at random, in a burst or while it was down.
        oversized: datagrams larger than the MTU.
        overflowed: datagrams for which the queue had no room.
    """

    def __init__(
        self,
        world: World,
        name: str,
        deliver: Callable[[Datagram], object],
        conditions: Conditions | None = None,
    ) -> None:
        self.conditions = conditions or Conditions()
        self.sent = 0
        self.delivered = 0
        self.lost = 0
        self.oversized = 0
        self.overflowed = 0
        self._world = world
        self._random = world.derive_rng(f"link {name}").random
        self._deliver = deliver
        self._idle_from = 0.0
        self._last_arrival = 0.0
        # The second of the last datagram, and how many of it came before.
        self._second = (-1, 0)

    def send(self, datagram: Datagram) -> None:
        """Put a datagram in."""
        self.sent += 1
        loss, duplication, reordering = self._random(), self._random(), self._random()
        conditions = self.conditions
        if datagram.size > conditions.mtu:
            self.oversized += 1
            return
        departure = self._departure(datagram.size)
        if departure is None:
            self.overflowed += 1
            return
        is_held_up = reordering < conditions.reordering
        is_in_burst = self._place() < conditions.burst
        is_lost = conditions.is_down or is_in_burst or loss < conditions.loss
        self._transmit(datagram, departure, is_held_up, is_lost)
        if is_lost:
            self.lost += 1
        elif duplication < conditions.duplication:
            self._transmit(datagram, departure, is_held_up, False)

    def _place(self) -> int:
        """How many datagrams of this second came before this one."""
        second, place = int(self._world.now), 0
        if second == self._second[0]:
            place = self._second[1] + 1
        self._second = (second, place)
        return place

    def _departure(self, size: int) -> float | None:
        """When the last octet is on the link; None when the queue is full."""
        now, conditions = self._world.now, self.conditions
        if conditions.rate == math.inf:
            return now
        begin = max(now, self._idle_from)
        if (begin - now) * conditions.rate + size > conditions.queue:
            return None
        self._idle_from = begin + size / conditions.rate
        return self._idle_from

    def _transmit(
        self, datagram: Datagram, departure: float, is_held_up: bool, is_lost: bool
    ) -> None:
        draw = self._random
        jitter, hold_up, corruption, bit = draw(), draw(), draw(), draw()
        if is_lost:
            return
        conditions = self.conditions
        arrival = departure + conditions.delay + conditions.jitter * jitter
        if is_held_up:
            arrival += conditions.hold_up * hold_up
        else:
            arrival = self._last_arrival = max(arrival, self._last_arrival)
        if corruption < conditions.corruption:
            data = _corrupt(datagram.data, bit)
            datagram = Datagram(datagram.source, datagram.destination, data)
        self._world.call_at(arrival, self._arrive, datagram)

    def _arrive(self, datagram: Datagram) -> None:
        self.delivered += 1
        self._deliver(datagram)


def _corrupt(data: bytes, where: float) -> bytes:
    """Flip the bit at a fraction of the whole."""
    if not data:
        return data
    octet, bit = divmod(int(where * len(data) * 8), 8)
    return data[:octet] + bytes((data[octet] ^ 1 << bit,)) + data[octet + 1 :]
