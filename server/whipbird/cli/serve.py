"""``whipbird serve``: run the server."""

import asyncio
import errno
import gc
import ipaddress
import os
import shutil
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
from aiohttp import web

from .. import __version__
from ..app import ADMIN_APP, LISTENERS, RIGHTS, STORE, UDP_PORT, create_app
from ..config import (
    ANY,
    ENV_PREFIX,
    ConfigError,
    Settings,
    load_settings,
    split_listen,
    unknown_variables,
)
from ..http.listener import Listener
from ..http.self_signed import SelfSigned
from ..http.tls import TlsError, TlsFiles
from ..net import HostAddresses, PortInUse
from ..recording import RecordingFolder
from ..rights import RulesError
from ..sessions import SessionStore
from .descriptors import allow_descriptors
from .logs import set_up_logging, tell_left_out
from .loop import interruptions, reloads, run
from .parameters import settings_options
from .reloading import Reloading
from .service import notify_ready, notify_stopping
from .state import state_folder

# Octets of the UDP receive buffer below which the operator is told.
SMALL_BUFFER = 1024 * 1024

# Connections of operators and of what reads the metrics, at most.
ADMIN_CONNECTIONS = 64

# Keeps the self-signed certificate and its key between starts.
CERTIFICATE_FILE = "self-signed.pem"

# Numbers that are tried until one is free for both TCP and UDP.
TRIES = 10


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
    set_up_logging(settings.log_level, settings.log_format, sys.stderr)
    reloading = Reloading(settings, lambda: load_settings(given, config))
    sys.exit(run(_serve(reloading, allow_descriptors(settings))))


Tls = TlsFiles | SelfSigned


class _CannotStart(Exception):  # noqa: N818 - a state, not a fault
    """The server cannot start. The message says why."""


async def _serve(reloading: Reloading, max_connections: int) -> int:
    settings = reloading.settings
    stop, at_once = asyncio.Event(), asyncio.Event()

    def stop_or_end() -> None:
        (at_once if stop.is_set() else stop).set()

    with interruptions(stop_or_end):
        try:
            tls = _certificate(settings)
            listener, app = await _start(settings, max_connections, tls)
        except _CannotStart as error:
            click.echo(f"Error: {error}", err=True)
            return 1
        with reloads(partial(reloading.reload, app), stop_or_end):
            try:
                # All that was imported stays. While it is looked through for garbage,
                # nobody is sent anything: that took tens of milliseconds.
                gc.collect()
                gc.freeze()
                _greet(settings, app, tls)
                telling = asyncio.create_task(tell_left_out())
                notify_ready()
                await stop.wait()
                drain = reloading.settings.drain
                notify_stopping(drain)
                await _drain(app[STORE], drain, at_once)
                telling.cancel()
                return 0
            finally:
                await listener.close()


async def _drain(store: SessionStore, seconds: float, at_once: asyncio.Event) -> None:
    """Let the open sessions go on for a time, or until a second signal."""
    if seconds and (sessions := store.count().total()):
        click.echo(
            f"Stopping. Open sessions ({sessions}) may go on for {seconds:g} s; press "
            "Ctrl+C again to end them now."
        )
    waiting = [
        asyncio.ensure_future(store.drain()),
        asyncio.ensure_future(at_once.wait()),
    ]
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for future in waiting:
        future.cancel()


def _certificate(settings: Settings) -> Tls | None:
    """The certificate for HTTPS, if there is to be any.

    Raises:
        _CannotStart: when it cannot be used.
    """
    if settings.tls_cert is not None and settings.tls_key is not None:
        try:
            return TlsFiles(settings.tls_cert, settings.tls_key)
        except TlsError as error:
            raise _CannotStart(f"no HTTPS: {error}") from error
    if not settings.tls_self_signed:
        return None
    names = [
        *("localhost", socket.gethostname(), "127.0.0.1", "::1"),
        *HostAddresses().current(),
        *settings.public_addresses,
        *(name for name in settings.allowed_hosts if name != ANY),
    ]
    if not _is_unspecified(settings.host):
        names.append(settings.host)
    made = SelfSigned(names, state_folder(settings.state_folder) / CERTIFICATE_FILE)
    if made.problem is not None and settings.state_folder is not None:
        raise _CannotStart(f"the certificate cannot be kept in {made.problem}")
    return made


async def _start(
    settings: Settings, max_connections: int, tls: Tls | None
) -> tuple[Listener, web.Application]:
    """Start the server on its ports.

    Raises:
        _CannotStart: when a port, or the folder of recordings, cannot be used.
    """
    if settings.record is not None:
        try:
            RecordingFolder(settings.record).check()
        except OSError as error:
            raise _CannotStart(
                f"cannot record to the folder {settings.record}: "
                f"{error.strerror or error}; choose another with --record"
            ) from error
    # A number that is free for UDP may be taken for TCP.
    any_number = settings.port == 0 and settings.udp_port is None
    tries = TRIES if any_number else 1
    while True:
        tries -= 1
        try:
            return await _listen(settings, max_connections, tls)
        except _CannotStart:
            if not tries:
                raise


async def _listen(
    settings: Settings, max_connections: int, tls: Tls | None
) -> tuple[Listener, web.Application]:
    """Open the UDP port, then the TCP port, by default with the same number."""
    one_number = settings.udp_port is None
    udp_port = settings.port if one_number else settings.udp_port
    try:
        app = create_app(settings.model_copy(update={"udp_port": udp_port}))
    except RulesError as error:
        raise _CannotStart(str(error)) from None
    shares_port = settings.ice_tcp and settings.ice_tcp_port is None
    ice = app[UDP_PORT].tcp if shares_port else None
    listener = Listener(app, max_connections, tls=tls, ice=ice)
    app[LISTENERS]["public"] = listener
    admin = _admin_listener(app)
    try:
        try:
            await listener.start_app()
        except OSError as error:
            raise _CannotStart(_why_no_ice(settings, error)) from error
        port = app[UDP_PORT].number if one_number else settings.port
        try:
            await listener.open(settings.host, port)
        except OSError as error:
            raise _CannotStart(_why_no_tcp(settings.host, port, error)) from error
        if admin is not None and settings.admin_listen is not None:
            await _open_admin(admin, *split_listen(settings.admin_listen))
    except BaseException:
        await listener.close()
        raise
    return listener, app


def _admin_listener(app: web.Application) -> Listener | None:
    """The listener of operators; it closes when the sessions have ended."""
    if ADMIN_APP not in app:
        return None
    listener = app[LISTENERS]["admin"] = Listener(app[ADMIN_APP], ADMIN_CONNECTIONS)

    async def start(_app: web.Application) -> None:
        await listener.start_app()

    async def close(_app: web.Application) -> None:
        await listener.close()

    app.on_startup.append(start)
    app.on_cleanup.append(close)
    return listener


async def _open_admin(listener: Listener, host: str, port: int) -> None:
    """Open the port of operators.

    Raises:
        _CannotStart: when it cannot be used.
    """
    try:
        await listener.open(host, port)
    except OSError as error:
        raise _CannotStart(_why_no_tcp(host, port, error, "--admin-listen")) from error


def _why_no_ice(settings: Settings, error: OSError) -> str:
    """Why the UDP port, or the TCP port of ICE, cannot be used."""
    hint = ""
    if isinstance(error, PortInUse):
        hint = "; choose another with --udp-port"
        if settings.udp_port is None:
            hint += ", or with --port for TCP and UDP"
    return f"{error.strerror or error}{hint}"


def _why_no_tcp(host: str, port: int, error: OSError, option: str = "--port") -> str:
    """Why the address cannot be listened on."""
    number = error.errno or 0
    # asyncio's message would repeat the address.
    reason = os.strerror(number) if number in errno.errorcode else str(error)
    hint = f"; choose another with {option}" if error.errno == errno.EADDRINUSE else ""
    return f"cannot listen on {host} port {port}: {reason}{hint}"


def _greet(settings: Settings, app: web.Application, tls: Tls | None) -> None:
    """Say where the page is, what to put into OBS, and what to let through."""
    listeners, media, rights = app[LISTENERS], app[UDP_PORT], app[RIGHTS]
    host, port = settings.host, listeners["public"].port
    needs_token = not rights.is_open
    lines = [f"Whipbird {__version__} is listening.", ""]
    everywhere = _is_unspecified(host)
    # A WHIP client on another machine needs an address of this one.
    hosts = HostAddresses().current() if everywhere else []
    if host != "::":
        hosts = [address for address in hosts if ":" not in address]
    shown = ["localhost" if everywhere else host, *hosts]
    if everywhere:
        # The last is what others are given.
        shown += [name for name in settings.public_addresses if name not in shown]
    scheme, ping_options = "http" if tls is None else "https", ""
    bases = [
        f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"
        for name in shown
    ]
    if needs_token:
        ping_options += " --token-file FILE"
    if isinstance(tls, SelfSigned):
        ping_options += f" --tls-fingerprint {tls.fingerprint}"
    udp, tcp = media.stats, media.tcp.stats
    lines += [f"  Page:  {base}/" for base in bases]
    lines += [
        f"  Ping:  {_command()} ping {bases[0]}/whip/test{ping_options}",
        "  OBS:   Settings > Stream > Service: WHIP",
        f"         Server: {bases[-1]}/whip/mystream   "
        f"Bearer Token: {'your token' if needs_token else '(empty)'}",
        f"  Watch: {bases[-1]}/watch/mystream",
        f"  Open:  TCP port {port} (HTTP) and UDP port {udp.port} (media and data)",
    ]
    if tcp.port not in (0, port):
        lines.append(f"         TCP port {tcp.port} (media and data without UDP)")
    if settings.admin_listen is not None:
        name = settings.admin_listen.rpartition(":")[0]
        lines.append(f"  Admin: http://{name}:{listeners['admin'].port}/metrics")
    lines.append("")
    if isinstance(tls, SelfSigned):
        lines += [
            "The certificate is self-signed. Browsers warn of it; compare:",
            f"  SHA-256 {tls.fingerprint}",
        ]
        if tls.problem is not None:
            lines.append(
                f"It is another at each start, for it cannot be kept in {tls.problem}"
            )
        lines += [
            "",
        ]
    if udp.receive_buffer < SMALL_BUFFER:
        lines += [
            f"The UDP receive buffer has {udp.receive_buffer // 1024} kB only: many "
            "publishers at once may lose packets.",
            "On Linux, raise net.core.rmem_max to 8388608 or more.",
            "",
        ]
    if settings.open:
        lines += [_what_strangers_may(settings), ""]
    click.echo("\n".join([*lines, "Press Ctrl+C to stop."]))


def _what_strangers_may(settings: Settings) -> str:
    """The warning of a server that is open to all."""
    said = (
        "WARNING: this server is open. Whoever can reach it may, without a token, "
        "publish under any name,\nand watch everything"
    )
    if settings.record is not None:
        said += "; start and stop recordings, download and delete them"
    if settings.ice_servers:
        said += "; use the TURN servers with its credentials"
    return f"{said}.\n--token-file or --rights-file end that."


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
