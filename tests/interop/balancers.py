"""HAProxy, nginx and Envoy in front of three nodes, with the files in deploy/."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.certificates import write_tls_files
from tests.server import ROOT, free_port

from .reverse_proxies import Command, nginx_in, started

FILES = ROOT / "deploy"


@dataclass(frozen=True, slots=True)
class Balancer:
    """A load balancer that runs.

    Attributes:
        url: where it listens.
        fingerprint: that of its certificate.
        admin: the socket by which HAProxy is told what to do.
    """

    url: str
    fingerprint: bytes
    admin: Path

    async def tell(self, command: str) -> str:
        """Give HAProxy a command."""
        reader, writer = await asyncio.open_unix_connection(self.admin)
        writer.write(f"{command}\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        return answer.strip()


@dataclass(frozen=True, slots=True)
class _Setting:
    """What a test has instead of what an operator has."""

    folder: Path
    nodes: Sequence[int]
    port: int
    inside: int
    certificate: Path
    key: Path

    def text(self, name: str, *pairs: tuple[str, str]) -> str:
        """A file in deploy/ with parts replaced, each of which it must have."""
        text = (FILES / name).read_text()
        for old, new in pairs:
            assert old in text, f"there is no {old!r} in {name}"
            text = text.replace(old, new)
        return text

    def nodes_as(self, old: str, new: str) -> list[tuple[str, str]]:
        """The addresses of the nodes; {} stands for the number, and for the port."""
        return [
            (old.format(number), new.format(port))
            for number, port in enumerate(self.nodes, start=1)
        ]


def _haproxy(setting: _Setting) -> Command:
    both = setting.folder / "both.pem"
    both.write_text(setting.certificate.read_text() + setting.key.read_text())
    text = setting.text(
        "haproxy.cfg",
        ("/run/haproxy/admin.sock", f"{setting.folder}/admin.sock"),
        ("bind :443", f"bind 127.0.0.1:{setting.port}"),
        ("bind :80", f"bind 127.0.0.1:{free_port()}"),
        ("/etc/haproxy/media.example.pem", f"{both}"),
        ("check inter 2s", "check inter 200ms"),
        *setting.nodes_as("10.0.0.{}:8080", "127.0.0.1:{}"),
        # A fourth one, to be added: it has the address of the first. And which it was.
        (
            "\n# Where sessions",
            f"    server four 127.0.0.1:{setting.nodes[0]} disabled\n"
            "    http-response set-header X-Node %s\n\n# Where sessions",
        ),
    )
    file = setting.folder / "haproxy.cfg"
    file.write_text(text)
    return ["haproxy", "-db", "-f", file]


def _edges(setting: _Setting) -> Command:
    """HAProxy in front of an origin, the first node, and of edges, the others."""
    both = setting.folder / "both.pem"
    both.write_text(setting.certificate.read_text() + setting.key.read_text())
    origin, *edges = setting.nodes
    text = setting.text(
        "haproxy-edges.cfg",
        ("/run/haproxy/admin.sock", f"{setting.folder}/admin.sock"),
        ("bind :443", f"bind 127.0.0.1:{setting.port}"),
        ("bind :80", f"bind 127.0.0.1:{free_port()}"),
        ("bind 10.0.0.10:8081", f"bind 127.0.0.1:{setting.inside}"),
        ("/etc/haproxy/media.example.pem", f"{both}"),
        ("check inter 2s", "check inter 200ms"),
        ("    server one   10.0.0.1:8080\n", f"    server one 127.0.0.1:{origin}\n"),
        ("    server two   10.0.0.2:8080\n", ""),
        ("    server e3 10.0.1.3:8080\n", ""),
        *(
            (f"10.0.1.{number}:8080", f"127.0.0.1:{port}")
            for number, port in enumerate(edges, start=1)
        ),
    )
    file = setting.folder / "haproxy.cfg"
    file.write_text(text)
    return ["haproxy", "-db", "-f", file]


def _nginx(setting: _Setting) -> Command:
    text = setting.text(
        "nginx.conf",
        ("listen 443 ssl", f"listen 127.0.0.1:{setting.port} ssl"),
        ("listen 80", f"listen 127.0.0.1:{free_port()}"),
        ("/etc/ssl/media.example.pem", f"{setting.certificate}"),
        ("/etc/ssl/media.example.key", f"{setting.key}"),
        *setting.nodes_as("10.0.0.{}:8080", "127.0.0.1:{}"),
    )
    return nginx_in(setting.folder, text)


def _envoy(setting: _Setting) -> Command:
    text = setting.text(
        "envoy.yaml",
        (
            "address: 0.0.0.0, port_value: 443",
            f"address: 127.0.0.1, port_value: {setting.port}",
        ),
        ("/etc/ssl/media.example.pem", f"{setting.certificate}"),
        ("/etc/ssl/media.example.key", f"{setting.key}"),
        ("interval: 2s", "interval: 0.2s"),
        *setting.nodes_as(
            "address: 10.0.0.{}, port_value: 8080", "address: 127.0.0.1, port_value: {}"
        ),
    )
    file = setting.folder / "envoy.yaml"
    file.write_text(text)
    # Beside another one, as of a test that runs at the same time.
    options = ("--use-dynamic-base-id", "--concurrency", "1", "-l", "warning")
    return ["envoy", "-c", file, *options]


_COMMANDS: dict[str, Callable[[_Setting], Command]] = {
    "haproxy": _haproxy,
    "nginx": _nginx,
    "envoy": _envoy,
    "edges": _edges,
}
# Those of nodes that are alike.
BALANCERS = ("haproxy", "nginx", "envoy")


@asynccontextmanager
async def balancing(
    name: str, nodes: Sequence[int], folder: Path, inside: int = 0
) -> AsyncIterator[Balancer]:
    """Run a load balancer; skip where it is not installed.

    Args:
        name: one of ``BALANCERS``, or ``edges``: then the first node is the origin.
        nodes: the ports of the nodes.
        folder: an empty folder.
        inside: the port at which edges find their origin.
    """
    certificate, key = write_tls_files(folder)
    setting = _Setting(folder, nodes, free_port(), inside, certificate, key)
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    async with started(_COMMANDS[name](setting), folder, setting.port):
        yield Balancer(
            f"https://127.0.0.1:{setting.port}",
            hashlib.sha256(der).digest(),
            folder / "admin.sock",
        )
