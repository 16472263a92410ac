"""The doctor against servers that are wrong in one way each, and right ones."""

import asyncio
import json
import re
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from tests.certificates import write_tls_files
from tests.coturn import SECRET, coturn, needs_coturn
from tests.server import ServerProcess
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.doctor import Finding, Options, State, certificate, connection, examine
from whipbird.doctor.subject import Subject
from whipbird.http.ice_servers import IceServers
from whipbird.net import HostAddresses
from whipbird.sdp.link import IceServer, TurnServer

Serve = Callable[[web.Application], Awaitable[TestServer]]
Change = Callable[[web.Request, web.StreamResponse], web.StreamResponse | None]

# Seconds for what does not come; all that does comes at once.
SHORT = 4.0

TOKEN = "open-sesame"


def settings(**given: object) -> Settings:
    return Settings.model_validate({"ice_loopback": True, **given})


def changed(app: web.Application, change: Change) -> web.Application:
    """The same server, with its responses changed."""

    @web.middleware
    async def middleware(
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        response = await handler(request)
        return change(request, response) or response

    app.middlewares.insert(0, middleware)
    return app


async def examined(
    url: URL | str, token: str | None = None, timeout: float = 30.0
) -> dict[str, Finding]:
    """What is found, by check; of several the worst."""
    found: dict[str, Finding] = {}
    async for finding in examine(URL(url), Options(token, None, timeout)):
        before = found.get(finding.check)
        if before is None or finding.state is State.FAILED:
            found[finding.check] = finding
    return found


def states(found: dict[str, Finding]) -> dict[str, str]:
    return {check: str(finding.state) for check, finding in found.items()}


async def test_a_server_that_works(aiohttp_server: Serve) -> None:
    server = await aiohttp_server(create_app(settings()))
    found = await examined(server.make_url("/"))
    assert states(found) == {
        "DNS": "ok",
        "TCP": "ok",
        "TLS": "skipped",
        "HTTP": "ok",
        "CORS": "ok",
        "WHIP": "ok",
        "Addresses": "ok",
        "UDP": "ok",
        "ICE-TCP": "skipped",
        "TURN": "skipped",
        "NAT": "ok",
        "Connection": "ok",
        "Echo": "ok",
    }
    assert "Whipbird answers" in found["HTTP"].text
    assert re.search(r"UDP from \S+ port \d+ to \S+ port \d+", found["Connection"].text)


async def test_nothing_is_left_on_the_server(aiohttp_server: Serve) -> None:
    app = create_app(settings())
    server = await aiohttp_server(app)
    await examined(server.make_url("/whip/test"))
    assert app[STORE].count().total() == 0


async def test_tokens(aiohttp_server: Serve) -> None:
    server = await aiohttp_server(create_app(settings(token=TOKEN)))
    url = server.make_url("/whip/test")
    without = await examined(url)
    assert without["WHIP"].state is State.FAILED
    assert "--token-file" in without["WHIP"].advice
    assert without["UDP"] == Finding("UDP", State.SKIPPED, "there is no session")
    wrong = await examined(url, "another")
    assert "the right token" in wrong["WHIP"].advice
    right = await examined(url, TOKEN)
    assert right["Echo"].state is State.OK


async def test_a_url_that_is_no_endpoint(aiohttp_server: Serve) -> None:
    server = await aiohttp_server(create_app(settings()))
    found = await examined(server.make_url("/wihp/test"))
    assert found["WHIP"].text.startswith("404 ")
    assert "Is this the URL of a WHIP endpoint?" in found["WHIP"].advice


async def test_a_redirection_that_loses_the_method(aiohttp_server: Serve) -> None:
    async def redirect(request: web.Request) -> web.Response:
        raise web.HTTPMovedPermanently(f"/right{request.path}")

    app = web.Application()
    app.router.add_route("*", "/whip/{name}", redirect)
    app.add_subapp("/right", create_app(settings()))
    server = await aiohttp_server(app)
    found = await examined(server.make_url("/whip/test"))
    assert found["HTTP"].state is State.FAILED
    assert "redirects with 301, which turns a POST into a GET" in found["HTTP"].text
    assert "/right/whip/test" in found["HTTP"].advice


async def test_a_proxy_that_answers_preflights(aiohttp_server: Serve) -> None:
    def change(
        request: web.Request, _response: web.StreamResponse
    ) -> web.StreamResponse | None:
        return web.Response(status=405) if request.method == "OPTIONS" else None

    server = await aiohttp_server(changed(create_app(settings()), change))
    found = await examined(server.make_url("/whip/test"))
    assert found["CORS"].state is State.WARNING
    assert "OPTIONS is answered with 405" in found["CORS"].text
    assert found["Echo"].state is State.OK


def with_candidates(pattern: str, replacement: str) -> Change:
    """Change the candidates of the answer."""

    def change(
        request: web.Request, response: web.StreamResponse
    ) -> web.StreamResponse | None:
        if request.method == "POST" and isinstance(response, web.Response):
            response.text = re.sub(pattern, replacement, response.text or "")
        return None

    return change


async def test_an_answer_without_addresses(aiohttp_server: Serve) -> None:
    change = with_candidates(r"a=candidate:.*\r\n", "")
    server = await aiohttp_server(changed(create_app(settings()), change))
    found = await examined(server.make_url("/whip/test"))
    assert "has no address to connect to" in found["Addresses"].text
    assert found["Connection"].text == "there is no address to connect to"


async def test_udp_that_is_blocked_beside_tcp_that_is_not() -> None:
    """Without UDP from the server: nobody reads what is sent to the port offered."""
    real = ServerProcess("--ice-loopback")
    await real.start()
    dead = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dead.bind(("127.0.0.1", 0))
    port = dead.getsockname()[1]
    front = TestServer(_front(real.url, port))
    await front.start_server()
    try:
        found = await examined(front.make_url("/whip/test"), timeout=SHORT)
    finally:
        await front.close()
        await real.stop()
        dead.close()
    assert found["UDP"].text == f"nothing came back from UDP port {port} at 127.0.0.1"
    assert found["ICE-TCP"].state is State.OK
    assert "Browsers connect over TCP here" in found["Connection"].advice
    assert found["Echo"].state is State.SKIPPED


def _front(url: str, port: int) -> web.Application:
    """A proxy that puts another UDP port into the answers, on one address.

    It takes the candidates out of the offers: the server must not find a way itself.
    """

    async def forward(request: web.Request) -> web.Response:
        kept = ("Content-Type", "Origin", "Accept")
        headers = {k: v for k, v in request.headers.items() if k in kept}
        body = re.sub(r"a=candidate:.*\r\n", "", await request.text())
        async with (
            aiohttp.ClientSession() as http,
            http.request(
                request.method,
                f"{url}{request.path}",
                data=body.encode(),
                headers=headers,
            ) as response,
        ):
            text = await response.text()
            told = {
                name: response.headers[name]
                for name in ("Location", "ETag", "Server")
                if name in response.headers
            }
            lines = [
                line
                for line in text.split("\r\n")
                if "a=candidate" not in line or " 127.0.0.1 " in line
            ]
            text = "\r\n".join(lines)
            text = re.sub(r"( udp \d+ 127\.0\.0\.1) \d+", rf"\1 {port}", text)
            kind = response.content_type
            return web.Response(
                status=response.status, text=text, headers=told, content_type=kind
            )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    return app


async def test_each_family_has_one_socket() -> None:
    subject = Subject(URL("http://localhost/"), Options())
    first, second = await asyncio.gather(
        subject.prober(ipv6=False), subject.prober(ipv6=False)
    )
    assert first is second
    await subject.close()


# TCP and TLS


async def test_a_family_that_does_not_work() -> None:
    own = next(a for a in HostAddresses(version=4).current())
    async with await asyncio.start_server(lambda *_: None, own, 0) as server:
        port = server.sockets[0].getsockname()[1]
        subject = Subject(URL(f"http://localhost:{port}"), Options(timeout=30.0))
        # Nothing listens there.
        subject.addresses = (own, "127.0.0.2")
        (finding,) = await connection.connect(subject)
    if own.startswith("127."):
        assert finding.state is State.OK
    else:
        assert finding.state is State.WARNING
        assert "127.0.0.2 refuses the connection" in finding.text
    assert subject.stopped is None


@pytest.mark.parametrize(
    ("name", "ends", "words"),
    [
        ("localhost", 30.0, "the certificate is self-signed: SHA-256 "),
        ("elsewhere.test", 30.0, "is for elsewhere.test, and not for localhost"),
        ("localhost", -0.5, "the certificate has expired on "),
    ],
)
async def test_certificates(tmp_path: Path, name: str, ends: float, words: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*write_tls_files(tmp_path, name=name, ends=ends))

    def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        subject = Subject(URL(f"https://localhost:{port}/"), Options())
        (finding,) = await certificate.inspect(subject)
        assert finding.state is State.FAILED
        assert words in finding.text
        # The rest is found out all the same, but a token is not sent there.
        assert subject.stopped is None
        assert subject.fingerprint is not None
        subject = Subject(URL(f"https://localhost:{port}/"), Options("token"))
        await certificate.inspect(subject)
        assert subject.stopped is not None
        assert "--tls-fingerprint" in subject.stopped


# TURN


@needs_coturn
async def test_turn_servers(tmp_path: Path, aiohttp_server: Serve) -> None:
    links: list[str] = []

    def change(
        request: web.Request, response: web.StreamResponse
    ) -> web.StreamResponse | None:
        if request.method == "POST":
            response.headers.extend([("Link", link) for link in links])
        return None

    server = await aiohttp_server(changed(create_app(settings()), change))
    url = server.make_url("/whip/test")
    async with coturn(tmp_path) as port:
        udp, tcp = (
            TurnServer(f"turn:127.0.0.1:{port}?transport={t}") for t in ("udp", "tcp")
        )
        stun = IceServer(f"stun:127.0.0.1:{port}")

        async def findings(*servers: IceServer | TurnServer, **how: object) -> str:
            made = IceServers(servers, str(how.get("secret", SECRET)), 60.0)
            if how.get("late"):
                made = IceServers(servers, SECRET, 60.0, lambda: 1_700_000_000.0)
            links[:] = made.links("doctor")
            found = [
                finding
                async for finding in examine(url, Options(timeout=20.0))
                if finding.check in ("TURN", "STUN")
            ]
            return "\n".join(f"{f.state} {f.text} {f.advice}" for f in found)

        right = await findings(udp, tcp, stun)
        assert re.fullmatch(
            r"(ok turn:\S+ accepts the credentials, after \d+\.\d ms, and reaches "
            r"\S+ port \d+ \n){2}ok stun:\S+ answers ",
            right,
        )
        for server_ in (udp, tcp):
            wrong = await findings(server_, secret="south-wind")
            assert "failed" in wrong
            assert "does not accept the credentials (401)" in wrong
            assert "compare --turn-secret" in wrong
        expired = await findings(udp, late=True)
        assert "they were valid until 2023-11-14 22:14:20 UTC" in expired
    absent = await findings(tcp)
    assert f"its TCP port {port} open" in absent
    assert "cannot be reached: " in absent


# The command


async def test_the_command_over_https(tmp_path: Path) -> None:
    server = ServerProcess("--ice-loopback", "--tls-self-signed")
    await server.start()
    try:
        url = server.url.replace("http:", "https:")
        code, output = await doctor(url)
        assert code == 1
        found = re.search(r"self-signed: SHA-256 ([0-9A-F:]{95})\.", output)
        assert found is not None
        assert "a message came back on a data channel" in output
        code, output = await doctor(url, "--tls-fingerprint", found[1], "--json")
        assert code == 0, output
        report = json.loads(output)
        assert report["ok"] is True
        assert report["url"] == url
        by_check = {each["check"]: each["state"] for each in report["checks"]}
        assert by_check["TLS"] == by_check["Echo"] == by_check["ICE-TCP"] == "ok"
    finally:
        await server.stop()


async def doctor(*arguments: str) -> tuple[int, str]:
    """The exit code and the output of the command."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "whipbird", "doctor", "-W", "30", *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()
