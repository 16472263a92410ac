"""Readers of names, addresses and URLs: each returns a value, or raises ValueError."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Literal

from pydantic import ValidationInfo
from yarl import URL

from ..sdp.link import IceServer, TurnServer
from .values import words

# Stands for all hosts, or all origins.
ANY = "*"

# Stands for a local socket, which has no address.
UNIX: Literal["unix"] = "unix"

# Where a proxy may be.
ProxyAddress = IPv4Network | IPv6Network | Literal["unix"]

# Stands for the addresses of this machine for itself.
_LOOPBACK = ("127.0.0.0/8", "::1/128")

# RFC 1123 section 2.1: the labels of a host name.
_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?"
)

# Scheme, host and port; browsers leave the default port out.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+", re.IGNORECASE)


def http_url(value: str) -> str:
    try:
        url = URL(value)
        is_valid = url.scheme in ("http", "https") and bool(url.host and url.port)
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError(f'expected an http:// or https:// URL, not "{value}"')
    return value


def secure_url(value: str) -> str:
    """A URL whose responses nobody on the way can change."""
    url = URL(http_url(value))
    if url.scheme != "https" and not is_loopback(url.host or ""):
        raise ValueError("keys are trusted: use https://")
    return value


def is_loopback(name: str) -> bool:
    """Whether only programs on this machine reach a server that listens there."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def proxies(value: Any) -> Any:
    """The words of ``words``; "loopback" becomes its networks."""
    found = words(value)
    if not isinstance(found, list | tuple):
        return found
    return [
        part for word in found for part in (_LOOPBACK if word == "loopback" else [word])
    ]


def proxy(value: Any) -> ProxyAddress:
    """An address, a network or ``UNIX``."""
    if value == UNIX:
        return UNIX
    try:
        # A number as such would be an address.
        return ip_network(str(value))
    except ValueError as error:
        why = f": {error}" if "host bits" in str(error) else ""
        raise ValueError(
            "expected an address, a network such as 10.1.0.0/16, loopback or unix, "
            f'not "{value}"{why}'
        ) from None


def host(value: str) -> str:
    try:
        address = ip_address(value)
    except ValueError:
        if not _HOST_NAME.fullmatch(value) or value.replace(".", "").isdigit():
            raise ValueError(
                f'expected an IPv4 or IPv6 address or a host name, not "{value}"'
            ) from None
        return value
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"{value} is not the address of one machine")
    if address.is_link_local:
        raise ValueError(f"{value} is known on one link only")
    return str(address)


def listen(value: str) -> str:
    """An address or a name to listen on, and a port, parted by a colon."""
    split_listen(value)
    return value


def split_listen(value: str) -> tuple[str, int]:
    """The two parts of ``HOST:PORT``; an IPv6 address stands in brackets.

    Raises:
        ValueError: when it is not of this form.
    """
    name, colon, port = value.rpartition(":")
    literal = name[1:-1] if name.startswith("[") and name.endswith("]") else ""
    try:
        if literal:
            valid = ip_address(literal).version == 6
        else:
            valid = ":" not in name and bool(_HOST_NAME.fullmatch(name))
            if valid and name.replace(".", "").isdigit():
                ip_address(name)
    except ValueError:
        valid = False
    if not (colon and valid and port.isascii() and port.isdigit()):
        raise ValueError(
            f'expected HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464, not "{value}"'
        )
    if len(port) > 5 or int(port) > 65535:
        raise ValueError(f"a port is a number from 0 to 65535, not {port[:20]}")
    return literal or name, int(port)


def host_pattern(value: str) -> str:
    """A name, an address, ``*`` or ``*.name``."""
    name = value.removeprefix("*.")
    if value != ANY and not _HOST_NAME.fullmatch(name):
        try:
            ip_address(value)
        except ValueError:
            raise ValueError(
                f'expected a host name, *.NAME or {ANY}, not "{value}"'
            ) from None
    return value.lower()


def origin(value: str) -> str:
    """An origin as browsers write it (RFC 6454 section 6.2)."""
    if value != ANY and not _ORIGIN.fullmatch(value):
        raise ValueError(
            f"expected an origin, such as https://example.org or "
            f'http://example.org:8080, or {ANY}, not "{value}"'
        )
    return value.lower()


def ice_server(value: Any, info: ValidationInfo) -> IceServer | TurnServer:
    """Read an ICE server from a table or a string."""
    server = _read_ice_server(value)
    # If the secret itself is invalid, that error is reported.
    if isinstance(server, TurnServer) and info.data.get("turn_secret", ...) is None:
        raise ValueError(
            "a TURN server needs a username and a credential, or turn_secret"
        )
    return server


def _read_ice_server(value: Any) -> IceServer | TurnServer:
    match value:
        case IceServer() | TurnServer():
            return value
        case str():
            words = value.split()
            if len(words) not in (1, 3):
                raise ValueError("expected URL [USERNAME CREDENTIAL]")
            return _ice_server(*words)
        case {"url": str(), **others} if _are_credentials(others):
            return _ice_server(**value)
        case _:
            raise ValueError(
                "expected a table with url and, optionally, username and credential"
            )


def _ice_server(
    url: str, username: str | None = None, credential: str | None = None
) -> IceServer | TurnServer:
    if url.lower().startswith("turn") and username is None and credential is None:
        return TurnServer(url)
    return IceServer(url, username, credential)


def with_turn_secret(
    servers: tuple[IceServer | TurnServer, ...], info: ValidationInfo
) -> tuple[IceServer | TurnServer, ...]:
    uses_it = any(isinstance(server, TurnServer) for server in servers)
    if info.data.get("turn_secret") is not None and not uses_it:
        raise ValueError(
            "turn_secret is for a TURN server without a username and a credential, "
            "and there is none"
        )
    return servers


def _are_credentials(others: dict[Any, Any]) -> bool:
    return others.keys() <= {"username", "credential"} and all(
        isinstance(text, str) for text in others.values()
    )
