"""Rate limits that hold for all workers of this server together."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..net import Neighbours
from .limits import RateLimit

_SUBJECT = "requests"

# Seconds for which requests are collected before the other workers are told of them.
INTERVAL = 0.05


class SharedRates:
    """Tells the other workers which requests were counted here, and counts theirs.

    They learn it a moment later: a client that asks all workers at once may pass a
    limit by what it can send in that time.

    Args:
        neighbours: the other workers.
        limits: all limits.
    """

    def __init__(self, neighbours: Neighbours, limits: Mapping[str, RateLimit]) -> None:
        self._neighbours = neighbours
        self._limits = limits
        self._taken: Counter[str] = Counter()
        # Each ends in the turn in which it begins: there is nothing to wait for.
        self._counting: set[asyncio.Task[None]] = set()
        for limit in limits.values():
            limit.on_taken = self._note
        neighbours.hears[_SUBJECT] = self._heard

    def _note(self, limit: str, client: str, count: int) -> None:
        if not self._taken:
            asyncio.get_running_loop().call_later(INTERVAL, self._tell)
        self._taken[f"{limit} {client}"] += count

    def _tell(self) -> None:
        self._neighbours.say(_SUBJECT, dict(self._taken))
        self._taken.clear()

    def _heard(self, said: Mapping[str, Any]) -> None:
        task = asyncio.create_task(self._count(said))
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)

    async def _count(self, said: Mapping[str, Any]) -> None:
        for key, count in said.items():
            name, _, client = key.partition(" ")
            await self._limits[name].note(client, count)
