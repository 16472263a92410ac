"""Tickets for downloads: browsers cannot send a token when following a link."""

import time
from collections.abc import Callable

from aiohttp import hdrs, web

from ..rights import Purpose, Signed, Signer

# The name of the query parameter.
PARAMETER = "ticket"

# Seconds. A ticket is valid in the period in which it was issued, and in the next one.
PERIOD = 3600


class Tickets:
    """Issues tickets; a ticket gives read access to one file for one to two hours.

    Args:
        signer: signs them.
        now: returns seconds since the epoch.
    """

    def __init__(self, signer: Signer, now: Callable[[], float] = time.time) -> None:
        self._signer = signer
        self._now = now

    def issue(self, name: str) -> str:
        """Issue a ticket for a file; it is the same within a period."""
        expires = (int(self._now() // PERIOD) + 2) * PERIOD
        return self._signer.sign(Signed(Purpose.DOWNLOAD, name, expires))

    def admit(self, request: web.Request) -> bool:
        """Whether a request has a valid ticket for its file."""
        name = request.match_info.get("file")
        ticket = request.query.get(PARAMETER)
        is_read = request.method in (hdrs.METH_GET, hdrs.METH_HEAD)
        if name is None or ticket is None or not is_read:
            return False
        signed = self._signer.read(Purpose.DOWNLOAD, ticket)
        return (
            signed is not None
            and signed.subject == name
            and self._now() < signed.expires
        )
