"""Chat over data channels: conversations, readers that come back, and bounds."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.unit.apps.conftest import Client, Serve, Talk
from tests.waiting import until
from whipbird.apps.chat import Chat, application, conversations, transcript
from whipbird.apps.chat.conversations import Conversation, Conversations
from whipbird.apps.chat.transcript import Transcript
from whipbird.llms import (
    ChatError,
    ChatRequest,
    Code,
    End,
    Event,
    Message,
    Piece,
    Timings,
    Usage,
)
from whipbird.sessions import EndReason


class Models:
    """An engine that says what the test lets it say.

    Attributes:
        requests: what it was asked.
        say: what it says next: a piece, the end, or an error.
        closed: replies that were closed before their end.
    """

    def __init__(self) -> None:
        self.requests: list[ChatRequest] = []
        self.say: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self.closed = 0

    async def names(self) -> list[str]:
        return ["first", "second"]

    async def reply(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        self.requests.append(request)
        try:
            while True:
                event = await self.say.get()
                if isinstance(event, Exception):
                    raise event
                yield event
                if isinstance(event, End):
                    return
        except (GeneratorExit, asyncio.CancelledError):
            self.closed += 1
            raise

    def says(self, *texts: str) -> None:
        """Say words, and come to the end."""
        for text in texts:
            self.say.put_nowait(Piece(text))
        timings = Timings(first=0.5, total=2.5)
        self.say.put_nowait(End("stop", "m", Usage(7, 5), timings))


@pytest.fixture
def models() -> Models:
    return Models()


async def begin(serve: Serve, models: Models) -> tuple[Client, Talk]:
    """A client with a channel for chat."""
    host = await serve(Chat(models))
    return await join(await host.connect())


async def join(client: Client) -> tuple[Client, Talk]:
    client.session.may_prompt = True
    return client, await client.open("chat")


def send(talk: Talk, **members: Any) -> None:
    talk.channel.send(json.dumps(members))


def ask(talk: Talk, text: str, **members: Any) -> None:
    messages = [{"role": "user", "content": text}]
    send(talk, type="prompt", messages=messages, **members)


async def get(talk: Talk) -> dict[str, Any]:
    return dict(json.loads(await talk.next()))


async def get_reply(talk: Talk) -> tuple[str, dict[str, Any]]:
    """The text of a reply, and the message at its end."""
    text = ""
    while True:
        message = await get(talk)
        if message["type"] == "text":
            text += message["text"]
        elif message["type"] != "start":
            return text, message


async def test_a_reply(serve: Serve, models: Models) -> None:
    _, talk = await begin(serve, models)
    ask(talk, "hello", id="1", model="second", system="Sing.", max_tokens=9, stop="x")
    start = await get(talk)
    name = start["conversation"]
    assert start == {"type": "start", "id": "1", "conversation": name}
    models.say.put_nowait(Piece("Hm", is_reasoning=True))
    about = {"id": "1", "conversation": name}
    assert await get(talk) == {
        "type": "reasoning", **about, "offset": 2, "text": "Hm"
    }  # fmt: skip
    models.say.put_nowait(Piece("tweet ♪"))
    assert await get(talk) == {
        "type": "text", **about, "offset": 11, "text": "tweet ♪"
    }  # fmt: skip
    models.says()
    assert await get(talk) == {
        "type": "end",
        **about,
        "reason": "stop",
        "model": "m",
        "usage": {"prompt_tokens": 7, "completion_tokens": 5},
        "timings": {
            "first_token_ms": 500.0,
            "total_ms": 2500.0,
            "tokens_per_second": 2.0,
        },
    }
    [request] = models.requests
    assert request.messages == (Message("system", "Sing."), Message("user", "hello"))
    assert (request.model, request.conversation) == ("second", name)
    assert dict(request.options) == {"max_tokens": 9, "stop": ["x"]}


async def test_a_conversation_goes_on(serve: Serve, models: Models) -> None:
    _, talk = await begin(serve, models)
    models.says("1")
    ask(talk, "One?", system="Count.")
    text, end = await get_reply(talk)
    models.says("2")
    ask(talk, "Two?", conversation=end["conversation"])
    assert await get_reply(talk) == ("2", end)
    assert [m.text for m in models.requests[1].messages] == [
        "Count.", "One?", text, "Two?"
    ]  # fmt: skip


async def test_several_conversations_in_a_session(serve: Serve, models: Models) -> None:
    _, talk = await begin(serve, models)
    ask(talk, "a", id="a")
    ask(talk, "b", id="b")
    names = {(await get(talk))["id"]: None for _ in range(2)}
    models.says("x")
    models.says("y")
    ends: list[str] = []
    while len(ends) < 2:
        message = await get(talk)
        if message["type"] == "end":
            ends.append(message["id"])
    assert sorted(ends) == sorted(names) == ["a", "b"]


async def test_cancel(serve: Serve, models: Models) -> None:
    _, talk = await begin(serve, models)
    ask(talk, "hello")
    name = (await get(talk))["conversation"]
    models.say.put_nowait(Piece("It"))
    assert (await get(talk))["text"] == "It"
    send(talk, type="cancel", conversation=name)
    assert await get(talk) == {
        "type": "end", "id": "", "conversation": name, "reason": "cancelled"
    }  # fmt: skip
    assert models.closed == 1
    # What it had said belongs to the conversation.
    models.says()
    ask(talk, "Go on.", conversation=name)
    await get_reply(talk)
    assert [m.text for m in models.requests[1].messages] == ["hello", "It", "Go on."]


async def test_a_client_that_comes_back_reads_on(serve: Serve, models: Models) -> None:
    host = await serve(Chat(models))
    first, talk = await join(await host.connect())
    ask(talk, "hello")
    await get(talk)
    models.say.put_nowait(Piece("before, "))
    seen = await get(talk)
    await first.session.end(EndReason.DELETED)
    models.says("meanwhile, ", "after")
    _, talk = await join(await host.connect())
    send(
        talk,
        type="resume",
        id="r",
        conversation=seen["conversation"],
        offset=seen["offset"],
    )
    text, end = await get_reply(talk)
    assert (text, end["reason"], end["id"]) == ("meanwhile, after", "stop", "r")
    # Once more, from the beginning.
    send(talk, type="resume", conversation=seen["conversation"])
    assert (await get_reply(talk))[0] == "before, meanwhile, after"


async def test_a_reply_that_nobody_reads_is_given_up(
    serve: Serve, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "ABANDONED_AFTER", 0.05)
    host = await serve(Chat(models))
    client, talk = await join(await host.connect())
    ask(talk, "hello")
    await get(talk)
    # As long as it is read, it goes on.
    await asyncio.sleep(0.2)
    assert not models.closed
    await client.session.end(EndReason.DELETED)
    await until(lambda: models.closed)


async def test_a_conversation_is_forgotten(
    serve: Serve, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, talk = await begin(serve, models)
    models.says("x")
    ask(talk, "hello")
    _, end = await get_reply(talk)
    send(talk, type="forget", conversation=end["conversation"])
    send(talk, type="resume", conversation=end["conversation"])
    error = (await get(talk))["error"]
    assert error["code"] == Code.UNKNOWN_CONVERSATION
    assert "Begin another one" in error["message"]


async def test_errors_of_the_model(serve: Serve, models: Models) -> None:
    _, talk = await begin(serve, models)
    error = ChatError(Code.TOO_MANY_REQUESTS, "Slow down.", retry_after=7.0)
    models.say.put_nowait(error)
    ask(talk, "hello", id="1")
    _, end = await get_reply(talk)
    assert (end["type"], end["id"]) == ("error", "1")
    assert end["error"] == {
        "code": "too_many_requests", "message": "Slow down.", "retry_after": 7.0
    }  # fmt: skip
    # The message that was not answered may be sent again.
    models.says("now")
    ask(talk, "hello", conversation=end["conversation"])
    assert (await get_reply(talk))[0] == "now"
    assert [m.text for m in models.requests[1].messages] == ["hello"]


@pytest.mark.expects_fault
async def test_a_fault_ends_the_reply_alone(serve: Serve, models: Models) -> None:
    _, talk = await begin(serve, models)
    models.say.put_nowait(ZeroDivisionError())
    ask(talk, "hello")
    _, end = await get_reply(talk)
    assert end["error"]["code"] == Code.FAILED
    send(talk, type="ping", id="p")
    assert await get(talk) == {"type": "pong", "id": "p"}


async def test_models_and_pings(serve: Serve, models: Models) -> None:
    _, talk = await begin(serve, models)
    talk.channel.send('{"type": "ping", "id": "1"}\n\n{"type": "models", "id": "2"}\n')
    assert await get(talk) == {"type": "pong", "id": "1"}
    assert await get(talk) == {
        "type": "models", "id": "2", "models": ["first", "second"]
    }  # fmt: skip


async def test_the_right_to_prompt(serve: Serve, models: Models) -> None:
    host = await serve(Chat(models))
    client = await host.connect()
    talk = await client.open("chat")
    ask(talk, "hello", id="1")
    message = await get(talk)
    assert (message["id"], message["error"]["code"]) == ("1", Code.FORBIDDEN)
    assert not models.requests


USER = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{}", "Messages are text"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "type must be one of"),
        ({"type": "prompt"}, "messages must be a list"),
        ({"type": "prompt", "messages": [USER], "tools": [1]}, "tools is not"),
        ({"type": "prompt", "messages": [USER], "system": 7}, "system must be text"),
        ({"type": "prompt", "messages": [USER], "conversation": "x"}, "not known"),
        ({"type": "resume", "conversation": "x"}, "not known"),
        ({"type": "resume", "conversation": "x", "offset": -1}, "offset must be"),
        ({"type": "resume"}, "conversation must be"),
        ({"type": "cancel", "conversation": 7}, "conversation must be"),
        ({"type": "ping", "id": "x" * 65}, "id must be text of up to 64"),
    ],
)
async def test_bad_input(
    serve: Serve, models: Models, line: bytes | str | dict[str, Any], words: str
) -> None:
    _, talk = await begin(serve, models)
    if isinstance(line, dict):
        line = json.dumps(line)
    talk.channel.send(line)
    message = await get(talk)
    assert message["type"] == "error"
    assert words in message["error"]["message"]


async def test_one_reply_at_a_time_in_a_conversation(
    serve: Serve, models: Models
) -> None:
    _, talk = await begin(serve, models)
    ask(talk, "hello")
    name = (await get(talk))["conversation"]
    ask(talk, "and", conversation=name, id="2")
    message = await get(talk)
    assert (message["id"], message["error"]["code"]) == ("2", Code.BUSY)


async def test_what_a_session_may_wait_for_is_bounded(
    serve: Serve, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "MAX_WAITING", 2)
    _, talk = await begin(serve, models)
    for _ in range(2):
        ask(talk, "hello")
        await get(talk)
    ask(talk, "hello")
    assert "as many as it may" in (await get(talk))["error"]["message"]
    models.says()
    assert (await get_reply(talk))[1]["type"] == "end"
    ask(talk, "hello")
    assert (await get(talk))["type"] == "start"


async def test_a_reply_that_is_too_long(
    serve: Serve, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript, "MAX_REPLY", 4)
    _, talk = await begin(serve, models)
    ask(talk, "hello")
    models.says("abc", "def")
    text, end = await get_reply(talk)
    assert text == "abc"
    assert "octets" in end["error"]["message"]
    assert models.closed == 1


async def test_a_conversation_that_is_too_long(
    serve: Serve, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "MAX_HISTORY", 100)
    _, talk = await begin(serve, models)
    models.says("x" * 50)
    ask(talk, "hello")
    _, end = await get_reply(talk)
    ask(talk, "hello", conversation=end["conversation"])
    assert "Begin another" in (await get(talk))["error"]["message"]


async def test_conversations_that_grow_push_others_out(
    serve: Serve, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only new ones: they are bounded all together."""
    monkeypatch.setattr(conversations, "MAX_REPLY", 0)
    _, talk = await begin(serve, models)
    names = []
    for _ in range(2):
        models.says("x" * 100)
        ask(talk, "hello")
        names.append((await get_reply(talk))[1]["conversation"])
    monkeypatch.setattr(conversations, "MAX_TOTAL", 1_000)
    models.says("y" * 100)
    ask(talk, "z" * 700, conversation=names[1])
    assert (await get_reply(talk))[1]["type"] == "end"
    models.says("never")
    ask(talk, "hello", conversation=names[0])
    assert (await get(talk))["error"]["code"] == "unknown_conversation"


class TestConversations:
    async def test_the_least_recently_used_is_forgotten(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(conversations, "MAX_CONVERSATIONS", 3)
        kept = Conversations()
        made = [kept.begin() for _ in range(3)]
        made[0].readers = 1
        assert kept.find(made[1].id) is made[1]
        kept.begin()
        kept.make_room()
        assert [kept.find(one.id) is not None for one in made] == [True, True, False]

    async def test_octets_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(conversations, "MAX_TOTAL", 1_000)
        kept = Conversations()
        large, other = kept.begin(), kept.begin()
        large.octets = other.octets = 600
        kept.begin()
        kept.make_room()
        assert len(kept) == 2
        assert kept.find(large.id) is None

    async def test_one_that_is_not_used_is_forgotten_in_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(conversations, "KEPT_FOR", 0.01)
        kept = Conversations()
        conversation: Conversation = kept.begin()
        kept.touch(conversation)
        await until(lambda: not len(kept))


class TestTranscript:
    async def test_any_offset_at_a_character_can_be_read_from(self) -> None:
        kept = Transcript()
        said = [Piece("Hm ♪", True), Piece("ünd"), Piece("?!", True), Piece("so")]
        for piece in said:
            assert kept.add(piece)
        kept.finish({})
        whole = "".join(piece.text for piece in said)
        for start in range(len(whole) + 1):
            offset = len(whole[:start].encode())
            text = ""
            while (piece_read := await kept.read(offset)) is not None:
                offset += len(piece_read.text.encode())
                text += piece_read.text
            assert text == whole[start:]
        assert await kept.read(0) == said[0]
        assert kept.answer == "ündso"

    async def test_other_offsets_are_refused(self) -> None:
        kept = Transcript()
        kept.add(Piece("♪"))
        for offset in (1, 2, 4):
            with pytest.raises(ValueError, match=r"character|not that long"):
                await kept.read(offset)

    async def test_a_long_text_is_read_in_parts(self) -> None:
        kept = Transcript()
        kept.add(Piece("♪" * 10_000))
        kept.finish({})
        piece = await kept.read(0)
        assert piece is not None
        assert 0 < len(piece.text.encode()) <= transcript.MAX_READ
