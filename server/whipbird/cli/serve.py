"""``whipbird serve``: run the server."""

import asyncio
import errno
import gc
import ipaddress
import logging
import os
import resource
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import click
from aiohttp import web

from .. import __version__
from ..app import create_app
from ..config import (
    ENV_PREFIX,
    ConfigError,
    Settings,
    load_settings,
    unknown_variables,
)
from ..rtc import HostAddresses
from .loop import run
from .parameters import settings_options

# Seconds to wait for open HTTP requests when the server stops.
SHUTDOWN_TIMEOUT = 3.0

# File descriptors in addition to those of the sessions.
SPARE_DESCRIPTORS = 200


@click.command("serve")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help=f"Settings file.  [default: whipbird.toml, if any; env: {ENV_PREFIX}CONFIG]",
)
@settings_options
def serve_command(config: Path | None, **options: Any) -> None:
    """Run the server."""
    # An option that is not given is None, or empty if it can be repeated.
    given = {k: v for k, v in options.items() if v is not None and v != ()}
    try:
        settings = load_settings(given, config)
    except ConfigError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    for name in unknown_variables():
        click.echo(f"Warning: {name}: there is no such setting", err=True)
    _set_up_logging(settings)
    allow_descriptors(settings)
    sys.exit(run(_serve(settings)))


def _set_up_logging(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)-7s %(message)s",
    )
    # It logs session descriptions, which have ICE passwords.
    logging.getLogger("aiortc.rtcpeerconnection").setLevel(logging.WARNING)
    if settings.log_level != "debug":
        # They log each check and each chunk, for debugging.
        for name in ("aioice", "aiortc"):
            logging.getLogger(name).setLevel(logging.WARNING)
        # It logs a traceback for malformed requests, which anybody can send; we log
        # our own errors ourselves.
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def allow_descriptors(settings: Settings) -> None:
    """Raise the process's limit of file descriptors for its sessions."""
    # A session has a socket per address, and possibly an HTTP connection.
    sockets = len(HostAddresses(loopback=settings.ice_loopback).current()) + 1
    needed = settings.max_sessions * sockets + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < needed:
            click.echo(
                f"Warning: {settings.max_sessions} sessions need {needed} file "
                f"descriptors, and the system allows {allowed}",
                err=True,
            )


async def _serve(settings: Settings) -> int:
    runner = web.AppRunner(
        create_app(settings),
        shutdown_timeout=SHUTDOWN_TIMEOUT,
        # Content codings are not supported.
        auto_decompress=False,
        access_log=None,  # it would show whole session ids
    )
    await runner.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
        except OSError as error:
            _complain(settings, error)
            return 1
        # Exclude everything imported from garbage collection: a full collection would
        # stop all packets for tens of milliseconds.
        gc.collect()
        gc.freeze()
        _greet(settings, runner.addresses[0][1])
        await stop.wait()
        return 0
    finally:
        await runner.cleanup()


def _complain(settings: Settings, error: OSError) -> None:
    """Print why the server cannot listen on its address."""
    number = error.errno or 0
    # asyncio's message would repeat the address.
    reason = os.strerror(number) if number in errno.errorcode else str(error)
    hint = "; choose another with --port" if error.errno == errno.EADDRINUSE else ""
    click.echo(
        f"Error: cannot listen on {settings.host} port {settings.port}: {reason}{hint}",
        err=True,
    )


def _greet(settings: Settings, port: int) -> None:
    """Print the URLs of the page, for OBS, and to watch."""
    host, needs_token = settings.host, settings.token is not None
    lines = [f"Whipbird {__version__} is listening.", ""]
    everywhere = _is_unspecified(host)
    # A WHIP client on another machine needs an address of this one.
    hosts = [a for a in HostAddresses().current() if ":" not in a] if everywhere else []
    shown = [*(["localhost"] if everywhere else [host]), *hosts]
    bases = [
        f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
        for name in shown
    ]
    lines += [f"  Page:  {base}/" for base in bases]
    lines += [
        f"  Ping:  {_command()} ping {bases[0]}/whip/test"
        + (" --token TOKEN" if needs_token else ""),
        "  OBS:   Settings > Stream > Service: WHIP",
        f"         Server: {bases[-1]}/whip/mystream   "
        f"Bearer Token: {'your token' if needs_token else '(empty)'}",
        f"  Watch: {bases[-1]}/#watch/mystream",
        "",
    ]
    if everywhere and not needs_token:
        lines += ["There is no authentication: whoever can reach it can use it.", ""]
    click.echo("\n".join([*lines, "Press Ctrl+C to stop."]))


def _command() -> str:
    """The ``whipbird`` command as it must be typed here."""
    if shutil.which("whipbird"):
        return "whipbird"
    return os.path.relpath(Path(sys.executable).with_name("whipbird"))


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
