"""Peculiar servers, as real ones are: the checker finds nothing that is not wrong."""

import asyncio
import contextlib

import aiohttp
from yarl import URL

from .server import TOKEN, Asked, Fault, Reply
from .sessions import OnePublisher

_GET = ("get-endpoint", "get-session")
_TRIES = ("4.1", "4.2", "patch-428", "restart-refused-stays", "stun-mismatch")


class GetIsNotAllowed(Fault):
    """Any GET is answered with 405, as by MediaMTX."""

    breaks = _GET
    tries = _TRIES

    def request(self, asked: Asked) -> Reply | None:
        return Reply(405) if asked.method in ("GET", "HEAD") else None


class OnlyPostAndDelete(Fault):
    """GET and PATCH are answered with 405, whether or not there is a session."""

    breaks = _GET
    tries = _TRIES
    absent = ("patch-428",)

    def request(self, asked: Asked) -> Reply | None:
        others = ("GET", "HEAD", "PATCH")
        return Reply(405) if asked.method in others else None


class DeleteIsIdempotent(OnlyPostAndDelete):
    """... and any DELETE succeeds, as by Broadcast Box."""

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.method == "DELETE" and reply.status == 404:
            reply.status = 200


class AnyUrlIsAPage(Fault):
    """Any GET is answered with a page, which does the rest itself."""

    breaks = _GET
    tries = _TRIES

    def request(self, asked: Asked) -> Reply | None:
        if asked.method not in ("GET", "HEAD"):
            return None
        return Reply(200, body="<!doctype html><title>Player</title>")


class GetIsDropped(Fault):
    """The connection is closed on any GET, as by SRS."""

    breaks = (*_GET, "head")
    tries = _TRIES
    answer = b""

    def request(self, asked: Asked) -> Reply | None:
        if asked.method not in ("GET", "HEAD"):
            return None
        return Reply(0, octets=self.answer)


class GetIsMalformed(GetIsDropped):
    """The response to any GET is not HTTP."""

    answer = b"whip 1.0 okay\r\n\r\n"


class GetIsCutShort(GetIsDropped):
    """The response to any GET ends before its body does."""

    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"


class SecondPostWaits(OnePublisher):
    """A second POST waits until the first session has ended, as with whipserversrc."""

    tries = ("4.1", "post-connects", "delete-removes", "dtls-close", "restart-200")

    async def handle(self, asked: Asked) -> Reply:
        if asked.method == "POST":
            while await self.is_taken():  # noqa: ASYNC110 - no event of the server's
                await asyncio.sleep(0.05)
        return await super().handle(asked)


class ManyPublishers(Fault):
    """Any number of clients may publish a stream at once."""

    tries = ("4",)

    def __init__(self, upstream: URL, http: aiohttp.ClientSession) -> None:
        super().__init__(upstream, http)
        self._count = 0

    def request(self, asked: Asked) -> Reply | None:
        if asked.method == "POST":
            self._count += 1
            asked.path = f"/whip/live-{self._count}"
        return None


class NewestConnectedPublisher(ManyPublishers):
    """A client that connects ends the session of the one before, as with MediaMTX."""

    def __init__(self, upstream: URL, http: aiohttp.ClientSession) -> None:
        super().__init__(upstream, http)
        self._watching: asyncio.Task[None] | None = None

    async def handle(self, asked: Asked) -> Reply:
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        return await super().handle(asked)

    async def _watch(self) -> None:
        """End connected sessions but the newest, as long as there is a server."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = self.upstream.join(URL("/api/sessions"))
        with contextlib.suppress(aiohttp.ClientError, RuntimeError):
            while True:
                async with self._http.get(url, headers=headers) as response:
                    found = (await response.json())["sessions"]
                connected = [s["id"] for s in found if s["state"] == "connected"]
                for number in connected[1:]:
                    await self._http.delete(url / number, headers=headers)
                await asyncio.sleep(0.05)
