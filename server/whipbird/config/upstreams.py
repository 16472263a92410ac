"""The servers from which streams are pulled."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode
from yarl import URL

from . import access_values, network_values, values

# Stands for the name of the stream in a URL.
PLACEHOLDER = "{stream}"

# A glob of names of streams, as in the rules.
_GLOB = re.compile(r"[A-Za-z0-9._~*?-]{1,64}")
_EVERY = "*"

_MEMBERS = {"url", "streams", "token", "token_file"}


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server from which streams are pulled.

    Attributes:
        url: the URL of a stream's WHEP endpoint, with ``PLACEHOLDER`` for the name.
        streams: a glob of the names of the streams that it has.
        token: a Bearer token for it; None for the one of all upstreams, if any.
    """

    url: str
    streams: str = _EVERY
    token: SecretStr | None = None


def _upstream(value: Any) -> Upstream:
    """Read an upstream from a table or a string: ``[STREAMS] URL``."""
    match value:
        case Upstream():
            return value
        case str():
            words = value.split()
            if len(words) not in (1, 2):
                raise ValueError("expected [STREAMS] URL, such as https://origin")
            return _made(words[-1], words[0] if len(words) == 2 else _EVERY, None)
        case {"url": str() as url} if value.keys() <= _MEMBERS and all(
            isinstance(member, str) for member in value.values()
        ):
            return _made(url, value.get("streams", _EVERY), _token(value))
    raise ValueError(
        "expected a table with url and, optionally, streams and token_file or token"
    )


def _token(table: dict[str, str]) -> SecretStr | None:
    if "token" in table and "token_file" in table:
        raise ValueError("token and token_file exclude each other")
    if "token_file" in table:
        return SecretStr(access_values.read_token(Path(table["token_file"])))
    return access_values.token(SecretStr(table["token"])) if "token" in table else None


def _made(url: str, streams: str, token: SecretStr | None) -> Upstream:
    if not _GLOB.fullmatch(streams):
        raise ValueError(
            'streams is a name of a stream, in which "*" stands for any characters '
            'and "?" for one'
        )
    return Upstream(_template(url), streams, token)


def _template(text: str) -> str:
    """The URL of endpoints; of a server alone, those where this server has its own."""
    plain = text.replace(PLACEHOLDER, "")
    if "{" in plain or "}" in plain:
        raise ValueError(f"a URL has no other braces than those of {PLACEHOLDER}")
    url = URL(network_values.http_url(text.replace(PLACEHOLDER, "stream")))
    if url.user is not None or url.password is not None:
        raise ValueError("leave user and password out of the URL: use a token")
    if PLACEHOLDER in text:
        if PLACEHOLDER in text.split("://", 1)[1].split("/", 1)[0]:
            raise ValueError(f"{PLACEHOLDER} belongs into the path of the URL")
        return text
    if url.query_string or url.fragment:
        raise ValueError(f"say where the name belongs: write {PLACEHOLDER} there")
    return f"{text.rstrip('/')}/whep/{PLACEHOLDER}"


class UpstreamSettings(BaseModel):
    """The servers from which streams are pulled."""

    upstream_token_file: (
        Annotated[SecretStr, BeforeValidator(access_values.token_in_file)] | None
    ) = Field(
        default=None,
        description="File with the Bearer token for upstreams that have none of their "
        "own.",
    )
    upstreams: Annotated[
        tuple[Annotated[Upstream, BeforeValidator(_upstream)], ...],
        NoDecode,
        BeforeValidator(values.lines),
    ] = Field(
        default=(),
        description="Server from which a stream is pulled by WHEP while it has viewers "
        "here and no publisher: https://origin, or the URL of endpoints with {stream} "
        "for the name; after a glob of names and a space for those streams alone. "
        "Several may be given: the first that has the stream counts.",
    )
