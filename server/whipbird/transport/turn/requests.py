"""Requests to a TURN server: credentials, retransmission, and their answers."""

import hashlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from ..path import Address
from ..stun import NONCE, REALM, TRANSACTION_ID_SIZE, USERNAME
from . import message as stun
from .message import TurnMessage, attribute

# Seconds until the first retransmission; then twice as many (RFC 8489 section 6.2.1),
# so that a request fails after 15.5 seconds.
RTO = 0.5
_MAX_TRIES = 5
# ... and on a connection that loses nothing.
_PATIENCE = RTO * (2**_MAX_TRIES - 1)

# How often a request is sent again with another nonce.
_MAX_NONCES = 3

_UNAUTHENTICATED = 401
_STALE_NONCE = 438


class TurnError(Exception):
    """A TURN server refuses, or does not answer. The message says what it said.

    Attributes:
        code: of its response (RFC 8489 section 14.8); 0 when there was none.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})" if code else reason)
        self.code = code


@dataclass(slots=True)
class Request:
    """A request.

    Attributes:
        attributes: makes its own ones, of a transaction id.
        peer: the address that it is about, if it is about one.
    """

    method: int
    attributes: Callable[[bytes], bytes]
    peer: Address | None = None
    data: bytes = b""
    due: float = math.inf
    tries: int = 0
    nonces: int = 0


Answer = TurnMessage | TurnError
"""The success response to a request, or why there is none."""


class Requests:
    """The requests that are not answered yet, with long-term credentials.

    Args:
        send: sends a message to the server.
        username, credential: as the server was told of them.
        reliable: whether the connection to the server loses nothing (TCP).
        rng: for transaction ids.
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        username: str,
        credential: str,
        *,
        reliable: bool,
        rng: random.Random,
    ) -> None:
        self._send = send
        self._username = username
        self._credential = credential
        self._reliable = reliable
        self._rng = rng
        self._realm = self._nonce = b""
        self._key = b""
        self._open: dict[bytes, Request] = {}

    @property
    def deadline(self) -> float:
        """When ``handle_timeout`` is due."""
        return min((request.due for request in self._open.values()), default=math.inf)

    def ask(self, request: Request, now: float) -> None:
        """Send a request."""
        transaction_id = self._rng.randbytes(TRANSACTION_ID_SIZE)
        attributes = request.attributes(transaction_id)
        if self._key:
            attributes += (
                attribute(USERNAME, self._username.encode())
                + attribute(REALM, self._realm)
                + attribute(NONCE, self._nonce)
            )
        request.data = stun.request(
            request.method, transaction_id, attributes, self._key
        )
        request.tries = 1
        request.due = now + (_PATIENCE if self._reliable else RTO)
        self._open[transaction_id] = request
        self._send(request.data)

    def receive(
        self, response: TurnMessage, now: float
    ) -> tuple[Request, Answer] | None:
        """Take a response.

        Returns:
            The request that it answers, and the answer; None when it answers none, or
            the request was sent again with what the response says.
        """
        request = self._open.get(response.transaction_id)
        if request is None or request.method != response.method:
            return None
        if response.kind == stun.SUCCESS and response.is_authentic(self._key):
            del self._open[response.transaction_id]
            return request, response
        if response.kind != stun.ERROR:
            return None
        # One that the server could not sign may be forged; the way back is the same for
        # all, and an answer of the server would come on it too.
        del self._open[response.transaction_id]
        code, reason = response.error
        nonce = response.attributes.get(NONCE)
        is_first = code == _UNAUTHENTICATED and not self._key
        is_stale = code == _STALE_NONCE and request.nonces < _MAX_NONCES
        if (is_first or is_stale) and nonce is not None:
            self._realm = response.attributes.get(REALM, self._realm)
            self._nonce = nonce
            self._key = self._make_key()
            request.nonces += 1
            self.ask(request, now)
            return None
        return request, TurnError(code, reason or "it refuses")

    def handle_timeout(self, now: float) -> list[Request]:
        """Retransmit what is due.

        Returns:
            The requests that are given up.
        """
        given_up: list[Request] = []
        for transaction_id, request in list(self._open.items()):
            if now < request.due:
                continue
            if self._reliable or request.tries >= _MAX_TRIES:
                del self._open[transaction_id]
                given_up.append(request)
                continue
            request.due = now + RTO * 2**request.tries
            request.tries += 1
            self._send(request.data)
        return given_up

    def clear(self) -> None:
        """Wait for no answers any more."""
        self._open.clear()

    def _make_key(self) -> bytes:
        """The key of long-term credentials (RFC 8489 section 9.2.2)."""
        realm = self._realm.decode("utf-8", "replace")
        text = f"{self._username}:{realm}:{self._credential}"
        return hashlib.md5(text.encode(), usedforsecurity=False).digest()
