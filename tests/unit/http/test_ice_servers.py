"""Link fields for STUN and TURN servers, with credentials for a time."""

import base64
import hashlib
import hmac

from whipbird.http.ice_servers import IceServers
from whipbird.sdp.link import IceServer, TurnServer, ice_servers, parse_links


def test_credentials_for_a_time() -> None:
    """draft-uberti-behave-turn-rest-00 section 2.2."""
    servers = IceServers(
        [TurnServer("turn:turn.example?transport=tcp")],
        "north",
        3600,
        clock=lambda: 1_700_000_000.9,
    )
    (server,) = ice_servers(parse_links(servers.links("abc")))
    assert server.url == "turn:turn.example?transport=tcp"
    assert server.username == "1700003600:abc"
    digest = hmac.digest(b"north", b"1700003600:abc", hashlib.sha1)
    assert server.credential == base64.b64encode(digest).decode()


def test_each_client_has_its_own() -> None:
    servers = IceServers([TurnServer("turn:turn.example")], "north")
    assert servers.links("a") != servers.links("b")


def test_other_servers_are_told_as_they_are() -> None:
    told = [
        IceServer("stun:stun.example"),
        IceServer("turn:turn.example", "user", "word"),
    ]
    servers = IceServers([*told, TurnServer("turn:other.example")], "north")
    assert list(ice_servers(parse_links(servers.links("a"))))[:2] == told
