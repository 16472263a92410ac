"""HTTP requests and responses as they are, without automatic redirects or cookies."""

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict, CIMultiDictProxy, istr
from yarl import URL

from ..client.http import why_unreachable

# Octets of a response that are read; an SDP answer has about 2,000.
MAX_CONTENT = 256 * 1024

# A request to a busy server is retried after the time in Retry-After, within these
# limits (RFC 9110 sections 15.6.4 and 10.2.3).
MAX_RETRY_WAIT = 10.0
DEFAULT_RETRY_WAIT = 1.0
MAX_RETRIES = 5
BUSY = (429, 503)

# Statuses that mean that a method, or its content, is not supported.
UNSUPPORTED = (405, 422, 501)

# A strong entity tag (RFC 9110 section 8.8.3).
STRONG_TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')

# Seconds for the DELETE of a session during the clean-up.
CLEAN_UP_TIMEOUT = 5.0

_TRANSCRIPT_LINES = 60
_SHOWN = 4
_SECRET = re.compile(
    r"(?i)(authorization: *bearer +|a=ice-pwd:|credential=\"?)([^\s\";]+)"
)


# Header fields by name.
Fields = Mapping[istr, str] | Mapping[str, str]


class NoResponse(Exception):  # noqa: N818 - what there is, not an error of ours
    """There is no response: the server cannot be reached, or closes the connection."""


class Unreachable(NoResponse):
    """There is no connection to the server on which to ask."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its response.

    Attributes:
        sent: the header fields of the request, without those that HTTP requires.
        body: the body of the request.
        received: the header fields of the response.
        content: the body of the response, at most ``MAX_CONTENT`` octets.
        seconds: the time from the request to the end of the response.
    """

    method: str
    url: URL
    sent: Mapping[str, str]
    body: bytes
    status: int
    reason: str
    received: CIMultiDictProxy[str]
    content: bytes
    seconds: float

    @property
    def text(self) -> str:
        """The body of the response as text."""
        return self.content.decode(errors="replace")

    @property
    def content_type(self) -> str:
        """The media type of the response without parameters; empty without one."""
        value = self.received.get(hdrs.CONTENT_TYPE, "")
        return value.partition(";")[0].strip().lower()

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def is_refusal(self) -> bool:
        """Whether the status is 4xx."""
        return 400 <= self.status < 500

    def members(self, name: str) -> list[str]:
        """The members of a comma-separated header field, in lower case."""
        joined = ",".join(self.received.getall(name, []))
        return [m.strip().lower() for m in joined.split(",") if m.strip()]

    def __str__(self) -> str:
        return f"{self.method} was answered with {self.status} {self.reason}".rstrip()

    def transcript(self) -> str:
        """A transcript for reports, with secrets shortened."""
        lines = [f"> {self.method} {self.url}"]
        lines += [f"> {name}: {value}" for name, value in self.sent.items()]
        lines += _quoted(">", self.body)
        lines.append(f"< {self.status} {self.reason}".rstrip())
        lines += [f"< {name}: {value}" for name, value in self.received.items()]
        lines += _quoted("<", self.content)
        return _shortened("\n".join(lines))


def _quoted(mark: str, body: bytes) -> list[str]:
    if not body:
        return []
    lines = body.decode(errors="backslashreplace").splitlines()
    if len(lines) > _TRANSCRIPT_LINES:
        left = len(lines) - _TRANSCRIPT_LINES
        lines = [*lines[:_TRANSCRIPT_LINES], f"... ({left} more lines)"]
    return [mark, *(f"{mark} {line}" for line in lines)]


def _shortened(text: str) -> str:
    return _SECRET.sub(lambda m: f"{m[1]}{m[2][:_SHOWN]}...", text)


class Http:
    """Sends requests, and keeps track of the sessions that they open.

    Args:
        token: a Bearer token for all requests, unless a request opts out.
        timeout: seconds to wait for each response.
        fingerprint: the SHA-256 digest of the only certificate to accept; None to have
            it verified as browsers do.

    Attributes:
        locations: the URLs of all sessions opened so far.
        busy: the responses with 429 or 503 after which a request was retried.
    """

    def __init__(
        self, token: str | None, timeout: float, fingerprint: bytes | None = None
    ) -> None:
        self._token = token
        self._timeout = timeout
        self._client = aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(
                limit=32,
                ssl=aiohttp.Fingerprint(fingerprint) if fingerprint else True,
            ),
        )
        self._open: dict[URL, bool] = {}
        self._pending: set[asyncio.Task[Exchange]] = set()
        self.locations: list[URL] = []
        self.busy: list[Exchange] = []

    async def request(
        self,
        method: str,
        url: URL,
        *,
        body: bytes = b"",
        headers: Fields | None = None,
        authorized: bool = True,
        patient: bool = True,
        timeout: float | None = None,
    ) -> Exchange:
        """Send a request and read its response. Redirections are not followed.

        Args:
            authorized: whether to send the token, if there is one.
            patient: whether to retry when the server is busy.
            timeout: a shorter timeout for this request, in seconds.

        Raises:
            NoResponse: when there is no response.
        """
        fields = {str(name): value for name, value in (headers or {}).items()}
        if authorized and self._token:
            fields.setdefault(hdrs.AUTHORIZATION, f"Bearer {self._token}")
        limit = min(self._timeout, timeout or self._timeout)
        retries = 0
        while True:
            exchange = await self._send_and_track(
                method, url, body, fields, authorized, limit
            )
            busy = exchange.status in BUSY and patient
            if not busy or retries == MAX_RETRIES:
                return exchange
            self.busy.append(exchange)
            await asyncio.sleep(retry_wait(exchange))
            retries += 1

    async def end_sessions(self) -> None:
        """DELETE all sessions that are open, or being opened."""
        if self._pending:
            await asyncio.wait(self._pending)
        while self._open:
            location, authorized = self._open.popitem()
            # Nothing can be done about failures here.
            with contextlib.suppress(NoResponse, TimeoutError):
                async with asyncio.timeout(CLEAN_UP_TIMEOUT):
                    await self.request("DELETE", location, authorized=authorized)

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._client.close()

    async def _send_and_track(
        self,
        method: str,
        url: URL,
        body: bytes,
        headers: dict[str, str],
        authorized: bool,
        timeout: float,
    ) -> Exchange:
        """Send a request and track the session that it opens, even if cancelled."""

        async def send() -> Exchange:
            exchange = await self._send(method, url, body, headers, timeout)
            self._track(exchange, authorized)
            return exchange

        task = asyncio.create_task(send())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        # Mark its exception as retrieved: the caller may have been cancelled.
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(task)

    async def _send(
        self,
        method: str,
        url: URL,
        body: bytes,
        headers: dict[str, str],
        timeout: float,
    ) -> Exchange:
        started = time.monotonic()
        content = bytearray()
        try:
            async with self._client.request(
                method,
                url,
                data=body or None,
                headers=headers,
                skip_auto_headers=[hdrs.CONTENT_TYPE, hdrs.ACCEPT_ENCODING],
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                async for piece in response.content.iter_any():
                    content += piece
                    if len(content) > MAX_CONTENT:
                        break
                return Exchange(
                    method=method,
                    url=url,
                    sent=headers,
                    body=body,
                    status=response.status,
                    reason=response.reason or "",
                    received=CIMultiDictProxy(CIMultiDict(response.headers)),
                    content=bytes(content[:MAX_CONTENT]),
                    seconds=time.monotonic() - started,
                )
        except TimeoutError:
            raise NoResponse(
                f"{method} {url}: no response within {timeout:g} seconds"
            ) from None
        except (aiohttp.ClientConnectorError, aiohttp.ClientSSLError) as error:
            raise Unreachable(
                f"{method} {url}: {why_unreachable(error, url)}"
            ) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoResponse(
                f"{method} {url}: {why_unreachable(error, url)}"
            ) from error

    def _track(self, exchange: Exchange, authorized: bool) -> None:
        if exchange.method == "POST" and exchange.is_success:
            location = location_of(exchange)
            if location is not None:
                self.locations.append(location)
                self._open[location] = authorized
        elif exchange.method == "DELETE" and exchange.status in (200, 204, 404, 410):
            self._open.pop(exchange.url, None)


def location_of(exchange: Exchange) -> URL | None:
    """The absolute URL in ``Location``; None if there is none, or it is unusable."""
    value = exchange.received.get(hdrs.LOCATION)
    if not value:
        return None
    try:
        location = exchange.url.join(URL(value))
    except ValueError:
        return None
    return location if location.scheme in ("http", "https") else None


def retry_wait(exchange: Exchange) -> float:
    """Seconds to wait before a retry, from ``Retry-After`` within limits."""
    value = exchange.received.get(hdrs.RETRY_AFTER, "").strip()
    seconds = float(value) if value.isascii() and value.isdigit() else None
    return min(DEFAULT_RETRY_WAIT if seconds is None else seconds, MAX_RETRY_WAIT)
