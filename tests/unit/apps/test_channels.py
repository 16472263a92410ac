"""Channels of applications: who gets what, in which order, and what a fault ends."""

import asyncio
import logging

import pytest

from tests.unit.apps.conftest import Serve
from tests.waiting import until
from whipbird import Application, Channel, ChannelClosed, Session
from whipbird.apps.channel import MAX_QUEUED
from whipbird.sessions import EndReason


async def shout(channel: Channel, data: str | bytes) -> None:
    await channel.send(data.upper())


@pytest.mark.parametrize("data", ["text", b"\xff\x00", "", b""])
async def test_text_and_octets_come_and_go_as_they_are(
    serve: Serve, data: str | bytes
) -> None:
    host = await serve(Application(channels="shout", on_message=shout))
    client = await host.connect()
    talk = await client.open("shout")
    assert await talk.ask(data) == data.upper()
    (stats,) = host.applications.stats
    assert (stats.sessions, stats.messages, stats.errors) == (1, 1, 0)
    assert client.session.echo.messages == 0


async def test_what_no_application_takes_is_echoed(serve: Serve) -> None:
    host = await serve(Application(channels=["shout", "cry*"], on_message=shout))
    client = await host.connect()
    echoed = await client.open("other")
    handler = client.session.peer.on_message
    assert await echoed.ask("as it came") == "as it came"
    # The way of the echo is the same as without applications.
    assert handler == client.session.echo._echo
    cried = await client.open("crying")
    assert await cried.ask("a") == "A"
    assert await echoed.ask("still as it came") == "still as it came"


async def test_an_application_without_handlers_takes_nothing(serve: Serve) -> None:
    host = await serve(Application())
    client = await host.connect()
    talk = await client.open("any")
    assert await talk.ask("echo") == "echo"
    assert host.applications.stats[0].channels == ()


async def test_the_first_application_gets_a_channel(serve: Serve) -> None:
    async def whisper(channel: Channel, data: str | bytes) -> None:
        await channel.send(data.lower())

    host = await serve(
        Application(streams="elsewhere", on_message=whisper),
        Application(channels="loud", on_message=shout),
        Application(on_message=whisper),
    )
    client = await host.connect()
    assert await (await client.open("loud")).ask("Ab") == "AB"
    assert await (await client.open("low")).ask("Ab") == "ab"


async def test_settings_have_precedence_over_the_application(serve: Serve) -> None:
    host = await serve(
        Application(channels="a", on_message=shout), channels=("b",), streams=("str*",)
    )
    client = await host.connect()
    assert await (await client.open("a")).ask("x") == "x"
    assert await (await client.open("b")).ask("x") == "X"


async def test_handlers_are_called_in_order(serve: Serve) -> None:
    class Diary(Application):
        def __init__(self) -> None:
            self.entries: list[str] = []

        async def start(self, server: object) -> None:
            self.entries.append("start")

        async def stop(self) -> None:
            self.entries.append("stop")

        async def on_session(self, session: Session) -> None:
            self.entries.append(f"session {session.stream} {session.kind}")
            await asyncio.sleep(0)

        async def on_channel(self, channel: Channel) -> None:
            self.entries.append(f"channel {channel.label}")
            await asyncio.sleep(0)

        async def on_message(self, channel: Channel, data: str | bytes) -> None:
            await asyncio.sleep(0)
            self.entries.append(f"message {data!r}")

        async def on_end(self, session: Session) -> None:
            assert not session.is_open
            self.entries.append("end")

    diary = Diary()
    host = await serve(diary)
    client = await host.connect()
    talk = await client.open("a")
    for i in range(3):
        talk.channel.send(f"{i}")
    await until(lambda: len(diary.entries) == 7)
    await client.session.end(EndReason.DELETED)
    await host.applications.close()
    assert diary.entries == [
        *("start", "session stream data", "channel test", "channel a"),
        *("message '0'", "message '1'", "message '2'"),
        *("end", "stop"),
    ]


async def test_sessions_of_a_stream_reach_each_other(serve: Serve) -> None:
    async def pass_on(channel: Channel, data: str | bytes) -> None:
        for other in channel.session.others:
            for theirs in other.channels:
                if theirs.label == "room":
                    assert theirs.try_send(data)

    host = await serve(Application(channels="room", on_message=pass_on))
    first, second = await host.connect(), await host.connect()
    one, two = await first.open("room"), await second.open("room")
    one.channel.send("from one")
    assert await two.next() == "from one"
    two.channel.send(b"from two")
    assert await one.next() == b"from two"


@pytest.mark.expects_fault
async def test_a_fault_ends_its_session_and_nothing_else(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def divide(channel: Channel, data: str | bytes) -> None:
        await channel.send(str(1 // int(data)))

    host = await serve(Application(channels="divide", on_message=divide))
    broken, sound = await host.connect(), await host.connect()
    bad, good = await broken.open("divide"), await sound.open("divide")
    bad.channel.send("0")
    bad.channel.send("1")
    await until(lambda: broken.session.reason is not None)
    assert broken.session.reason is EndReason.APPLICATION_FAILED
    assert await good.ask("1") == "1"
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert [r.exc_info[0] for r in errors if r.exc_info] == [ZeroDivisionError]
    assert "app 0" in errors[0].getMessage()
    assert host.applications.stats[0].errors == 1
    assert bad.came.empty()


@pytest.mark.expects_fault
@pytest.mark.parametrize("name", ["on_session", "on_end"])
async def test_every_handler_may_fail(serve: Serve, name: str) -> None:
    async def fail(_subject: object) -> None:
        raise LookupError

    app = Application(channels="a", on_message=shout)
    setattr(app, name, fail)
    host = await serve(app)
    client = await host.connect(wait=name == "on_end")
    if name == "on_end":
        await client.session.end(EndReason.DELETED)
    await until(lambda: host.applications.stats[0].errors == 1)
    await until(lambda: client.session.reason is not None)


async def test_who_has_gone_is_no_fault(serve: Serve) -> None:
    seen: list[BaseException] = []

    async def reply_late(channel: Channel, data: str | bytes) -> None:
        await until(lambda: not channel.is_open)
        assert not channel.try_send("late")
        try:
            await channel.send("late")
        except ChannelClosed as error:
            seen.append(error)
            raise

    host = await serve(Application(channels="a", on_message=reply_late))
    client = await host.connect()
    talk = await client.open("a")
    talk.channel.send("x")
    talk.channel.close()
    await until(lambda: seen)
    assert client.session.reason is None
    assert host.applications.stats[0].errors == 0


async def test_tasks_end_with_their_session(serve: Serve) -> None:
    cancelled: list[str] = []

    async def for_ever(session: Session) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(session.id)
            raise

    async def begin(session: Session) -> None:
        session.create_task(for_ever(session))

    host = await serve(Application(on_session=begin))
    client = await host.connect()
    await until(lambda: host.applications.stats[0].sessions)
    await asyncio.sleep(0)
    await client.session.end(EndReason.DELETED)
    await until(lambda: cancelled)


@pytest.mark.filterwarnings("error")
async def test_tasks_of_a_session_that_has_ended_do_not_begin(serve: Serve) -> None:
    begun: list[str] = []
    sessions: list[Session] = []

    async def work(session: Session) -> None:
        begun.append(session.id)

    async def keep(session: Session) -> None:
        sessions.append(session)

    host = await serve(Application(on_session=keep))
    client = await host.connect()
    await until(lambda: sessions)
    # In the turn in which the session ends, and after it.
    before = sessions[0].create_task(work(sessions[0]))
    client.session.end_soon(EndReason.DELETED)
    after = sessions[0].create_task(work(sessions[0]))
    await asyncio.wait({before, after})
    assert before.cancelled()
    assert after.cancelled()
    assert not begun


@pytest.mark.expects_fault
async def test_a_task_that_fails_ends_its_session(serve: Serve) -> None:
    async def fail() -> None:
        raise LookupError

    async def begin(session: Session) -> None:
        session.create_task(fail())

    host = await serve(Application(on_session=begin))
    client = await host.connect(wait=False)
    await until(lambda: client.session.reason is EndReason.APPLICATION_FAILED)


async def test_an_application_ends_a_session(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(session: Session) -> None:
        await session.end("the room is closed")

    caplog.set_level(logging.INFO)
    host = await serve(Application(on_session=refuse))
    client = await host.connect(wait=False)
    await until(lambda: client.session.reason is EndReason.ENDED_BY_APPLICATION)
    assert "(the room is closed)" in caplog.text


async def test_a_slow_application_makes_its_client_wait(serve: Serve) -> None:
    """What waits is bounded, nothing is lost, and what is large goes on after it."""
    open_gate = asyncio.Event()
    sizes: list[int] = []

    async def take(channel: Channel, data: str | bytes) -> None:
        await open_gate.wait()
        sizes.append(len(data))

    host = await serve(Application(channels="slow", on_message=take))
    client = await host.connect()
    talk = await client.open("slow")
    for _ in range(64):
        talk.channel.send(bytes(65536))
    association = client.session.peer.connection.transport.sctp
    assert association is not None
    # The window is shut: what the client has left does not get less any more.
    await until(lambda: association._inbound.free_window <= 0)
    assert association._inbound.kept <= 2 * 1024 * 1024
    assert host.applications.stats[0].messages < 64
    open_gate.set()
    await until(lambda: len(sizes) == 64)
    assert sizes == [65536] * 64
    assert association._inbound.kept == 0


async def test_sending_waits_for_a_slow_client(serve: Serve) -> None:
    progress: list[int] = []

    async def flood(channel: Channel, data: str | bytes) -> None:
        for i in range(40):
            await channel.send(bytes(64 * 1024))
            assert channel.queued <= MAX_QUEUED + 64 * 1024
            progress.append(i)

    host = await serve(Application(channels="flood", on_message=flood))
    client = await host.connect()
    talk = await client.open("flood")
    talk.channel.send("now")
    for _ in range(40):
        assert len(await talk.next()) == 64 * 1024
    assert len(progress) == 40


async def test_a_message_that_the_client_does_not_take(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """That is for the log, without a traceback: the client says what it takes."""

    async def reply(channel: Channel, data: str | bytes) -> None:
        await channel.send(bytes(channel.max_message_size + 1))

    host = await serve(Application(channels="a", on_message=reply))
    client = await host.connect()
    (await client.open("a")).channel.send("x")
    await until(lambda: client.session.reason is EndReason.APPLICATION_FAILED)
    assert "the client takes" in caplog.text
    assert host.applications.stats[0].errors == 0


def test_unknown_handlers_are_refused() -> None:
    with pytest.raises(TypeError, match="on_mesage"):
        Application(on_mesage=shout)
