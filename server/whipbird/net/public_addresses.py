"""The public addresses in front of this machine, whose names may get others."""

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Sequence
from socket import SOCK_DGRAM

from .addresses import is_address

logger = logging.getLogger(__name__)

# Seconds from one look at the names to the next.
LOOKUP_INTERVAL = 60.0

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Finds the IP addresses of a name; raises OSError when there are none."""


class PublicAddresses:
    """Public addresses, some of which are given as names.

    Names are looked up again from time to time. A name that cannot be looked up keeps
    its addresses.

    Args:
        names: IP addresses, and names that have some.
        version: 4 or 6 to leave the addresses of the other family out; None for both.
        resolve: looks a name up; by default as the system does.

    Attributes:
        current: the addresses, in the order of the names, each once.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        version: int | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self._names = tuple(names)
        self._version = version
        self._resolve = resolve or look_up
        self._found: dict[str, tuple[str, ...]] = {}
        self._failing: set[str] = set()
        self._following: asyncio.Task[None] | None = None
        self.current: tuple[str, ...] = ()

    async def open(self) -> None:
        """Look all names up, and keep doing so.

        Raises:
            OSError: when a name has no address.
        """
        for name in self._names:
            try:
                self._found[name] = tuple(await self._addresses_of(name))
            except OSError as error:
                raise OSError(
                    f"the public address {name} cannot be looked up: "
                    f"{error.strerror or error}"
                ) from None
        self._combine()
        names = [name for name in self._names if not is_address(name)]
        if names and self._following is None:
            self._following = asyncio.create_task(self._follow(names))

    def close(self) -> None:
        """Look no name up any more."""
        if self._following is not None:
            self._following.cancel()
            self._following = None

    async def _follow(self, names: Sequence[str]) -> None:
        while True:
            await asyncio.sleep(LOOKUP_INTERVAL)
            for name in names:
                await self._look_again(name)
            self._combine()

    async def _look_again(self, name: str) -> None:
        """Look a name up; a failure is told once, until it succeeds again."""
        before = self._found[name]
        try:
            found = tuple(await self._addresses_of(name))
        except OSError as error:
            if name not in self._failing:
                self._failing.add(name)
                logger.warning(
                    "The public address %s cannot be looked up (%s); it stays %s",
                    name,
                    error.strerror or error,
                    ", ".join(before),
                )
            return
        if name in self._failing:
            self._failing.discard(name)
            logger.info("The public address %s can be looked up again", name)
        # Name servers change the order all the time.
        if set(found) != set(before):
            self._found[name] = found
            logger.info(
                "The public address %s is now %s, and was %s; new sessions are told",
                name,
                ", ".join(found),
                ", ".join(before),
            )

    async def _addresses_of(self, name: str) -> Sequence[str]:
        if is_address(name):
            return (name,)
        found = list(dict.fromkeys(await self._resolve(name)))
        if not found:
            raise OSError("it has no address")
        return found

    def _combine(self) -> None:
        each = dict.fromkeys(a for name in self._names for a in self._found[name])
        self.current = tuple(
            address
            for address in each
            if self._version in (None, ipaddress.ip_address(address).version)
        )


async def look_up(name: str) -> list[str]:
    """The IP addresses of a name; the system is asked in a thread.

    Raises:
        OSError: when there are none.
    """
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(name, None, type=SOCK_DGRAM)
    return [str(info[4][0]) for info in infos]
