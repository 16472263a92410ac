"""``whipbird ping``: round trips over a data channel, printed like ping(8)."""

import json
import sys
import time
from typing import Any

import click

from ..client import WhipClient, WhipError
from ..client.ping import (
    MIN_SIZE,
    Connected,
    Disconnected,
    Event,
    Ping,
    PingOptions,
)
from ..client.round_trips import Overdue, PingStats, Reply, Unsent
from ..transport.sctp import MAX_MESSAGE_SIZE
from .loop import run, until_interrupted
from .parameters import (
    FiniteRange,
    HttpUrl,
    better_url,
    tls_fingerprint_option,
    token_options,
)

# The stream of a URL without a path. Nobody can watch it: pings publish nothing.
DEFAULT_PATH = "/whip/ping"


@click.command("ping")
@click.argument("url", type=HttpUrl(DEFAULT_PATH))
@click.option(
    "-c", "--count", type=click.IntRange(min=1), help="Stop after so many messages."
)
@click.option(
    "-i",
    "--interval",
    type=FiniteRange(min=0),
    default=1.0,
    show_default=True,
    help="Seconds from one message to the next; 0 sends one when the last came back.",
)
@click.option(
    "-s",
    "--size",
    type=click.IntRange(MIN_SIZE, MAX_MESSAGE_SIZE),
    default=64,
    show_default=True,
    help="Octets of each message.",
)
@click.option(
    "-W",
    "--timeout",
    type=FiniteRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    help="Seconds after which an echo is late, and after which the last ones are lost.",
)
@click.option(
    "-w",
    "--deadline",
    type=FiniteRange(min=0, min_open=True),
    help="Stop after so many seconds, and wait for echoes until then.",
)
@click.option("--unordered", is_flag=True, help="Use an unordered channel.")
@click.option(
    "--max-retransmits",
    type=click.IntRange(0, 65535),
    help="Retransmit a lost message so often; with 0, loss is loss.  [default: always]",
)
@click.option(
    "--reconnect",
    is_flag=True,
    help="Open another session when one ends, as when the server restarts.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print the summary only.")
@click.option(
    "-D", "--timestamps", is_flag=True, help="Print the time before each line."
)
@token_options
@tls_fingerprint_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print a JSON object a line: each event, then the summary.",
)
def ping_command(
    url: str,
    count: int | None,
    interval: float,
    size: int,
    timeout: float,
    deadline: float | None,
    unordered: bool,
    max_retransmits: int | None,
    reconnect: bool,
    quiet: bool,
    timestamps: bool,
    token: str | None,
    tls_fingerprint: bytes | None,
    as_json: bool,
) -> None:
    """Measure round trips over a data channel of the WHIP endpoint URL.

    Messages are sent at their times, whether or not earlier ones have come back. A URL
    without a path, as http://host:8080, stands for the stream "ping" of a Whipbird.

    Exits with 0 if echoes were received, 1 if none was, or fewer than --count by the
    --deadline, 2 for wrong arguments.
    """
    options = PingOptions(
        count=count,
        interval=interval,
        size=size,
        timeout=timeout,
        deadline=deadline,
        ordered=not unordered,
        max_retransmits=max_retransmits,
        reconnect=reconnect,
    )
    printer: _Printer
    if as_json:
        printer = _JsonPrinter(url, size, quiet=quiet)
    else:
        printer = _TextPrinter(url, size, quiet=quiet, timestamps=timestamps)
    sys.exit(run(_ping(url, token, tls_fingerprint, options, printer)))


async def _ping(
    url: str,
    token: str | None,
    tls_fingerprint: bytes | None,
    options: PingOptions,
    printer: "_Printer",
) -> int:
    def client() -> WhipClient:
        return WhipClient(url, token=token, tls_fingerprint=tls_fingerprint)

    ping = Ping(client, options, printer.event)
    error: WhipError | None = None
    try:
        await until_interrupted(ping.run())
    except WhipError as problem:
        error = problem
    stats = ping.stats
    printer.end(stats, error)
    better = better_url(url, "whip")
    if error is not None and error.status in (404, 405) and better is not None:
        click.echo(f"Of a Whipbird, try: whipbird ping {better}", err=True)
    if options.deadline is not None and options.count is not None:
        return 0 if stats.received >= options.count else 1
    return 0 if stats.received else 1


class _Printer:
    """Prints events and the summary.

    Args:
        size: octets of each message.
        quiet: whether to print the summary only.
    """

    def __init__(self, url: str, size: int, *, quiet: bool) -> None:
        self._url = url
        self._size = size
        self._quiet = quiet

    def event(self, event: Event) -> None:
        raise NotImplementedError

    def end(self, stats: PingStats, error: WhipError | None) -> None:
        raise NotImplementedError


class _TextPrinter(_Printer):
    """Prints lines like those of ping(8).

    Args:
        timestamps: whether to print the time before each line, as ``ping -D`` does.
    """

    def __init__(self, url: str, size: int, *, quiet: bool, timestamps: bool) -> None:
        super().__init__(url, size, quiet=quiet)
        self._timestamps = timestamps
        self._has_heading = False

    def event(self, event: Event) -> None:
        match event:
            case Connected():
                self._connected(event)
            case Reply(sequence, size, rtt):
                notes = [
                    *(["late"] if event.is_late else []),
                    *(["out of order"] if event.is_reordered else []),
                ]
                note = f" ({', '.join(notes)})" if notes else ""
                self._line(f"{size} octets: seq={sequence} time={_ms(rtt)} ms{note}")
            case Overdue(sequence):
                self._line(f"no reply to seq={sequence}")
            case Unsent(sequence):
                self._line(f"not connected: seq={sequence} not sent")
            case Disconnected(error):
                click.echo(f"whipbird ping: {error}; connecting again", err=True)

    def end(self, stats: PingStats, error: WhipError | None) -> None:
        if error is not None:
            click.echo(f"whipbird ping: {error}", err=True)
        if not stats.sessions:
            return
        counts = [f"{stats.sent} sent", f"{stats.received} received"]
        counts += [
            f"{number} {name}"
            for number, name in (
                (stats.late, "late"),
                (stats.reordered, "out of order"),
                (stats.waiting, "still on the way"),
            )
            if number
        ]
        if stats.sessions > 1:
            counts.append(f"{stats.sessions} sessions")
        click.echo(f"\n--- {self._url} ping statistics ---")
        click.echo(f"{', '.join(counts)}, {stats.loss:.1%} loss")
        if stats.min is not None:
            times = (stats.min, stats.avg, stats.max, stats.mdev)
            click.echo(f"rtt min/avg/max/mdev = {_figures(times)} ms")
            shares = (stats.p50, stats.p90, stats.p99)
            click.echo(f"rtt p50/p90/p99 = {_figures(shares)} ms")

    def _connected(self, connected: Connected) -> None:
        if not self._has_heading:
            self._has_heading = True
            host, port = connected.address or ("?", 0)
            where = f"{host} port {port}"
            if connected.is_relayed:
                where += ", through a TURN server"
            click.echo(f"PING {self._url} ({where}): {self._size} data octets")
        setup = connected.setup
        steps = ", ".join(f"{name} {_ms(seconds)} ms" for name, seconds in setup.steps)
        self._line(f"setup {_ms(setup.total)} ms: {steps}")

    def _line(self, text: str) -> None:
        if self._quiet:
            return
        click.echo(f"[{time.time():.6f}] {text}" if self._timestamps else text)


class _JsonPrinter(_Printer):
    """Prints a JSON object for each event, and one for the summary."""

    def event(self, event: Event) -> None:
        if self._quiet:
            return
        found: dict[str, Any]
        match event:
            case Connected(setup, address, is_relayed):
                found = {
                    "event": "connected",
                    "address": list(address) if address else None,
                    "relayed": is_relayed,
                    "setup_ms": {n: _round(s) for n, s in setup.steps},
                }
            case Reply(sequence, size, rtt, late, reordered):
                found = {
                    "event": "reply",
                    "seq": sequence,
                    "size": size,
                    "rtt_ms": _round(rtt),
                    "late": late,
                    "reordered": reordered,
                }
            case Overdue(sequence):
                found = {"event": "overdue", "seq": sequence}
            case Unsent(sequence):
                found = {"event": "unsent", "seq": sequence}
            case Disconnected(error):
                found = {"event": "disconnected", "error": str(error)}
        self._line(found)

    def end(self, stats: PingStats, error: WhipError | None) -> None:
        names = ("min", "avg", "max", "mdev", "p50", "p90", "p99")
        self._line(
            {
                "event": "summary",
                "url": self._url,
                "sent": stats.sent,
                "received": stats.received,
                "late": stats.late,
                "reordered": stats.reordered,
                "waiting": stats.waiting,
                "lost": stats.lost,
                "loss": round(stats.loss, 4) if stats.sent else None,
                "sessions": stats.sessions,
                **{f"{name}_ms": _round(getattr(stats, name)) for name in names},
                "error": str(error) if error else None,
            }
        )

    def _line(self, found: dict[str, Any]) -> None:
        click.echo(json.dumps({"time": round(time.time(), 6), **found}))


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3f}"


def _figures(times: tuple[float | None, ...]) -> str:
    return "/".join(_ms(seconds or 0) for seconds in times)


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 3)
