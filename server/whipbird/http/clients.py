"""What is known of the client of a request."""

from typing import NamedTuple

from aiohttp import hdrs, web


class Client(NamedTuple):
    """What is known of the client of a request.

    Attributes:
        address: its IP address; empty when there is none.
        is_secure: whether it uses HTTPS; None when a trusted proxy does not tell.
        host: the value of the Host header, as it has sent it; None without one.
        prefix: the path that stands in front of those of this server, where a trusted
            proxy tells it; empty for none, None when it is not known.
        is_prefix_kept: whether the paths of requests have the prefix here, too.
    """

    address: str
    is_secure: bool | None
    host: str | None
    prefix: str | None = None
    is_prefix_kept: bool = False


# There when another worker of this server asks for its part of an answer.
IS_PART = web.RequestKey("is_part", bool)

CLIENT = web.RequestKey("client", Client)


def client_of(request: web.Request) -> Client:
    """The client of a request: of the connection, where no proxy is trusted."""
    found: Client | None = request.get(CLIENT)
    if found is not None:
        return found
    host = request.headers.get(hdrs.HOST)
    return Client(request.remote or "", request.secure, host)


def keep_prefix(request: web.Request) -> None:
    """Note that the path of a request still has the prefix of its client."""
    request[CLIENT] = client_of(request)._replace(is_prefix_kept=True)
