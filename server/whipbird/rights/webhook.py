"""Asks a program of the operator's over HTTP, as MediaMTX does (authHTTPAddress)."""

import asyncio
import logging
from collections.abc import Callable

import aiohttp

from .grant import ALL, STREAM_NAME, Action, Grant
from .inquiry import Inquiry, Unanswered
from .rules import digest_of

logger = logging.getLogger(__name__)

# Seconds that an answer may take, the wait for other questions included.
TIMEOUT = 5.0
# Questions at a time, and those that may wait for one of these to be answered.
AT_ONCE = 32
WAITING = 256

# What MediaMTX calls the actions. Recordings are for operators there, and prompts
# it does not know.
_ACTIONS = {
    Action.PUBLISH: "publish",
    Action.WATCH: "read",
    Action.RECORD: "api",
    Action.PROMPT: "api",
    Action.ADMIN: "api",
}


class Webhook:
    """Asks a URL for each request; a status of 2xx permits it, others do not.

    Args:
        http: returns the HTTP session for it.
        url: where to ask.
        timeout: seconds that an answer may take.
    """

    admits_strangers = True

    def __init__(
        self,
        http: Callable[[], aiohttp.ClientSession],
        url: str,
        timeout: float = TIMEOUT,
    ) -> None:
        self._http = http
        self._url = url
        self._timeout = timeout
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._asking = 0
        self._has_failed = False

    async def find(self, inquiry: Inquiry, now: float) -> Grant | None:
        need = inquiry.need
        # A name with other characters could be a glob.
        if need.stream is not None and not STREAM_NAME.fullmatch(need.stream):
            return None
        if self._asking >= AT_ONCE + WAITING:
            raise Unanswered("too many questions are waiting")
        self._asking += 1
        try:
            async with asyncio.timeout(self._timeout), self._slots:
                try:
                    is_permitted = await self._ask(inquiry)
                except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                    # A connection that was kept may end just then: many programs keep
                    # one for five seconds. A question changes nothing.
                    is_permitted = await self._ask(inquiry)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._note(f"{type(error).__name__}: {error}")
            raise Unanswered("the authentication server does not answer") from None
        finally:
            self._asking -= 1
        self._note(None)
        if not is_permitted:
            return None
        sent = "" if inquiry.token is None else f"{inquiry.user}:{inquiry.token}"
        return Grant(
            f"webhook {digest_of(sent)[:16]}" if sent else "webhook",
            frozenset({need.action}),
            (ALL if need.stream is None else need.stream,),
        )

    def reload(self) -> None:
        """There is nothing to read."""

    async def _ask(self, inquiry: Inquiry) -> bool:
        async with self._http().post(
            self._url, json=_question(inquiry), allow_redirects=False
        ) as response:
            if response.status >= 500:
                raise OSError(f"it responds with the status {response.status}")
            return 200 <= response.status < 300

    def _note(self, failure: str | None) -> None:
        """Log that it fails, and that it works again: once each."""
        if failure is not None and not self._has_failed:
            logger.error("%s cannot be asked: %s", self._url, failure)
        elif failure is None and self._has_failed:
            logger.info("%s can be asked again", self._url)
        self._has_failed = failure is not None


def _question(inquiry: Inquiry) -> dict[str, str | None]:
    """The members that MediaMTX sends."""
    need, token = inquiry.need, inquiry.token or ""
    return {
        "user": inquiry.user,
        "password": token if inquiry.user else "",
        "token": "" if inquiry.user else token,
        "ip": inquiry.client,
        "action": _ACTIONS[need.action],
        "path": need.stream or "",
        "protocol": "webrtc",
        "id": None,
        "query": inquiry.query,
    }
