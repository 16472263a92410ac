"""Rate limits for each client (RFC 9725 section 5)."""

import math
from collections import OrderedDict
from collections.abc import Mapping

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from aiolimiter import AsyncLimiter

from ..net.clients import network_of
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
        rate: requests per minute and client.
        max_clients: clients remembered, at most.
    """

    def __init__(self, rate: int, max_clients: int = MAX_CLIENTS) -> None:
        self.rate = rate
        self._max_clients = max_clients
        self._buckets: OrderedDict[str, AsyncLimiter] = OrderedDict()

    def __len__(self) -> int:
        """The number of clients remembered."""
        return len(self._buckets)

    async def take(self, address: str) -> bool:
        """Count a request, unless it exceeds the limit; it never waits.

        Args:
            address: the client's IP address.

        Returns:
            Whether the request is within the limit.
        """
        client = network_of(address)
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = AsyncLimiter(self.rate, PERIOD)
            if len(self._buckets) > self._max_clients:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(client)
        if not bucket.has_capacity():
            return False
        await bucket.acquire()
        return True

    @property
    def retry_after(self) -> int:
        """Whole seconds after which a full bucket accepts a request again."""
        return math.ceil(PERIOD / self.rate)


def limit_rates(rates: Mapping[str, int], default: int) -> Middleware:
    """Make a middleware that limits the rates of requests, except preflights.

    Args:
        rates: method -> requests per minute and client; 0 for no limit.
        default: the limit for all other methods together.
    """
    limits = {
        method: RateLimit(rate) if rate else None for method, rate in rates.items()
    }
    others = RateLimit(default) if default else None

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        limit = limits.get(request.method, others)
        if (
            limit is not None
            and not is_preflight(request)
            and not await limit.take(request.remote or "")
        ):
            raise Problem(
                429,
                "Too many requests",
                f"Your address has sent more than {limit.rate} requests of this kind "
                "per minute.",
                section="RFC 9725 section 5",
                headers={hdrs.RETRY_AFTER: str(limit.retry_after)},
            )
        return await handler(request)

    return middleware
