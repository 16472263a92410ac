"""Many clients at once: they come one after another, stay for a time, and go."""

import asyncio
import contextlib
import enum
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from ..client import WhipClient, WhipError
from ..client.ping import Connected, Event, Ping, PingOptions
from ..client.publish import Publication
from ..client.watch import End, Watch, WatchOptions
from ..client.whep import WhepClient
from ..stats.distribution import Distribution
from .effort import Effort, Limit
from .repeated import Repeated, encode_once

# Clients that end their sessions at a time.
_CLOSING_WIDTH = 20
# Errors that are told apart.
_MAX_ERRORS = 20


class Role(enum.StrEnum):
    """What clients do."""

    PING = "pings"
    PUBLISH = "publishers"
    VIEW = "viewers"


@dataclass(frozen=True, slots=True)
class Plan:
    """The clients of a run.

    Attributes:
        urls: the endpoint of each role; ``{n}`` in it is the number of the client.
        clients: how many there are of each role.
        seconds: for how long they stay, after all of them have come.
        ramp: seconds over which they come.
        interval, size: seconds between the messages of a ping, and their octets.
        streams: how many streams there are for viewers whose URL has ``{n}``.
        token, tls_fingerprint: see ``WhipClient``.
    """

    urls: Mapping[Role, str]
    clients: Mapping[Role, int]
    seconds: float = 10.0
    ramp: float = 1.0
    interval: float = 0.1
    size: int = 64
    streams: int = 1
    token: str | None = None
    tls_fingerprint: bytes | None = None

    def url(self, role: Role, number: int) -> str:
        """The URL of a client.

        Args:
            number: its number, from 0.
        """
        if role is Role.VIEW:
            number %= self.streams
        return self.urls[role].replace("{n}", str(number + 1))


@dataclass(slots=True)
class RoleReport:
    """What the clients of one role saw.

    Attributes:
        clients: how many were to come.
        connected: how many have connected.
        lost: connected ones whose connection was lost, or that got nothing.
        errors: why others did not connect, or were lost, and how often.
        setup: seconds from the beginning of a client to its connection.
        rtt: round trips of messages, in seconds; of media as reports tell them.
        sent, received, missing: messages of pings, or packets: sent by publishers,
            received by viewers, and missing at the other end.
        octets: of media packets.
        frame_rate, bitrate: of each viewer's pictures, and of all its media, over its
            time: per second.
        incomplete: frames that viewers did not get whole.
    """

    clients: int = 0
    connected: int = 0
    lost: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    setup: Distribution = field(default_factory=Distribution)
    rtt: Distribution = field(default_factory=Distribution)
    sent: int = 0
    received: int = 0
    missing: int = 0
    octets: int = 0
    frame_rate: Distribution = field(default_factory=Distribution)
    bitrate: Distribution = field(default_factory=Distribution)
    incomplete: int = 0


@dataclass(frozen=True, slots=True)
class BenchReport:
    """The results of a run.

    Attributes:
        seconds: how long it took, from the first client on.
        roles: what each role saw.
        cpu_share: the share of one core that this process has used.
        lag: the 99th percentile of the seconds by which it was late.
        limit: what was too busy on this side to measure the server.
    """

    seconds: float
    roles: Mapping[Role, RoleReport]
    cpu_share: float
    lag: float
    limit: Limit

    @property
    def is_flawless(self) -> bool:
        """Whether every client has connected and stayed."""
        return all(
            role.connected == role.clients and not role.lost
            for role in self.roles.values()
        )


class Bench:
    """Runs a plan once.

    Args:
        plan: the clients.
        on_second: called every second with the seconds since the first client, and how
            many clients are connected.
    """

    def __init__(
        self, plan: Plan, on_second: Callable[[int, int], None] = lambda *_: None
    ) -> None:
        self._plan = plan
        self._on_second = on_second
        self._now = asyncio.get_running_loop().time
        self._roles = {
            role: RoleReport(clients=count)
            for role, count in plan.clients.items()
            if count
        }
        self._present = 0
        self._effort = Effort()
        self._closing = asyncio.Semaphore(_CLOSING_WIDTH)
        self._began = self._ends_at = 0.0
        self._media: Repeated | None = None

    async def run(self) -> None:
        """Let all clients come, stay and go."""
        if Role.PUBLISH in self._roles:
            self._media = await asyncio.to_thread(encode_once)
        self._began = self._now()
        self._ends_at = self._began + self._plan.ramp + self._plan.seconds
        self._effort.start()
        telling = asyncio.create_task(self._tell())
        try:
            async with asyncio.TaskGroup() as group:
                for role, report in self._roles.items():
                    for number in range(report.clients):
                        group.create_task(self._client(role, number))
                group.create_task(self._stop_measuring())
        finally:
            self._effort.stop()
            telling.cancel()
            await asyncio.wait([telling])

    @property
    def report(self) -> BenchReport:
        """The results so far."""
        return BenchReport(
            seconds=self._now() - self._began if self._began else 0.0,
            roles=self._roles,
            cpu_share=self._effort.cpu_share,
            lag=self._effort.lags.percentile(0.99) or 0.0,
            limit=self._effort.limit,
        )

    async def _stop_measuring(self) -> None:
        """Measure the effort until the clients go, all at once."""
        await asyncio.sleep(self._ends_at - self._now())
        self._effort.stop()

    async def _tell(self) -> None:
        seconds = 0
        while True:
            seconds += 1
            await asyncio.sleep(self._began + seconds - self._now())
            self._on_second(seconds, self._present)

    async def _client(self, role: Role, number: int) -> None:
        """One client, from its time to come until all go."""
        report = self._roles[role]
        await asyncio.sleep(self._plan.ramp * number / report.clients)
        url = self._plan.url(role, number)
        act = {
            Role.PING: self._ping,
            Role.PUBLISH: self._publish,
            Role.VIEW: self._view,
        }[role]
        try:
            await act(url, report)
        except WhipError as error:
            if str(error) in report.errors or len(report.errors) < _MAX_ERRORS:
                report.errors[str(error)] += 1

    def _new(self, kind: type[WhipClient], url: str) -> WhipClient:
        plan = self._plan
        return kind(url, token=plan.token, tls_fingerprint=plan.tls_fingerprint)

    async def _ping(self, url: str, report: RoleReport) -> None:
        def heard(event: Event) -> None:
            if isinstance(event, Connected):
                self._came(report, event.setup.total)

        options = PingOptions(interval=self._plan.interval, size=self._plan.size)
        ping = Ping(lambda: self._new(WhipClient, url), options, heard)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._ends_at):
                    await ping.run()
        except WhipError:
            report.lost += bool(ping.stats.sessions)
            raise
        finally:
            self._present -= bool(ping.stats.sessions)
            stats = ping.stats
            report.sent += stats.sent
            report.received += stats.received
            report.missing += stats.lost
            report.rtt.update(ping.rtts)

    async def _publish(self, url: str, report: RoleReport) -> None:
        assert self._media is not None
        async with self._session(self._new(WhipClient, url)) as client:
            publication = Publication(self._media, client)
            await publication.connect()
            self._came(report, client.setup.total)
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(self._ends_at):
                        await publication.run()
            except WhipError:
                report.lost += 1
                raise
            finally:
                self._present -= 1
                sent = await publication.report()
                report.sent += sent.packets
                report.octets += sent.octets
                report.missing += sent.lost or 0
                if sent.rtt is not None:
                    report.rtt.add(sent.rtt)

    async def _view(self, url: str, report: RoleReport) -> None:
        client = self._new(WhepClient, url)
        assert isinstance(client, WhepClient)
        async with self._session(client):
            # A publisher of this run may come a little later.
            left = max(self._ends_at - self._now(), 0.1)
            watch = Watch(client, WatchOptions(seconds=left, waits=True))
            refusals: list[WhipError] = []
            try:
                async with asyncio.timeout_at(self._ends_at):
                    await watch.connect(refusals.append)
            except TimeoutError:
                why = "Nobody publishes" if refusals else "Not connected in time"
                raise WhipError(why) from None
            self._came(report, client.setup.total)
            try:
                end = await watch.run()
                if end is not End.TIME:
                    report.lost += 1
                    raise WhipError("Connection lost", str(end))
            finally:
                self._present -= 1
                self._viewed(watch, report)
                await watch.close()

    @contextlib.asynccontextmanager
    async def _session(self, client: WhipClient) -> AsyncIterator[WhipClient]:
        """A client that ends its session when not too many others do."""
        try:
            yield client
        finally:
            async with self._closing:
                await client.close()

    def _came(self, report: RoleReport, setup: float) -> None:
        self._present += 1
        report.connected += 1
        report.setup.add(setup)

    def _viewed(self, watch: Watch, report: RoleReport) -> None:
        seconds, octets = max(watch.seconds, 0.001), 0
        for figures in watch.figures:
            report.received += figures.packets
            report.missing += figures.lost
            report.incomplete += figures.left_out
            octets += figures.octets
            if figures.kind == "video":
                report.frame_rate.add(figures.frames / seconds)
        report.octets += octets
        report.bitrate.add(octets * 8 / seconds)
