"""Where events go: to the URL of the settings, which may change."""

import asyncio
from collections.abc import Callable

import aiohttp

from .delivery import Delivery
from .event import Event
from .sender import Sender


class Outlet:
    """Delivers events to a URL, or nowhere.

    Args:
        http: returns the HTTP session for it.
        url: where they are sent; None for nowhere.
        key: what they are signed with; None not to sign them.
    """

    def __init__(
        self,
        http: Callable[[], aiohttp.ClientSession],
        url: str | None = None,
        key: bytes | None = None,
    ) -> None:
        self._http = http
        self._target = url, key
        self._delivery = self._new(url, key)
        self._closing: set[asyncio.Task[None]] = set()

    def change(self, url: str | None, key: bytes | None) -> None:
        """Send the next events to another URL; those that wait go to the old one."""
        if (url, key) == self._target:
            return
        self._target = url, key
        old, self._delivery = self._delivery, self._new(url, key)
        if old is not None:
            task = asyncio.create_task(old.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def put(self, event: Event) -> None:
        """Add an event; it does not wait."""
        if self._delivery is not None:
            self._delivery.put(event)

    async def close(self) -> None:
        """Deliver what waits, for a short time, and end."""
        if self._delivery is not None:
            await self._delivery.close()
        await asyncio.gather(*self._closing)

    def _new(self, url: str | None, key: bytes | None) -> Delivery | None:
        return None if url is None else Delivery(Sender(self._http, url, key))
