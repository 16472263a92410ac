"""``whipbird bench``: many clients at once, and what they saw."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click
from yarl import URL

from ..load import Bench, BenchReport, Limit, Plan, Role, RoleReport
from ..stats.distribution import Distribution
from ..transport.sctp import MAX_MESSAGE_SIZE
from .loop import run, until_interrupted
from .parameters import (
    Command,
    FiniteRange,
    HttpUrl,
    tls_fingerprint_option,
    token_options,
)

MAX_CLIENTS = 1000
MAX_SECONDS = 3600.0

# The endpoints of a Whipbird, by its address alone.
_PATHS = {
    Role.PING: "/whip/ping-{n}",
    Role.PUBLISH: "/whip/bench-{n}",
    Role.VIEW: "/whep/bench-{n}",
}

_LIMITS = {
    Limit.NONE: "The figures are those of the server or the network.",
    Limit.PROCESS: "This tool was the limit: its process used a whole core, so the "
    "figures are its own. Use fewer clients, or several machines.",
    Limit.MACHINE: "This machine was the limit: it was busy with other programs, so "
    "times are longer than they would be.",
}


def _clients(flag: str, text: str) -> Callable[[Command], Command]:
    kind = click.IntRange(0, MAX_CLIENTS)
    return click.option(flag, type=kind, default=0, help=text)


@click.command("bench")
@click.argument("url", type=HttpUrl())
@_clients("--pings", "Clients that send messages, and wait for their echoes.")
@_clients("--publishers", "Clients that publish a test pattern (640x360, 1 Mbit/s).")
@_clients("--viewers", "Clients that watch.")
@click.option(
    "--seconds",
    type=FiniteRange(min=0, max=MAX_SECONDS, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds for which all clients stay.",
)
@click.option(
    "--ramp",
    type=FiniteRange(min=0, max=MAX_SECONDS),
    default=2.0,
    show_default=True,
    help="Seconds over which they come.",
)
@click.option(
    "-i",
    "--interval",
    type=FiniteRange(min=0.001, max=60),
    default=0.1,
    show_default=True,
    help="Seconds between the messages of a client.",
)
@click.option(
    "-s",
    "--size",
    type=click.IntRange(8, MAX_MESSAGE_SIZE),
    default=64,
    show_default=True,
    help="Octets of each message.",
)
@token_options
@tls_fingerprint_option
@click.option("-q", "--quiet", is_flag=True, help="Print no progress.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object at the end."
)
def bench_command(
    url: str,
    pings: int,
    publishers: int,
    viewers: int,
    seconds: float,
    ramp: float,
    interval: float,
    size: int,
    token: str | None,
    tls_fingerprint: bytes | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Load the server at URL with many clients, and report what they saw.

    URL is the address of a Whipbird, as http://host:8080, or the endpoint of any
    server, for one kind of clients; {n} in it is replaced by the client's number, as a
    stream has one publisher. Only do this to a server of your own.

    It stops by itself, and says when this machine was the limit, not the server. Exits
    with 0 if all clients connected and stayed, otherwise with 1, and with 2 for wrong
    arguments.
    """
    clients = {
        Role.PING: pings,
        Role.PUBLISH: publishers,
        Role.VIEW: viewers,
    }
    plan = Plan(
        urls=_urls(url, clients),
        clients=clients,
        seconds=seconds,
        ramp=ramp,
        interval=interval,
        size=size,
        streams=max(publishers, 1),
        token=token,
        tls_fingerprint=tls_fingerprint,
    )
    sys.exit(run(_bench(url, plan, quiet, as_json)))


def _urls(url: str, clients: dict[Role, int]) -> dict[Role, str]:
    """The endpoint of each role.

    Raises:
        click.UsageError: when the URL does not tell it.
    """
    roles = [role for role, count in clients.items() if count]
    if not roles:
        raise click.UsageError("Give --pings, --publishers or --viewers")
    if URL(url).path in ("", "/"):
        if clients[Role.VIEW] and not clients[Role.PUBLISH]:
            raise click.UsageError(
                "Viewers need a stream: add --publishers, or give its URL, as "
                f"{url.rstrip('/')}/whep/mystream"
            )
        return {role: url.rstrip("/") + _PATHS[role] for role in roles}
    if len(roles) > 1:
        raise click.UsageError(
            f"{url} is the endpoint of one kind of clients; for several, give the "
            "address of a Whipbird"
        )
    if clients[Role.PUBLISH] > 1 and "{n}" not in url:
        raise click.UsageError(
            f"A stream has one publisher: put {{n}} into the URL, as {url}-{{n}}"
        )
    return {roles[0]: url}


async def _bench(url: str, plan: Plan, quiet: bool, as_json: bool) -> int:
    total = sum(plan.clients.values())

    def tell(seconds: int, present: int) -> None:
        if not quiet:
            click.echo(f"{seconds} s: {present} of {total} clients", err=True)

    bench = Bench(plan, tell)
    await until_interrupted(bench.run())
    report = bench.report
    if as_json:
        click.echo(json.dumps(_as_json(url, report), indent=2))
    else:
        click.echo("\n".join(_lines(url, report)))
    return 0 if report.is_flawless else 1


def _lines(url: str, report: BenchReport) -> Iterator[str]:
    yield f"--- {url} bench, {report.seconds:.1f} seconds ---"
    for role, found in report.roles.items():
        line = f"{role}: {found.connected} of {found.clients} connected"
        yield line + (f", {found.lost} lost" if found.lost else "")
        if found.setup.count:
            yield f"  setup {_milliseconds(found.setup)}"
        yield from _media_lines(role, found)
        for error, count in found.errors.most_common():
            yield f"  {count} times: {error}"
    yield (
        f"this machine: {report.cpu_share:.0%} of a core, late by "
        f"{report.lag * 1e3:.1f} ms (p99)"
    )
    yield _LIMITS[report.limit]


def _media_lines(role: Role, found: RoleReport) -> Iterator[str]:
    match role:
        case Role.PING:
            yield (
                f"  {found.sent} messages, {found.received} echoes, "
                f"{found.missing} missing"
            )
        case Role.PUBLISH:
            yield (
                f"  {found.sent} packets, {found.octets} octets sent, "
                f"{found.missing} missing at the server"
            )
        case Role.VIEW:
            yield (
                f"  {found.received} packets, {found.octets} octets received, "
                f"{found.missing} missing, {found.incomplete} frames incomplete"
            )
            if found.frame_rate.count:
                yield f"  frames/s min/p50/max = {_figures(found.frame_rate, 1)}"
                yield (
                    f"  Mbit/s min/p50/max = {_figures(found.bitrate, 1e-6)} a viewer"
                )
    if found.rtt.count:
        yield f"  rtt {_milliseconds(found.rtt)}"


def _milliseconds(found: Distribution) -> str:
    values = [found.min, *(found.percentile(p) for p in (0.5, 0.9, 0.99)), found.max]
    figures = "/".join(f"{(value or 0) * 1e3:.3f}" for value in values)
    return f"min/p50/p90/p99/max = {figures} ms"


def _figures(found: Distribution, factor: float) -> str:
    values = (found.min, found.percentile(0.5), found.max)
    return "/".join(f"{(value or 0) * factor:.2f}" for value in values)


def _as_json(url: str, report: BenchReport) -> dict[str, Any]:
    return {
        "url": url,
        "seconds": round(report.seconds, 3),
        "roles": {str(role): _role(found) for role, found in report.roles.items()},
        "tool": {
            "cpu_share": round(report.cpu_share, 3),
            "lag_p99_ms": round(report.lag * 1e3, 3),
            "limit": report.limit,
        },
    }


def _role(found: RoleReport) -> dict[str, Any]:
    return {
        "clients": found.clients,
        "connected": found.connected,
        "lost": found.lost,
        "errors": dict(found.errors.most_common()),
        "setup_ms": _distribution(found.setup, 1e3),
        "rtt_ms": _distribution(found.rtt, 1e3),
        "sent": found.sent,
        "received": found.received,
        "missing": found.missing,
        "octets": found.octets,
        "incomplete": found.incomplete,
        "frame_rate": _distribution(found.frame_rate, 1),
        "bitrate": _distribution(found.bitrate, 1),
    }


def _distribution(found: Distribution, factor: float) -> dict[str, float] | None:
    if found.min is None or found.max is None:
        return None
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    values = {name: found.percentile(share) or 0.0 for name, share in shares.items()}
    values = {"min": found.min, "mean": found.mean, **values, "max": found.max}
    return {name: round(value * factor, 3) for name, value in values.items()}
