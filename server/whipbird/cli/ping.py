"""``whipbird ping``: round trips over a data channel, printed like ping(8)."""

import json
import sys
from typing import Any

import click

from ..client import WhipClient, WhipError
from ..client.ping import MIN_SIZE, Reply, Summary, ping
from ..transport.sctp import MAX_MESSAGE_SIZE
from .loop import run, until_interrupted
from .parameters import (
    FiniteRange,
    HttpUrl,
    tls_fingerprint_option,
    token_options,
)


@click.command("ping")
@click.argument("url", type=HttpUrl())
@click.option(
    "-c", "--count", type=click.IntRange(min=1), help="Stop after so many messages."
)
@click.option(
    "-i",
    "--interval",
    type=FiniteRange(min=0),
    default=1.0,
    show_default=True,
    help="Seconds from one message to the next.",
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
    help="Seconds to wait for an echo before it counts as lost.",
)
@token_options
@tls_fingerprint_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object at the end, not lines.",
)
def ping_command(
    url: str,
    count: int | None,
    interval: float,
    size: int,
    timeout: float,
    token: str | None,
    tls_fingerprint: bytes | None,
    as_json: bool,
) -> None:
    """Measure round trips over a data channel of the WHIP endpoint URL.

    Exits with 0 if replies were received, 1 if none was, 2 for wrong arguments.
    """
    options = {"interval": interval, "size": size, "timeout": timeout}
    sys.exit(run(_ping(url, token, tls_fingerprint, as_json, count=count, **options)))


async def _ping(
    url: str,
    token: str | None,
    tls_fingerprint: bytes | None,
    as_json: bool,
    **options: Any,
) -> int:
    replies: list[Reply] = []
    error: WhipError | None = None

    async def ping_all() -> None:
        async with WhipClient(
            url, token=token, tls_fingerprint=tls_fingerprint
        ) as client:
            async for reply in ping(client, **options):
                if not replies and not as_json:
                    host, port = client.peer.peer_address or ("?", 0)
                    where = f"{host} port {port}"
                    if client.peer.is_relayed:
                        where += ", through a TURN server"
                    click.echo(f"PING {url} ({where}): {reply.size} data octets")
                replies.append(reply)
                if not as_json:
                    _print_reply(reply)

    try:
        await until_interrupted(ping_all())
    except WhipError as problem:
        error = problem
    summary = Summary.of(replies)
    if as_json:
        click.echo(json.dumps(_as_json(url, replies, summary, error), indent=2))
    else:
        if error is not None:
            click.echo(f"whipbird ping: {error}", err=True)
        if replies:
            _print_summary(url, summary)
    return 0 if summary.received else 1


def _print_reply(reply: Reply) -> None:
    if reply.rtt is None:
        click.echo(f"no reply to seq={reply.sequence}")
    else:
        click.echo(
            f"{reply.size} octets: seq={reply.sequence} time={reply.rtt * 1e3:.3f} ms"
        )


def _print_summary(url: str, summary: Summary) -> None:
    click.echo(
        f"\n--- {url} ping statistics ---\n{summary.sent} sent, "
        f"{summary.received} received, {summary.loss:.1%} loss"
    )
    if summary.min is not None:
        times = (summary.min, summary.avg, summary.max, summary.mdev)
        figures = "/".join(f"{(t or 0) * 1e3:.3f}" for t in times)
        click.echo(f"rtt min/avg/max/mdev = {figures} ms")


def _as_json(
    url: str, replies: list[Reply], summary: Summary, error: WhipError | None
) -> dict[str, Any]:
    def milliseconds(seconds: float | None) -> float | None:
        return None if seconds is None else round(seconds * 1e3, 3)

    return {
        "url": url,
        "replies": [
            {"seq": r.sequence, "size": r.size, "rtt_ms": milliseconds(r.rtt)}
            for r in replies
        ],
        "sent": summary.sent,
        "received": summary.received,
        "loss": round(summary.loss, 4) if summary.sent else None,
        "min_ms": milliseconds(summary.min),
        "avg_ms": milliseconds(summary.avg),
        "max_ms": milliseconds(summary.max),
        "mdev_ms": milliseconds(summary.mdev),
        "error": str(error) if error else None,
    }
