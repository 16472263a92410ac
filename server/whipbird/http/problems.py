"""Errors as problem details (RFC 9457), with the section of the specification."""

import json
import logging
from collections.abc import Mapping

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from ..sdp.errors import MalformedSdp, SdpError, quote
from .paths import public_path

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - RFC 9457's noun
    """An HTTP error with problem details.

    Args:
        status: the HTTP status code.
        title: a short description, the same for all errors of this kind.
        detail: a description of this error, naming the wrong line or header.
        section: the section of the specification that the request violates.
        headers: additional header fields of the response.
        line: the number of the wrong line of the body, from 1.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        section: str | None = None,
        headers: Mapping[str, str] | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.section = section
        self.headers = dict(headers or {})
        self.line = line

    @classmethod
    def of_sdp(cls, error: SdpError) -> "Problem":
        """A problem for an SDP error: 400 if malformed, 422 if unacceptable."""
        return cls(
            400 if isinstance(error, MalformedSdp) else 422,
            error.title,
            error.detail,
            section=error.section,
            line=error.line,
        )

    def response(self) -> web.Response:
        """The HTTP response."""
        members = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "section": self.section,
            "line": self.line,
        }
        return web.Response(
            status=self.status,
            body=json.dumps(
                {k: v for k, v in members.items() if v is not None}
            ).encode(),
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


# Said to those who have put a slash into the name of a stream.
_NOT_AN_ENDPOINT = (
    " It is a session's. An offer is posted to an address with the name of a stream "
    "only, as /whip/NAME; the name has no slash."
)


def no_such_stream() -> Problem:
    """The problem for a stream without a publisher."""
    return Problem(404, "No such stream", "Nobody publishes a stream of this name now.")


@web.middleware
async def problem_middleware(
    request: web.Request, handler: Handler
) -> web.StreamResponse:
    """Convert all errors to problem details. Internal errors reveal no details."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _of_aiohttp(request, error).response()
    except Exception:
        logger.exception("Failed to answer %s %s", request.method, public_path(request))
        return Problem(
            500,
            "Internal error",
            "The server failed to answer this request. It has logged why.",
        ).response()


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Answer an ``Expect`` header (RFC 9110 section 10.1.1), before the handler."""
    expectation = request.headers.get(hdrs.EXPECT, "")
    if expectation.lower() == "100-continue":
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None
    return Problem(
        417,
        "Expectation failed",
        f'The Expect header "{quote(expectation)}" is not 100-continue.',
        section="RFC 9110 section 10.1.1",
    ).response()


def _is_offer_to_session(request: web.Request, error: web.HTTPMethodNotAllowed) -> bool:
    return request.method == hdrs.METH_POST and hdrs.METH_PATCH in error.allowed_methods


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> Problem:
    """The problem for an error of aiohttp."""
    match error:
        case web.HTTPNotFound():
            return Problem(
                404, "Not found", f"There is nothing at {quote(request.path)}."
            )
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return Problem(
                405,
                "Method not allowed",
                f"This resource does not support {request.method}, but {allowed}."
                + (_NOT_AN_ENDPOINT if _is_offer_to_session(request, error) else ""),
                section="RFC 9110 section 15.5.6",
                headers={"Allow": allowed},
            )
        case web.HTTPRequestEntityTooLarge():
            return Problem(
                413,
                "Body too large",
                f"The body has more than {request.client_max_size} octets.",
                section="RFC 9110 section 15.5.14",
            )
        case _:
            return Problem(error.status, error.reason, error.text or error.reason)
