"""The commands, as their users run them: processes, output and exit codes."""

import asyncio
import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import click
import pytest

from tests import offers
from tests.native import NATIVE
from tests.scrape import scrape_url
from tests.server import ServerProcess, free_port
from whipbird.app import UDP_PORT
from whipbird.cli import descriptors, main, serve
from whipbird.client import WhipClient, WhipError
from whipbird.config import Settings
from whipbird.http.listener import Listener
from whipbird.net import HostAddresses, Sharing
from whipbird.sdp.link import IceServer, ice_servers, parse_links


@asynccontextmanager
async def _running(
    *command: str, **options: Any
) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.StreamReader]]:
    """A process and its output, for a while; it does not stay whatever happens."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, **options
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            yield process, process.stdout
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _whipbird(*arguments: str, **env: str) -> tuple[int, str, str]:
    """Run a command to its end."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("WHIPBIRD_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "whipbird", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=tempfile.gettempdir(),
        env=inherited | env,
    )
    async with asyncio.timeout(120):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


def test_each_command_is_there_by_its_name() -> None:
    context = click.Context(main)
    assert main.list_commands(context)[0] == "serve"
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        assert command.name == name


def test_a_command_loads_what_it_needs() -> None:
    """A client starts in half the time when it loads no server."""
    program = "import sys, whipbird.cli.ping; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "whipbird.client.whip" in loaded
    assert {"whipbird.app", "whipbird.config", "pydantic"}.isdisjoint(loaded)


async def test_ping_prints_a_line_for_each_reply(server: ServerProcess) -> None:
    url = f"{server.url}/whip/test"
    code, output, errors = await _whipbird("ping", url, "-c", "5", "-i", "0.01")
    assert (code, errors) == (0, "")
    lines = output.splitlines()
    assert lines[0].startswith(f"PING {url} (")
    assert re.fullmatch(
        r"setup [\d.]+ ms: offer [\d.]+ ms, answer [\d.]+ ms, ICE [\d.]+ ms, "
        r"DTLS [\d.]+ ms, channel [\d.]+ ms",
        lines[1],
    )
    for n, line in enumerate(lines[2:7], start=1):
        assert line.startswith(f"64 octets: seq={n} time=")
        assert line.endswith(" ms")
    assert lines[-3] == "5 sent, 5 received, 0.0% loss"
    assert lines[-2].startswith("rtt min/avg/max/mdev = ")
    assert lines[-1].startswith("rtt p50/p90/p99 = ")
    await server.wait_for_sessions(0)


async def test_ping_in_json(server: ServerProcess) -> None:
    """A line for each event, and one for all."""
    url = f"{server.url}/whip/test"
    code, output, _ = await _whipbird(
        "ping", url, "-c", "2", "-i", "0", "-s", "70000", "--json"
    )
    connected, *replies, result = [json.loads(line) for line in output.splitlines()]
    assert code == 0
    assert connected["event"] == "connected"
    assert list(connected["setup_ms"]) == ["offer", "answer", "ICE", "DTLS", "channel"]
    assert [(reply["event"], reply["seq"]) for reply in replies] == [
        ("reply", 1),
        ("reply", 2),
    ]
    assert [reply["size"] for reply in replies] == [70000, 70000]
    assert result["event"] == "summary"
    assert (result["sent"], result["received"], result["loss"]) == (2, 2, 0)
    assert 0 < result["min_ms"] <= result["p50_ms"] <= result["max_ms"]
    assert result["error"] is None


async def test_a_quiet_ping_of_a_server_by_its_address(server: ServerProcess) -> None:
    """A URL without a path is enough for Whipbird."""
    code, output, errors = await _whipbird(
        *("ping", server.url, "-c", "3", "-i", "0.01", "-q"),
        *("--unordered", "--max-retransmits", "0"),
    )
    assert (code, errors) == (0, "")
    lines = output.splitlines()
    assert lines[0].startswith(f"PING {server.url}/whip/ping (")
    assert lines[1:3] == ["", f"--- {server.url}/whip/ping ping statistics ---"]
    assert lines[3] == "3 sent, 3 received, 0.0% loss"


async def test_ping_says_which_url_would_work(server: ServerProcess) -> None:
    code, _, errors = await _whipbird("ping", f"{server.url}/watch/show", "-c", "1")
    assert code == 1
    hint = errors.splitlines()[-1]
    assert hint == f"Of a Whipbird, try: whipbird ping {server.url}/whip/show"
    code, _, errors = await _whipbird(*hint.split()[5:], "-c", "1")
    assert (code, errors) == (0, "")


async def test_ping_with_times_and_a_deadline(server: ServerProcess) -> None:
    """Fewer echoes than asked for by the deadline are a failure, as with ping(8)."""
    code, output, _ = await _whipbird(
        *("ping", server.url, "-D", "-i", "0.1", "-w", "0.25", "-c", "100")
    )
    assert code == 1
    lines = output.splitlines()
    assert re.match(r"\[\d{10}\.\d{6}\] 64 octets: seq=1 time=", lines[2])
    assert re.match(r"[123] sent, ", lines[-3])


async def test_ping_of_nobody() -> None:
    url = f"http://127.0.0.1:{free_port()}/whip/test"
    code, output, errors = await _whipbird("ping", url, "-c", "1")
    assert code == 1
    assert output == ""
    assert errors.startswith("whipbird ping: Cannot reach the server: 127.0.0.1 port")
    assert "Connection refused" in errors
    code, output, _ = await _whipbird("ping", url, "-c", "1", "--json")
    assert code == 1
    assert json.loads(output)["error"].startswith("Cannot reach the server")


async def test_ping_tells_what_the_server_says(server: ServerProcess) -> None:
    code, _, errors = await _whipbird("ping", f"{server.url}/whip/a:b", "-c", "1")
    assert code == 1
    assert '404 Not a stream name: "a:b" is not the name of a stream.' in errors


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("127.0.0.1:8080/whip/test", "did you mean http://127.0.0.1:8080/whip/test?"),
        ("ftp://127.0.0.1/whip", "is not an http:// or https:// URL"),
        ("", "is not an http:// or https:// URL"),
        ("http://[::1/", "Invalid"),
    ],
)
async def test_ping_of_what_is_no_url(url: str, reason: str) -> None:
    code, output, errors = await _whipbird("ping", url, "-c", "1")
    assert (code, output) == (2, "")
    assert reason in errors


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://no-such-host.invalid/whip/x", "there is no host named no-such-host"),
        ("https://127.0.0.1:{port}/whip/x", "does not speak TLS"),
    ],
)
async def test_ping_says_why_nobody_is_reached(
    server: ServerProcess, url: str, reason: str
) -> None:
    url = url.format(port=server.port)
    code, _, errors = await _whipbird("ping", url, "-c", "1")
    assert code == 1
    assert reason in errors


@pytest.mark.parametrize(
    "arguments",
    [
        ("-c", "0"),
        ("-W", "nan"),
        ("-i", "inf"),
        ("-s", "1"),
        ("-s", "262145"),
        ("-i", "-1"),
        ("--nonsense",),
    ],
)
async def test_wrong_arguments_of_ping(arguments: tuple[str, ...]) -> None:
    code, output, errors = await _whipbird("ping", "http://127.0.0.1/", *arguments)
    assert code == 2
    assert output == ""
    assert "Error:" in errors


async def test_interrupting_ping_sums_up(server: ServerProcess) -> None:
    async with _running(
        *(sys.executable, "-m", "whipbird", "ping", f"{server.url}/whip/test"),
        *("-i", "0.01"),
    ) as (process, output):
        while b"seq=3" not in await output.readline():
            pass
        process.send_signal(signal.SIGINT)
        rest = (await output.read()).decode()
        assert await process.wait() == 0
    assert "0.0% loss" in rest
    await server.wait_for_sessions(0)


async def test_serve_says_where_it_is(server: ServerProcess) -> None:
    assert f"Page:  {server.url}/" in server.output
    assert f"Server: {server.url}/whip/mystream" in server.output
    assert f"Watch: {server.url}/watch/mystream" in server.output


async def _banner(*options: str) -> str:
    """What a server says when it is started, up to its end."""
    lines = []
    async with _running(
        *(sys.executable, "-m", "whipbird", "serve", *options),
        env={k: v for k, v in os.environ.items() if not k.startswith("WHIPBIRD_")},
        cwd=tempfile.gettempdir(),
    ) as (process, output):
        while (line := (await output.readline()).decode()) != "":
            lines.append(line)
            if "Press Ctrl+C" in line:
                process.terminate()
        assert await process.wait() == 0
    return "".join(lines)


def _opened(banner: str) -> tuple[int, int]:
    """The TCP and the UDP port that are to be let through."""
    found = re.search(
        r"^  Open:  TCP port (\d+) \(HTTP\) and UDP port (\d+) \(media and data\)$",
        banner,
        re.MULTILINE,
    )
    assert found, banner
    return int(found[1]), int(found[2])


async def test_serve_says_which_ports_to_open(server: ServerProcess) -> None:
    """They have one number."""
    assert _opened(server.output) == (server.port, server.port)
    assert (await server.status())["udp"]["port"] == server.port


async def test_serve_says_what_sends_to_viewers(server: ServerProcess) -> None:
    path = "python" if NATIVE is None else "compiled"
    assert (await server.status())["packet_path"] == path
    assert ("compiled packet path" in server.output) == (NATIVE is not None)
    assert "compiled packet path" not in await _banner("--port", "0", "--native", "off")


def test_serve_does_not_start_without_what_it_must_have() -> None:
    code = "import sys; sys.modules['whipbird_native'] = None; import whipbird.cli"
    command = (sys.executable, "-P", "-c", f"{code}; whipbird.cli.main()")
    done = subprocess.run(
        (*command, "serve", "--port", "0", "--native", "on"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: the compiled packet path cannot be loaded")
    assert "make native" in line


async def test_any_port_is_one_number() -> None:
    tcp, udp = _opened(await _banner("--port", "0"))
    assert tcp == udp > 0


async def test_any_port_for_each() -> None:
    tcp, udp = _opened(await _banner("--port", "0", "--udp-port", "0"))
    assert tcp > 0
    assert udp > 0


async def test_any_port_beside_a_given_udp_port() -> None:
    number = free_port()
    tcp, udp = _opened(await _banner("--port", "0", "--udp-port", str(number)))
    assert udp == number
    assert tcp > 0


async def test_a_udp_port_of_its_own() -> None:
    number, other = free_port(), free_port()
    banner = await _banner("--port", str(number), "--udp-port", str(other))
    assert _opened(banner) == (number, other)


async def test_serve_gives_others_the_public_address() -> None:
    options = ("--port", "0", "--public-address", "203.0.113.5")
    banner = await _banner("--host", "0.0.0.0", "--open", *options)
    port, _ = _opened(banner)
    assert f"Server: http://203.0.113.5:{port}/whip/mystream" in banner
    assert "203.0.113.5" not in await _banner("--host", "127.0.0.1", *options)


async def test_serve_says_what_an_open_server_permits(tmp_path: Path) -> None:
    open_to_all = ("--host", "0.0.0.0", "--port", "0", "--open")
    banner = await _banner(*open_to_all)
    assert "WARNING: this server is open" in banner
    assert "publish under any name" in banner
    assert "delete" not in banner
    assert "delete" in await _banner(*open_to_all, "--record", str(tmp_path))
    banner = await _banner("--host", "0.0.0.0", "--port", "0", "--token", "abc")
    assert "WARNING" not in banner
    assert "abc" not in banner


async def test_serve_is_not_open_by_accident() -> None:
    code, output, errors = await _whipbird("serve", "--host", "0.0.0.0", "--port", "0")
    assert (code, output) == (2, "")
    assert errors.startswith("Error: open: ")
    assert "--token-file" in errors


async def test_serve_does_not_start_with_invalid_rules(tmp_path: Path) -> None:
    file = tmp_path / "rights.toml"
    file.write_text("[[token]]")
    code, output, errors = await _whipbird(
        "serve", "--port", "0", "--rights-file", str(file)
    )
    assert (code, output) == (1, "")
    assert errors.startswith(f"Error: {file}: token: ")


async def test_a_client_reads_its_token_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("c2VjcmV0\n")
    server = ServerProcess("--token-file", str(file))
    await server.start()
    try:
        url = f"{server.url}/whip/test"
        once = ("ping", url, "-c", "1")
        code, _, _ = await _whipbird(*once, "--token-file", str(file))
        assert code == 0
        code, _, errors = await _whipbird(*once)
        assert (code, "Token required" in errors) == (1, True)
        code, _, errors = await _whipbird(
            *once, "--token-file", str(file), "--token", "x"
        )
        assert (code, "exclude each other" in errors) == (2, True)
        code, _, errors = await _whipbird(*once, "--token-file", str(tmp_path / "no"))
        assert (code, "No such file" in errors) == (2, True)
    finally:
        await server.stop()


@pytest.fixture
def taken() -> Iterator[tuple[str, int]]:
    """An address of this machine, and a UDP port of it that somebody else has."""
    address = next(a for a in HostAddresses().current() if ":" not in a)
    with socket.socket(type=socket.SOCK_DGRAM) as somebody:
        somebody.bind((address, 0))
        yield address, somebody.getsockname()[1]


async def test_a_udp_port_in_use(taken: tuple[str, int]) -> None:
    address, number = taken
    said = f"Error: UDP port {number} of {address} is in use; choose another with "
    code, output, errors = await _whipbird(
        "serve", "--port", str(free_port()), "--udp-port", str(number)
    )
    assert (code, output, errors) == (1, "", f"{said}--udp-port\n")
    code, output, errors = await _whipbird("serve", "--port", str(number))
    both = "--udp-port, or with --port for TCP and UDP\n"
    assert (code, output, errors) == (1, "", said + both)


async def test_a_port_that_is_free_for_udp_alone_is_not_taken_for_any(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen: list[int] = []
    begin = Listener.open

    async def start(listener: Listener, host: str, port: int, sharing: Sharing) -> None:
        chosen.append(port)
        if len(chosen) < 3:
            raise OSError(errno.EADDRINUSE, "in use")
        await begin(listener, host, port, sharing)

    monkeypatch.setattr(Listener, "open", start)
    listener, app = await serve._start(Settings(port=0), 10, None)
    try:
        # Others may have taken one meanwhile.
        assert len(set(chosen)) >= 3
        assert listener.port == chosen[-1] == app[UDP_PORT].number
    finally:
        await listener.close()


async def test_a_public_name_without_an_address() -> None:
    code, output, errors = await _whipbird(
        "serve", "--port", "0", "--public-address", "no-such-name.invalid"
    )
    assert (code, output) == (1, "")
    said = "Error: the public address no-such-name.invalid cannot be looked up: "
    assert errors.startswith(said)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serve_ends_every_session_and_exits_cleanly(
    number: signal.Signals,
) -> None:
    server = ServerProcess()
    await server.start()
    try:
        ping = asyncio.create_task(
            _whipbird("ping", f"{server.url}/whip/test", "-i", "0.05")
        )
        async with asyncio.timeout(60):
            while not (await server.status())["messages_echoed"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert await server.end(number) == 0
        code, output, errors = await ping
        assert code == 0
        assert "whipbird ping: Connection lost" in errors
        assert "received" in output
        await server.logged("reason='server shutdown'")
        assert "Traceback" not in server.output
    finally:
        await server.stop()


@pytest.mark.parametrize("how", ["by themselves", "by a second signal"])
async def test_sessions_may_go_on_when_the_server_stops(how: str) -> None:
    """Nobody new is let in, and a load balancer is told."""
    server = ServerProcess("--drain", "600")
    await server.start()
    try:
        client = WhipClient(f"{server.url}/whip/test")
        channel = client.peer.createDataChannel("test")
        echoes: asyncio.Queue[str | bytes] = asyncio.Queue()
        channel.on("message", echoes.put_nowait)
        await client.connect()
        await client.opened(channel)
        async with aiohttp.ClientSession() as http:
            ready = f"{server.url}/readyz"
            async with http.get(ready) as response:
                assert response.status == 200
            ending = asyncio.create_task(server.end(signal.SIGTERM))

            async def is_draining() -> bool:
                async with http.get(ready) as response:
                    return response.status == 503

            async with asyncio.timeout(60):
                while not await is_draining():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        channel.send("still here")
        async with asyncio.timeout(60):
            assert await echoes.get() == "still here"
        other = WhipClient(f"{server.url}/whip/other")
        other.peer.createDataChannel("test")
        with pytest.raises(WhipError, match="503"):
            await other.connect()
        await other.close()
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                f"{server.url}/whip/other",
                data=offers.CHROMIUM_DATA.encode(),
                headers={"Content-Type": "application/sdp"},
            ) as response,
        ):
            assert response.status == 503
            assert int(response.headers["Retry-After"]) > 0
        if how == "by themselves":
            await client.close()
            assert await ending == 0
            await server.logged("reason='deleted by the client'")
        else:
            assert await server.end(signal.SIGINT) == 0
            assert await ending == 0
            await server.logged("reason='server shutdown'")
            client.location = None
            await client.close()
        assert "Open sessions (1) may go on for 600 s" in server.output
    finally:
        await server.stop()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A service manager, as systemd is to the processes that the test starts."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.settimeout(120)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield listening


async def _told(manager: socket.socket) -> dict[str, str]:
    """The next message to a service manager."""
    lines = (await asyncio.to_thread(manager.recv, 1000)).decode().splitlines()
    return dict(line.split("=", 1) for line in lines)


async def test_settings_are_read_again_while_sessions_go_on(
    tmp_path: Path, manager: socket.socket
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('ice_servers = ["stun:one.example.org"]\n')
    server = ServerProcess("--config", str(file), "--drain", "60")
    await server.start()
    try:
        assert await _told(manager) == {"READY": "1"}
        client = WhipClient(f"{server.url}/whip/test")
        channel = client.peer.createDataChannel("test")
        echoes: asyncio.Queue[str | bytes] = asyncio.Queue()
        channel.on("message", echoes.put_nowait)
        await client.connect()
        await client.opened(channel)

        async def links() -> str:
            async with (
                aiohttp.ClientSession() as http,
                http.options(f"{server.url}/whip/test") as response,
            ):
                return response.headers["Link"]

        async def reloaded(text: str) -> None:
            file.write_text(text)
            os.kill(server.pid, signal.SIGHUP)
            reloading = await _told(manager)
            assert reloading["RELOADING"] == "1"
            assert int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
            assert await _told(manager) == {"READY": "1"}

        assert "one.example.org" in await links()
        await reloaded('ice_servers = ["stun:two.example.org"]\nport = 1\n')
        assert "two.example.org" in await links()
        await reloaded("ice_servers = 3\n")
        assert "two.example.org" in await links()
        await server.logged("The settings are not reloaded: ice_servers: ")
        channel.send("still here")
        async with asyncio.timeout(60):
            assert await echoes.get() == "still here"
        ending = asyncio.create_task(server.end(signal.SIGTERM))
        stopping = await _told(manager)
        assert stopping["STOPPING"] == "1"
        assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 60_000_000
        await client.close()
        assert await ending == 0
    finally:
        await server.stop()


@pytest.mark.skipif(not os.path.exists("/dev/ptmx"), reason="needs pseudoterminals")
async def test_a_server_ends_with_its_terminal() -> None:
    """The system sends the signal that reloads the settings of others."""
    controller, terminal = os.openpty()
    # It takes the terminal as that of its session.
    takes_it = "import fcntl, runpy, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
    runs = "runpy.run_module('whipbird', run_name='__main__', alter_sys=True)"
    async with _running(
        *(sys.executable, "-c", f"{takes_it}; {runs}", "serve", "--port", "0"),
        stdin=terminal,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        cwd=tempfile.gettempdir(),
        env={k: v for k, v in os.environ.items() if not k.startswith("WHIPBIRD_")},
    ) as (process, output):
        os.close(terminal)
        while "Press Ctrl+C" not in (await output.readline()).decode():
            pass
        os.close(controller)
        _, errors = await process.communicate()
    assert process.returncode == 0
    assert b"reloaded" not in errors


async def test_a_port_in_use(server: ServerProcess) -> None:
    code, _, errors = await _whipbird(
        "serve", "--port", str(server.port), "--udp-port", "0"
    )
    assert code == 1
    assert f"cannot listen on 127.0.0.1 port {server.port}" in errors
    assert "Traceback" not in errors


async def _status_of(url: str, method: str = "GET", **headers: str) -> int:
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, url, headers=headers) as response,
    ):
        return response.status


async def test_operators_have_a_port_of_their_own() -> None:
    port = free_port()
    server = ServerProcess("--admin-listen", f"127.0.0.1:{port}")
    await server.start()
    try:
        admin = f"http://127.0.0.1:{port}"
        assert f"Admin: {admin}/metrics" in server.output
        metrics = await scrape_url(f"{admin}/metrics")
        assert metrics.value("whipbird_http_connections", listener="admin") >= 1
        assert metrics.value("process_open_fds") > 0
        for path in ("/api/sessions", "/api/status", "/healthz", "/readyz"):
            assert await _status_of(admin + path) == 200
        for path in ("/metrics", "/api/sessions"):
            assert await _status_of(server.url + path) == 404
        for path in ("/", "/whip/live", "/whep/live", "/api/streams"):
            assert await _status_of(admin + path) == 404
        # A page that uses DNS rebinding has another name.
        assert await _status_of(f"{admin}/metrics", Host="evil.example") == 421
    finally:
        await server.stop()


async def test_any_port_for_operators() -> None:
    banner = await _banner("--port", "0", "--admin-listen", "127.0.0.1:0")
    found = re.search(r"^  Admin: http://127\.0\.0\.1:(\d+)/metrics$", banner, re.M)
    assert found, banner
    assert int(found[1]) not in (0, *_opened(banner))


@pytest.mark.parametrize(
    ("value", "code", "said"),
    [
        ("127.0.0.1:{taken}", 1, "cannot listen on 127.0.0.1 port {taken}: "),
        ("192.0.2.9:0", 1, "cannot listen on 192.0.2.9 port 0: "),
        ("9090", 2, "admin_listen: expected HOST:PORT"),
        ("127.0.0.1:70000", 2, "admin_listen: a port is a number from 0 to 65535"),
    ],
)
async def test_where_operators_cannot_be_listened_for(
    value: str, code: int, said: str, server: ServerProcess
) -> None:
    taken = str(server.port)
    found, _, errors = await _whipbird(
        *("serve", "--port", "0", "--admin-listen", value.format(taken=taken))
    )
    assert found == code
    assert said.format(taken=taken) in errors
    assert len(errors.splitlines()) == 1
    if "{taken}" in value:
        assert "choose another with --admin-listen" in errors


@pytest.mark.parametrize("folder", ["/proc/recordings", "/dev/null/recordings"])
async def test_a_folder_that_cannot_be_recorded_to(folder: str) -> None:
    code, _, errors = await _whipbird("serve", "--port", "0", "--record", folder)
    assert code == 1
    assert f"Error: cannot record to the folder {folder}: " in errors
    assert "Traceback" not in errors


async def test_settings_that_are_wrong() -> None:
    code, _, errors = await _whipbird("serve", WHIPBIRD_SETUP_TIMEOUT="soon")
    assert code == 2
    assert errors.startswith("Error: setup_timeout: ")
    code, _, errors = await _whipbird("serve", "--config", "no-such-file.toml")
    assert code == 2
    assert "no-such-file.toml: there is no such file" in errors


async def test_nothing_secret_is_logged_for_debugging() -> None:
    server = ServerProcess("--log-level", "debug")
    await server.start()
    try:
        async with WhipClient(f"{server.url}/whip/secret") as client:
            channel = client.peer.createDataChannel("test")
            await client.connect()
            await client.opened(channel)
            assert client.location is not None
            session_id = client.location.name
            password = client.peer.local_ice.ice.pwd
        await server.logged("DELETE /whip/secret/")
        assert session_id[:8] in server.output
        assert session_id not in server.output
        assert password not in server.output
    finally:
        await server.stop()


async def test_a_second_interrupt_ends_ping_at_once(server: ServerProcess) -> None:
    async with _running(
        *(sys.executable, "-m", "whipbird", "ping", f"{server.url}/whip/test"),
        *("-i", "0.01"),
    ) as (process, output):
        while b"seq=3" not in await output.readline():
            pass
        server.freeze()
        try:
            process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.2)  # the first must be taken before the second
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == -signal.SIGTERM
        finally:
            server.thaw()


async def test_a_variable_that_is_mistyped() -> None:
    port = str(free_port())
    async with _running(
        *(sys.executable, "-m", "whipbird", "serve", "--port", port),
        env=os.environ | {"WHIPBIRD_PROT": "1"},
        stderr=asyncio.subprocess.PIPE,
        cwd=tempfile.gettempdir(),
    ) as (process, output):
        assert b"is listening" in await output.readline()
        process.terminate()
        _, errors = await process.communicate()
    assert b"Warning: WHIPBIRD_PROT: there is no such setting; did you mean" in errors
    assert b"WHIPBIRD_PORT" in errors


async def test_serve_with_a_token_and_ice_servers() -> None:
    """An option that can be repeated is, and nothing secret is printed."""
    server = ServerProcess(
        *("--token", "t0ken", "--log-level", "debug"),
        *("--ice-server", "stun:stun.example"),
        *("--ice-server", "turn:turn.example user hush"),
    )
    await server.start()
    try:
        assert "Bearer Token: your token" in server.output
        assert "--token-file FILE" in server.output
        url = f"{server.url}/whip/test"
        headers = {"Authorization": "Bearer t0ken"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.options(url) as response,
        ):
            links = ice_servers(parse_links(response.headers.getall("Link")))
        assert links == (
            IceServer("stun:stun.example"),
            IceServer("turn:turn.example", "user", "hush"),
        )
        code, _, errors = await _whipbird("ping", url, "-c", "1")
        assert code == 1
        assert "401 Token required" in errors
        code, output, _ = await _whipbird(
            "ping", url, "-c", "1", WHIPBIRD_TOKEN="t0ken"
        )
        assert code == 0
        assert "1 received" in output
    finally:
        log = server.output
        await server.stop()
    assert "hush" not in log
    assert "t0ken" not in log


async def test_ice_servers_that_are_none() -> None:
    code, output, errors = await _whipbird(
        "serve", "--ice-server", "stun:stun.example", "--ice-server", "turn:a hush"
    )
    assert (code, output) == (2, "")
    assert errors.startswith("Error: ice_servers.1: ")
    assert "hush" not in errors


async def test_more_descriptors_are_allowed_when_connections_need_them() -> None:
    """The usual limit is 1024."""
    script = (
        "import resource, sys\n"
        "hard = int(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))\n"
        "from whipbird.cli.descriptors import allow_descriptors\n"
        "from whipbird.config import Settings\n"
        "connections = allow_descriptors(Settings(max_connections=100))\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], connections)\n"
    )

    async def run(hard: int) -> tuple[int, int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script, str(hard)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(120):
            output, errors = await process.communicate()
        allowed, connections = map(int, output.split())
        return allowed, connections, errors.decode()

    allowed, connections, errors = await run(4000)
    assert allowed >= 300
    assert connections == 100
    assert errors == ""
    allowed, connections, errors = await run(250)
    assert allowed == 250
    assert connections < 50
    assert errors.startswith("Warning: 100 HTTP connections need ")
    assert "the system allows 250" in errors


async def test_help_names_every_setting() -> None:
    code, output, _ = await _whipbird("serve", "--help")
    assert code == 0
    for name in ("host", "port", "setup-timeout", "echo-buffer", "ice-loopback"):
        assert f"--{name}" in output
    for name in ("udp-port", "public-address", "hide-host-addresses", "ice-lite"):
        assert f"--{name}" in output
    for name in ("ice-server", "token", "max-sessions", "post-rate", "patch-rate"):
        assert f"--{name} " in output
    assert "[default: none; env: WHIPBIRD_ICE_SERVERS]" in " ".join(output.split())
    assert "WHIPBIRD_ECHO_BUFFER" in output
    assert "[debug|info|warning|error]" in output
    assert "--record DIRECTORY " in output
    assert "[default: 8080; env: WHIPBIRD_PORT]" in " ".join(output.split())


async def test_version() -> None:
    code, output, _ = await _whipbird("--version")
    assert code == 0
    assert output.startswith("whipbird, version ")


def test_without_limits_of_descriptors_select_is_the_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows: CPython's ``select`` watches 512 sockets."""
    monkeypatch.setattr(descriptors, "resource", None)
    assert descriptors.allow_descriptors(Settings(max_connections=100)) == 100
    assert 400 < descriptors.allow_descriptors(Settings()) < 512
    assert capsys.readouterr().err == ""
    assert 400 < descriptors.allow_descriptors(Settings(max_connections=600)) < 512
    assert "600 HTTP connections need" in capsys.readouterr().err
