"""Where the server listens, and how clients reach it."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from ..sdp.link import IceServer, TurnServer
from . import access_values, network_values, values


class NetworkSettings(BaseModel):
    """Where the server listens, and how clients reach it."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on for HTTP; 0.0.0.0 for all of IPv4, :: for "
        "all of IPv4 and IPv6.",
    )
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="TCP port for HTTP, HTTPS and ICE, and UDP port for media; 0 for "
        "any.",
    )
    udp_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="UDP port for media and data channels, if not the number of "
        "--port; 0 for any.",
    )
    ice_tcp: bool = Field(
        default=True,
        description="Let clients whose UDP does not get through connect over TCP, too.",
    )
    ice_tcp_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="TCP port for media and data channels, if not that of HTTP; "
        "0 for any.",
    )
    interfaces: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        NoDecode,
        BeforeValidator(values.words),
    ] = Field(
        default=(),
        description="Network interface, as eth0, whose addresses the server uses for "
        "media; several may be given. By default it uses all.",
    )
    ip_family: Annotated[Literal["4", "6", "both"], BeforeValidator(values.text)] = (
        Field(
            default="both",
            description="IP version of the addresses that the server uses for media.",
        )
    )
    public_addresses: Annotated[
        tuple[Annotated[str, AfterValidator(network_values.host)], ...],
        NoDecode,
        BeforeValidator(values.words),
    ] = Field(
        default=(),
        description="IPv4 or IPv6 address, or a name that has one, at which a NAT in "
        "front of this machine (a container's, a cloud's) forwards the ports; several "
        "may be given. Names are looked up again each minute.",
    )
    trusted_proxies: Annotated[
        tuple[
            Annotated[
                network_values.ProxyAddress, BeforeValidator(network_values.proxy)
            ],
            ...,
        ],
        NoDecode,
        BeforeValidator(network_values.proxies),
    ] = Field(
        default=(),
        description="Address of a proxy in front, a network of them, as 10.1.0.0/16, "
        "loopback or unix: what it tells of its clients in Forwarded and "
        "X-Forwarded-For, -Proto, -Host and -Prefix is believed; several may be given.",
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
    ice_loopback: bool = Field(
        default=False,
        description="Offer loopback addresses as ICE candidates even when there are "
        "others.",
    )
    turn_secret: Annotated[SecretStr, AfterValidator(access_values.secret)] | None = (
        Field(
            default=None,
            description="Secret that this server shares with its TURN servers "
            "(coturn's static-auth-secret): each client gets credentials of its own, "
            "for a time. Other users of the machine see the command line: better put "
            "it into the environment or the settings file.",
        )
    )
    turn_lifetime: float = Field(
        default=86_400.0,
        ge=1,
        le=31_536_000,
        description="Seconds for which such credentials are valid.",
    )
    ice_servers: Annotated[
        tuple[
            Annotated[
                IceServer | TurnServer, BeforeValidator(network_values.ice_server)
            ],
            ...,
        ],
        NoDecode,
        BeforeValidator(values.lines),
        AfterValidator(network_values.with_turn_secret),
    ] = Field(
        default=(),
        validate_default=True,
        description='STUN or TURN server to announce to clients, "URL" or '
        '"URL USERNAME CREDENTIAL"; several may be given. With --turn-secret the URL '
        "of a TURN server is enough. Other users of the machine see the command line: "
        "put credentials into the environment, one server per line, or into the "
        "settings file.",
    )
    check_private_addresses: bool | None = Field(
        default=None,
        description="Send connectivity checks to private, loopback and link-local "
        "addresses that clients name; by default not on a machine with a public "
        "address. Clients at such addresses connect all the same, by their own checks.",
    )
    denied_networks: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(values.words)
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
