"""Errors as OpenAI's API has them, so that its clients show what is wrong."""

import logging
import math

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from ..llms import ChatError, Code
from ..sdp.errors import quote
from .paths import public_path
from .problems import Problem

logger = logging.getLogger(__name__)

_STATUSES = {
    Code.BAD_REQUEST: 400,
    Code.FORBIDDEN: 403,
    Code.UNKNOWN_MODEL: 404,
    Code.UNKNOWN_CONVERSATION: 404,
    Code.BUSY: 429,
    Code.TOO_MANY_REQUESTS: 429,
    # The model's server does not like the request.
    Code.REFUSED: 400,
    Code.NOT_RUNNING: 503,
    Code.UNKNOWN_HOST: 503,
    Code.UNREACHABLE: 503,
    Code.STOPPING: 503,
    Code.STALLED: 504,
}

# What another attempt does not help: OpenAI's clients would try twice more before they
# say what is wrong.
_LASTING = frozenset(
    {Code.KEY_REFUSED, Code.NOT_RUNNING, Code.UNKNOWN_HOST, Code.UNREACHABLE}
)

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def error_members(error: ChatError) -> dict[str, object]:
    """An error, as a member of a response or a chunk."""
    return _members(status_of(error), error.message, error.code, error.param)


def status_of(error: ChatError) -> int:
    """The HTTP status of an error."""
    return _STATUSES.get(error.code, 502)


@web.middleware
async def openai_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Convert all errors. Internal errors reveal no details."""
    try:
        return await handler(request)
    except ChatError as error:
        headers: dict[str, str] = {}
        if error.retry_after is not None:
            headers[hdrs.RETRY_AFTER] = str(math.ceil(error.retry_after))
        if error.code in _LASTING:
            headers["x-should-retry"] = "false"
        return web.json_response(
            {"error": error_members(error)}, status=status_of(error), headers=headers
        )
    except Problem as problem:
        return web.json_response(
            {"error": _members(problem.status, problem.detail, problem.title)},
            status=problem.status,
            headers=problem.headers,
        )
    except web.HTTPNotFound:
        text = f"There is nothing at {quote(request.path)}."
        return web.json_response(
            {"error": _members(404, text, "not_found")}, status=404
        )
    except web.HTTPException as error:
        if error.status < 400:
            raise
        text = f"{request.method}: {error.reason}."
        headers = {
            name: error.headers[name] for name in (hdrs.ALLOW,) if name in error.headers
        }
        return web.json_response(
            {"error": _members(error.status, text, error.reason)},
            status=error.status,
            headers=headers,
        )
    except Exception:
        logger.exception("Failed to answer %s %s", request.method, public_path(request))
        text = "The server failed to answer this request. It has logged why."
        return web.json_response(
            {"error": _members(500, text, "internal_error")}, status=500
        )


def _members(
    status: int, message: str, code: str, param: str | None = None
) -> dict[str, object]:
    default = "invalid_request_error" if status < 500 else "server_error"
    return {
        "message": message,
        "type": _TYPES.get(status, default),
        "param": param,
        "code": code.lower().replace(" ", "_"),
    }
