"""The webhook: what is asked, and what happens when nobody answers."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.server import free_port
from tests.waiting import until
from whipbird.outgoing import Outgoing
from whipbird.rights import Action, Grant, Inquiry, Need, Unanswered, Webhook
from whipbird.rights.webhook import AT_ONCE, WAITING

LIVE = Need(Action.WATCH, "live")


class Program:
    """The operator's program."""

    def __init__(self) -> None:
        self.status = 200
        self.questions: list[Any] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.at_once = self.most_at_once = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.questions.append(await request.json())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.may_answer.wait()
        finally:
            self.at_once -= 1
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
async def url(program: Program) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/auth", program.handle)
    async with TestServer(app) as server:
        yield str(server.make_url("/auth"))


@pytest.fixture
async def webhook(url: str, outgoing: Outgoing) -> Webhook:
    return Webhook(outgoing, url, timeout=60)


async def find(webhook: Webhook, inquiry: Inquiry) -> Grant | None:
    return await webhook.find(inquiry, 0)


async def test_the_question(webhook: Webhook, program: Program) -> None:
    """The members of MediaMTX's, so that existing programs work."""
    inquiry = Inquiry(LIVE, "abc", client="192.0.2.1", query="layer=h")
    assert await find(webhook, inquiry)
    assert program.questions == [
        {
            "user": "",
            "password": "",
            "token": "abc",
            "ip": "192.0.2.1",
            "action": "read",
            "path": "live",
            "protocol": "webrtc",
            "id": None,
            "query": "layer=h",
        }
    ]


@pytest.mark.parametrize(
    ("need", "action", "path"),
    [
        (Need(Action.PUBLISH, "a"), "publish", "a"),
        (Need(Action.RECORD, "a"), "api", "a"),
        (Need(Action.ADMIN), "api", ""),
        (Need(Action.WATCH, is_list=True), "read", ""),
    ],
)
async def test_actions(
    webhook: Webhook, program: Program, need: Need, action: str, path: str
) -> None:
    grant = await find(webhook, Inquiry(need, "abc"))
    assert grant is not None
    assert need.is_met_by(grant)
    (question,) = program.questions
    assert (question["action"], question["path"]) == (action, path)


async def test_a_grant_is_for_what_was_asked(webhook: Webhook) -> None:
    grant = await find(webhook, Inquiry(LIVE, "abc"))
    assert grant is not None
    assert grant.allows(Action.WATCH, "live")
    assert not grant.allows(Action.WATCH, "other")
    assert not grant.allows(Action.PUBLISH, "live")


async def test_a_connection_that_was_kept_too_long(outgoing: Outgoing) -> None:
    """It ends while the next question is on its way."""
    asked = 0
    unlucky = {2, 4}

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal asked
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                await reader.readexactly(length)
                asked += 1
                if asked in unlucky:
                    return
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        webhook = Webhook(outgoing, f"http://127.0.0.1:{port}/auth", timeout=60)
        for _ in range(3):
            assert await find(webhook, Inquiry(LIVE, "abc"))
        assert asked == 5
        # One that ends each of them is broken.
        unlucky.update(range(6, 9))
        with pytest.raises(Unanswered):
            await find(webhook, Inquiry(LIVE, "abc"))
        assert asked == 7
        await outgoing.close()


async def test_users(webhook: Webhook, program: Program) -> None:
    """Each has sessions of its own."""
    names = set()
    for user, password in (("ann", "x"), ("bob", "x"), ("ann", "y")):
        grant = await find(webhook, Inquiry(LIVE, password, user))
        assert grant is not None
        names.add(grant.name)
        question = program.questions[-1]
        assert (question["user"], question["password"]) == (user, password)
        assert question["token"] == ""
    grant = await find(webhook, Inquiry(LIVE))
    assert grant is not None
    names.add(grant.name)
    assert len(names) == 4


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404])
async def test_other_answers_do_not_permit(
    webhook: Webhook, program: Program, status: int
) -> None:
    program.status = status
    assert await find(webhook, Inquiry(LIVE, "abc")) is None


@pytest.mark.parametrize("name", ["*", "a*", "a/b", "", "a" * 65, "\N{SNOWMAN}"])
async def test_what_is_no_name_is_not_asked(
    webhook: Webhook, program: Program, name: str
) -> None:
    assert await find(webhook, Inquiry(Need(Action.WATCH, name), "abc")) is None
    assert not program.questions


async def test_a_failure_permits_nothing(
    webhook: Webhook, program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, and when it is over."""
    caplog.set_level(logging.INFO)
    program.status = 500
    for _ in range(3):
        with pytest.raises(Unanswered):
            await find(webhook, Inquiry(LIVE, "secret-token"))
    program.status = 200
    assert await find(webhook, Inquiry(LIVE, "secret-token"))
    levels = [r.levelno for r in caplog.records if r.name.startswith("whipbird")]
    assert levels == [logging.ERROR, logging.INFO]
    assert "secret-token" not in caplog.text


async def test_nobody_there(outgoing: Outgoing) -> None:
    webhook = Webhook(outgoing, f"http://127.0.0.1:{free_port()}/auth")
    with pytest.raises(Unanswered):
        await find(webhook, Inquiry(LIVE, "abc"))


async def test_no_answer_in_time(
    url: str, program: Program, outgoing: Outgoing
) -> None:
    program.may_answer.clear()
    webhook = Webhook(outgoing, url, timeout=0.05)
    with pytest.raises(Unanswered):
        await find(webhook, Inquiry(LIVE, "abc"))
    program.may_answer.set()


async def test_questions_are_bounded(webhook: Webhook, program: Program) -> None:
    program.may_answer.clear()
    asking = [
        asyncio.ensure_future(find(webhook, Inquiry(LIVE, "abc")))
        for _ in range(AT_ONCE + WAITING)
    ]
    await until(lambda: program.at_once == AT_ONCE)
    with pytest.raises(Unanswered):
        await find(webhook, Inquiry(LIVE, "abc"))
    program.may_answer.set()
    assert all(await asyncio.gather(*asking))
    assert program.most_at_once == AT_ONCE
    assert await find(webhook, Inquiry(LIVE, "abc"))
