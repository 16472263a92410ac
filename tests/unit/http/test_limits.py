"""Rates of requests: who is counted as one client, and what is remembered."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable

import pytest
from aiohttp import hdrs, web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from whipbird.http.limits import RateLimit, RateLimits, charge
from whipbird.http.problems import problem_middleware

A, B = "192.0.2.1", "192.0.2.2"

Client = TestClient[web.Request, web.Application]
Advance = Callable[[float], None]


@pytest.fixture
async def advance(monkeypatch: pytest.MonkeyPatch) -> Advance:
    """Let so many seconds pass at once, and none otherwise."""
    loop = asyncio.get_running_loop()
    start, passed = loop.time(), 0.0

    def advance(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    monkeypatch.setattr(loop, "time", lambda: start + passed)
    return advance


async def taken(limit: RateLimit, address: str, requests: int) -> int:
    """How many of so many requests are let through."""
    return sum([await limit.take(address) for _ in range(requests)])


async def test_a_minutes_requests_at_once_and_then_as_many_as_leak_out(
    advance: Advance,
) -> None:
    limit = RateLimit(30)
    assert await taken(limit, A, 40) == 30
    advance(limit.retry_after)
    assert await taken(limit, A, 40) == 1
    advance(10)
    assert await taken(limit, A, 40) == 5
    advance(600)
    assert await taken(limit, A, 40) == 30


@pytest.mark.parametrize(
    ("rate", "seconds"), [(1, 60), (7, 9), (60, 1), (61, 1), (3000, 1)]
)
async def test_a_client_that_waits_as_told_is_let_through(
    rate: int, seconds: int, advance: Advance
) -> None:
    limit = RateLimit(rate)
    assert limit.retry_after == seconds
    assert await taken(limit, A, rate + 1) == rate
    advance(seconds)
    assert await limit.take(A)


async def test_clients_do_not_count_for_each_other() -> None:
    limit = RateLimit(2)
    assert await taken(limit, A, 3) == 2
    assert await taken(limit, B, 3) == 2


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (A, B, False),
        ("::ffff:192.0.2.1", A, True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:DB8:0:1::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("/run/a:b.sock", "/run/a:c.sock", False),
        ("", "", True),
    ],
)
async def test_what_is_one_client(one: str, other: str, same: bool) -> None:
    limit = RateLimit(1)
    assert await limit.take(one)
    assert await limit.take(other) is not same


async def test_what_is_remembered_is_bounded() -> None:
    """Forgotten is who has not been heard of for longest."""
    limit = RateLimit(1, max_clients=3)
    for n in range(100):
        assert await limit.take(f"198.51.100.{n}")
        await limit.take(A)
    assert len(limit) == 3
    assert not await limit.take(A)
    assert not await limit.take("198.51.100.99")
    assert await limit.take("198.51.100.0")


async def test_nothing_runs_on() -> None:
    """No task, no thread and no timer is left of a limit that was reached."""
    tasks, threads = len(asyncio.all_tasks()), threading.active_count()
    handles = getattr(asyncio.get_running_loop(), "_scheduled", [])
    before = len(handles)
    limit = RateLimit(1)
    for n in range(200):
        await limit.take(f"198.51.100.{n % 100}")
    assert len(asyncio.all_tasks()) == tasks
    assert threading.active_count() == threads
    assert len(handles) == before


async def serve(aiohttp_client: AiohttpClient, rates: dict[str, int]) -> Client:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text="let in")

    limits = RateLimits(rates, default=2)
    app = web.Application(middlewares=[problem_middleware, limits])
    app.router.add_route("*", "/whip", handler)
    return await aiohttp_client(app)


async def statuses(client: Client, *methods: str, **headers: str) -> list[int]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return [
        (await client.request(method, "/whip", headers=named)).status
        for method in methods
    ]


async def test_a_request_may_count_for_several(aiohttp_client: AiohttpClient) -> None:
    async def handler(request: web.Request) -> web.Response:
        await charge(request, int(request.query["more"]))
        return web.Response(text="let in")

    limits = RateLimits({"PATCH": 10, "PUT": 1}, default=0)
    app = web.Application(middlewares=[problem_middleware, limits])
    app.router.add_route("*", "/whip", handler)
    client = await aiohttp_client(app)

    async def status(method: str, more: int) -> int:
        return (await client.request(method, f"/whip?more={more}")).status

    assert [await status("PATCH", 4) for _ in range(3)] == [200, 200, 429]
    # One that costs more than all counts for all.
    assert [await status("PUT", 100) for _ in range(2)] == [200, 429]
    # Without a limit.
    assert [await status("POST", 100) for _ in range(3)] == [200] * 3


async def test_each_method_has_its_rate(aiohttp_client: AiohttpClient) -> None:
    client = await serve(aiohttp_client, {"POST": 1, "PATCH": 2, "DELETE": 0})
    assert await statuses(client, *["POST"] * 3) == [200, 429, 429]
    assert await statuses(client, *["PATCH"] * 3) == [200, 200, 429]
    assert await statuses(client, *["DELETE"] * 9) == [200] * 9
    assert await statuses(client, "GET", "OPTIONS", "HEAD", "PUT") == [
        *(200, 200),
        *(429, 429),
    ]


async def test_preflights_are_free(aiohttp_client: AiohttpClient) -> None:
    """A browser asks them unbidden, and they are answered with little work."""
    client = await serve(aiohttp_client, {"POST": 1})
    asking = {"Origin": "https://a.example", "Access_Control_Request_Method": "POST"}
    assert await statuses(client, *["OPTIONS"] * 9, **asking) == [200] * 9
    assert await statuses(client, "POST", "POST", **asking) == [200, 429]


async def test_what_is_said_of_too_many(aiohttp_client: AiohttpClient) -> None:
    """RFC 6585 section 4."""
    client = await serve(aiohttp_client, {"POST": 7})
    for _ in range(8):
        response = await client.post("/whip")
    assert response.status == 429
    assert response.headers[hdrs.RETRY_AFTER] == "9"
    problem = await response.json(content_type="application/problem+json")
    assert "more than 7 requests" in problem["detail"]


async def test_refusals_are_counted_by_limit(aiohttp_client: AiohttpClient) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text="let in")

    refused: Counter[str] = Counter()
    limits = RateLimits(
        {"POST": 1, "PATCH": 5, "DELETE": 0}, default=2, refused=refused
    )
    app = web.Application(middlewares=[problem_middleware, limits])
    app.router.add_route("*", "/whip", handler)
    client = await aiohttp_client(app)
    # All limits have a count from the start, for one that is off may be set later.
    assert refused == {"post": 0, "patch": 0, "delete": 0, "other": 0}
    await statuses(client, *["POST"] * 4, *["DELETE"] * 9, *["GET", "PUT"] * 2)
    assert refused == {"post": 3, "patch": 0, "delete": 0, "other": 2}


async def test_rates_change_for_all_clients(aiohttp_client: AiohttpClient) -> None:
    async def handler(request: web.Request) -> web.Response:
        await charge(request, 1)
        return web.Response(text="let in")

    limits = RateLimits({"POST": 4}, default=2)
    app = web.Application(middlewares=[problem_middleware, limits])
    app.router.add_route("*", "/whip", handler)
    client = await aiohttp_client(app)
    assert await statuses(client, *["POST"] * 3) == [200, 200, 429]
    limits.change({"POST": 6}, default=0)
    assert await statuses(client, *["POST"] * 4) == [200, 200, 200, 429]
    assert await statuses(client, *["GET"] * 20) == [200] * 20
    limits.change({"POST": 0}, default=2)
    assert await statuses(client, *["POST"] * 20) == [200] * 20
    assert await statuses(client, *["GET"] * 2) == [200, 429]
    # The same rate again forgets nothing.
    limits.change({"POST": 0}, default=2)
    assert await statuses(client, "GET") == [429]


# Several workers


async def test_what_other_workers_let_through_counts(advance: Advance) -> None:
    limit = RateLimit(10)
    told: list[tuple[str, str, int]] = []
    limit.on_taken = lambda *taken: told.append(taken)
    await limit.note(A, 7)
    assert await taken(limit, A, 10) == 3
    # Those of others are not told on, nor those that were refused.
    assert told == [("other", A, 1)] * 3
    # More than there may be: the bucket is full, and not more than that.
    await limit.note(B, 100)
    assert await taken(limit, B, 5) == 0
    advance(6.5)
    assert await taken(limit, B, 5) == 1
