"""nginx, HAProxy and Caddy as processes of a test, with the files in deploy/proxies."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.certificates import write_tls_files
from tests.server import ROOT, free_port

from .program import Program

# Where pip puts programs.
_SCRIPTS = Path(sys.executable).parent

FILES = ROOT / "deploy/proxies"
NAME = "media.example"

# As short as it can be: it tells nothing of the client, and nothing of the prefix.
SILENT = """
events {
}
http {
    server {
        listen 443;
        location /webrtc/ {
            # What nginx does by itself from 1.29.7 on: it does not show itself.
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass http://127.0.0.1:8080/;
        }
    }
}
"""


@dataclass(frozen=True, slots=True)
class ReverseProxy:
    """A proxy that runs.

    Attributes:
        url: of the server behind it, with the prefix, without a slash at the end.
        plain_port: where it takes plain HTTP; None where it does not.
        certificate: its file; None where it has no TLS.
    """

    url: str
    plain_port: int | None = None
    certificate: Path | None = None


@dataclass(frozen=True, slots=True)
class _Setting:
    """What the configuration of a test has instead of that of an operator."""

    folder: Path
    server: int
    port: int
    plain: int
    certificate: Path
    key: Path

    def replace(self, text: str, *pairs: tuple[str, str]) -> str:
        """Replace parts of a configuration, each of which it must have."""
        for old, new in (("127.0.0.1:8080", f"127.0.0.1:{self.server}"), *pairs):
            assert old in text, f"there is no {old!r} in:\n{text}"
            text = text.replace(old, new)
        return text

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.write_text(text)
        return file


Command = list[str | Path]


def nginx_in(folder: Path, text: str) -> Command:
    """nginx with a configuration, which writes below a folder alone."""
    # Debian's folders are for root only.
    folders = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        text.replace("http {\n", f"http {{\n    access_log off;\n{folders}", 1)
    )
    directives = f"daemon off; pid {folder}/nginx.pid;"
    return ["nginx", "-c", file, "-g", directives, "-e", "stderr"]


def _of_nginx(setting: _Setting, text: str, *pairs: tuple[str, str]) -> Command:
    return nginx_in(setting.folder, setting.replace(text, *pairs))


def _nginx(setting: _Setting) -> Command:
    return _of_nginx(
        setting,
        (FILES / "nginx.conf").read_text(),
        ("listen 443 ssl", f"listen 127.0.0.1:{setting.port} ssl"),
        ("listen 80", f"listen 127.0.0.1:{setting.plain}"),
        (f"/etc/ssl/{NAME}.pem", f"{setting.certificate}"),
        (f"/etc/ssl/{NAME}.key", f"{setting.key}"),
    )


def _silent_nginx(setting: _Setting) -> Command:
    return _of_nginx(
        setting, SILENT, ("listen 443", f"listen 127.0.0.1:{setting.port}")
    )


def _haproxy(setting: _Setting) -> Command:
    both = setting.write(
        "both.pem", setting.certificate.read_text() + setting.key.read_text()
    )
    text = setting.replace(
        (FILES / "haproxy.cfg").read_text(),
        ("bind :443", f"bind 127.0.0.1:{setting.port}"),
        ("bind :80", f"bind 127.0.0.1:{setting.plain}"),
        (f"/etc/haproxy/{NAME}.pem", f"{both}"),
    )
    return ["haproxy", "-db", "-f", setting.write("haproxy.cfg", text)]


def _caddy(setting: _Setting) -> Command:
    site = (
        f"https://localhost:{setting.port}, https://127.0.0.1:{setting.port} {{\n"
        f"\tbind 127.0.0.1\n\ttls {setting.certificate} {setting.key}\n"
    )
    text = setting.replace(
        (FILES / "Caddyfile").read_text(), (f"\n{NAME} {{\n", f"\n{site}")
    )
    options = (
        *("admin off", "auto_https disable_redirects", "default_sni localhost"),
        "grace_period 1s",
    )
    inserted = "{\n" + "".join(f"\t{option}\n" for option in options) + "}\n"
    file = setting.write("Caddyfile", inserted + text)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", file]


PROXIES: dict[str, Callable[[_Setting], Command]] = {
    "nginx": _nginx,
    "silent nginx": _silent_nginx,
    "haproxy": _haproxy,
    "caddy": _caddy,
}


@asynccontextmanager
async def running(name: str, server: int, folder: Path) -> AsyncIterator[ReverseProxy]:
    """Run a proxy until it is not needed any more; skip where it is not installed.

    Args:
        name: one of ``PROXIES``.
        server: the port of the server behind it.
        folder: an empty folder.
    """
    certificate, key = write_tls_files(folder)
    setting = _Setting(folder, server, free_port(), free_port(), certificate, key)
    has_tls = name != "silent nginx"
    scheme = "https" if has_tls else "http"
    async with started(PROXIES[name](setting), folder, setting.port):
        yield ReverseProxy(
            f"{scheme}://127.0.0.1:{setting.port}/webrtc",
            setting.plain if name in ("nginx", "haproxy") else None,
            certificate if has_tls else None,
        )


@asynccontextmanager
async def started(command: Command, folder: Path, port: int) -> AsyncIterator[Program]:
    """Run the program of a proxy; skip where it is not installed.

    Args:
        folder: where it runs.
        port: where it is to take connections.
    """
    program, *arguments = command
    # Debian has them where only root looks.
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:{_SCRIPTS}"
    found = shutil.which(str(program), path=path)
    if found is None:
        pytest.skip(f"{program} is not installed")
    process = Program(
        await asyncio.create_subprocess_exec(
            found,
            *map(str, arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
            env={"PATH": path, "HOME": str(folder)},
        )
    )
    try:
        await _accepts(port, process)
        yield process
    finally:
        # nginx would leave its worker alone if it was killed.
        await process.stop(signal.SIGTERM)


async def _accepts(port: int, process: Program) -> None:
    """Wait until a process takes connections."""
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                assert process.is_running, process.output
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
