"""A session's states, the reasons for its end, and what remains of it: nothing."""

import asyncio
import logging
import os
from contextlib import suppress
from typing import Any

import aioice.ice
import pytest

from tests import offers
from tests.unit.sessions.conftest import Open
from tests.waiting import until
from whipbird.rtc import Certificate, DataChannel
from whipbird.sdp.candidate import Candidate
from whipbird.sdp.fragment import Fragment
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.transport import IceCredentials
from whipbird.sessions import (
    EndReason,
    RestartNotSupported,
    SessionState,
    SessionStore,
    Unavailable,
)


async def test_states(store: SessionStore, open_session: Open) -> None:
    opened = await open_session(store, connect=False)
    session = opened.session
    seen = [session.state]
    await until(lambda: session.state is not SessionState.NEW)
    seen.append(session.state)
    await session.end(EndReason.DELETED)
    assert [*seen, session.state] == ["new", "connecting", "closed"]

    opened = await open_session(store)
    await until(lambda: opened.session.state is SessionState.CONNECTED)


async def test_ended_by_the_client(store: SessionStore, open_session: Open) -> None:
    opened = await open_session(store)
    await opened.session.end(EndReason.DELETED)
    assert opened.session.reason is EndReason.DELETED
    assert store.get("stream", opened.session.id) is None
    # The client is told at once (DTLS), not left to find out.
    await until(lambda: opened.client.connectionState == "closed")
    assert opened.client.closed_by_peer


async def test_the_first_reason_counts(store: SessionStore, open_session: Open) -> None:
    session = (await open_session(store)).session
    await asyncio.gather(
        session.end(EndReason.DELETED), session.end(EndReason.SHUTDOWN)
    )
    await session.end(EndReason.SETUP_TIMEOUT)
    assert session.reason is EndReason.DELETED


async def test_closed_by_the_peer(store: SessionStore, open_session: Open) -> None:
    opened = await open_session(store)
    # Only DTLS says good-bye, as when a publisher of media goes.
    await opened.client.transport.stop()
    await until(lambda: opened.session.reason)
    assert opened.session.reason is EndReason.CLOSED_BY_PEER


async def test_data_channels_closed_by_the_peer(
    store: SessionStore, open_session: Open
) -> None:
    """An SCTP ABORT: nothing is left to be done in a session without media."""
    opened = await open_session(store)
    assert opened.client.sctp is not None
    await opened.client.sctp.stop()
    await until(lambda: opened.session.reason)
    assert opened.session.reason is EndReason.CHANNELS_CLOSED


async def test_setup_timeout(open_session: Open) -> None:
    store = SessionStore(setup_timeout=0.2, echo_buffer=1024 * 1024)
    session = (await open_session(store, connect=False)).session
    await until(lambda: session.reason)
    assert session.reason is EndReason.SETUP_TIMEOUT
    assert store.count().total() == 0
    await store.close()


async def test_a_connected_session_has_no_setup_timeout(open_session: Open) -> None:
    store = SessionStore(setup_timeout=1.0, echo_buffer=1024 * 1024)
    session = (await open_session(store)).session
    await until(lambda: session.state is SessionState.CONNECTED)
    assert session._deadline.cancelled()
    await store.close()


async def test_consent_is_lost(
    store: SessionStore,
    open_session: Open,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """RFC 7675 section 5.1: no answer to checks ends the session."""
    caplog.set_level(logging.INFO, "whipbird")
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.02)
    monkeypatch.setattr(aioice.ice, "CONSENT_FAILURES", 2)
    monkeypatch.setattr(aioice.stun, "RETRY_RTO", 0.05)
    opened = await open_session(store)
    for protocol in opened.client.transport.connection._protocols:
        protocol.transport.abort()
    await until(lambda: opened.session.reason)
    assert opened.session.reason is EndReason.CONSENT_LOST
    assert "peer=-" not in caplog.text


async def test_dtls_fails(store: SessionStore, open_session: Open) -> None:
    """The client's certificate is not the one of its fingerprint."""
    opened = await open_session(store, connect=False)
    stranger = Certificate.generateCertificate()
    transport: Any = opened.client.transport
    transport._RTCDtlsTransport__local_certificate = stranger
    await opened.apply_answer()
    await until(lambda: opened.session.reason)
    assert opened.session.reason is EndReason.DTLS_FAILED


async def test_trickled_candidates_of_another_generation_are_ignored(
    store: SessionStore, open_session: Open
) -> None:
    opened = await open_session(store, connect=False)
    agent = opened.session.peer.transport.connection
    before = len(agent.remote_candidates)
    values = (
        "1 1 udp 1 198.51.100.1 5000 typ host ufrag other",
        "1 1 udp 1 198.51.100.1 5001 typ host",
    )
    candidates = tuple(Candidate.parse(value) for value in values)
    opened.session.trickle(Fragment(ice=None, candidates=candidates))
    assert len(agent.remote_candidates) == before + 1
    assert agent.remote_candidates[-1].port == 5001


async def test_a_restart_is_refused_and_the_session_lives(
    store: SessionStore, open_session: Open
) -> None:
    opened = await open_session(store)
    with pytest.raises(RestartNotSupported):
        opened.session.trickle(Fragment(IceCredentials("new1", "n" * 22)))
    received: list[object] = []
    opened.channel.on("message", received.append)
    opened.channel.send("still here")
    await until(lambda: received)


async def test_one_line_at_start_and_one_at_the_end(
    store: SessionStore, open_session: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "whipbird")
    opened = await open_session(store)
    received: list[object] = []
    opened.channel.on("message", received.append)
    opened.channel.send("one")
    opened.channel.send("two")
    await until(lambda: len(received) == 2)
    await opened.session.end(EndReason.DELETED)
    lines = [r.getMessage() for r in caplog.records if r.name.startswith("whipbird")]
    assert len(lines) == 2
    for line in lines:
        assert opened.session.id[:8] in line
        assert "stream=stream" in line
        assert "client=198.51.100.1" in line
        # Who knows the id may end the session.
        assert opened.session.id not in line
    for part in ("messages=2", "reason='deleted by the client'", "duration=", "peer="):
        assert part in lines[1]


async def test_a_server_that_stops_ends_all_and_opens_none(
    store: SessionStore, open_session: Open
) -> None:
    sessions = [(await open_session(store)).session for _ in range(3)]
    await store.close()
    assert {session.reason for session in sessions} == {EndReason.SHUTDOWN}
    assert store.count().total() == 0
    with pytest.raises(Unavailable):
        await open_session(store)


async def test_stopping_waits_for_sessions_that_are_ending(
    store: SessionStore, open_session: Open
) -> None:
    opened = await open_session(store)
    opened.session.end_soon(EndReason.DELETED)
    await store.close()
    assert opened.session.peer.connectionState == "closed"
    await until(lambda: opened.client.closed_by_peer)


@pytest.mark.parametrize("steps", range(12))
async def test_stopping_while_a_session_is_opened_leaves_no_socket(steps: int) -> None:
    store = SessionStore(setup_timeout=10, echo_buffer=1024 * 1024)
    before = len(os.listdir("/proc/self/fd"))
    offer = parse_offer(offers.CHROMIUM_DATA)
    opening = asyncio.create_task(store.open("stream", offer, "198.51.100.1"))
    for _ in range(steps):
        await asyncio.sleep(0)
    await store.close()
    with suppress(Unavailable):
        await opening
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before)
    assert store.count().total() == 0


async def test_a_session_is_found_by_its_stream_and_id(
    store: SessionStore, open_session: Open
) -> None:
    session = (await open_session(store)).session
    assert store.get("stream", session.id) is session
    assert store.get("other", session.id) is None
    assert store.get("stream", session.id[:-1]) is None
    # RFC 9725 section 5: unguessable; 128 bits and more.
    assert len(session.id) >= 22
    assert session.etag.startswith('"')


async def test_messages_are_counted_beyond_the_end(
    store: SessionStore, open_session: Open
) -> None:
    channels: list[DataChannel] = []
    received: list[object] = []
    for _ in range(2):
        opened = await open_session(store)
        opened.channel.on("message", received.append)
        opened.channel.send("x")
        channels.append(opened.channel)
    await until(lambda: len(received) == 2)
    assert store.messages_echoed == 2
    await store.close()
    assert store.messages_echoed == 2
    assert store.opened == 2
