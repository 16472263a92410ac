"""Caddy and coturn with the files that Docker Compose gives them."""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aioice import turn
from aioice.stun import TransactionFailed
from yarl import URL

from tests import offers
from tests.server import ROOT, ServerProcess, free_port
from tests.unit.deploy.settings_of import interpolate
from whipbird.http.ice_servers import IceServers
from whipbird.sdp.link import TurnServer

COMPOSE = ROOT / "deploy/compose"
SECRET = "north-wind"


@asynccontextmanager
async def running(
    command: Sequence[str], port: int, log: Path, env: dict[str, str] | None = None
) -> AsyncIterator[None]:
    """A process, from when it listens on a TCP port."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=output, env=env, cwd=log.parent
        )
    try:
        async with asyncio.timeout(60):
            while True:
                assert process.returncode is None, f"see {log}"
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.mark.skipif(shutil.which("caddy") is None, reason="Caddy is not installed")
async def test_caddy_has_https_for_the_server(tmp_path: Path) -> None:
    """The page, a session, and a redirection from plain HTTP."""
    server = ServerProcess("--allowed-host", "localhost")
    plain, secure = free_port(), free_port()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "WHIPBIRD_DOMAIN": "localhost",
        "WHIPBIRD_UPSTREAM": f"127.0.0.1:{server.port}",
        # Other ports, and nothing outside of this folder.
        "CADDY_GLOBAL_OPTIONS": "skip_install_trust\nadmin off\n"
        f"http_port {plain}\nhttps_port {secure}",
    }
    command = ["caddy", "run", "--config", str(COMPOSE / "Caddyfile")]
    command += ["--adapter", "caddyfile"]
    await server.start()
    try:
        async with running(command, secure, tmp_path / "log", environment):
            await _use(plain, secure)
    finally:
        await server.stop()


async def _first_page(http: aiohttp.ClientSession, url: str) -> str:
    """The start page: Caddy listens before it has issued the certificate."""
    async with asyncio.timeout(60):
        while True:
            try:
                async with http.get(url) as page:
                    assert page.status == 200
                    return await page.text()
            except aiohttp.ClientConnectorSSLError:
                await asyncio.sleep(0.05)


async def _use(plain: int, secure: int) -> None:
    # An authority of its own has issued the certificate.
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    url = f"https://localhost:{secure}"
    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(connector=connector) as http:
        page = await _first_page(http, url)
        assert "<title>" in page
        async with http.post(
            f"{url}/whip/live",
            data=offers.CHROMIUM_DATA.encode(),
            headers={"Content-Type": "application/sdp", "Origin": url},
        ) as opened:
            assert opened.status == 201
            session = opened.url.join(URL(opened.headers["Location"]))
        async with http.delete(session) as ended:
            assert ended.status == 200
        http_url = f"http://localhost:{plain}/"
        async with http.get(http_url, allow_redirects=False) as redirected:
            assert redirected.status == 308
            assert redirected.headers["Location"].startswith("https://localhost")


class _Received(asyncio.DatagramProtocol):
    """What comes by the relay."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | str] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.queue.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        self.queue.put_nowait(str(exc))


class _Echo(asyncio.DatagramProtocol):
    """Stands for the server: sends back what it gets."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


@asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[int]:
    """coturn with the file of Compose, on the loopback address. Yields its port."""
    port = free_port()
    content = yaml.safe_load((COMPOSE / "turn.yml").read_text(encoding="utf-8"))
    text = interpolate(
        content["configs"]["turnserver"]["content"],
        {"WHIPBIRD_TURN_ADDRESS": "127.0.0.1", "WHIPBIRD_TURN_SECRET": SECRET},
    ).replace("listening-port=3478", f"listening-port={port}")
    file = folder / "turnserver.conf"
    file.write_text(text)
    command = ["turnserver", "-c", str(file), "--allow-loopback-peers"]
    command += ["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1"]
    command += [f"--pidfile={folder / 'pid'}", f"--userdb={folder / 'users'}"]
    async with running(command, port, folder / "log"):
        yield port


async def allocate(port: int, transport: str, secret: str) -> tuple[Any, _Received]:
    """A relayed address, with the credentials that clients of the server get."""
    url = f"turn:127.0.0.1:{port}?transport={transport}"
    (link,) = IceServers([TurnServer(url)], secret, 60).links("client")
    values = dict(part.split("=", 1) for part in link.split("; ")[1:])
    return await turn.create_turn_endpoint(
        _Received,
        server_addr=("127.0.0.1", port),
        username=values["username"].strip('"'),
        password=values["credential"].strip('"'),
        transport=transport,
    )


@pytest.mark.skipif(
    shutil.which("turnserver") is None, reason="coturn is not installed"
)
async def test_coturn_relays_to_the_server_alone(tmp_path: Path) -> None:
    """With credentials made from the secret, and no others."""
    loop = asyncio.get_running_loop()
    echo, _ = await loop.create_datagram_endpoint(_Echo, ("127.0.0.1", 0))
    peer = echo.get_extra_info("sockname")
    try:
        async with coturn(tmp_path) as port, asyncio.timeout(60):
            for transport in ("udp", "tcp"):
                relay, received = await allocate(port, transport, SECRET)
                number = relay.get_extra_info("sockname")[1]
                assert 49160 <= number <= 49359
                relay.sendto(b"ping", peer)
                assert await received.queue.get() == b"ping"
                # Another machine of the network.
                relay.sendto(b"ping", ("127.0.0.2", peer[1]))
                assert "403" in str(await received.queue.get())
                relay.close()
            with pytest.raises(TransactionFailed, match="401"):
                await allocate(port, "udp", "another secret")
    finally:
        echo.close()
