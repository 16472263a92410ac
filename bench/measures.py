"""What is measured, and how each figure is to be read."""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property

from . import clip, echo, publisher, sessions, watching
from .clients import Clients
from .clip import Clip
from .servers import TEXTBOOK, WHIPBIRD, Program, Server


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
        return clip.picture()

    @cached_property
    def sound(self) -> Clip:
        return clip.sound()


Trial = Callable[[Server, Load], Awaitable[dict[str, float]]]
"""Measures a server that has just been started, and returns figures by their keys.
What could not be measured is left out."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A trial, by the name it has on the command line.

    Attributes:
        programs: the servers that it can be made on.
        timeout: seconds after which it is given up.
        rounds: how many there are at most when nobody says how many, since it takes
            long.
        usual: whether it is made when nobody names it.
    """

    name: str
    metrics: tuple[Metric, ...]
    trial: Trial
    programs: tuple[Program, ...] = (WHIPBIRD, TEXTBOOK)
    timeout: float = 60.0
    rounds: int | None = None
    usual: bool = True


MEASURES = (
    Measure(
        "open",
        (Metric("open", "POST to open channel", "ms", Better.LOWER),),
        lambda server, load: sessions.post_to_open(
            server, load.clients, load.scale.openings
        ),
    ),
    Measure(
        "rtt",
        (
            Metric("p50", "echo round trip, p50", "ms", Better.LOWER),
            Metric("p99", "echo round trip, p99", "ms", Better.LOWER),
            Metric("cpu", "  server CPU per round trip", "us", Better.LOWER),
        ),
        lambda server, load: echo.round_trips(server, load.clients, load.scale.pings),
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
        "rtp",
        (
            Metric("cpu", "server CPU per 720p30 publisher", "% core", Better.LOWER),
            Metric("sent", "  sent by each publisher", "Mb/s", Better.NEITHER),
        ),
        lambda server, load: publisher.few(
            server, load.clients, [load.picture], load.scale.publishing
        ),
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
        programs=(WHIPBIRD,),
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
        rounds=2,
    ),
    Measure(
        "capacity",
        (Metric("held", "viewers per core, 720p30 2.5 Mb/s", "", Better.HIGHER),),
        lambda server, load: watching.more_and_more(
            server,
            load.clients,
            [load.picture, load.sound],
            server.program.viewers,
            load.scale.watching,
        ),
        timeout=150.0,
        rounds=1,
    ),
    Measure(
        "waiting",
        (Metric("viewer", "memory per viewer that waits", "kB", Better.LOWER),),
        lambda server, load: watching.memory(server, load.clients, [], load.scale.held),
        programs=(WHIPBIRD,),
        rounds=1,
    ),
    Measure(
        "watching",
        (Metric("viewer", "memory per viewer that watches", "kB", Better.LOWER),),
        lambda server, load: watching.memory(
            server, load.clients, [load.picture, load.sound], load.scale.held
        ),
        programs=(WHIPBIRD,),
        rounds=1,
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
        programs=(WHIPBIRD,),
        timeout=900.0,
        usual=False,
    ),
)
