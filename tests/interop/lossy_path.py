"""A WHIP endpoint whose media goes over a bad path: the HTTP side of a lossy relay."""

from contextlib import AsyncExitStack
from typing import Self

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from .lossy_relay import LossyRelay

# They are of one connection, or of a body that has other octets now.
_NOT_FORWARDED = ("Host", "Content-Length", "Transfer-Encoding", "Connection")


class LossyPath:
    """Stands before a server: its URL is used instead of the server's.

    Everything is passed on but the client's candidates, as the server would go past
    the relay to them. Of the server's only one is left, with the port of a relay.

    Args:
        server: the server's URL, without a path.
        loss: the share of datagrams that is lost, in each direction, from the
            beginning on.
        seed: of the choice.

    Attributes:
        url: to be used instead.
        relays: one of each session, in the order of the POSTs.
    """

    def __init__(self, server: str, loss: float = 0.0, seed: int = 5) -> None:
        self.url = ""
        self.relays: list[LossyRelay] = []
        self._server = server
        self._loss = loss
        self._seed = seed
        self._stack = AsyncExitStack()

    @property
    def relay(self) -> LossyRelay:
        """The relay of the last session."""
        return self.relays[-1]

    async def __aenter__(self) -> Self:
        # Bodies are passed on as they are, compressed ones too.
        session = aiohttp.ClientSession(auto_decompress=False)
        self._http = await self._stack.enter_async_context(session)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._forward)
        # Streams of events go on for as long as their viewers stay.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _forward(self, request: web.Request) -> web.Response:
        sent = (await request.read()).splitlines(keepends=True)
        async with self._http.request(
            request.method,
            self._server + request.raw_path,
            headers=_forwarded(request.headers),
            data=b"".join(x for x in sent if not x.startswith(b"a=candidate:")),
            allow_redirects=False,
        ) as response:
            body = await response.read()
            headers = _forwarded(response.headers)
            if response.status == 201 and response.content_type == "application/sdp":
                body = (await self._answer(body.decode())).encode()
            return web.Response(body=body, status=response.status, headers=headers)

    async def _answer(self, answer: str) -> str:
        """An answer whose only candidate is a relay."""
        lines = answer.split("\r\n")
        candidates = [line for line in lines if line.startswith("a=candidate:")]
        words = candidates[0].split(" ")
        relay = LossyRelay((words[4], int(words[5])), self._seed)
        relay.lose(self._loss)
        self.relays.append(await self._stack.enter_async_context(relay))
        words[5] = str(relay.address[1])
        lines[lines.index(candidates[0])] = " ".join(words)
        return "\r\n".join(line for line in lines if line not in candidates[1:])


def _forwarded(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    forwarded = CIMultiDict(headers)
    for name in _NOT_FORWARDED:
        forwarded.popall(name, None)
    return forwarded
