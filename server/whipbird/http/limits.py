"""How often a client may ask (RFC 9725 section 5)."""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Mapping

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from aiolimiter import AsyncLimiter

from .cors import is_preflight
from .problems import Problem

# Seconds that a rate is about.
PERIOD = 60

# Clients that are remembered, by method; beyond them the one not heard of for longest
# is forgotten.
MAX_CLIENTS = 10_000

# Octets of an IPv6 address: a customer has all the addresses that begin with them.
_IPV6_PREFIX = 8


class RateLimit:
    """Counts the requests of each client, and says which are too many.

    Each client has a leaky bucket: a minute's requests may come at once, and then as
    many as leak out.

    Args:
        rate: requests per minute and client.
        max_clients: how many clients are remembered.
    """

    def __init__(self, rate: int, max_clients: int = MAX_CLIENTS) -> None:
        self.rate = rate
        self._max_clients = max_clients
        self._buckets: OrderedDict[str, AsyncLimiter] = OrderedDict()

    def __len__(self) -> int:
        """How many clients are remembered."""
        return len(self._buckets)

    async def take(self, address: str) -> bool:
        """Count a request, unless it is one too many; it never waits.

        Args:
            address: the client's IP address.
        """
        client = _network(address)
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
        """Whole seconds within which a full bucket leaks one request."""
        return math.ceil(PERIOD / self.rate)


def limit_rates(rates: Mapping[str, int], default: int) -> Middleware:
    """A middleware that refuses what a client asks too often; preflights it may ask.

    Args:
        rates: requests per minute and client of each method; 0 for any number.
        default: the same, of all other methods together.
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
                f"More than {limit.rate} requests of this kind per minute have come "
                "from your address.",
                section="RFC 9725 section 5",
                headers={hdrs.RETRY_AFTER: str(limit.retry_after)},
            )
        return await handler(request)

    return middleware


def _network(address: str) -> str:
    """What counts as one client: an IPv4 address, or an IPv6 network."""
    if ":" not in address:
        return address
    try:
        ip = ipaddress.IPv6Address(address)
    except ValueError:
        return address  # of a local socket, which has a path for an address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return ip.packed[:_IPV6_PREFIX].hex()
