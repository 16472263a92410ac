"""Bearer authentication (RFC 9725 section 4.7.1, RFC 6750)."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Protocol

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from ..config import BEARER_TOKEN
from .cors import is_preflight
from .problems import Problem

REALM = "whipbird"

_SCHEME = "bearer"


class Authorizer(Protocol):
    """Decides which tokens give access to a stream."""

    def __call__(self, token: str, stream: str | None) -> bool:
        """Whether a token gives access to a stream.

        Args:
            token: the client's token, well-formed.
            stream: the stream's name in the URL, not validated; None without one.
        """


class SharedToken:
    """An authorizer with one token for all streams."""

    def __init__(self, token: str) -> None:
        self._digest = _digest(token)

    def __call__(self, token: str, stream: str | None) -> bool:
        """Whether the token is right. The comparison takes constant time."""
        return hmac.compare_digest(_digest(token), self._digest)


def authenticate(
    authorizer: Authorizer, *admits: Callable[[web.Request], bool]
) -> Middleware:
    """Make a middleware that requires a valid token, except for preflights.

    It must run before any middleware or handler that reveals something of a resource.

    Args:
        admits: functions that return whether a request needs no token, because it
            contains another secret that only a client with a token can know.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        # Browsers send no credentials with preflights (RFC 9725 section 4.7.1).
        admitted = any(admit(request) for admit in admits)
        if not admitted and not is_preflight(request):
            token = bearer_token(request)
            if not authorizer(token, request.match_info.get("stream")):
                raise _challenge(
                    401,
                    "Wrong token",
                    "The Bearer token is not valid here.",
                    error="invalid_token",
                )
        return await handler(request)

    return middleware


def bearer_token(request: web.Request) -> str:
    """The token of a request.

    Raises:
        Problem: 401 without a token, 400 if it is malformed (RFC 6750 section 3.1).
    """
    fields = request.headers.getall(hdrs.AUTHORIZATION, [])
    if len(fields) > 1:
        raise _malformed("There are several Authorization headers.")
    scheme, _, token = fields[0].partition(" ") if fields else ("", "", "")
    if scheme.lower() != _SCHEME:
        raise _challenge(
            401,
            "Token required",
            "This server requires a token, in the header Authorization: Bearer TOKEN.",
        )
    token = token.strip(" ")
    if not BEARER_TOKEN.fullmatch(token):
        raise _malformed(
            "The Authorization header is not of the form Bearer TOKEN; a token has "
            'letters, digits, "- . _ ~ + /" and, optionally, "=" at its end.'
        )
    return token


def _malformed(detail: str) -> Problem:
    return _challenge(400, "Malformed Authorization", detail, error="invalid_request")


def _challenge(
    status: int, title: str, detail: str, *, error: str | None = None
) -> Problem:
    """A problem with a WWW-Authenticate challenge (RFC 6750 section 3)."""
    challenge = f'Bearer realm="{REALM}"'
    if error is not None:
        challenge += f', error="{error}"'
    return Problem(
        status,
        title,
        detail,
        section="RFC 9725 section 4.7.1",
        headers={hdrs.WWW_AUTHENTICATE: challenge},
    )


def _digest(token: str) -> bytes:
    """A digest of fixed length: comparing it does not reveal the token's length."""
    return hashlib.sha256(token.encode()).digest()
