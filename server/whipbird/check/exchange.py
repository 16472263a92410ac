"""Raw HTTP: what was sent and what came back, with nothing done behind the scenes."""

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

# An answer has about 2,000 octets; nothing is read further than this.
MAX_CONTENT = 256 * 1024

# RFC 9110 sections 15.6.4 and 10.2.3: a server that is busy is asked again, after the
# time that it gives, but not after more than this, nor more often.
MAX_RETRY_WAIT = 10.0
DEFAULT_RETRY_WAIT = 1.0
MAX_RETRIES = 5
BUSY = (429, 503)

# What says that the method, or what it asks, is not supported.
UNSUPPORTED = (405, 422, 501)

# RFC 9110 section 8.8.3: an entity tag that is not weak.
STRONG_TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')

# Seconds for the DELETE of a session that is cleaned up.
CLEAN_UP_TIMEOUT = 5.0

_TRANSCRIPT_LINES = 60
_SHOWN = 4
_SECRET = re.compile(
    r"(?i)(authorization: *bearer +|a=ice-pwd:|credential=\"?)([^\s\";]+)"
)


# Header fields by name.
Fields = Mapping[istr, str] | Mapping[str, str]


class NoResponse(Exception):  # noqa: N818 - what there is, not an error of ours
    """The server sent no response to a request: it cannot be reached, or hangs up."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response.

    Attributes:
        sent: the header fields of the request that say something.
        body: the body of the request.
        received: the header fields of the response.
        content: its body, up to ``MAX_CONTENT`` octets.
        seconds: from the request to the end of the response.
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
        """The media type of the response without parameters; empty for none."""
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
        """What was sent and received, secrets shortened."""
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
    """Sends requests, and remembers every session that it has opened.

    Args:
        token: sent as ``Authorization: Bearer`` unless a request says otherwise.
        timeout: seconds to wait for each response.

    Attributes:
        locations: the URL of every session that was opened.
        busy: the responses with 429 or 503 that were waited out.
    """

    def __init__(self, token: str | None, timeout: float) -> None:
        self._token = token
        self._timeout = timeout
        self._client = aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=32),
        )
        self._open: dict[URL, bool] = {}
        self._under_way: set[asyncio.Task[Exchange]] = set()
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
    ) -> Exchange:
        """Send a request and read its response. Redirections are not followed.

        Args:
            authorized: whether to send the token, if there is one.
            patient: whether to ask again when the server says that it is busy.

        Raises:
            NoResponse: when none comes.
        """
        fields = {str(name): value for name, value in (headers or {}).items()}
        if authorized and self._token:
            fields.setdefault(hdrs.AUTHORIZATION, f"Bearer {self._token}")
        retries = 0
        while True:
            exchange = await self._to_the_end(method, url, body, fields, authorized)
            busy = exchange.status in BUSY and patient
            if not busy or retries == MAX_RETRIES:
                return exchange
            self.busy.append(exchange)
            await asyncio.sleep(retry_wait(exchange))
            retries += 1

    async def end_sessions(self) -> None:
        """DELETE every session that is still open, or about to be."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        while self._open:
            location, authorized = self._open.popitem()
            # What fails here cannot be helped.
            with contextlib.suppress(NoResponse, TimeoutError):
                async with asyncio.timeout(CLEAN_UP_TIMEOUT):
                    await self.request("DELETE", location, authorized=authorized)

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._client.close()

    async def _to_the_end(
        self,
        method: str,
        url: URL,
        body: bytes,
        headers: dict[str, str],
        authorized: bool,
    ) -> Exchange:
        """Send a request, and remember what it has opened, whoever gives up waiting."""

        async def send() -> Exchange:
            exchange = await self._send(method, url, body, headers)
            self._remember(exchange, authorized)
            return exchange

        task = asyncio.create_task(send())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        # Who has given up does not hear of its failure.
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(task)

    async def _send(
        self, method: str, url: URL, body: bytes, headers: dict[str, str]
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
                timeout=aiohttp.ClientTimeout(total=self._timeout),
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
                f"{method} {url}: no response within {self._timeout:g} seconds"
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoResponse(
                f"{method} {url}: {why_unreachable(error, url)}"
            ) from error

    def _remember(self, exchange: Exchange, authorized: bool) -> None:
        if exchange.method == "POST" and exchange.is_success:
            location = location_of(exchange)
            if location is not None:
                self.locations.append(location)
                self._open[location] = authorized
        elif exchange.method == "DELETE" and exchange.status in (200, 204, 404, 410):
            self._open.pop(exchange.url, None)


def location_of(exchange: Exchange) -> URL | None:
    """The URL that ``Location`` names; None when there is none, or it is unusable."""
    value = exchange.received.get(hdrs.LOCATION)
    if not value:
        return None
    try:
        location = exchange.url.join(URL(value))
    except ValueError:
        return None
    return location if location.scheme in ("http", "https") else None


def retry_wait(exchange: Exchange) -> float:
    """Seconds to wait before asking again, as ``Retry-After`` says, within bounds."""
    value = exchange.received.get(hdrs.RETRY_AFTER, "").strip()
    seconds = float(value) if value.isascii() and value.isdigit() else None
    return min(DEFAULT_RETRY_WAIT if seconds is None else seconds, MAX_RETRY_WAIT)
