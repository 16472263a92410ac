"""Reads request bodies: checks type, size, time and encoding."""

import asyncio
import json
from typing import Any

from aiohttp import hdrs, web

from ..sdp.errors import quote
from ..sdp.parser import MAX_LINE_LENGTH
from .problems import Problem

JSON = "application/json"

# Octets of a body; a browser's offer has about 8,000. It holds several of the longest
# lines of SDP.
MAX_BODY_SIZE = 4 * MAX_LINE_LENGTH
# Seconds within which a body must be received.
BODY_TIMEOUT = 10.0


async def read_body(request: web.Request, content_type: str, *, section: str) -> str:
    """Read a body that must have one content type.

    Raises:
        Problem: 415 for another type, 408 when it is not received in time, 400 when it
            is cut off or not UTF-8. (aiohttp raises 413.)
    """
    if hdrs.CONTENT_TYPE not in request.headers or request.content_type != content_type:
        raise Problem(
            415,
            "Unsupported media type",
            f"The Content-Type header must be {content_type}, not "
            f'"{quote(request.headers.get(hdrs.CONTENT_TYPE, ""))}".',
            section=section,
            headers={
                "Accept-Patch"
                if request.method == "PATCH"
                else "Accept-Post": content_type
            },
        )
    coding = request.headers.get(hdrs.CONTENT_ENCODING, "identity")
    if coding.lower() != "identity":
        raise Problem(
            415,
            "Unsupported content coding",
            f'The Content-Encoding "{quote(coding)}" is not supported; send the body '
            "as it is.",
            section="RFC 9110 section 15.5.16",
            headers={hdrs.ACCEPT_ENCODING: "identity"},
        )
    try:
        # Usually all of it has come with the head.
        until = None if request.content.is_eof() else BODY_TIMEOUT
        async with asyncio.timeout(until):
            body = await _read(request)
    except TimeoutError:
        raise Problem(
            408,
            "Request timeout",
            f"The body was not received within {BODY_TIMEOUT:.0f} seconds.",
            section="RFC 9110 section 15.5.9",
        ) from None
    except ConnectionError:
        raise Problem(
            400,
            "Incomplete body",
            "The connection ended before the body did.",
            section="RFC 9112 section 8",
        ) from None
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Problem(
            400,
            "Not UTF-8",
            f"The body is not UTF-8 at octet {error.start}.",
            section="RFC 8866 section 5",
        ) from None


async def _read(request: web.Request) -> bytes:
    """Read the octets of a body.

    ``request.read`` would keep them as long as the request, and this is kept until its
    connection has another one: offers take more memory than most of a session.
    """
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > request.client_max_size:
            raise web.HTTPRequestEntityTooLarge(request.client_max_size)
    # A middleware that has read it before has left it with the request.
    return bytes(body) or await request.read()


async def read_json(request: web.Request, *, section: str) -> Any:
    """Read a JSON body.

    Raises:
        Problem: see ``read_body``; and 400 when it is not JSON.
    """
    text = await read_body(request, JSON, section=section)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "Not JSON", f"The body is not JSON: {error}.") from None
