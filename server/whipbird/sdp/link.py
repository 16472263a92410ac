"""Link header fields (RFC 8288) and ICE servers in them (RFC 9725 section 4.6)."""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

ICE_SERVER = "ice-server"

# RFC 7064 section 3.1 and RFC 7065 section 3.1, as far as browsers support them: the
# host is a DNS name or an IP address, and the TURN transport is UDP or TCP.
_URL = re.compile(
    r"(?P<scheme>stuns?|turns?):"
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._~-]+))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<transport>\?transport=(?:udp|tcp))?",
    re.IGNORECASE,
)
# RFC 7064 section 3.2 and RFC 7065 section 3.2.
_PORT, _TLS_PORT = 3478, 5349
# Characters of a quoted-string that all clients read correctly.
_PRINTABLE_ASCII = re.compile(r"[\x20-\x7e]+")

# A lenient parser, as in RFC 8288 appendix B.
_QUOTED = r'"((?:[^"\\]|\\.)*)"?'
_TARGET = re.compile(r"[\s,]*<([^>]*)>")
_PARAMETER = re.compile(
    rf'[^;,"]*;\s*([^\s=;,"]*)\s*(?:=\s*(?:{_QUOTED}|([^\s;,]*)))?', re.DOTALL
)
_REST = re.compile(rf'(?:{_QUOTED}|<[^>]*>?|[^,"<])*[\s,]*', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class IceServerAddress:
    """Where a STUN or TURN server is, as its URL says.

    Attributes:
        host: a DNS name or an IP address, without brackets.
        is_turn: whether it relays.
        is_tcp: whether it is connected to by TCP.
        is_secure: whether by TLS, or DTLS where not by TCP.
    """

    host: str
    port: int
    is_turn: bool
    is_tcp: bool
    is_secure: bool


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server that a client may use.

    Args:
        url: its URI (RFC 7064, RFC 7065).
        username, credential: long-term credentials (RFC 8489 section 9.2), in printable
            ASCII; a TURN server has both, a STUN server none.

    Raises:
        ValueError: when it is invalid. The message does not quote the URL, since a
            wrong URL may contain a credential.
    """

    url: str
    username: str | None = None
    credential: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        match = _URL.fullmatch(self.url)
        if match is None or not _is_address(match):
            raise ValueError(
                "the URL is not of the form stun:HOST[:PORT], stuns:HOST[:PORT], "
                "turn:HOST[:PORT][?transport=udp|tcp] or turns:…"
            )
        credentials = (self.username, self.credential)
        if match["scheme"].lower().startswith("stun"):
            if match["transport"]:
                raise ValueError("the URL of a STUN server has no transport")
            if credentials != (None, None):
                raise ValueError("a STUN server has no username and no credential")
        elif not all(text and _PRINTABLE_ASCII.fullmatch(text) for text in credentials):
            raise ValueError(
                "a TURN server needs a username and a credential, in printable ASCII"
            )

    @property
    def address(self) -> IceServerAddress:
        """Where it is; without a transport in its URL by UDP, or by TLS over TCP."""
        match = _URL.fullmatch(self.url)
        assert match is not None  # see __post_init__
        scheme = match["scheme"].lower()
        is_secure = scheme.endswith("s")
        transport = (match["transport"] or "").lower()
        return IceServerAddress(
            host=match["ipv6"] or match["name"],
            port=int(match["port"] or (_TLS_PORT if is_secure else _PORT)),
            is_turn=scheme.startswith("turn"),
            is_tcp=transport.endswith("tcp") if transport else is_secure,
            is_secure=is_secure,
        )


@dataclass(frozen=True, slots=True)
class TurnServer:
    """A TURN server whose credentials are made for each client.

    Args:
        url: its URI (RFC 7065).

    Raises:
        ValueError: when it is invalid.
    """

    url: str

    def __post_init__(self) -> None:
        IceServer(self.url, "-", "-")


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a Link header field.

    Attributes:
        target: the URI reference in angle brackets.
        parameters: the target attributes by name in lower case; the first of several
            with the same name.
    """

    target: str
    parameters: dict[str, str]

    @property
    def relations(self) -> tuple[str, ...]:
        """The relation types, in lower case (RFC 8288 section 3.3)."""
        return tuple(self.parameters.get("rel", "").lower().split())


def format_ice_server(server: IceServer) -> str:
    """Write the value of a Link header field for an ICE server."""
    parts = [f"<{server.url}>", f'rel="{ICE_SERVER}"']
    if server.username is not None and server.credential is not None:
        parts += [
            f"username={_quoted(server.username)}",
            f"credential={_quoted(server.credential)}",
            'credential-type="password"',
        ]
    return "; ".join(parts)


def parse_links(values: Iterable[str]) -> list[Link]:
    """Parse Link header fields (RFC 8288 section 3).

    Malformed parts are skipped, up to the next comma.

    Args:
        values: the values of the fields; each may have several links, separated by
            commas.
    """
    return [link for value in values for link in _parse(value)]


def ice_servers(links: Iterable[Link]) -> tuple[IceServer, ...]:
    """The usable ICE servers among links (RFC 9725 section 4.6).

    Unusable ones are skipped: malformed URLs, TURN without credentials, and credentials
    that are not passwords.
    """
    return tuple(
        server
        for link in links
        if ICE_SERVER in link.relations and (server := _ice_server(link))
    )


def _ice_server(link: Link) -> IceServer | None:
    parameters = link.parameters
    if parameters.get("credential-type", "password").lower() != "password":
        return None
    try:
        if link.target.lower().startswith("stun"):
            # A STUN server has no credentials, whatever the attributes.
            return IceServer(link.target)
        username, credential = parameters.get("username"), parameters.get("credential")
        return IceServer(link.target, username, credential)
    except ValueError:
        return None


def _parse(value: str) -> Iterator[Link]:
    position = 0
    while position < len(value):
        if target := _TARGET.match(value, position):
            position = target.end()
            parameters: dict[str, str] = {}
            while match := _PARAMETER.match(value, position):
                position = match.end()
                name, quoted, token = match.groups()
                if name:
                    text = _ESCAPED.sub(r"\1", quoted) if quoted else token or ""
                    parameters.setdefault(name.lower(), text)
            yield Link(target[1].strip(), parameters)
        rest = _REST.match(value, position)
        assert rest is not None  # all of it is optional
        position = rest.end()


def _quoted(text: str) -> str:
    """Write a quoted-string (RFC 9110 section 5.6.4)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _is_address(match: re.Match[str]) -> bool:
    """Whether the port and the IPv6 address of a URL are valid."""
    if match["port"] is not None and not 0 < int(match["port"]) < 65536:
        return False
    try:
        return match["ipv6"] is None or bool(ipaddress.IPv6Address(match["ipv6"]))
    except ValueError:
        return False
