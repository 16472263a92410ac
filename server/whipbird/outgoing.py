"""The HTTP requests that the server sends by itself."""

import aiohttp


class Outgoing:
    """Owns the connections to programs of the operator: one pool for all rooms.

    It has no cookies, so that none of one program's gets to another.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def __call__(self) -> aiohttp.ClientSession:
        """The session for requests; made when it is needed first, in the event loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
