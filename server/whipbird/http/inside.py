"""Requests of one worker of this server to another, on local sockets of their own."""

import asyncio
import json
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import TypeVar

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ..net.shard import Shard
from .clients import IS_PART, Client, client_of
from .delivery import is_gone
from .problems import Problem

# Who the client is, as the worker has found it that has read the request.
_CLIENT = "X-Whipbird-Client"
# That only a part of the answer is asked for.
_PART = "X-Whipbird-Part"
# That the owner of the stream has chosen who opens the session.
_CHOSEN = "X-Whipbird-Chosen"

# What is said of one connection, not of what is asked (RFC 9110 section 7.6.1); and the
# expectation that was answered already.
_OF_CONNECTION = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "expect"),
        *(_CLIENT.lower(), _PART.lower(), _CHOSEN.lower()),
    }
)

# Seconds after which it is looked whether the client still waits.
_LOOK_INTERVAL = 0.5

# Seconds for a connection to another worker: its socket is local.
_CONNECT_TIMEOUT = 5.0

# Seconds for an answer of another worker's API.
_ANSWER_TIMEOUT = 10.0

_T = TypeVar("_T")


class Inside:
    """The way to the other workers, and from them.

    Args:
        shard: which worker this is.
        folder: that of the local sockets; nobody else may enter it.
        listener: the name of the listener that the requests belong to.

    Attributes:
        shard: as given.
        own_path: the local socket of this worker.
    """

    def __init__(self, shard: Shard, folder: Path, listener: str) -> None:
        self.shard = shard
        self._folder = folder
        self._listener = listener
        self.own_path = self.path_of(shard.number)
        self._own_name = str(self.own_path)
        self._sessions: dict[int, aiohttp.ClientSession] = {}

    def path_of(self, worker: int) -> Path:
        """The local socket of a worker."""
        return self._folder / f"{self._listener}-{worker}"

    @property
    def others(self) -> list[int]:
        """The numbers of the other workers."""
        return [n for n in range(self.shard.count) if n != self.shard.number]

    async def close(self) -> None:
        """Close the connections to the others."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    # Requests of others

    def is_inside(self, request: web.Request) -> bool:
        """Whether another worker has sent a request."""
        transport = request.transport
        return (
            transport is not None
            and transport.get_extra_info("sockname") == self._own_name
        )

    def client_told(self, request: web.Request) -> Client | None:
        """The client of a request that another worker has sent; None of any other."""
        if not self.is_inside(request):
            return None
        return Client(**json.loads(request.headers[_CLIENT]))

    def mark_part(self, request: web.Request) -> None:
        """Note that a request was counted and logged where it came from."""
        if _PART in request.headers:
            request[IS_PART] = True

    @staticmethod
    def is_chosen(request: web.Request) -> bool:
        """Whether a request of another worker is to be answered here in any case."""
        return _PART in request.headers or _CHOSEN in request.headers

    # Requests to others

    async def forward(
        self, request: web.Request, worker: int, *, is_chosen: bool = False
    ) -> web.StreamResponse:
        """Have another worker answer a request.

        Args:
            is_chosen: whether it is to answer whatever its stream is.

        Raises:
            Problem: 503 when it has ended; it is starting again. ``WorkerAway`` when
                nothing of the request was read.
        """
        body = request.content if request.body_exists else None
        marks = {_CHOSEN: "1"} if is_chosen else {}
        asked = self._send(request, worker, request.rel_url, body, marks)
        try:
            response = await _unless_gone(request, asked)
        except aiohttp.ClientConnectorError as error:
            raise _is_starting(WorkerAway) from error
        except (aiohttp.ClientError, OSError) as error:
            if is_gone(request):
                raise
            raise _is_starting(Problem) from error
        async with response:
            return await _pass_back(request, response)

    async def ask(
        self, request: web.Request, worker: int, query: str | None = None
    ) -> tuple[int, CIMultiDict[str], bytes] | None:
        """Ask another worker what this one was asked, for its own part.

        Args:
            query: in place of that of the request.

        Returns:
            Status, headers and body; None when it does not answer.
        """
        url = request.rel_url
        if query is not None:
            url = URL.build(path=url.raw_path, query_string=query, encoded=True)
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                asked = self._send(request, worker, url, None, {_PART: "1"})
                async with await asked as response:
                    body = await response.read()
                    return response.status, CIMultiDict(response.headers), body
        except (aiohttp.ClientError, OSError):
            return None

    async def _send(
        self,
        request: web.Request,
        worker: int,
        url: URL,
        body: aiohttp.StreamReader | None,
        marks: Mapping[str, str],
    ) -> aiohttp.ClientResponse:
        headers = _end_to_end(request.headers)
        if body is None:
            headers.pop(hdrs.CONTENT_LENGTH, None)
        headers.update(marks)
        headers[_CLIENT] = json.dumps(client_of(request)._asdict())
        url = URL.build(
            scheme="http",
            host="worker",
            path=url.raw_path,
            query_string=url.raw_query_string,
            encoded=True,
        )
        return await self._session(worker).request(
            request.method, url, headers=headers, data=body, allow_redirects=False
        )

    def _session(self, worker: int) -> aiohttp.ClientSession:
        session = self._sessions.get(worker)
        if session is None:
            session = self._sessions[worker] = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self.path_of(worker)), limit=0),
                timeout=aiohttp.ClientTimeout(None, sock_connect=_CONNECT_TIMEOUT),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=(
                    *(hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING),
                    hdrs.CONTENT_TYPE,
                ),
            )
        return session


class WorkerAway(Problem):
    """There is no connection to a worker, so another one may answer in its place."""


def _is_starting(kind: type[Problem]) -> Problem:
    return kind(
        503,
        "Worker is starting",
        "The part of this server that has this stream has ended, and is starting "
        "again. Try again in a moment.",
        headers={hdrs.RETRY_AFTER: "1"},
    )


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The header fields that are passed on."""
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() not in _OF_CONNECTION
    )


class _Passed(web.StreamResponse):
    """A response whose header fields are those that the other worker has sent.

    What the applications here add to every response, such as CORS, is there already.
    """

    @property
    def headers(self) -> CIMultiDict[str]:
        """None, for those who would add some or expect that they are the first."""
        return CIMultiDict()


async def _pass_back(
    request: web.Request, response: aiohttp.ClientResponse
) -> web.StreamResponse:
    """Send a client what another worker answers, as it comes."""
    passed = _Passed(
        status=response.status,
        reason=response.reason,
        headers=_end_to_end(response.headers),
    )
    await passed.prepare(request)
    try:
        while chunk := await _unless_gone(request, response.content.readany()):
            await passed.write(chunk)
    except (aiohttp.ClientError, OSError):
        # Half of an answer is none: its client is to see that it was cut off.
        if request.transport is not None:
            request.transport.close()
        raise
    await passed.write_eof()
    return passed


async def _unless_gone(request: web.Request, awaitable: Awaitable[_T]) -> _T:
    """Wait for something, as long as the client of a request does.

    Raises:
        ConnectionResetError: when it has gone.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=_LOOK_INTERVAL)
            if not task.done() and is_gone(request):
                raise ConnectionResetError("The client has gone")
        return task.result()
    finally:
        task.cancel()
