"""Readers of settings' values: each returns a value, or raises ValueError."""

import base64
import binascii
import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import SecretBytes, SecretStr, ValidationInfo
from yarl import URL

from ..sdp.link import IceServer, TurnServer

_Switch = TypeVar("_Switch", bool, int)

# Stands for all hosts, or all origins.
ANY = "*"

# Stands for a local socket, which has no address.
UNIX: Literal["unix"] = "unix"

# Where a proxy may be.
ProxyAddress = IPv4Network | IPv6Network | Literal["unix"]

# Stands for the addresses of this machine for itself.
_LOOPBACK = ("127.0.0.0/8", "::1/128")

# The syntax of a Bearer token (RFC 6750 section 2.1).
BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")

_TOKEN_SYNTAX = (
    'a token has letters, digits, "- . _ ~ + /" and, optionally, "=" at its end'
)
# The settings of which one says who may do what.
_RULES = (
    *("token", "token_file", "rights_file"),
    *("jwt_key_file", "jwt_key_url", "auth_url"),
)

# Octets of a file with a token, which may be a JWT, or another secret that are read.
_MAX_TOKEN = 16_384

# Octets of a secret that signs: as many as its hash has (RFC 7518 section 3.2).
_MIN_SECRET = 32

# RFC 1123 section 2.1: the labels of a host name.
_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?"
)

# Scheme, host and port; browsers leave the default port out.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+", re.IGNORECASE)


# Secrets of the Standard Webhooks scheme in base64.
_KEY_PREFIX = "whsec_"


def token(value: SecretStr) -> SecretStr:
    if not BEARER_TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError(_TOKEN_SYNTAX)
    return value


def token_in_file(value: Any) -> Any:
    """The token in a file, without white space around it."""
    if isinstance(value, SecretStr):
        return value
    return token(SecretStr(read_token(_path(value))))


def _path(value: Any) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise ValueError("expected the path of a file")
    return Path(value)


def read_token(file: Path) -> str:
    """Read the file of a token.

    Raises:
        ValueError: when it cannot be read, or contains no token.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(_MAX_TOKEN).decode("ascii").strip()
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        text = ""
    if not BEARER_TOKEN.fullmatch(text):
        raise ValueError(
            f"{file}: it has to contain one token and nothing else; {_TOKEN_SYNTAX}"
        )
    return text


def secret_in_file(value: Any) -> Any:
    """The secret in a file, without white space around it."""
    if isinstance(value, SecretBytes):
        return value
    file = _path(value)
    try:
        with file.open("rb") as opened:
            secret = opened.read(_MAX_TOKEN).strip()
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror or error}") from None
    if len(secret) < _MIN_SECRET:
        raise ValueError(
            f"{file}: it has to contain a secret of at least {_MIN_SECRET} octets"
        )
    return SecretBytes(secret)


def no_second_token(value: SecretStr, info: ValidationInfo) -> SecretStr:
    if info.data.get("token_file") is not None:
        raise ValueError("there is a token_file too; set one of them")
    return value


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


def one_key_source(value: str, info: ValidationInfo) -> str:
    if info.data.get("jwt_key_file") is not None:
        raise ValueError("there is a jwt_key_file too; set one of them")
    return value


def with_keys(value: str, info: ValidationInfo) -> str:
    names = ("jwt_key_file", "jwt_key_url")
    if all(info.data.get(name, ...) is None for name in names):
        raise ValueError("it needs keys: set jwt_key_file or jwt_key_url too")
    return value


def is_loopback(name: str) -> bool:
    """Whether only programs on this machine reach a server that listens there."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def open_if_meant(value: bool, info: ValidationInfo) -> bool:
    # A setting that is itself invalid is missing here: its own error is reported.
    host = info.data.get("host", "localhost")
    has_rules = any(info.data.get(name, ...) is not None for name in _RULES)
    if value and has_rules:
        raise ValueError("there are a token or rules; leave one of them out")
    if not value and not has_rules and not is_loopback(host):
        raise ValueError(
            f"whoever reaches {host} could publish, watch and record: set a token "
            "(token_file) or rules (rights_file), or open if that is meant; on the "
            "command line --token-file, --rights-file or --open"
        )
    return value


def lines(value: Any) -> Any:
    """Split an environment variable, which has one ICE server per line."""
    if isinstance(value, str):
        return [line for line in value.splitlines() if line.strip()]
    return value


def words(value: Any) -> Any:
    """The addresses of an environment variable, parted by white space or commas."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def text(value: Any) -> Any:
    """A number of a settings file as its digits."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else value


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


def secret(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError("it is empty")
    return value


def event_secret(value: SecretStr) -> SecretStr:
    webhook_key(secret(value).get_secret_value())
    return value


def webhook_key(secret: str) -> bytes:
    """The key of a secret: base64 after ``whsec_``, otherwise its characters.

    Raises:
        ValueError: when it is not base64.
    """
    if not secret.startswith(_KEY_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_KEY_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"what follows {_KEY_PREFIX} is not base64") from None


def _are_credentials(others: dict[Any, Any]) -> bool:
    return others.keys() <= {"username", "credential"} and all(
        isinstance(text, str) for text in others.values()
    )


def folder(value: Any) -> Any:
    # Path("") is the working directory.
    if value == "":
        raise ValueError("it is empty; leave it out to record nothing")
    return value


def state_folder(value: Any) -> Any:
    # Path("") is the working directory.
    if value == "":
        raise ValueError("it is empty; leave it out for the usual one")
    return value


def with_folder(value: bool, info: ValidationInfo) -> bool:
    # If the folder itself is invalid, that error is reported.
    if value and info.data.get("record", ...) is None:
        raise ValueError('it needs a folder: set "record" too')
    return value


def file(value: Any) -> Any:
    # Path("") is the working directory.
    if value == "":
        raise ValueError("it is empty; leave it out for none")
    return value


def with_certificate_file(value: Path | None, info: ValidationInfo) -> Path | None:
    # If the other one is invalid, that error is reported.
    certificate = info.data.get("tls_cert", ...)
    if certificate is not ... and (certificate is None) is not (value is None):
        raise ValueError('set "tls_cert" and "tls_key" together')
    return value


def without_certificate(value: bool, info: ValidationInfo) -> bool:
    if value and info.data.get("tls_cert") is not None:
        raise ValueError('leave it out where "tls_cert" is set')
    return value


def with_certificate(value: _Switch, info: ValidationInfo) -> _Switch:
    needed = ("tls_cert", "tls_self_signed")
    if value and not any(info.data.get(name, ...) for name in needed):
        raise ValueError('it needs HTTPS: set "tls_cert" and "tls_key" too')
    return value
