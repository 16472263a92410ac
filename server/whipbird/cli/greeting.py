"""What a server says when it is there."""

import os
import shutil
import sys
from pathlib import Path

import click
from aiohttp import web

from .. import __version__
from ..app import APPLICATIONS, LISTENERS, RIGHTS, UDP_PORT
from ..apps.served import ApplicationStats
from ..config import Settings
from ..http.self_signed import SelfSigned
from ..http.tls import TlsFiles
from ..net import HostAddresses
from ..net.addresses import is_unspecified

# Octets of the UDP receive buffer below which the operator is told.
SMALL_BUFFER = 1024 * 1024

Tls = TlsFiles | SelfSigned


def greet(settings: Settings, app: web.Application, tls: Tls | None) -> None:
    """Say where the page is, what to put into OBS, and what to let through."""
    listeners, media, rights = app[LISTENERS], app[UDP_PORT], app[RIGHTS]
    host, port = settings.host, listeners["public"].port
    needs_token = not rights.is_open
    lines = [f"Whipbird {__version__} is listening.", ""]
    everywhere = is_unspecified(host)
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
        *map(describe_application, app[APPLICATIONS].stats),
        f"  Open:  TCP port {port} (HTTP) and UDP port {udp.port} (media and data)",
    ]
    if tcp.port not in (0, port):
        lines.append(f"         TCP port {tcp.port} (media and data without UDP)")
    if media.native is not None:
        lines.append("  Speed: compiled packet path")
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


def describe_application(stats: ApplicationStats) -> str:
    """The line of the greeting that says what an application is for."""
    limits = [
        f"{kind} {', '.join(globs)}"
        for kind, globs in (("streams", stats.streams), ("channels", stats.channels))
        if globs and "*" not in globs
    ]
    return f"  App:   {stats.name}" + (f" ({'; '.join(limits)})" if limits else "")


def _what_strangers_may(settings: Settings) -> str:
    """The warning of a server that is open to all."""
    said = (
        "WARNING: this server is open. Whoever can reach it may, without a token, "
        "publish under any name,\nand watch everything"
    )
    if settings.record is not None:
        said += "; start and stop recordings, download and delete them"
    if settings.has_llms:
        said += "; use the language models"
    if settings.ice_servers:
        said += "; use the TURN servers with its credentials"
    return f"{said}.\n--token-file or --rights-file end that."


def _command() -> str:
    """The ``whipbird`` command as it must be typed here."""
    if shutil.which("whipbird"):
        return "whipbird"
    return os.path.relpath(Path(sys.executable).with_name("whipbird"))
