"""A network for ICE transports, in memory and virtual time."""

import heapq
import itertools
import math
import random
from collections.abc import Callable

from whipbird.sdp.candidate import Candidate
from whipbird.sdp.transport import IceCredentials
from whipbird.transport.ice import (
    MAX_LOCAL_PREFERENCE,
    IceTransport,
    LocalCandidate,
    host_candidate,
)
from whipbird.transport.path import Address, Path
from whipbird.transport.stun import StunMessage, binding_request, parse


class End:
    """A peer on the link: its transport, and all that this calls.

    Attributes:
        bases: the addresses of its sockets.
        verified: the paths that are verified and not forgotten.
        selected: the paths that were selected.
        data: what the other has sent on verified paths, STUN apart.
        events: names of the other sinks that were called.
        media_sender_heard_at, peer_heard_at: see ``IceSinks``; the test sets them.
    """

    def __init__(
        self,
        link: "Link",
        *hosts: str,
        controlling: bool,
        lite: bool = False,
        seed: int = 0,
    ) -> None:
        self.link = link
        self.bases: list[Address] = [(host, 5000) for host in hosts]
        self.verified: set[Path] = set()
        self.selected: list[Path] = []
        self.ufrags: tuple[str, ...] = ()
        self.data: list[bytes] = []
        self.events: list[str] = []
        self.closes_on: str | None = None
        self.media_sender_heard_at = self.peer_heard_at = -math.inf
        rng = random.Random(f"{seed} {hosts} {controlling}")
        self.ice = IceTransport(self, controlling=controlling, lite=lite, rng=rng)
        self.ice.gather(self.candidates())
        link.attach(self)

    def candidates(self) -> list[LocalCandidate]:
        return [
            host_candidate(base[0], base[1], base, MAX_LOCAL_PREFERENCE - n)
            for n, base in enumerate(self.bases)
        ]

    def move(self, *hosts: str) -> None:
        """Have other addresses instead."""
        self.bases = [(host, 5000) for host in hosts]

    def start(self, other: "End", *, knows_candidates: bool = True) -> None:
        self.ice.start(other.ice.local, self.link.now)
        if knows_candidates:
            self.take_candidates(other)

    def take_candidates(self, other: "End") -> None:
        for local in other.ice.local_candidates:
            self.ice.add_remote_candidate(local.candidate, self.link.now)

    def send(self, data: bytes) -> None:
        """Send data on the selected path, if there is one."""
        path = self.ice.selected
        if path is not None:
            self.link.send(data, path)

    def receive(self, data: bytes, path: Path) -> None:
        if data[0] < 4:
            self.ice.receive(data, path, self.link.now)
        elif path in self.verified:
            self.data.append(data)

    # IceSinks

    def send_datagram(self, data: bytes, path: Path) -> None:
        self.link.send(data, path)

    def path_verified(self, path: Path) -> None:
        assert path not in self.verified
        self.verified.add(path)

    def path_forgotten(self, path: Path) -> None:
        self.verified.remove(path)

    def path_selected(self, path: Path) -> None:
        assert path in self.verified
        assert path == self.ice.selected
        self.selected.append(path)

    def ufrags_changed(self, ufrags: tuple[str, ...]) -> None:
        self.ufrags = ufrags

    def ice_failed(self) -> None:
        self._happened("failed")

    def consent_expired(self) -> None:
        assert self.ice.selected is None
        self._happened("expired")

    def restart_ended(self, succeeded: bool) -> None:
        self._happened("restarted" if succeeded else "abandoned")

    def _happened(self, event: str) -> None:
        self.events.append(event)
        if event == self.closes_on:
            self.ice.close()


class Link:
    """Carries datagrams between ends, with loss, delay and duplication.

    Args:
        loss: the part of the datagrams that is lost.
        delay: seconds one way, at least.
        jitter: seconds one way more, at most: datagrams overtake each other.
        duplication: the part of the datagrams that arrives twice.

    Attributes:
        now: the time.
        nat: what source addresses are translated to.
        dead: addresses (of bases) that nothing reaches and nothing leaves.
        sent: all datagrams, with the time and the sender's path.
        filter: is asked whether a datagram gets through.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        loss: float = 0,
        delay: float = 0.01,
        jitter: float = 0,
        duplication: float = 0,
    ) -> None:
        self._rng = random.Random(seed)
        self.loss = loss
        self.delay = delay
        self.jitter = jitter
        self.duplication = duplication
        self.now = 1000.0
        self.nat: dict[Address, Address] = {}
        self.dead: set[Address] = set()
        self.sent: list[tuple[float, bytes, Path]] = []
        self.filter: Callable[[bytes, Path], bool] = lambda _data, _path: True
        self._ends: list[End] = []
        self._queue: list[tuple[float, int, bytes, Address, Address]] = []
        self._numbers = itertools.count()

    def attach(self, end: End) -> None:
        self._ends.append(end)

    def messages(self, base: Address, since: float = 0) -> list[StunMessage]:
        """The STUN messages that were sent from an address."""
        return [
            parse(data)
            for at, data, path in self.sent
            if path.local == base and data[0] < 4 and at >= since
        ]

    def send(self, data: bytes, path: Path) -> None:
        self.sent.append((self.now, data, path))
        if path.local in self.dead or not self.filter(data, path):
            return
        source = self.nat.get(path.local, path.local)
        copies = 2 if self._rng.random() < self.duplication else 1
        for _ in range(copies):
            if self._rng.random() >= self.loss:
                at = self.now + self.delay + self.jitter * self._rng.random()
                number = next(self._numbers)
                heapq.heappush(self._queue, (at, number, data, source, path.remote))

    def run(self, seconds: float) -> None:
        """Let time go by."""
        self.run_until(lambda: False, seconds)

    def run_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let time go by until something is so, or the time is up.

        Returns:
            Whether it is so.
        """
        end = self.now + seconds
        calls = 0
        while not condition():
            at = min(self._next_at(), end)
            calls = calls + 1 if at <= self.now else 0
            assert calls < 10_000, "a deadline does not pass"
            self.now = max(self.now, at)
            if self.now >= end and self._next_at() > end:
                return condition()
            while self._queue and self._queue[0][0] <= self.now:
                _, _, data, source, destination = heapq.heappop(self._queue)
                self._deliver(data, source, destination)
            for peer in self._ends:
                if peer.ice.deadline <= self.now:
                    peer.ice.handle_timeout(self.now)
        return True

    def _next_at(self) -> float:
        return min(
            self._queue[0][0] if self._queue else math.inf,
            *(end.ice.deadline for end in self._ends),
        )

    def _deliver(self, data: bytes, source: Address, destination: Address) -> None:
        inside = {outside: inside for inside, outside in self.nat.items()}
        base = destination
        if destination in inside:
            base = inside[destination]
        elif destination in self.nat:
            # Behind the NAT, and not reachable but by its translated address.
            return
        if base in self.dead:
            return
        for end in self._ends:
            if base in end.bases:
                end.receive(data, Path(base, source))


def pair_up(
    link: Link,
    *,
    client: tuple[str, ...] = ("192.0.2.1",),
    server: tuple[str, ...] = ("198.51.100.1",),
    lite: bool = False,
    seed: int = 0,
) -> tuple[End, End]:
    """Two ends that know nothing of each other: the first one is controlling."""
    return (
        End(link, *client, controlling=True, seed=seed),
        End(link, *server, controlling=False, lite=lite, seed=seed),
    )


def connect(link: Link, client: End, server: End, seconds: float = 5) -> None:
    """Connect as WHIP does: the server knows of the client first."""
    server.start(client, knows_candidates=False)
    client.start(server)
    assert link.run_until(lambda: are_connected(client, server), seconds)


def are_connected(*ends: End) -> bool:
    return all(end.ice.selected is not None for end in ends)


def restart(link: Link, client: End, server: End) -> None:
    """Restart from the client's side, and let both know of each other."""
    client.ice.restart(client.candidates(), link.now)
    server.ice.restart(server.candidates(), link.now)
    server.ice.accept_restart(client.ice.local, link.now)
    client.ice.accept_restart(server.ice.local, link.now)
    client.take_candidates(server)


def check_from(
    sender: IceCredentials,
    receiver: IceCredentials,
    *,
    number: int = 0,
    controlling: bool = True,
    nominates: bool = False,
    tie_breaker: int = 1,
) -> bytes:
    """A check as a peer with these credentials makes it."""
    return binding_request(
        number.to_bytes(12, "big"),
        username=f"{receiver.ufrag}:{sender.ufrag}".encode(),
        key=receiver.pwd.encode(),
        priority=1 << 24,
        controlling=controlling,
        tie_breaker=tie_breaker,
        nominates=nominates,
    )


def remote_candidate(address: str, port: int, priority: int = 1) -> Candidate:
    """A host candidate as the peer signals it."""
    return Candidate("1", 1, "udp", priority, address, port, "host")
