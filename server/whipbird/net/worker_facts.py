"""Facts that workers tell each other: how many sessions each of them has."""

import asyncio

from .neighbours import Neighbours

# Seconds for which what need not be known at once is collected: a message costs both
# sides more than it says.
INTERVAL = 0.05

_SESSIONS = "sessions"
# The name of the number of all; no network is called that.
_TOTAL = "*"


class WorkerSessions:
    """The sessions of the other workers (see ``OtherSessions``).

    Args:
        neighbours: the other workers.
    """

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._untold: dict[str, list[int] | int | None] = {}

    def held(self, network: str) -> tuple[int, int]:
        """How many sessions a network has there, and how many are not connected."""
        held = connecting = 0
        for told in self._neighbours.told(_SESSIONS).values():
            counts = told.get(network, (0, 0))
            held += counts[0]
            connecting += counts[1]
        return held, connecting

    def total(self) -> int:
        """How many there are."""
        return sum(self.totals().values())

    def totals(self) -> dict[int, int]:
        """How many each of them has, by its number; those that have had none say
        nothing.
        """
        told = self._neighbours.told(_SESSIONS)
        return {number: facts.get(_TOTAL, 0) for number, facts in told.items()}

    def tell(
        self, network: str, held: int, connecting: int, total: int, *, at_once: bool
    ) -> None:
        """Tell them how many there are here now: of one network, and in all.

        Args:
            at_once: not a moment later, with all that changes until then.
        """
        if not (self._untold or at_once):
            asyncio.get_running_loop().call_later(INTERVAL, self._tell)
        self._untold[network] = [held, connecting] if held else None
        self._untold[_TOTAL] = total
        if at_once:
            self._tell()

    def _tell(self) -> None:
        facts, self._untold = self._untold, {}
        if facts:
            self._neighbours.tell(_SESSIONS, facts)
