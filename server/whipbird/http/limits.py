"""Rate limits for each client (RFC 9725 section 5)."""

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from aiolimiter import AsyncLimiter

from ..net.clients import network_of
from .clients import IS_PART, client_of
from .cors import is_preflight
from .problems import Problem

# Rates are requests per so many seconds.
PERIOD = 60

# Clients remembered by each limit; then the least recently active one is forgotten.
MAX_CLIENTS = 10_000


class RateLimit:
    """Limits the rate of requests of each client, with a leaky bucket.

    The requests of a minute may be sent at once.

    Args:
        rate: requests per minute and client; 0 for no limit.
        max_clients: clients remembered, at most.
        name: its name in ``refused``.
        refused: where it counts the requests that exceed it.

    Attributes:
        name: as given.
        on_taken: called with its name, the network of a client and a number when
            requests are counted.
    """

    def __init__(
        self,
        rate: int,
        max_clients: int = MAX_CLIENTS,
        *,
        name: str = "other",
        refused: Counter[str] | None = None,
    ) -> None:
        self.rate = rate
        self._max_clients = max_clients
        self.name = name
        self._refused = Counter() if refused is None else refused
        self._refused[name] += 0
        self._buckets: OrderedDict[str, AsyncLimiter] = OrderedDict()
        self.on_taken: Callable[[str, str, int], None] | None = None

    def __len__(self) -> int:
        """The number of clients remembered."""
        return len(self._buckets)

    def change(self, rate: int) -> None:
        """Set another rate; all clients begin anew."""
        if rate != self.rate:
            self.rate = rate
            self._buckets.clear()

    async def take(self, address: str, count: int = 1) -> bool:
        """Count a request, unless it exceeds the limit; it never waits.

        Args:
            address: the client's IP address.
            count: as how many it counts, ``rate`` at most.

        Returns:
            Whether the request is within the limit.
        """
        if not self.rate:
            return True
        client = network_of(address)
        bucket = self._bucket(client)
        if not bucket.has_capacity(count):
            self._refused[self.name] += 1
            return False
        await bucket.acquire(count)
        if self.on_taken is not None:
            self.on_taken(self.name, client, count)
        return True

    async def note(self, client: str, count: int) -> None:
        """Count requests that another worker of this server has let through.

        Args:
            client: the network of the client.
        """
        if self.rate:
            bucket = self._bucket(client)
            while count and bucket.has_capacity():
                await bucket.acquire()
                count -= 1

    def _bucket(self, client: str) -> AsyncLimiter:
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = AsyncLimiter(self.rate, PERIOD)
            if len(self._buckets) > self._max_clients:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(client)
        return bucket

    @property
    def retry_after(self) -> int:
        """Whole seconds after which a full bucket accepts a request again."""
        return math.ceil(PERIOD / self.rate)


# The limit that a request was counted for.
_LIMIT = web.RequestKey("limit", RateLimit)


class RateLimits:
    """A middleware that limits the rates of requests, except preflights.

    Args:
        rates: method -> requests per minute and client; 0 for no limit.
        default: the limit for all other methods together.
        name: the name of this limit.
        refused: counts the requests that are refused, by the limit: the method in lower
            case, or ``name``.
    """

    __middleware_version__ = 1

    def __init__(
        self,
        rates: Mapping[str, int],
        default: int,
        *,
        name: str = "other",
        refused: Counter[str] | None = None,
    ) -> None:
        self._limits = {
            method: RateLimit(rate, name=method.lower(), refused=refused)
            for method, rate in rates.items()
        }
        self._others = RateLimit(default, name=name, refused=refused)

    @property
    def limits(self) -> dict[str, RateLimit]:
        """All of them, by their names."""
        return {limit.name: limit for limit in (*self._limits.values(), self._others)}

    def change(self, rates: Mapping[str, int], default: int) -> None:
        """Set other rates for the same methods."""
        for method, limit in self._limits.items():
            limit.change(rates[method])
        self._others.change(default)

    async def __call__(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Let a request through, or raise a ``Problem``."""
        if not is_preflight(request) and IS_PART not in request:
            limit = self._limits.get(request.method, self._others)
            request[_LIMIT] = limit
            await _take(request, limit, 1)
        return await handler(request)


async def charge(request: web.Request, count: int) -> None:
    """Let a request count for more than one, by what it costs.

    Args:
        count: as how many it counts beside itself; in all at most as many as there may
            be in a minute.

    Raises:
        Problem: 429 when that exceeds the limit.
    """
    limit = request.get(_LIMIT)
    if limit is not None and limit.rate:
        await _take(request, limit, min(count, limit.rate - 1))


async def _take(request: web.Request, limit: RateLimit, count: int) -> None:
    if not await limit.take(client_of(request).address, count):
        raise Problem(
            429,
            "Too many requests",
            f"Your address has sent more than {limit.rate} requests of this kind per "
            "minute.",
            section="RFC 9725 section 5",
            headers={hdrs.RETRY_AFTER: str(limit.retry_after)},
        )
