"""Who may use the server, and how much of it."""

from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SecretBytes,
    SecretStr,
)
from pydantic_settings import NoDecode

from . import access_values, network_values, values
from .network_values import ANY


class AccessSettings(BaseModel):
    """Who may use the server, and how much of it."""

    token_file: (
        Annotated[SecretStr, BeforeValidator(access_values.token_in_file)] | None
    ) = Field(
        default=None,
        description="File with the Bearer token that permits everything.",
    )
    token: (
        Annotated[
            SecretStr,
            AfterValidator(access_values.token),
            AfterValidator(access_values.no_second_token),
        ]
        | None
    ) = Field(
        default=None,
        description="Bearer token that permits everything; by default none is "
        "required. Other users of the machine see the command line: better put it "
        "into a file (--token-file), the environment or the settings file.",
    )
    rights_file: Path | None = Field(
        default=None,
        description="TOML file with rules: what each token permits, for which "
        "streams, and what is permitted without one. It is read again when it changes.",
    )
    jwt_key_file: Path | None = Field(
        default=None,
        description="File with the key of JSON Web Tokens: a PEM public key, a set of "
        "keys (JWKS), or a secret of at least 32 octets.",
    )
    jwt_key_url: (
        Annotated[
            str,
            AfterValidator(network_values.secure_url),
            AfterValidator(access_values.one_key_source),
        ]
        | None
    ) = Field(default=None, description="URL of a set of keys (JWKS) instead.")
    jwt_issuer: Annotated[str, AfterValidator(access_values.with_keys)] | None = Field(
        default=None, description="The issuer that JSON Web Tokens must name."
    )
    jwt_audience: Annotated[str, AfterValidator(access_values.with_keys)] | None = (
        Field(
            default=None,
            description="The audience that JSON Web Tokens must name; without it, they "
            "must name none.",
        )
    )
    auth_url: Annotated[str, AfterValidator(network_values.http_url)] | None = Field(
        default=None,
        description="URL to ask what a client may do, by POST, as MediaMTX asks its "
        "authHTTPAddress.",
    )
    link_secret_file: (
        Annotated[SecretBytes, BeforeValidator(access_values.secret_in_file)] | None
    ) = Field(
        default=None,
        description="File with a secret of at least 32 octets that signs links for "
        "viewers and downloads, so that they outlast a restart and are good on every "
        "server with this secret. By default it is random, and another at each start.",
    )
    open: Annotated[bool, AfterValidator(access_values.open_if_meant)] = Field(
        default=False,
        validate_default=True,
        description="Let everybody do everything, on an address that others can reach, "
        "without a token or rules.",
    )
    allowed_hosts: Annotated[
        tuple[Annotated[str, AfterValidator(network_values.host_pattern)], ...],
        NoDecode,
        BeforeValidator(values.words),
    ] = Field(
        default=(),
        description="Name at which this server is reached, as users type it; *.NAME "
        "for all below it, * for any; several may be given. Addresses, names without a "
        "dot and names of local networks need not be listed. By default, a server "
        "that permits nothing without a token answers for any name, others for --host "
        "and --public-address.",
    )
    allowed_origins: Annotated[
        tuple[Annotated[str, AfterValidator(network_values.origin)], ...],
        NoDecode,
        BeforeValidator(values.words),
    ] = Field(
        default=(ANY,),
        description="Origin whose pages may publish and watch, as "
        "https://example.org; several may be given; * for all. Those that are named "
        "may control recordings, too.",
    )
    embed_origins: Annotated[
        tuple[Annotated[str, AfterValidator(network_values.origin)], ...],
        NoDecode,
        BeforeValidator(values.words),
    ] = Field(
        default=(),
        description="Origin whose pages may show /embed/{stream} in a frame, as "
        "https://example.org; several may be given; * for all. By default, only pages "
        "of this server may.",
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
    request_rate: int = Field(
        default=30_000,
        ge=0,
        le=1_000_000,
        description="Requests of all kinds, those for the page too, that one client "
        "address may send per minute; 0 for no limit.",
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

    @property
    def link_secret(self) -> bytes | None:
        """The secret that signs links; None for a random one."""
        found = self.link_secret_file
        return None if found is None else found.get_secret_value()

    @property
    def shared_token(self) -> str | None:
        """The token that permits everything; None if there is none."""
        found = self.token or self.token_file
        return None if found is None else found.get_secret_value()
