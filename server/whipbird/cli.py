"""The commands: each a thin call into a room below."""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click
from aiohttp import web
from pydantic.fields import FieldInfo

from . import __version__
from .app import create_app
from .client import WhipClient, WhipError
from .client.ping import MIN_SIZE, Reply, Summary, ping
from .config import ENV_PREFIX, ConfigError, Settings, load_settings
from .rtc.sctp import MAX_MESSAGE_SIZE

# Seconds that open HTTP requests are given when the server stops.
SHUTDOWN_TIMEOUT = 3.0


def _run(main: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop where it is installed: its sockets cost less."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def _settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every setting, described as the setting is."""
    for name, field in reversed(Settings.model_fields.items()):
        command = _option(name, field)(command)
    return command


def _option(
    name: str, field: FieldInfo
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    flag = "--" + name.replace("_", "-")
    default = field.default
    if isinstance(default, bool):
        flag = f"{flag}/--no-{flag[2:]}"
    return click.option(
        flag,
        name,
        type=type(default),
        default=None,
        show_default=str(default),
        help=f"{field.description} [env: {ENV_PREFIX}{name.upper()}]",
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="whipbird")
def main() -> None:
    """A WebRTC media server that speaks WHIP and echoes every message."""


@main.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help=f"Settings file. [env: {ENV_PREFIX}CONFIG] [default: whipbird.toml, if any]",
)
@_settings_options
def serve(config: Path | None, **options: Any) -> None:
    """Run the server."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        settings = load_settings(given, config)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)-7s %(message)s",
    )
    if settings.log_level != "debug":
        # They log each check and each request, which is what debugging is for.
        for name in ("aioice", "aiortc", "aiohttp.access"):
            logging.getLogger(name).setLevel(logging.WARNING)
        # It logs a traceback for what is not HTTP, which anybody can send; failures
        # of ours are logged by ourselves.
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    sys.exit(_run(_serve(settings)))


async def _serve(settings: Settings) -> int:
    runner = web.AppRunner(
        create_app(settings),
        shutdown_timeout=SHUTDOWN_TIMEOUT,
        # No content coding is supported, so none need be undone.
        auto_decompress=False,
        access_log=logging.getLogger("aiohttp.access")
        if settings.log_level == "debug"
        else None,
    )
    await runner.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        try:
            await site.start()
        except OSError as error:
            click.echo(
                f"Error: cannot listen on {settings.host} port {settings.port}: "
                f"{error.strerror or error}",
                err=True,
            )
            return 1
        _greet(settings, runner.addresses[0][1])
        await stop.wait()
        return 0
    finally:
        await runner.cleanup()


def _greet(settings: Settings, port: int) -> None:
    """Say where the page is, and what to put into OBS."""
    host = settings.host
    if host in ("0.0.0.0", "::", ""):
        host = "localhost"
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    click.echo(
        f"Whipbird {__version__} is listening.\n\n"
        f"  Page:  {base}/\n"
        f"  Ping:  whipbird ping {base}/whip/test\n"
        f"  OBS:   Settings > Stream > Service: WHIP\n"
        f"         Server: {base}/whip/mystream   Bearer Token: (empty)\n\n"
        f"Press Ctrl+C to stop."
    )


@main.command("ping")
@click.argument("url")
@click.option("-c", "--count", type=click.IntRange(min=1), help="Stop after COUNT.")
@click.option(
    "-i",
    "--interval",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Seconds from one to the next.",
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
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    help="Seconds after which one is lost.",
)
@click.option("--token", envvar=ENV_PREFIX + "TOKEN", help="Bearer token.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def ping_command(
    url: str,
    count: int | None,
    interval: float,
    size: int,
    timeout: float,
    token: str | None,
    as_json: bool,
) -> None:
    """Measure round trips over a data channel of the WHIP endpoint URL.

    Exits with 0 when replies came, 1 when none did, 2 for wrong arguments.
    """
    options = {"interval": interval, "size": size, "timeout": timeout}
    sys.exit(_run(_ping(url, token, as_json, count=count, **options)))


async def _ping(url: str, token: str | None, as_json: bool, **options: Any) -> int:
    replies: list[Reply] = []
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    error: WhipError | None = None

    async def run() -> None:
        async with WhipClient(url, token=token) as client:
            async for reply in ping(client, **options):
                if not replies and not as_json:
                    host, port = client.peer.peer_address or ("?", 0)
                    click.echo(
                        f"PING {url} ({host} port {port}): {reply.size} data octets"
                    )
                replies.append(reply)
                if not as_json:
                    _print_reply(reply)

    running = asyncio.create_task(run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        pass
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
        "loss": round(summary.loss, 4),
        "min_ms": milliseconds(summary.min),
        "avg_ms": milliseconds(summary.avg),
        "max_ms": milliseconds(summary.max),
        "mdev_ms": milliseconds(summary.mdev),
        "error": str(error) if error else None,
    }
