"""Tickets for downloads: browsers cannot send a token when following a link."""

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable

from aiohttp import hdrs, web

# The name of the query parameter.
PARAMETER = "ticket"

# Seconds. A ticket is valid in the period in which it was issued, and in the next one.
PERIOD = 3600


class Tickets:
    """Issues tickets; a ticket gives read access to one file for one to two hours.

    Tickets are signed with a random key of this object, so they end with the process.

    Args:
        clock: returns the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def issue(self, name: str) -> str:
        """Issue a ticket for a file; it is the same within a period."""
        return self._sign(name, self._period())

    def admit(self, request: web.Request) -> bool:
        """Whether a request has a valid ticket for its file."""
        name = request.match_info.get("file")
        ticket = request.query.get(PARAMETER)
        is_read = request.method in (hdrs.METH_GET, hdrs.METH_HEAD)
        if name is None or ticket is None or not is_read:
            return False
        period, shown = self._period(), ticket.encode(errors="replace")
        return any(
            hmac.compare_digest(shown, self._sign(name, made).encode())
            for made in (period, period - 1)
        )

    def _period(self) -> int:
        return int(self._clock() // PERIOD)

    def _sign(self, name: str, period: int) -> str:
        signed = f"{period} {name}".encode(errors="replace")
        digest = hmac.digest(self._key, signed, hashlib.sha256)
        return urlsafe_b64encode(digest).decode().rstrip("=")
