"""Links that need no token: one file, for a while, and nothing else."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from whipbird.http.auth import authorize
from whipbird.http.needs import of_recordings
from whipbird.http.problems import problem_middleware
from whipbird.http.tickets import PERIOD, Tickets
from whipbird.rights import Purpose, Rights, Signed, Signer

Client = TestClient[web.Request, web.Application]

TOKEN = {"Authorization": "Bearer good"}


class Clock:
    time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tickets(clock: Clock) -> Tickets:
    return Tickets(Signer(), clock)


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, tickets: Tickets) -> Client:
    async def answer(request: web.Request) -> web.Response:
        return web.Response()

    guard = authorize(Rights("good"), of_recordings, tickets.admit)
    app = web.Application(middlewares=[problem_middleware, guard])
    app.router.add_get("/files", answer)
    app.router.add_get("/files/{file}", answer)
    app.router.add_delete("/files/{file}", answer)
    return await aiohttp_client(app)


async def status(client: Client, path: str, ticket: str, **options: object) -> int:
    response = await client.get(path, params={"ticket": ticket}, **options)  # type: ignore[arg-type]
    return response.status


async def test_a_ticket_is_for_one_file(client: Client, tickets: Tickets) -> None:
    ticket = tickets.issue("a.mp4")
    assert await status(client, "/files/a.mp4", ticket) == 200
    assert await status(client, "/files/b.mp4", ticket) == 401
    assert await status(client, "/files", ticket) == 401


async def test_a_ticket_is_for_reading(client: Client, tickets: Tickets) -> None:
    path, ticket = "/files/a.mp4", {"ticket": tickets.issue("a.mp4")}
    assert (await client.head(path, params=ticket)).status == 200
    assert (await client.delete(path, params=ticket)).status == 401
    assert (await client.delete(path, params=ticket, headers=TOKEN)).status == 200


async def test_a_ticket_expires(client: Client, tickets: Tickets, clock: Clock) -> None:
    ticket = tickets.issue("a.mp4")
    clock.time += PERIOD
    assert await status(client, "/files/a.mp4", ticket) == 200
    # A page that lists the files again gets another before that one has expired.
    assert tickets.issue("a.mp4") != ticket
    clock.time += PERIOD
    assert await status(client, "/files/a.mp4", ticket) == 401


async def test_a_link_for_viewers_is_no_ticket(
    client: Client, tickets: Tickets, clock: Clock
) -> None:
    link = Signed(Purpose.WATCH, "a.mp4", int(clock.time) + PERIOD)
    ticket = tickets._signer.sign(link)
    assert await status(client, "/files/a.mp4", ticket) == 401


@pytest.mark.parametrize("ticket", ["", "x", "\N{SNOWMAN}", "0" * 43])
async def test_what_is_no_ticket(client: Client, ticket: str) -> None:
    assert await status(client, "/files/a.mp4", ticket) == 401
    # ... does not matter to who has the token.
    assert await status(client, "/files/a.mp4", ticket, headers=TOKEN) == 200


async def test_others_make_none(client: Client, clock: Clock) -> None:
    assert (
        await status(client, "/files/a.mp4", Tickets(Signer(), clock).issue("a.mp4"))
        == 401
    )


async def test_octets_that_are_no_text(client: Client) -> None:
    response = await client.get("/files/a.mp4?ticket=%ED%A0%80%FF")
    assert response.status == 401
