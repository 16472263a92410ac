"""What operators see and end."""

import logging
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient
from yarl import URL

from tests import offers
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.http.operators import MAX_FIND, MAX_LIMIT
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.role import VIEWER
from whipbird.sessions import Session
from whipbird.sessions.session import short_id

Client = TestClient[web.Request, web.Application]

ADDRESS = "198.51.100.1"


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(create_app(Settings()))


async def opened(client: Client, stream: str, offer: str) -> Session:
    assert client.app is not None
    session, _ = await client.app[STORE].publish(stream, parse_offer(offer), ADDRESS)
    return session


async def watching(client: Client, stream: str) -> Session:
    assert client.app is not None
    offer = parse_offer(offers.CHROMIUM_VIEWER, role=VIEWER)
    session, _ = await client.app[STORE].watch(stream, offer, ADDRESS)
    return session


async def ask(client: Client, path: str = "/api/sessions") -> Any:
    response = await client.get(path)
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    return await response.json()


async def problem(client: Client, method: str, path: str, status: int) -> Any:
    response = await client.request(method, path)
    assert response.status == status
    return await response.json(content_type="application/problem+json")


async def test_no_session(client: Client) -> None:
    assert await ask(client) == {"total": 0, "sessions": []}


async def test_sessions_before_they_are_connected(client: Client) -> None:
    data = await opened(client, "echo", offers.CHROMIUM_DATA)
    publisher = await opened(client, "live", offers.CHROMIUM_MEDIA)
    viewer = await watching(client, "live")
    found = await ask(client)
    assert found["total"] == 3
    # The newest one first.
    assert [s["id"] for s in found["sessions"]] == [
        short_id(s.id) for s in (viewer, publisher, data)
    ]
    assert [s["kind"] for s in found["sessions"]] == ["viewer", "publisher", "data"]
    (described,) = [s for s in found["sessions"] if s["kind"] == "data"]
    alone = await ask(client, f"/api/sessions/{short_id(data.id)}")
    assert {**described, "age": 0} == {**alone, "age": 0}
    assert 0 <= described.pop("age") < 60
    assert 0 <= described.pop("setup").pop("post") < 60
    described.pop("state")
    assert described == {
        "id": short_id(data.id),
        "kind": "data",
        "stream": "echo",
        "client": ADDRESS,
        "address": None,
        "port": None,
        "candidate_type": None,
        "round_trip": None,
        "loss": None,
        "octets_received": 0,
        "octets_sent": 0,
        "messages_echoed": 0,
        "chat_name": None,
    }


async def test_nobody_learns_the_url_of_a_session(client: Client) -> None:
    session = await opened(client, "echo", offers.CHROMIUM_DATA)
    for path in ("/api/sessions", f"/api/sessions/{short_id(session.id)}"):
        text = await (await client.get(path)).text()
        assert session.id not in text
        assert short_id(session.id) in text
    await problem(client, "GET", f"/api/sessions/{session.id}", 404)


async def test_pages(client: Client) -> None:
    sessions = [
        short_id((await opened(client, "echo", offers.CHROMIUM_DATA)).id)
        for _ in range(5)
    ][::-1]
    found: list[str] = []
    path: str | None = "/api/sessions?limit=2"
    while path is not None:
        response = await client.get(path)
        page = await response.json()
        assert page["total"] == 5
        found += [session["id"] for session in page["sessions"]]
        link = response.links.get("next")
        path = None if link is None else URL(link["url"]).relative().raw_path_qs
    assert found == sessions
    for query, expected in (
        ("limit=5", sessions),
        ("offset=4", sessions[4:]),
        ("offset=5", []),
        ("offset=999999", []),
        (f"limit={MAX_LIMIT}", sessions),
        ("limit=1&offset=0", sessions[:1]),
    ):
        page = await ask(client, f"/api/sessions?{query}")
        assert [session["id"] for session in page["sessions"]] == expected


async def test_sessions_are_found(client: Client) -> None:
    data = await opened(client, "Echo~1", offers.CHROMIUM_DATA)
    publisher = await opened(client, "live", offers.CHROMIUM_MEDIA)
    viewer = await watching(client, "live")
    ids = {short_id(s.id): s for s in (data, publisher, viewer)}
    for find, expected in (
        ("", [viewer, publisher, data]),
        ("  ", [viewer, publisher, data]),
        ("LIVE", [viewer, publisher]),
        ("live viewer", [viewer]),
        ("echo~", [data]),
        (ADDRESS, [viewer, publisher, data]),
        ("198.51.100.10", []),
        (short_id(data.id).swapcase(), [data]),
        # Nobody can find out, letter by letter, what is not shown.
        (data.id, []),
        ("connect%ing é \u0661", []),
    ):
        path = str(URL("/api/sessions").with_query(find=find, limit=9))
        page = await ask(client, path)
        assert page["total"] == len(expected), find
        assert [ids[session["id"]] for session in page["sessions"]] == expected


async def test_pages_of_what_was_found(client: Client) -> None:
    for stream in ("a b", "other", "a b", "a b"):
        await opened(client, stream.replace(" ", "~"), offers.CHROMIUM_DATA)
    path: str | None = "/api/sessions?find=data+a%7Eb&limit=2"
    sizes = []
    while path is not None:
        response = await client.get(path)
        page = await response.json()
        assert page["total"] == 3
        assert {session["stream"] for session in page["sessions"]} == {"a~b"}
        sizes.append(len(page["sessions"]))
        link = response.links.get("next")
        path = None if link is None else URL(link["url"]).relative().raw_path_qs
    assert sizes == [2, 1]


async def test_too_much_to_find(client: Client) -> None:
    path = f"/api/sessions?find={'x' * (MAX_FIND + 1)}"
    assert (await problem(client, "GET", path, 400))["title"] == "Invalid find"


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize(
    "value",
    [*("-1", "1001000", "1.5", "x", "", "%D9%A3", "1%20", "0x1", "9" * 5000, "1e3")],
)
async def test_wrong_pages(client: Client, name: str, value: str) -> None:
    found = await problem(client, "GET", f"/api/sessions?{name}={value}", 400)
    assert found["title"] == f"Invalid {name}"
    assert f"The {name} is a number from " in found["detail"]
    assert len(found["detail"]) < 500


@pytest.mark.parametrize("query", ["limit=0", f"limit={MAX_LIMIT + 1}"])
async def test_limits_out_of_range(client: Client, query: str) -> None:
    await problem(client, "GET", f"/api/sessions?{query}", 400)


async def test_a_session_is_ended(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "whipbird")
    session = await opened(client, "echo", offers.CHROMIUM_DATA)
    stays = await opened(client, "echo", offers.CHROMIUM_DATA)
    path = f"/api/sessions/{short_id(session.id)}"
    response = await client.delete(path)
    assert (response.status, await response.text()) == (204, "")
    for method in ("GET", "DELETE"):
        found = await problem(client, method, path, 404)
        assert found["title"] == "No such session"
    assert [s["id"] for s in (await ask(client))["sessions"]] == [short_id(stays.id)]
    ended = [r.getMessage() for r in caplog.records if " ended: " in r.getMessage()]
    assert len(ended) == 1
    assert "reason='ended by an operator'" in ended[0]
    assert ended[0].startswith(f"Session {short_id(session.id)} ")


async def test_a_publisher_is_ended(client: Client) -> None:
    path = "/api/streams/live/publisher"
    assert (await problem(client, "DELETE", path, 404))["title"] == "No such stream"
    await opened(client, "live", offers.CHROMIUM_MEDIA)
    await opened(client, "live", offers.CHROMIUM_DATA)
    viewer = await watching(client, "live")
    assert (await client.delete(path)).status == 204
    # The others stay, and the name is free.
    assert (await client.get("/api/streams/live")).status == 404
    await problem(client, "DELETE", path, 404)
    assert (await ask(client))["total"] == 2
    assert viewer.reason is None
    again = await opened(client, "live", offers.CHROMIUM_MEDIA)
    assert (await client.delete(path)).status == 204
    assert again.reason is not None


async def test_what_else_there_is_not(client: Client) -> None:
    session = await opened(client, "live", offers.CHROMIUM_MEDIA)
    for method, path in (
        ("POST", "/api/sessions"),
        ("DELETE", "/api/sessions"),
        ("PATCH", f"/api/sessions/{short_id(session.id)}"),
        ("GET", "/api/streams/live/publisher"),
        ("POST", "/metrics"),
    ):
        response = await client.request(method, path)
        assert response.status == 405, (method, path)
        assert response.headers["Allow"]
    for path in ("/api/sessions/", "/metrics/", "/api/sessions/a/b"):
        await problem(client, "GET", path, 404)
    assert session.reason is None


async def test_pages_of_other_origins_may_not(client: Client) -> None:
    session = await opened(client, "live", offers.CHROMIUM_MEDIA)
    origin = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for path in (
        f"/api/sessions/{short_id(session.id)}",
        "/api/streams/live/publisher",
    ):
        assert (await client.delete(path, headers=origin)).status == 403
    assert session.reason is None


async def test_a_token_is_wanted(aiohttp_client: AiohttpClient) -> None:
    settings = Settings.model_validate({"token": "c2VjcmV0"})
    client = await aiohttp_client(create_app(settings))
    session = await opened(client, "live", offers.CHROMIUM_MEDIA)
    path = f"/api/sessions/{short_id(session.id)}"
    for method, where in (
        ("GET", "/metrics"),
        ("GET", "/api/sessions"),
        ("GET", path),
        ("DELETE", path),
        ("DELETE", "/api/streams/live/publisher"),
    ):
        await problem(client, method, where, 401)
    assert session.reason is None
    headers = {"Authorization": "Bearer c2VjcmV0"}
    assert (await client.get("/metrics", headers=headers)).status == 200
    assert (await client.delete(path, headers=headers)).status == 204
