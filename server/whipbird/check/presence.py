"""Whether a session is still there, on servers that show it in different ways."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import hdrs
from yarl import URL

from ..rtc.probe import StunProbe
from .checks import answers
from .exchange import Exchange, NoResponse
from .offers import write_offer
from .requests import SDP_FRAGMENT
from .rule import Skipped
from .session import OpenSession

if TYPE_CHECKING:
    from .endpoint import Endpoint

# Statuses that mean that there is no resource at a URL.
GONE = (404, 410)

# Seconds between two looks at a session.
SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 2.0

# Why a rule about the end of a session is skipped.
CANNOT_TELL = "cannot tell: the server answers alike whether or not a session is there"

Ask = Callable[[URL, OpenSession], Awaitable[Exchange]]


class Witness:
    """A probe to whose checks a session has responded while it was there."""

    def __init__(self, probe: StunProbe, session: OpenSession) -> None:
        self._probe = probe
        self._session = session

    async def is_answered(self) -> bool:
        """Whether the session responds still."""
        return await answers(self._probe, self._session)


class Presence:
    """Tells whether sessions of an endpoint are still there.

    GET and PATCH are asked only if they tell a session from a URL that never was one:
    some servers answer any GET with 405, or with a page. Where neither tells, there is
    other evidence: responses to STUN checks, whether the stream is free again, and a
    second DELETE.
    """

    def __init__(self, endpoint: "Endpoint") -> None:
        self._endpoint = endpoint
        # The request that tells, and its status for a URL that is no session.
        self._telling: tuple[Ask, int] | None = None
        self._unknown_delete: int | None = None

    async def learn(self, session: OpenSession) -> None:
        """Find out what tells, from a session that is there and a URL that is none."""
        unknown = unknown_url(session.url)
        for ask in (self._get, self._patch):
            with contextlib.suppress(NoResponse):
                there = (await ask(session.url, session)).status
                absent = (await ask(unknown, session)).status
                if there not in GONE and there != absent:
                    self._telling = ask, absent
                    return
        with contextlib.suppress(NoResponse):
            exchange = await self._endpoint.request("DELETE", unknown)
            if not exchange.is_success:
                self._unknown_delete = exchange.status

    async def is_gone(self, session: OpenSession) -> bool | None:
        """Whether a session has ended; None if no request tells without ending it."""
        if self._telling is None:
            return None
        ask, absent = self._telling
        status = (await ask(session.url, session)).status
        return status in GONE or status == absent

    async def witness(self, session: OpenSession) -> Witness | None:
        """Look at a session whose end is to be seen; None if its ICE shows nothing."""
        if self._telling is not None:
            return None
        with contextlib.suppress(Skipped):
            probe = await self._endpoint.probe(session)
            if await answers(probe, session):
                return Witness(probe, session)
        return None

    async def goes(
        self,
        session: OpenSession,
        limit: float,
        witness: Witness | None = None,
        *,
        in_silence: bool = False,
    ) -> bool | None:
        """Whether a session ends within some seconds; None if nothing tells.

        Args:
            witness: of the session, from the time when it was there.
            in_silence: whether it must not be sent checks until the time is over, since
                they might keep it.
        """
        can_ask = self._telling is not None
        if not can_ask and (in_silence or witness is None):
            await asyncio.sleep(limit)
            return await self.has_gone(session, witness)
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + limit, SHORTEST_PAUSE
        look = self.is_gone if can_ask else partial(self.has_gone, witness=witness)
        while not (gone := await look(session)) and loop.time() < until:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
        return gone

    async def has_gone(
        self, session: OpenSession, witness: Witness | None = None
    ) -> bool | None:
        """Whether a session has ended, by any evidence; it ends the session."""
        if (gone := await self.is_gone(session)) is not None:
            return gone
        if witness is not None:
            return not await witness.is_answered()
        if self._endpoint.refuses_others:
            local = await self._endpoint.another_transport()
            offer = write_offer(local, self._endpoint.shape).encode()
            return (await self._endpoint.post(offer, ends_others=False)).is_success
        deleted = await self._endpoint.request("DELETE", session.url)
        if self._unknown_delete is None:
            return None
        return deleted.status in GONE or deleted.status == self._unknown_delete

    async def _get(self, url: URL, _session: OpenSession) -> Exchange:
        return await self._endpoint.request("GET", url)

    async def _patch(self, url: URL, session: OpenSession) -> Exchange:
        """A PATCH without effect: its condition is not met, and it has nothing new."""
        headers = {hdrs.CONTENT_TYPE: SDP_FRAGMENT, hdrs.IF_MATCH: '"-"'}
        return await self._endpoint.request(
            "PATCH", url, body=session.fragment(), headers=headers
        )


def unknown_url(session: URL) -> URL:
    """A URL like that of a session, which names none."""
    path, _, name = session.raw_path.rpartition("/")
    # As long as the name, of characters that are in it or that no name lacks.
    other = name[::-1] if name != name[::-1] else "0" * max(len(name), 8)
    return session.with_path(f"{path}/{other}", encoded=True)
