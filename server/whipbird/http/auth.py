"""Authentication and rights (RFC 9725 section 4.7.1, RFC 6750, RFC 7617)."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from ..config import BEARER_TOKEN
from ..rights import EVERYBODY, Expired, Grant, Inquiry, Need, Rights, Unanswered
from .clients import client_of
from .cors import is_preflight
from .problems import Problem

REALM = "whipbird"

# Seconds after which a client may ask again what it may do.
_RETRY_AFTER = "5"

# The grant of the client, in requests that have passed ``authorize``, unless another
# secret admits them.
GRANT = web.RequestKey("grant", Grant)


@dataclass(frozen=True)
class Credentials:
    """What a client has sent in Authorization.

    Args:
        token: a Bearer token, or the password of Basic.
        user: the user name of Basic; empty with a Bearer token.
    """

    token: str
    user: str = ""


def authorize(
    rights: Rights,
    need_of: Callable[[web.Request], Need],
    *admits: Callable[[web.Request], bool],
) -> Middleware:
    """Make a middleware that requires the right for a request, except for preflights.

    It must run before any middleware or handler that reveals something of a resource.

    Args:
        need_of: returns the right that a request needs.
        admits: functions that return whether a request needs no token, because it
            contains another secret that only a client with a token can know.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        # Browsers send no credentials with preflights (RFC 9725 section 4.7.1).
        admitted = any(admit(request) for admit in admits)
        if not admitted and not is_preflight(request):
            request[GRANT] = await grant_for(request, rights, need_of(request))
        return await handler(request)

    return middleware


async def grant_for(request: web.Request, rights: Rights, need: Need) -> Grant:
    """The grant of a client that has the right it needs.

    Raises:
        Problem: 401 without a valid token or with an expired link, 403 with one of
            too few rights, 400 if it is malformed (RFC 6750 section 3.1), 503 if the
            rights cannot be found out.
    """
    if rights.is_open:
        # Who needs no token may be set to send one all the same.
        return EVERYBODY
    credentials = credentials_of(request)
    sent = credentials or Credentials("")
    inquiry = Inquiry(
        need,
        token=None if credentials is None else credentials.token,
        user=sent.user,
        client=client_of(request).address,
        query=request.query_string,
    )
    try:
        grant = await rights.find(inquiry)
    except Unanswered as error:
        raise Problem(
            503,
            "Rights unknown",
            f"The server cannot find out what you may do: {error}.",
            headers={hdrs.RETRY_AFTER: _RETRY_AFTER},
        ) from None
    except Expired as link:
        raise _challenge(
            401,
            "Link expired",
            f"This link was good until {link.at:%Y-%m-%d %H:%M} UTC. Ask whoever gave "
            "it to you for another.",
            error="invalid_token",
        ) from None
    if grant is None and credentials is None:
        raise _challenge(
            401,
            "Token required",
            "This server requires a token, in the header Authorization: Bearer TOKEN.",
        )
    if grant is None:
        raise _challenge(
            401, "Wrong token", "The token is not valid here.", error="invalid_token"
        )
    if not need.is_met_by(grant):
        raise _challenge(
            403,
            "Not permitted",
            f"The token is valid, but does not have the right {need}.",
            error="insufficient_scope",
            scope=need.action,
        )
    return grant


def not_owned() -> Problem:
    """The problem for a session that another token has opened."""
    return _challenge(
        403,
        "Not your session",
        "The token is valid, but the session was opened with another one: only that "
        'one, or one with the right "admin", may change or end it.',
        error="insufficient_scope",
        scope="admin",
    )


def credentials_of(request: web.Request) -> Credentials | None:
    """The credentials of a request; None if there are none of a known scheme.

    Raises:
        Problem: 400 if they are malformed (RFC 6750 section 3.1).
    """
    fields = request.headers.getall(hdrs.AUTHORIZATION, [])
    if len(fields) > 1:
        raise _malformed("There are several Authorization headers.")
    scheme, _, value = fields[0].partition(" ") if fields else ("", "", "")
    match scheme.lower():
        case "bearer":
            return _bearer(value.strip(" "))
        case "basic":
            return _basic(value.strip(" "))
        case _:
            return None


def _bearer(token: str) -> Credentials:
    if not BEARER_TOKEN.fullmatch(token):
        raise _malformed(
            "The Authorization header is not of the form Bearer TOKEN; a token has "
            'letters, digits, "- . _ ~ + /" and, optionally, "=" at its end.'
        )
    return Credentials(token)


def _basic(value: str) -> Credentials:
    """The credentials of a player that knows nothing else: its password is a token."""
    try:
        user, colon, password = (
            base64.b64decode(value, validate=True).decode().partition(":")
        )
    except (binascii.Error, ValueError):
        colon = ""
    if not colon:
        raise _malformed(
            "The Authorization header is not of the form Basic CREDENTIALS, with a "
            "user name, a colon and a password in base64 (RFC 7617 section 2)."
        )
    return Credentials(password, user)


def _malformed(detail: str) -> Problem:
    return _challenge(400, "Malformed Authorization", detail, error="invalid_request")


def _challenge(
    status: int,
    title: str,
    detail: str,
    *,
    error: str | None = None,
    scope: str | None = None,
) -> Problem:
    """A problem with a WWW-Authenticate challenge (RFC 6750 section 3).

    It names Bearer alone: for Basic, browsers would ask their users by themselves.
    """
    challenge = f'Bearer realm="{REALM}"'
    if error is not None:
        challenge += f', error="{error}"'
    if scope is not None:
        challenge += f', scope="{scope}"'
    return Problem(
        status,
        title,
        detail,
        section="RFC 9725 section 4.7.1" if status != 403 else "RFC 6750 section 3.1",
        headers={hdrs.WWW_AUTHENTICATE: challenge},
    )
