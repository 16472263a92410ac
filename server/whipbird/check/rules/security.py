"""Section 5: HTTPS, session URLs that cannot be guessed, rate limits."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import hdrs
from yarl import URL

from ..endpoint import Endpoint
from ..exchange import BUSY, Exchange
from ..requests import SDP, SDP_FRAGMENT, is_loopback
from ..rule import Failed, Level, Skipped, rule

# Sessions whose URLs are compared.
SAMPLES = 8
# A random UUID has 122 bits (RFC 9562 section 5.4), which is enough.
ENOUGH_BITS = 120

# Requests after which a rate limit is taken to be absent, and requests sent at once.
MAX_FLOOD = 5000
FLOOD_WIDTH = 25


@rule(
    "https",
    "5",
    Level.MUST,
    "HTTPS is used, but within a machine, where browsers do not ask for it.",
)
async def https(endpoint: Endpoint) -> str:
    for url in (endpoint.url, *endpoint.http.locations):
        if url.scheme != "https" and not is_loopback(url):
            raise Failed(f"{url.origin()} is not HTTPS")
    return "HTTPS" if endpoint.url.scheme == "https" else "loopback"


@rule(
    "session-urls",
    "5",
    Level.SHOULD,
    "The URLs of sessions are too random to be guessed.",
)
async def session_urls(endpoint: Endpoint) -> str:
    urls = [str((await endpoint.open()).url) for _ in range(SAMPLES)]
    if len(set(urls)) < len(urls):
        raise Failed("two sessions have the same URL")
    bits = apparent_bits(urls)
    if bits < ENOUGH_BITS:
        examples = ", ".join(urls[:3])
        raise Failed(f"what differs has about {bits:.0f} bits: {examples}")
    return f"about {bits:.0f} bits differ"


def apparent_bits(urls: list[str]) -> float:
    """The number of bits that vary between URLs, at most.

    The characters that all have in common count for nothing, and each other one for
    the smallest alphabet that has them all.
    """
    length = min(len(url) for url in urls)
    columns = [{url[i] for url in urls} for i in range(length)]
    varying = [column for column in columns if len(column) > 1]
    seen = set().union(*varying) if varying else set()
    return len(varying) * math.log2(_alphabet(seen))


def _alphabet(characters: set[str]) -> int:
    """The size of the smallest common alphabet with these characters."""
    text = "".join(characters)
    if text.isdigit():
        return 10
    if text in (text.lower(), text.upper()):
        # Dashes are at fixed positions in a UUID, so they do not vary.
        return 16 if all(c in "0123456789abcdef" for c in text.lower()) else 32
    return 64


async def _flood(send: Callable[[], Coroutine[Any, Any, Exchange]]) -> str:
    """Send requests until the server refuses them."""
    sent = 0
    while sent < MAX_FLOOD:
        exchanges = await asyncio.gather(*(send() for _ in range(FLOOD_WIDTH)))
        sent += len(exchanges)
        for exchange in exchanges:
            if exchange.status in BUSY:
                return f"{exchange.status} within {sent} requests"
    raise Failed(f"{sent} requests, and neither 429 nor 503", exchanges[-1])


def _some_session(endpoint: Endpoint) -> URL:
    """The URL of a session that has ended."""
    if not endpoint.http.locations:
        raise Skipped("no session was opened")
    return endpoint.http.locations[-1]


@rule(
    "post-rate",
    "5",
    Level.SHOULD,
    "The endpoint limits the rate of POST requests.",
    flood=True,
)
async def post_rate(endpoint: Endpoint) -> str:
    headers = {hdrs.CONTENT_TYPE: SDP}
    return await _flood(
        lambda: endpoint.http.request(
            "POST", endpoint.url, body=b"flood", headers=headers, patient=False
        )
    )


@rule(
    "patch-rate",
    "5",
    Level.SHOULD,
    "The rate of PATCH requests is limited.",
    flood=True,
)
async def patch_rate(endpoint: Endpoint) -> str:
    url = _some_session(endpoint)
    headers = {hdrs.CONTENT_TYPE: SDP_FRAGMENT, hdrs.IF_MATCH: "*"}
    return await _flood(
        lambda: endpoint.http.request(
            "PATCH", url, body=b"flood", headers=headers, patient=False
        )
    )


@rule(
    "delete-rate",
    "5",
    Level.SHOULD,
    "The rate of DELETE requests is limited, so that sessions cannot be guessed.",
    flood=True,
)
async def delete_rate(endpoint: Endpoint) -> str:
    url = _some_session(endpoint)
    return await _flood(lambda: endpoint.http.request("DELETE", url, patient=False))
