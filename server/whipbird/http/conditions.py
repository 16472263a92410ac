"""Conditional requests (RFC 9110 section 13) on ICE sessions."""

import re

from aiohttp import hdrs, web

from ..sdp.errors import quote
from .problems import Problem

# RFC 9110 section 8.8.3; header fields are decoded with surrogates for other octets.
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff\udc80-\udcff]*"'
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_ENTITY_TAG = re.compile(_TAG)


def check_if_match(request: web.Request, etag: str) -> None:
    """Check that a PATCH is about the current ICE session.

    Args:
        etag: the strong entity tag of the current ICE session.

    Raises:
        Problem: 428 without ``If-Match``, 412 when it names another ICE session.
    """
    values = request.headers.getall(hdrs.IF_MATCH, [])
    if not values:
        raise Problem(
            428,
            "Precondition required",
            "The If-Match header is missing; it names the ICE session by the ETag of "
            "the 201 response.",
            section="RFC 9725 section 4.3.1",
        )
    value = ", ".join(values).strip()
    # The example in RFC 9725 section 4.3.3 has the asterisk in quotes; none of our tags
    # looks like that.
    if value in ("*", '"*"'):
        return
    # A weak tag never matches: the comparison is strong (RFC 9110 section 13.1.1).
    if not _LIST.fullmatch(value) or etag not in _ENTITY_TAG.findall(value):
        raise Problem(
            412,
            "Precondition failed",
            f"If-Match ({quote(value)}) does not name the current ICE session.",
            section="RFC 9725 section 4.3.1",
        )
