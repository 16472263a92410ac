"""Events as HTTP requests, signed (the Standard Webhooks scheme)."""

import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Callable

import aiohttp

from .event import Event
from .outcome import Outcome

logger = logging.getLogger(__name__)

# Seconds that one request may take.
TIMEOUT = 5.0

# Client errors that pass: Request Timeout, Too Early, Too Many Requests.
_PASSING = frozenset({408, 425, 429})


def sign(key: bytes, event_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    digest = hmac.digest(key, signed, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


class Sender:
    """Sends events to a URL by POST.

    Args:
        http: returns the HTTP session for them.
        url: where they are sent; redirects are not followed.
        key: what they are signed with; None not to sign them.
        clock: returns the time in seconds since 1970.
    """

    def __init__(
        self,
        http: Callable[[], aiohttp.ClientSession],
        url: str,
        key: bytes | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._url = url
        self._key = key
        self._clock = clock

    async def send(self, event: Event) -> Outcome:
        """Attempt to deliver an event."""
        body = event.body()
        try:
            async with self._http().post(
                self._url,
                data=body,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
                headers=self._headers(event, body),
                allow_redirects=False,
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.warning("Webhook: no response: %s", error or type(error).__name__)
            return Outcome.FAILED
        if 200 <= status < 300:
            return Outcome.DELIVERED
        if 400 <= status < 500 and status not in _PASSING:
            logger.warning("Webhook: the receiver refuses an event: status %d", status)
            return Outcome.REFUSED
        logger.warning("Webhook: the receiver failed: status %d", status)
        return Outcome.FAILED

    def _headers(self, event: Event, body: bytes) -> dict[str, str]:
        timestamp = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Whipbird",
            "webhook-id": event.id,
            "webhook-timestamp": str(timestamp),
        }
        if self._key is not None:
            headers["webhook-signature"] = sign(self._key, event.id, timestamp, body)
        return headers
