"""What the page says when no path to the server was found."""

import time
from typing import Any

import pytest

from .ping_page import PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

OURS = "a=candidate:1 1 udp 1 aaaa.local 50000 typ host\r\n"
TURN = "turn:turn.example?transport=udp"


def candidates(*addresses: str) -> str:
    return "".join(
        f"a=candidate:{n} 1 udp 1 {address} 8080 typ host\r\n"
        for n, address in enumerate(addresses)
    )


async def why(modules: PingPage, **known: Any) -> str:
    attempt = {
        "answer": candidates("198.51.100.7"),
        "local": OURS,
        "host": "media.example.org",
        "errors": [],
        "servers": [],
        **known,
    }
    said: str = await modules.run(
        """async (attempt) => (await import('/client/no-path.js'))
            .whyNoPath(attempt)""",
        attempt,
    )
    return said


async def test_a_port_that_is_blocked(modules: PingPage) -> None:
    said = await why(modules)
    assert "UDP port 8080 at 198.51.100.7." in said
    assert "firewall" in said


async def test_several_addresses_and_protocols(modules: PingPage) -> None:
    tcp = "a=candidate:9 1 tcp 1 198.51.100.7 8443 typ host tcptype passive\r\n"
    said = await why(
        modules,
        answer=candidates("198.51.100.7", "2001:db8::1", "192.0.2.1", "192.0.2.2")
        + tcp,
    )
    assert "UDP port 8080 and TCP port 8443 at 198.51.100.7, 2001:db8::1" in said
    assert "…" in said


async def test_a_server_without_an_address(modules: PingPage) -> None:
    assert "no address to connect to" in await why(modules, answer="v=0\r\n")


async def test_a_browser_without_a_network(modules: PingPage) -> None:
    said = await why(modules, local="v=0\r\n", host="127.0.0.1")
    assert "no network address" in said
    assert "whipbird ping" in said


@pytest.mark.parametrize(
    ("address", "host", "setting"),
    [
        ("127.0.0.1", "192.168.1.7", True),
        ("127.0.0.1", "localhost", False),
        ("::1", "media.example.org", True),
        ("10.0.0.7", "media.example.org", True),
        ("172.17.0.2", "198.51.100.9", True),
        ("172.32.0.2", "198.51.100.9", False),
        ("100.64.0.2", "media.example.org", True),
        ("fd00::2", "[2001:db8::7]", True),
        ("fe80::2", "media.example.org", True),
        ("192.168.1.7", "192.168.1.7", False),
        ("192.168.1.7", "studio", False),
        ("192.168.1.7", "studio.local", False),
        ("fd00::2", "[fd00::2]", False),
    ],
)
async def test_an_address_that_is_not_known_here(
    modules: PingPage, address: str, host: str, setting: bool
) -> None:
    said = await why(modules, answer=candidates(address), host=host)
    assert ("--public-address" in said) == setting
    assert address in said


@pytest.mark.parametrize(
    ("code", "valid_for", "said"),
    [
        (701, None, f"The TURN server {TURN} cannot be reached."),
        (486, None, "refuses to relay: Quota (486)"),
        (401, None, "its secret may be another one"),
        (401, 3600, "its secret may be another one"),
        (401, -60, "they were valid until "),
    ],
)
async def test_a_turn_server_that_refuses(
    modules: PingPage, code: int, valid_for: int | None, said: str
) -> None:
    username = "user" if valid_for is None else f"{int(time.time()) + valid_for}:abc"
    errors = [
        {"url": "stun:stun.example", "errorCode": 701, "errorText": ""},
        {"url": TURN, "errorCode": code, "errorText": "Quota"},
    ]
    servers = [{"urls": [TURN], "username": username, "credential": "x"}]
    assert said in await why(modules, errors=errors, servers=servers)
