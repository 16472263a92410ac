"""ICE restarts that do not succeed, or not alone (RFC 9725 section 4.3.3)."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Route

from .ping_page import FAILED_REQUEST, PingPage
from .restart_lab import LAB, RESTART, SESSION, lab, restarts

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Good credentials, but no browser takes such a candidate.
UNUSABLE = "a=ice-ufrag:new1\r\na=ice-pwd:" + "p" * 22 + "\r\na=candidate:1 1 udp x\r\n"


async def test_a_later_restart_supersedes_an_earlier_one(ping_page: PingPage) -> None:
    """RFC 9725 section 4.3.3: only the response to the last request is applied."""
    await lab(ping_page)
    first_is_answered = asyncio.Event()
    release = asyncio.Event()

    async def hold_the_first(route: Route) -> None:
        if route.request.headers.get("if-match") != "*" or first_is_answered.is_set():
            await route.continue_()
            return
        response = await route.fetch()
        assert response.status == 200
        first_is_answered.set()
        await release.wait()
        await route.fulfill(response=response)

    await ping_page.page.route(SESSION, hold_the_first)
    await ping_page.run(
        f"""() => {{
            window.counting = count();
            window.first = ({RESTART})();
        }}"""
    )
    await first_is_answered.wait()
    second = await ping_page.run(RESTART)
    release.set()
    first = await ping_page.run("() => first")
    assert first["kind"] == "superseded"
    assert second["times"]["found"] >= second["times"]["answered"] > 0
    earlier, later = restarts(ping_page)
    look = await ping_page.run("() => look()")
    assert f"a=ice-ufrag:{look['localUfrag']}\r\n" in (later.post_data or "")
    assert f"a=ice-ufrag:{look['localUfrag']}\r\n" not in (earlier.post_data or "")
    response = await later.response()
    assert response is not None
    assert f"a=ice-ufrag:{look['remoteUfrag']}\r\n" in await response.text()
    assert look["etag"] == await response.header_value("etag")
    assert look["pair"] == [look["localUfrag"], look["remoteUfrag"]]
    counting = await ping_page.run("() => counting.stop()")
    assert counting["echoed"] == list(range(counting["sent"]))


async def test_restarts_without_a_pause_between_them(ping_page: PingPage) -> None:
    """Each begins while the one before it is at another step."""
    await lab(ping_page)
    outcomes, look, counting = await ping_page.run(
        f"""async () => {{
            const counting = count();
            const restarts = [];
            for (const pause of [0, 1, 3, 10, 25, 40, 60, 100]) {{
                restarts.push(({RESTART})());
                await new Promise((resolve) => setTimeout(resolve, pause));
            }}
            restarts.push(({RESTART})());
            const outcomes = await Promise.all(restarts);
            return [outcomes, await look(), await counting.stop()];
        }}"""
    )
    *earlier, last = outcomes
    assert "times" in last
    # One that was quick enough may have found its path.
    assert {outcome.get("kind", "found") for outcome in earlier} <= {
        "superseded",
        "found",
    }
    assert earlier[0]["kind"] == "superseded"
    assert look["pair"] == [look["localUfrag"], look["remoteUfrag"]]
    assert counting["echoed"] == list(range(counting["sent"]))


#: How a restart can fail, and what becomes of it: the stub's response, the error.
FAILURES: dict[str, tuple[dict[str, Any], str, str]] = {
    "refused": (
        {
            "status": 422,
            "content_type": "application/problem+json",
            "body": '{"title": "Not here", "detail": "Restarts are not supported"}',
        },
        "http",
        "Not here: Restarts are not supported",
    ),
    "broken": ({"status": 500, "body": ""}, "http", "Internal Server Error"),
    "ignored": ({"status": 204}, "protocol", "has no valid ICE credentials"),
    "nonsense": ({"status": 200, "body": "<html>"}, "protocol", "did not restart ICE"),
    "unusable": (
        {"status": 200, "body": UNUSABLE},
        "protocol",
        "could not be restarted: Failed",
    ),
    "lost": ({}, "network", "No server reached"),
    "late": ({}, "timeout", "does not answer"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failed_restart_leaves_everything_as_it_was(
    ping_page: PingPage, failure: str
) -> None:
    ping_page.expects(FAILED_REQUEST)
    await lab(ping_page, {"fetchTimeout": 300} if failure == "late" else None)

    async def fail(route: Route) -> None:
        if route.request.headers.get("if-match") != "*":
            await route.continue_()
        elif failure == "lost":
            await route.abort()
        elif failure != "late":
            await route.fulfill(**FAILURES[failure][0])

    await ping_page.page.route(SESSION, fail)
    before, error, after = await ping_page.run(
        f"""async () => {{
            window.counting = count();
            const before = await look();
            const error = await ({RESTART})();
            const echoed = counting.echoed.length;
            await until(() => counting.echoed.length > echoed + 20);
            return [before, error, await look()];
        }}"""
    )
    _, kind, words = FAILURES[failure]
    assert error["kind"] == kind
    assert words in error["message"]
    for name in ("etag", "localUfrag", "remoteUfrag", "same"):
        assert after[name] == before[name], name
    assert len(restarts(ping_page)) == 1

    # The next one works.
    await ping_page.page.unroute(SESSION)
    look, counting = await ping_page.run(
        "async () => [await client.restartIce().then(look), await counting.stop()]"
    )
    assert look["pair"] == [look["localUfrag"], look["remoteUfrag"]]
    assert look["localUfrag"] != before["localUfrag"]
    assert look["same"] == before["same"]
    assert counting["echoed"] == list(range(counting["sent"]))


async def test_closing_ends_a_restart(ping_page: PingPage) -> None:
    await lab(ping_page)
    asked = asyncio.Event()

    async def never(route: Route) -> None:
        if route.request.headers.get("if-match") == "*":
            asked.set()
        else:
            await route.continue_()

    await ping_page.page.route(SESSION, never)
    await ping_page.run(f"() => {{ window.restart = ({RESTART})(); }}")
    await asked.wait()
    outcome = await ping_page.run("() => client.close().then(() => restart)")
    assert outcome["kind"] == "closed"
    outcome = await ping_page.run(RESTART)
    assert outcome["kind"] == "closed"
    assert len(restarts(ping_page)) == 1


@pytest.mark.parametrize("pause", [0, 1, 5, 30, 60])
async def test_closing_at_any_step_settles_everything(
    ping_page: PingPage, pause: int
) -> None:
    await ping_page.open_without_application()
    await ping_page.run(LAB)
    outcomes = await ping_page.run(
        f"""async (pause) => {{
            const wait = () => new Promise((resolve) => setTimeout(resolve, pause));
            const kind = (promise) => promise.then(() => 'done', ({{ kind }}) => kind);
            const connecting = kind(connect());
            await wait();
            await client.close();
            const outcomes = [await connecting];
            await connect();
            const restarting = ({RESTART})();
            await wait();
            await client.close();
            outcomes.push((await restarting).kind ?? 'done');
            return outcomes;
        }}""",
        pause,
    )
    assert set(outcomes) <= {"closed", "done"}
