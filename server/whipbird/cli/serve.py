"""``whipbird serve``: run the server."""

import asyncio
import errno
import gc
import os
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
from aiohttp import web

from ..app import (
    ADMIN_APP,
    GROUP,
    LISTENERS,
    STORE,
    UDP_PORT,
    create_app,
)
from ..apps.loading import ApplicationError
from ..config import (
    ANY,
    ConfigError,
    Settings,
    load_settings,
    split_listen,
    unknown_variables,
)
from ..environment import ENV_PREFIX
from ..http.listener import Listener
from ..http.self_signed import SelfSigned
from ..http.tls import TlsError, TlsFiles
from ..llms import ChatError
from ..llms.loading import NoChat
from ..native import NativeError
from ..net import HostAddresses, Neighbours, PortInUse, Sharing
from ..net.addresses import is_unspecified
from ..recording import RecordingFolder
from ..rights import RulesError
from ..sessions import SessionStore
from ..workers import Worker
from . import greeting
from .descriptors import allow_descriptors
from .logs import set_up_logging, tell_left_out
from .loop import interruptions, reloads, run
from .reloading import Reloading
from .service import notify_ready, notify_stopping
from .settings_options import settings_options
from .state import state_folder
from .workers import join, supervise, with_ports

# Connections of operators and of what reads the metrics, at most.
ADMIN_CONNECTIONS = 64

# Keeps the self-signed certificate and its key between starts.
CERTIFICATE_FILE = "self-signed.pem"

# When the garbage collector looks for cycles: when so many objects are new; each fifth
# time at those, too, that it has seen once; and each fifth of these times at all. By
# default it would look at each of the thousand objects of a session two or three times
# while they are in use.
_GC_THRESHOLDS = (5_000, 5, 5)

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
    for warning in unknown_variables():
        click.echo(f"Warning: {warning}", err=True)
    set_up_logging(settings.log_level, settings.log_format, sys.stderr)
    if settings.apps and os.getcwd() not in sys.path:
        # Applications may lie where the command is given, as for "python -m".
        sys.path.insert(0, os.getcwd())
    reloading = Reloading(settings, lambda: load_settings(given, config))
    max_connections = allow_descriptors(settings)
    try:
        tls = _certificate(settings)
    except _CannotStart as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)

    def work(worker: Worker | None) -> int:
        return run(_serve(reloading, max_connections, tls, worker))

    sys.exit(work(None) if settings.workers == 1 else supervise(reloading, work))


class _CannotStart(Exception):  # noqa: N818 - a state, not a fault
    """The server cannot start. The message says why."""


async def _serve(
    reloading: Reloading,
    max_connections: int,
    tls: greeting.Tls | None,
    worker: Worker | None,
) -> int:
    settings = reloading.settings
    stop, at_once = asyncio.Event(), asyncio.Event()

    def stop_or_end() -> None:
        (at_once if stop.is_set() else stop).set()

    with interruptions(stop_or_end):
        try:
            listener, app = await _start(settings, max_connections, tls, worker)
        except _CannotStart as error:
            click.echo(f"Error: {error}", err=True)
            return 1
        with reloads(partial(reloading.reload, app), stop_or_end):
            try:
                # All that was imported stays. While it is looked through for garbage,
                # nobody is sent anything: that took tens of milliseconds.
                gc.collect()
                gc.freeze()
                gc.set_threshold(*_GC_THRESHOLDS)
                greet = partial(greeting.greet, settings, app, tls)
                telling = asyncio.create_task(tell_left_out())
                if worker is None:
                    greet()
                    notify_ready()
                else:
                    join(worker, app, greet, stop.set)
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


def _certificate(settings: Settings) -> greeting.Tls | None:
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
    if not is_unspecified(settings.host):
        names.append(settings.host)
    made = SelfSigned(names, state_folder(settings.state_folder) / CERTIFICATE_FILE)
    if made.problem is not None and settings.state_folder is not None:
        raise _CannotStart(f"the certificate cannot be kept in {made.problem}")
    return made


async def _start(
    settings: Settings,
    max_connections: int,
    tls: greeting.Tls | None,
    worker: Worker | None = None,
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
            return await _listen(settings, max_connections, tls, worker)
        except _CannotStart:
            if not tries:
                raise


async def _listen(
    settings: Settings,
    max_connections: int,
    tls: greeting.Tls | None,
    worker: Worker | None,
) -> tuple[Listener, web.Application]:
    """Open the UDP port, then the TCP port, by default with the same number."""
    if worker is not None and worker.ports is not None:
        settings = with_ports(settings, worker.ports)
    one_number = settings.udp_port is None
    udp_port = settings.port if one_number else settings.udp_port
    try:
        app = create_app(
            settings.model_copy(update={"udp_port": udp_port}), worker=worker
        )
    except (RulesError, ApplicationError, NativeError, NoChat) as error:
        raise _CannotStart(str(error)) from None
    shares_port = settings.ice_tcp and settings.ice_tcp_port is None
    ice = app[UDP_PORT].tcp if shares_port else None
    group = app.get(GROUP)
    sharing = Sharing.NONE if group is None else group.sharing
    neighbours = None if group is None else group.neighbours
    listener = Listener(app, max_connections, tls=tls, ice=ice, neighbours=neighbours)
    app[LISTENERS]["public"] = listener
    admin = _admin_listener(app, neighbours)
    try:
        try:
            await listener.start_app()
        except (ApplicationError, ChatError) as error:
            raise _CannotStart(str(error)) from None
        except OSError as error:
            raise _CannotStart(_why_no_ice(settings, error)) from error
        port = app[UDP_PORT].number if one_number else settings.port
        try:
            await listener.open(settings.host, port, sharing)
        except OSError as error:
            raise _CannotStart(_why_no_tcp(settings.host, port, error)) from error
        if admin is not None and settings.admin_listen is not None:
            await _open_admin(admin, *split_listen(settings.admin_listen), sharing)
        if group is not None:
            for name, one in app[LISTENERS].items():
                await one.open_inside(group.inside(name).own_path)
    except BaseException:
        await listener.close()
        raise
    return listener, app


def _admin_listener(
    app: web.Application, neighbours: Neighbours | None
) -> Listener | None:
    """The listener of operators; it closes when the sessions have ended."""
    if ADMIN_APP not in app:
        return None
    listener = app[LISTENERS]["admin"] = Listener(
        app[ADMIN_APP], ADMIN_CONNECTIONS, name="admin", neighbours=neighbours
    )

    async def start(_app: web.Application) -> None:
        await listener.start_app()

    async def close(_app: web.Application) -> None:
        await listener.close()

    app.on_startup.append(start)
    app.on_cleanup.append(close)
    return listener


async def _open_admin(
    listener: Listener, host: str, port: int, sharing: Sharing
) -> None:
    """Open the port of operators.

    Raises:
        _CannotStart: when it cannot be used.
    """
    try:
        await listener.open(host, port, sharing)
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
