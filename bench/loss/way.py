"""One direction of the path through the relay: what becomes of each packet."""

import math
import random
from dataclasses import dataclass

# Octets that wait for a thin link at most: a third of a second at 1.5 Mb/s.
QUEUE = 62_500


@dataclass(frozen=True, slots=True)
class Impairment:
    """What is wrong with one direction of a path.

    TCP and ARP are delayed and slowed like UDP, and never lost: they carry no media.

    Attributes:
        loss: probability that a datagram is lost.
        burst: datagrams lost one after another at the beginning of each second.
        delay: seconds of transit.
        reordering: probability that a datagram is held up, so that others overtake it.
        hold_up: seconds that such a datagram is held up at most.
        rate: bit/s; infinite for no limit.
    """

    loss: float = 0.0
    burst: int = 0
    delay: float = 0.0
    reordering: float = 0.0
    hold_up: float = 0.03
    rate: float = math.inf


@dataclass(slots=True)
class Counters:
    """What one direction did since they were cleared.

    Attributes:
        datagrams, octets: UDP that was put in, octets of IP packets.
        lost: datagrams lost at random or in bursts.
        overflowed: packets for which the queue had no room.
        waited: seconds that packets waited for the rate, added up.
        longest_wait: the longest of these.
        late: seconds by which packets were passed on too late, added up: what the
            relay itself adds.
        passed: packets of any kind that were passed on.
    """

    datagrams: int = 0
    octets: int = 0
    lost: int = 0
    overflowed: int = 0
    waited: float = 0.0
    longest_wait: float = 0.0
    late: float = 0.0
    passed: int = 0


class Way:
    """Decides when each packet of one direction leaves.

    Every datagram draws the same random values whatever the impairment is.

    Attributes:
        counters: replaced to clear them.
    """

    def __init__(self, seed: str) -> None:
        self.counters = Counters()
        self._impairment = Impairment()
        self._random = random.Random(seed).random
        self._idle_from = 0.0
        self._last_departure = 0.0
        self._second = 0
        self._burst_left = 0

    def change(self, impairment: Impairment) -> None:
        """Treat what is put in from now on like this."""
        self._impairment = impairment
        self._burst_left = 0

    def departure(self, size: int, is_udp: bool, now: float) -> float | None:
        """When a packet leaves; None when it is dropped.

        Args:
            size: octets of the IP packet.
        """
        impairment, counters = self._impairment, self.counters
        if is_udp:
            counters.datagrams += 1
            counters.octets += size
            loss, reordering, hold_up = self._random(), self._random(), self._random()
            if self._is_in_burst(now) or loss < impairment.loss:
                counters.lost += 1
                return None
        leaves = self._through_queue(size, now)
        if leaves is None:
            counters.overflowed += 1
            return None
        leaves += impairment.delay
        if is_udp and reordering < impairment.reordering:
            return leaves + hold_up * impairment.hold_up
        # A delay that shrinks does not reorder.
        self._last_departure = max(leaves, self._last_departure)
        return self._last_departure

    def _is_in_burst(self, now: float) -> bool:
        second = int(now)
        if second != self._second:
            self._second, self._burst_left = second, self._impairment.burst
        if not self._burst_left:
            return False
        self._burst_left -= 1
        return True

    def _through_queue(self, size: int, now: float) -> float | None:
        rate, counters = self._impairment.rate / 8, self.counters
        if rate == math.inf:
            return now
        wait = max(self._idle_from - now, 0.0)
        if wait * rate + size > QUEUE:
            return None
        counters.waited += wait
        counters.longest_wait = max(counters.longest_wait, wait)
        self._idle_from = now + wait + size / rate
        return self._idle_from
