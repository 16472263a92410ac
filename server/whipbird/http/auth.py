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
    """Decides who may use the WHIP resources of a stream."""

    def __call__(self, token: str, stream: str | None) -> bool:
        """Whether a token is good for a stream.

        Args:
            token: what the client has sent, well-formed.
            stream: the name in the URL, as it stands there; None where it has none.
        """


class SharedToken:
    """An authorizer for which one token is good for every stream."""

    def __init__(self, token: str) -> None:
        self._digest = _digest(token)

    def __call__(self, token: str, stream: str | None) -> bool:
        """Whether it is the token. The time that it takes does not tell how nearly."""
        return hmac.compare_digest(_digest(token), self._digest)


def authenticate(
    authorizer: Authorizer, *admits: Callable[[web.Request], bool]
) -> Middleware:
    """A middleware that lets nobody in without a good token, but preflights.

    Nothing is said of a resource before: the order of the middlewares matters.

    Args:
        admits: each tells of a request whether it needs no token, because it has
            something that is as good, and that only who had a token can know.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        # A browser sends no credentials with them (RFC 9725 section 4.7.1).
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
        Problem: 401 when it has none, 400 when it is malformed (RFC 6750 section 3.1).
    """
    fields = request.headers.getall(hdrs.AUTHORIZATION, [])
    if len(fields) > 1:
        raise _malformed("There are several Authorization headers.")
    scheme, _, token = fields[0].partition(" ") if fields else ("", "", "")
    if scheme.lower() != _SCHEME:
        raise _challenge(
            401,
            "Token required",
            "This server wants a token, in the header Authorization: Bearer TOKEN.",
        )
    token = token.strip(" ")
    if not BEARER_TOKEN.fullmatch(token):
        raise _malformed(
            "The Authorization header is not of the form Bearer TOKEN; a token has "
            'letters, digits, and "- . _ ~ + /", and maybe "=" at its end.'
        )
    return token


def _malformed(detail: str) -> Problem:
    return _challenge(400, "Malformed Authorization", detail, error="invalid_request")


def _challenge(
    status: int, title: str, detail: str, *, error: str | None = None
) -> Problem:
    """A refusal with the challenge of RFC 6750 section 3."""
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
    """Of the same length for every token, so that comparing tells no length."""
    return hashlib.sha256(token.encode()).digest()
