"""How many TCP connections there are, and who gives some up when they are too many."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol

# The part of all connections that is ended at a time when there are too many: looking
# for them takes as long as ending ten, and others are not to wait for many. While there
# is room, as many come between two counts.
_SHARE = 128


class Guest(Protocol):
    """An open connection."""

    @property
    def network(self) -> str:
        """Who has made it: see ``network_of``."""

    def end(self) -> None:
        """Close it at once."""


class ConnectionLimit:
    """Ends connections when there are too many.

    Then the network (see ``network_of``) that has most of them gives up some. So nobody
    can keep the others out by connections that do nothing.

    Args:
        limit: how many there may be.
        count: how many there are.
        guests: lists them; of one network the first are given up.

    Attributes:
        ended: connections that were ended to make room.
    """

    def __init__(
        self,
        limit: int,
        count: Callable[[], int],
        guests: Callable[[], Sequence[Guest]],
    ) -> None:
        self.ended = 0
        # How many more may come before they are counted again.
        self._spare = 0
        self._limit = limit
        self._count = count
        self._guests = guests

    def make_room(self) -> None:
        """End connections, if there is no room for one more.

        It is to be called for each that comes. Some of those for which there is room
        may come before the others are counted again: counting takes long.
        """
        if self._spare:
            self._spare -= 1
            return
        room = self._limit - self._count()
        if room > 0:
            # Others may take some of it that are not announced here.
            self._spare = max(min(room, self._limit // _SHARE) - 1, 0)
            return
        networks: defaultdict[str, list[Guest]] = defaultdict(list)
        for guest in self._guests():
            networks[guest.network].append(guest)
        most = max(networks.values(), key=len)
        given_up = most[: max(self._limit // _SHARE, 1)]
        for guest in given_up:
            guest.end()
        self.ended += len(given_up)
        self._spare = len(given_up) - 1
