"""The settings and their sources.

In order of precedence: the command line, ``WHIPBIRD_*`` in the environment,
``whipbird.toml``, the defaults.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from .sdp.link import IceServer

ENV_PREFIX = "WHIPBIRD_"
DEFAULT_FILE = Path("whipbird.toml")

# Environment variables that are not settings of the server.
OTHER_VARIABLES = {ENV_PREFIX + name for name in ("CONFIG", "CHROMIUM")}


# Stands for all hosts, or all origins.
ANY = "*"


class ConfigError(Exception):
    """The settings are invalid. The message says which one, and why."""


# The syntax of a Bearer token (RFC 6750 section 2.1).
BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")

# Settings whose values are never shown in messages.
_SECRET = ("token", "ice_servers")


# RFC 1123 section 2.1: the labels of a host name.
_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?"
)


# Scheme, host and port; browsers leave the default port out.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+", re.IGNORECASE)


def _token(value: SecretStr) -> SecretStr:
    if not BEARER_TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError(
            'a token has letters, digits, "- . _ ~ + /" and, optionally, "=" at its end'
        )
    return value


def _lines(value: Any) -> Any:
    """Split an environment variable, which has one ICE server per line."""
    if isinstance(value, str):
        return [line for line in value.splitlines() if line.strip()]
    return value


def _words(value: Any) -> Any:
    """The addresses of an environment variable, parted by white space or commas."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _host(value: str) -> str:
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


def _host_pattern(value: str) -> str:
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


def _origin(value: str) -> str:
    """An origin as browsers write it (RFC 6454 section 6.2)."""
    if value != ANY and not _ORIGIN.fullmatch(value):
        raise ValueError(
            f"expected an origin, such as https://example.org or "
            f'http://example.org:8080, or {ANY}, not "{value}"'
        )
    return value.lower()


def _ice_server(value: Any) -> IceServer:
    """Read an ICE server from a table or a string."""
    match value:
        case IceServer():
            return value
        case str():
            words = value.split()
            if len(words) not in (1, 3):
                raise ValueError("expected URL [USERNAME CREDENTIAL]")
            return IceServer(*words)
        case {"url": str(), **others} if _are_credentials(others):
            return IceServer(**value)
        case _:
            raise ValueError(
                "expected a table with url and, optionally, username and credential"
            )


def _are_credentials(others: dict[Any, Any]) -> bool:
    return others.keys() <= {"username", "credential"} and all(
        isinstance(text, str) for text in others.values()
    )


def _folder(value: Any) -> Any:
    # Path("") is the working directory.
    if value == "":
        raise ValueError("it is empty; leave it out to record nothing")
    return value


def _with_folder(value: bool, info: ValidationInfo) -> bool:
    # If the folder itself is invalid, that error is reported.
    if value and info.data.get("record", ...) is None:
        raise ValueError('it needs a folder: set "record" too')
    return value


class Settings(BaseSettings):
    """The settings of a server. The descriptions are the command line's help."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True
    )

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on for HTTP; 0.0.0.0 for all.",
    )
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="TCP port for HTTP, and UDP port for media; 0 for any.",
    )
    udp_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="UDP port for media and data channels, if not the number of "
        "--port; 0 for any.",
    )
    public_addresses: Annotated[
        tuple[Annotated[str, AfterValidator(_host)], ...],
        NoDecode,
        BeforeValidator(_words),
    ] = Field(
        default=(),
        description="IPv4 or IPv6 address, or a name that has one, at which a NAT in "
        "front of this machine (a container's, a cloud's) forwards the UDP port; "
        "several may be given.",
    )
    hide_host_addresses: bool = Field(
        default=False,
        description="Tell clients the public addresses only, not this machine's own.",
    )
    ice_lite: bool = Field(
        default=False,
        description="Answer connectivity checks without making any (RFC 8445 section "
        "2.5); only for a server that every client can reach directly.",
    )
    check_private_addresses: bool | None = Field(
        default=None,
        description="Send connectivity checks to private, loopback and link-local "
        "addresses that clients name; by default not on a machine with a public "
        "address. Clients at such addresses connect all the same, by their own checks.",
    )
    denied_networks: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_words)
    ] = Field(
        default=(),
        description="Network, as 10.1.0.0/16, to which no connectivity checks are sent "
        "before it sends one; several may be given.",
    )
    setup_timeout: float = Field(
        default=15.0,
        gt=0,
        le=600,
        description="Seconds that a session may take to connect before it is ended.",
    )
    echo_buffer: int = Field(
        default=1024 * 1024,
        ge=512 * 1024,
        le=1024 * 1024 * 1024,
        description="Bytes of messages that may wait in a session to be echoed, 524288 "
        "or more; when they are reached, the client has to wait.",
    )
    ice_loopback: bool = Field(
        default=False,
        description="Offer loopback addresses as ICE candidates even when there are "
        "others.",
    )
    ice_servers: Annotated[
        tuple[Annotated[IceServer, BeforeValidator(_ice_server)], ...],
        NoDecode,
        BeforeValidator(_lines),
    ] = Field(
        default=(),
        description='STUN or TURN server to announce to clients, "URL" or '
        '"URL USERNAME CREDENTIAL"; several may be given. Other users of the machine '
        "see the command line: put credentials into the environment, one server per "
        "line, or into the settings file.",
    )
    token: Annotated[SecretStr, AfterValidator(_token)] | None = Field(
        default=None,
        description="Bearer token that requests for streams must have; by default none "
        "is required. Other users of the machine see the command line: better put it "
        "into the environment or the settings file.",
    )
    allowed_hosts: Annotated[
        tuple[Annotated[str, AfterValidator(_host_pattern)], ...],
        NoDecode,
        BeforeValidator(_words),
    ] = Field(
        default=(),
        description="Name at which this server is reached, as users type it; *.NAME "
        "for all below it, * for any; several may be given. Addresses, names without a "
        "dot and names of local networks need not be listed. By default, a server with "
        "a token answers for any name, others for --host and --public-address.",
    )
    allowed_origins: Annotated[
        tuple[Annotated[str, AfterValidator(_origin)], ...],
        NoDecode,
        BeforeValidator(_words),
    ] = Field(
        default=(ANY,),
        description="Origin whose pages may publish and watch, as "
        "https://example.org; several may be given; * for all. Those that are named "
        "may control recordings, too.",
    )
    max_sessions: int = Field(
        default=1000,
        ge=1,
        le=10_000,
        description="Maximum number of open sessions.",
    )
    max_client_sessions: int = Field(
        default=0,
        ge=0,
        description="Maximum number of open sessions of one client address; 0 for no "
        "limit.",
    )
    max_client_connecting: int = Field(
        default=100,
        ge=0,
        description="Maximum number of sessions of one client address that are not "
        "connected; 0 for no limit.",
    )
    max_connections: int = Field(
        default=2000,
        ge=1,
        le=100_000,
        description="Maximum number of open HTTP connections; beyond it, the address "
        "that has most of them loses its oldest ones.",
    )
    takeover: bool = Field(
        default=False,
        description="Let any new publisher replace the current one of a stream; "
        "otherwise it is refused, unless the current one is silent.",
    )
    wait_for_publisher: bool = Field(
        default=True,
        description="Let viewers wait for a stream before it is published; otherwise "
        "they are refused.",
    )
    gop_size: int = Field(
        default=16 * 1024 * 1024,
        ge=0,
        le=18 * 1024 * 1024,
        description="Bytes of an encoding that are kept since its last key frame, so "
        "that a new viewer has a picture at once; with more, it waits for a key frame.",
    )
    gop_seconds: float = Field(
        default=60.0,
        ge=0,
        le=600,
        description="Seconds of an encoding that are kept since its last key frame.",
    )
    gop_total_size: int = Field(
        default=256 * 1024 * 1024,
        ge=0,
        description="Bytes that are kept in this way of all encodings together.",
    )
    record: Annotated[Path | None, BeforeValidator(_folder)] = Field(
        default=None,
        description="Folder for recordings; without it, recording is not possible.",
    )
    record_all: Annotated[bool, AfterValidator(_with_folder)] = Field(
        default=False,
        description="Record all published streams, not only those requested; it needs "
        "a folder for recordings.",
    )
    record_segment: float = Field(
        default=3600.0,
        ge=0,
        le=86_400,
        description="Maximum length of a recorded file in seconds; the next file "
        "starts at a key frame; 0 for no limit.",
    )
    record_segment_size: int = Field(
        default=0,
        ge=0,
        description="Maximum size of a recorded file in bytes; 0 for no limit.",
    )
    record_max_age: float = Field(
        default=0.0,
        ge=0,
        le=3_153_600_000,
        description="Seconds after their end at which recorded files are deleted; 0 to "
        "keep them.",
    )
    record_max_size: int = Field(
        default=0,
        ge=0,
        description="Maximum size of all recorded files together in bytes; the oldest "
        "ones are deleted; 0 for no limit.",
    )
    record_min_free: int = Field(
        default=0,
        ge=0,
        description="Bytes of the file system of recordings to keep free; the oldest "
        "recorded files are deleted, and when there are none, recording stops.",
    )
    post_rate: int = Field(
        default=600,
        ge=0,
        le=1_000_000,
        description="POST requests that one client address may send per minute; "
        "0 for no limit.",
    )
    patch_rate: int = Field(
        default=3000,
        ge=0,
        le=1_000_000,
        description="PATCH requests, and as many GET, HEAD and OPTIONS requests "
        "together, that one client address may send per minute; 0 for no limit.",
    )
    delete_rate: int = Field(
        default=600,
        ge=0,
        le=1_000_000,
        description="DELETE requests that one client address may send per minute; "
        "0 for no limit.",
    )
    drain: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="Seconds that open sessions may go on when the server is told to "
        "stop; new ones are refused meanwhile. A second signal ends it at once.",
    )
    request_rate: int = Field(
        default=30_000,
        ge=0,
        le=1_000_000,
        description="Requests of all kinds, those for the page too, that one client "
        "address may send per minute; 0 for no limit.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much to log."
    )


def load_settings(
    overrides: Mapping[str, Any] | None = None, file: Path | None = None
) -> Settings:
    """Read the settings from all their sources.

    Args:
        overrides: values from the command line; they take precedence.
        file: the TOML file; by default ``WHIPBIRD_CONFIG``, or ``whipbird.toml``
            in the working directory, which need not exist.

    Raises:
        ConfigError: when a file cannot be read or a value is invalid.
    """
    if file is None and (named := os.environ.get(ENV_PREFIX + "CONFIG")):
        file = Path(named)
    if file is not None and not file.is_file():
        raise ConfigError(f"{file}: there is no such file")
    path = file or DEFAULT_FILE

    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            toml = TomlConfigSettingsSource(settings_cls, toml_file=path)
            return init_settings, env_settings, toml

    try:
        return Sourced(**dict(overrides or {}))
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None


def unknown_variables() -> list[str]:
    """The unknown ``WHIPBIRD_*`` variables: their names may be mistyped."""
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(
        name
        for name in os.environ
        if name.startswith(ENV_PREFIX) and name not in known | OTHER_VARIABLES
    )


def _explain(error: ValidationError) -> str:
    """Describe the errors, one line per setting."""
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = ", ".join(Settings.model_fields)
            lines.append(f"{name}: there is no such setting; there are: {known}")
        elif problem["loc"][0] in _SECRET or problem["type"] == "value_error":
            lines.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
        else:
            lines.append(f"{name}: {problem['msg']}, not {problem['input']!r}")
    return "\n".join(lines)
