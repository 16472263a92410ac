"""What is measured, and how each figure is to be read."""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property

from . import clip, cores, echo, publisher, requests, sessions, watching
from .clients import Clients
from .clip import Clip
from .servers import Feature, Server


class Better(enum.StrEnum):
    """Which way a figure is better."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "-"


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that a trial returns.

    Attributes:
        key: its key in what the trial returns.
        title, unit: what it is called in the table.
    """

    key: str
    title: str
    unit: str
    better: Better


@dataclass(frozen=True, slots=True)
class Scale:
    """How long the trials are. Counts are of one trial, times in seconds.

    Attributes:
        openings: sessions set up one after another.
        pings: round trips.
        streaming: time of each throughput.
        turnover: sessions that come and go.
        held: sessions held for their memory.
        publishing: time of publishing.
        watching: time of watching, with each number of viewers; more than the two
            seconds of the picture.
        soaking: time of publishing, for what grows slowly.
    """

    openings: int
    pings: int
    streaming: float
    turnover: int
    held: int
    publishing: float
    watching: float
    soaking: float


FULL = Scale(30, 3000, 2.0, 150, 150, 4.0, 2.5, 600.0)
QUICK = Scale(15, 1500, 1.0, 80, 80, 2.5, 2.2, 60.0)


@dataclass
class Load:
    """What all trials share.

    Attributes:
        picture, sound: what publishers send; encoded when it is first needed.
    """

    scale: Scale
    clients: Clients = field(default_factory=Clients)

    @cached_property
    def picture(self) -> Clip:
        return clip.h264_picture()

    @cached_property
    def sound(self) -> Clip:
        return clip.sound()


_MEDIA = frozenset({Feature.MEDIA, Feature.STREAMS})
_API = frozenset({Feature.API})
_VIEWERS = frozenset({Feature.MEDIA, Feature.VIEWERS})
_CROWDS = _VIEWERS | {Feature.CROWDS}

Trial = Callable[[Server, Load], Awaitable[dict[str, float]]]
"""Measures a server that has just been started, and returns figures by their keys.
What could not be measured is left out."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A trial, by the name it has on the command line.

    Attributes:
        needs: what a server must have for it.
        timeout: seconds after which it is given up.
        rounds: how many there are at most when nobody says how many, since it takes
            long.
        usual: whether it is made when nobody names it.
    """

    name: str
    metrics: tuple[Metric, ...]
    trial: Trial
    needs: frozenset[Feature] = frozenset({Feature.ECHO})
    timeout: float = 60.0
    rounds: int | None = None
    usual: bool = True


MEASURES = (
    Measure(
        "open",
        (
            Metric("answer", "POST to 201", "ms", Better.LOWER),
            Metric("open", "POST to open channel", "ms", Better.LOWER),
        ),
        lambda server, load: sessions.post_to_open(
            server, load.clients, load.scale.openings
        ),
    ),
    Measure(
        "rtt",
        (
            Metric("p50", "echo round trip, p50", "ms", Better.LOWER),
            Metric("p99", "echo round trip, p99", "ms", Better.LOWER),
            Metric("p999", "echo round trip, p99.9", "ms", Better.LOWER),
            Metric("cpu", "  server CPU per round trip", "us", Better.LOWER),
        ),
        lambda server, load: echo.round_trips(server, load.clients, load.scale.pings),
    ),
    Measure(
        "pingers",
        (
            Metric("p50", "round trip of 200 at once, p50", "ms", Better.LOWER),
            Metric("p99", "round trip of 200 at once, p99", "ms", Better.LOWER),
            Metric("cpu", "  server CPU per round trip", "us", Better.LOWER),
        ),
        lambda server, load: echo.many(server, load.clients, load.scale.streaming),
        rounds=2,
    ),
    Measure(
        "huge",
        (
            Metric("rate", "echo throughput, 256 kB messages", "MB/s", Better.HIGHER),
            Metric("cpu", "  server CPU per MB echoed", "ms", Better.LOWER),
        ),
        lambda server, load: echo.throughput(
            server, load.clients, 256_000, 8, load.scale.streaming
        ),
    ),
    Measure(
        "large",
        (
            Metric("rate", "echo throughput, 16 kB messages", "MB/s", Better.HIGHER),
            Metric("cpu", "  server CPU per MB echoed", "ms", Better.LOWER),
        ),
        lambda server, load: echo.throughput(
            server, load.clients, 16_000, 32, load.scale.streaming
        ),
    ),
    Measure(
        "small",
        (
            Metric("rate", "echo throughput, 1 kB messages", "MB/s", Better.HIGHER),
            Metric("cpu", "  server CPU per MB echoed", "ms", Better.LOWER),
        ),
        lambda server, load: echo.throughput(
            server, load.clients, 1_000, 256, load.scale.streaming
        ),
    ),
    Measure(
        "tiny",
        (
            Metric("rate", "echo throughput, 64 B messages", "MB/s", Better.HIGHER),
            Metric("cpu", "  server CPU per MB echoed", "ms", Better.LOWER),
        ),
        lambda server, load: echo.throughput(
            server, load.clients, 64, 1024, load.scale.streaming
        ),
    ),
    Measure(
        "sessions",
        (
            Metric("rate", "sessions per second, 10 at once", "1/s", Better.HIGHER),
            Metric("cpu", "  server CPU per session", "ms", Better.LOWER),
        ),
        lambda server, load: sessions.turnover(
            server, load.clients, load.scale.turnover
        ),
    ),
    Measure(
        "memory",
        (Metric("session", "memory per idle session", "kB", Better.LOWER),),
        lambda server, load: sessions.memory(server, load.clients, load.scale.held),
    ),
    Measure(
        "requests",
        (
            Metric("rate", "OPTIONS requests per second", "1/s", Better.HIGHER),
            Metric("cpu", "  server CPU per request", "us", Better.LOWER),
        ),
        lambda server, load: requests.options(server, load.scale.streaming),
    ),
    Measure(
        "rtp",
        (
            Metric("cpu", "server CPU per 720p30 publisher", "% core", Better.LOWER),
            Metric("sent", "  sent by each publisher", "Mb/s", Better.NEITHER),
        ),
        lambda server, load: publisher.few(
            server, load.clients, [load.picture], load.scale.publishing
        ),
        needs=_MEDIA,
    ),
    Measure(
        "crowd",
        (
            *(
                Metric(f"cpu{n}", f"server CPU for one of {n}", "% core", Better.LOWER)
                for n in publisher.MANY
            ),
            Metric("packets", "  packets from the most", "", Better.NEITHER),
            Metric("lost", "  lost of these", "", Better.LOWER),
        ),
        lambda server, load: publisher.many(
            server, load.clients, [load.picture], load.scale.publishing
        ),
        needs=_API,
    ),
    Measure(
        "watch",
        (
            Metric("frame1p50", "frame to one viewer, p50", "ms", Better.LOWER),
            Metric("frame1p99", "frame to one viewer, p99", "ms", Better.LOWER),
            *(
                metric
                for n in watching.SHOWN
                for metric in (
                    Metric(
                        f"cpu{n}", f"server CPU for one of {n}", "% core", Better.LOWER
                    ),
                    Metric(
                        f"packet{n}", "  for one of its packets", "us", Better.LOWER
                    ),
                    Metric(f"delay{n}p50", "  delay of these, p50", "ms", Better.LOWER),
                    Metric(f"delay{n}p99", "  delay of these, p99", "ms", Better.LOWER),
                )
            ),
        ),
        lambda server, load: watching.few_and_many(
            server, load.clients, [load.picture, load.sound], load.scale.watching
        ),
        needs=_VIEWERS,
        rounds=2,
    ),
    Measure(
        "joining",
        (
            Metric("connected", "viewer: POST to connected", "ms", Better.LOWER),
            Metric("rate", "viewers set up per second", "1/s", Better.HIGHER),
            Metric("cpu", "  server CPU per viewer set up", "ms", Better.LOWER),
        ),
        lambda server, load: watching.set_up(
            server,
            load.clients,
            [load.picture, load.sound],
            load.scale.openings,
            load.scale.turnover,
        ),
        needs=_VIEWERS,
    ),
    Measure(
        "beside",
        (
            Metric("p50", "ping beside 200 viewers, p50", "ms", Better.LOWER),
            Metric("p99", "ping beside 200 viewers, p99", "ms", Better.LOWER),
        ),
        lambda server, load: watching.pings_beside(
            server, load.clients, [load.picture, load.sound], load.scale.publishing
        ),
        needs=_CROWDS | {Feature.ECHO},
        rounds=2,
    ),
    Measure(
        "capacity",
        (Metric("held", "viewers per core, 720p30 2.2 Mb/s", "", Better.HIGHER),),
        lambda server, load: watching.more_and_more(
            server,
            load.clients,
            [load.picture, load.sound],
            server.program.viewers,
            load.scale.watching,
        ),
        needs=_VIEWERS,
        timeout=150.0,
        rounds=1,
    ),
    Measure(
        "waiting",
        (Metric("viewer", "memory per viewer that waits", "kB", Better.LOWER),),
        lambda server, load: watching.memory(server, load.clients, [], load.scale.held),
        needs=_API,
        rounds=1,
    ),
    Measure(
        "watching",
        (Metric("viewer", "memory per viewer that watches", "kB", Better.LOWER),),
        lambda server, load: watching.memory(
            server, load.clients, [load.picture, load.sound], load.scale.held
        ),
        needs=_CROWDS,
        rounds=1,
    ),
    Measure(
        "cores",
        (
            Metric("sessions", "load of 2 workers to 1: sessions", "x", Better.HIGHER),
            Metric("echo", "  echoes of 1 kB", "x", Better.HIGHER),
            Metric("viewers", "  viewers of two streams", "x", Better.HIGHER),
            Metric("viewers_of_one", "  viewers of one stream", "x", Better.HIGHER),
        ),
        lambda server, load: cores.ratios(
            server,
            load.clients,
            [load.picture, load.sound],
            load.scale.turnover,
            load.scale.watching,
        ),
        needs=_API,
        timeout=300.0,
        rounds=2,
    ),
    Measure(
        "soak",
        (
            Metric("early", "memory after a tenth of the time", "MB", Better.LOWER),
            Metric("late", "  at the end", "MB", Better.LOWER),
        ),
        lambda server, load: publisher.soak(
            server, load.clients, [load.picture], load.scale.soaking
        ),
        needs=_API,
        timeout=900.0,
        usual=False,
    ),
)
