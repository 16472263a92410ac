"""The STUN and TURN servers that clients are told of (RFC 9725 section 4.6)."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable

from ..sdp.link import IceServer, TurnServer, format_ice_server


class IceServers:
    """Writes Link fields, with credentials for a time where a TURN server wants these.

    The credentials are those of draft-uberti-behave-turn-rest-00 section 2.2, which
    coturn has as ``use-auth-secret``.

    Args:
        servers: the servers of the settings.
        secret: what the server shares with its TURN servers.
        lifetime: seconds for which credentials are valid.
        clock: returns the time in seconds since 1970.
    """

    def __init__(
        self,
        servers: Iterable[IceServer | TurnServer] = (),
        secret: str = "",
        lifetime: float = 86_400,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self.change(servers, secret, lifetime)

    def change(
        self, servers: Iterable[IceServer | TurnServer], secret: str, lifetime: float
    ) -> None:
        """Tell clients of other servers from now on."""
        self._servers = tuple(servers)
        self._secret = secret.encode()
        self._lifetime = lifetime

    def links(self, client: str) -> list[str]:
        """The values of the Link fields for one client.

        Args:
            client: a name for it, which the TURN server may log.
        """
        return [
            format_ice_server(
                self._with_credentials(server, client)
                if isinstance(server, TurnServer)
                else server
            )
            for server in self._servers
        ]

    def _with_credentials(self, server: TurnServer, client: str) -> IceServer:
        username = f"{int(self._clock() + self._lifetime)}:{client}"
        digest = hmac.digest(self._secret, username.encode(), hashlib.sha1)
        return IceServer(server.url, username, base64.b64encode(digest).decode())
