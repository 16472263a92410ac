"""Tickets: what a download has instead of a token, as browsers send none with links."""

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable

from aiohttp import hdrs, web

# Of the query.
PARAMETER = "ticket"

# Seconds. A ticket is good for the period that it was made in, and for the next.
PERIOD = 3600


class Tickets:
    """Makes tickets, each of which lets anybody read one file for an hour or two.

    They are signed with a key of this object, so none outlives the process.

    Args:
        clock: gives the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def issue(self, name: str) -> str:
        """A ticket for a file; within a period it is the same."""
        return self._sign(name, self._period())

    def admit(self, request: web.Request) -> bool:
        """Whether a request has a ticket for the file that it asks for."""
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
