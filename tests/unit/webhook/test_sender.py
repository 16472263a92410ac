"""Events as signed HTTP requests."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from whipbird.config import webhook_key
from whipbird.outgoing import Outgoing
from whipbird.webhook import Event, EventType, Sender
from whipbird.webhook.outcome import Outcome

KEY = b"north wind"


class Receiver:
    """An HTTP server that takes events.

    Attributes:
        status: what it answers.
    """

    def __init__(self) -> None:
        self.status = 204
        self.requests: list[tuple[dict[str, str], bytes]] = []
        app = web.Application()
        app.router.add_post("/events", self._take)
        self.server = TestServer(app)

    async def _take(self, request: web.Request) -> web.Response:
        headers = {key.lower(): value for key, value in request.headers.items()}
        self.requests.append((headers, await request.read()))
        return web.Response(status=self.status, headers={"Location": "/events"})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.server.start_server()
    yield receiver
    await receiver.server.close()


@pytest.fixture
async def sender(receiver: Receiver, outgoing: Outgoing) -> Sender:
    url = str(receiver.server.make_url("/events"))
    return Sender(outgoing, url, KEY, clock=lambda: 1_700_000_000.5)


EVENT = Event(EventType.PUBLISHED, "live", {"session": "abc"})


async def test_an_event(receiver: Receiver, sender: Sender) -> None:
    """As a receiver of Standard Webhooks verifies it."""
    assert await sender.send(EVENT) is Outcome.DELIVERED
    ((headers, body),) = receiver.requests
    assert headers["content-type"] == "application/json"
    event = json.loads(body)
    assert event["time"].endswith("Z")
    assert {**event, "time": ""} == {
        "id": headers["webhook-id"],
        "type": "published",
        "time": "",
        "stream": "live",
        "session": "abc",
    }
    assert headers["webhook-timestamp"] == "1700000000"
    signed = f"{event['id']}.1700000000.".encode() + body
    digest = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DELIVERED),
        (302, Outcome.FAILED),
        (400, Outcome.REFUSED),
        (401, Outcome.REFUSED),
        (404, Outcome.REFUSED),
        (408, Outcome.FAILED),
        (429, Outcome.FAILED),
        (500, Outcome.FAILED),
        (503, Outcome.FAILED),
    ],
)
async def test_statuses(
    receiver: Receiver, sender: Sender, status: int, outcome: Outcome
) -> None:
    receiver.status = status
    assert await sender.send(EVENT) is outcome
    # Redirects are not followed.
    assert len(receiver.requests) == 1


async def test_nobody_listens(receiver: Receiver, sender: Sender) -> None:
    await receiver.server.close()
    assert await sender.send(EVENT) is Outcome.FAILED


async def test_without_a_secret(receiver: Receiver, outgoing: Outgoing) -> None:
    sender = Sender(outgoing, str(receiver.server.make_url("/events")), None)
    await sender.send(EVENT)
    assert "webhook-signature" not in receiver.requests[0][0]


def test_secrets() -> None:
    assert webhook_key("north wind") == KEY
    assert webhook_key("whsec_bm9ydGggd2luZA==") == KEY
    with pytest.raises(ValueError, match="not base64"):
        webhook_key("whsec_!")


async def test_the_documentation_verifies(
    receiver: Receiver, outgoing: Outgoing
) -> None:
    """The code in docs/events.md."""
    text = (Path(__file__).parents[3] / "docs" / "events.md").read_text()
    names: dict[str, Any] = {}
    exec(text.partition("```python\n")[2].partition("```")[0], names)
    sender = Sender(outgoing, str(receiver.server.make_url("/events")), KEY)
    await sender.send(EVENT)
    ((headers, body),) = receiver.requests
    assert names["verify"](KEY, headers, body)
    assert not names["verify"](b"south", headers, body)
    assert not names["verify"](KEY, headers, body + b" ")
    assert not names["verify"](KEY, headers | {"webhook-timestamp": "1700"}, body)
