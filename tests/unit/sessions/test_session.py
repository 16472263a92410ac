"""A session's states, the reasons for its end, and what remains of it: nothing."""

import asyncio
import logging
from contextlib import suppress

import pytest
from aiortc import RTCSessionDescription

from tests import offers
from tests.netem.world import World
from tests.unit.sessions.conftest import NewStore, Open, Opened
from tests.waiting import until
from whipbird.net import UdpPort
from whipbird.rtc import Certificate, DataChannel, Peer, PeerOptions
from whipbird.rtc.probe import fall_silent
from whipbird.sdp.candidate import Candidate
from whipbird.sdp.errors import UnacceptableSdp
from whipbird.sdp.fragment import Fragment, parse_fragment
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.role import PUBLISHER
from whipbird.sdp.transport import IceCredentials
from whipbird.sessions import (
    EndReason,
    OutdatedIce,
    SessionState,
    SessionStore,
    Unavailable,
)

# Seconds, on a machine that is busy with something else.
LIMIT = 60.0


async def test_states(store: SessionStore, open_session: Open) -> None:
    opened = await open_session(store, connect=False)
    session = opened.session
    seen = [session.state]
    await session.end(EndReason.DELETED)
    assert [*seen, session.state] == ["connecting", "closed"]

    opened = await open_session(store)
    await until(lambda: opened.session.state is SessionState.CONNECTED)


async def test_ended_by_the_client(store: SessionStore, open_session: Open) -> None:
    opened = await open_session(store)
    await opened.session.end(EndReason.DELETED)
    assert opened.session.reason is EndReason.DELETED
    assert store.get(PUBLISHER, "stream", opened.session.id) is None
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
    opened.client.connection.transport.dtls.close()
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


@pytest.mark.virtual_time
async def test_setup_timeout(
    new_store: NewStore, open_session: Open, world: World
) -> None:
    store = new_store(setup_timeout=15)
    session = (await open_session(store, connect=False)).session
    began = world.now
    await until(lambda: session.reason)
    assert world.now - began == pytest.approx(15, abs=0.1)
    assert session.reason is EndReason.SETUP_TIMEOUT
    assert store.count().total() == 0


@pytest.mark.virtual_time
async def test_a_connected_session_has_no_setup_timeout(
    new_store: NewStore, open_session: Open
) -> None:
    session = (await open_session(new_store(setup_timeout=15))).session
    await asyncio.sleep(1000)
    assert session.state is SessionState.CONNECTED


@pytest.mark.virtual_time
async def test_consent_is_lost(
    store: SessionStore, open_session: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 7675 section 5.1: no answer to checks ends the session."""
    caplog.set_level(logging.INFO, "whipbird")
    opened = await open_session(store)
    fall_silent(opened.client)
    await until(lambda: opened.session.reason, timeout=60)
    assert opened.session.reason is EndReason.CONSENT_LOST
    assert "peer=-" not in caplog.text


async def test_dtls_fails(
    store: SessionStore, client_certificate: Certificate, client_port: UdpPort
) -> None:
    """The client's certificate is not the one of its fingerprint."""
    with_another = PeerOptions(Certificate.generate(), client_port)
    client = Peer(with_another)
    client.createDataChannel("test")
    await client.setLocalDescription(await client.createOffer())
    sdp = client.localDescription.sdp.replace(
        client.certificate.fingerprint.value, client_certificate.fingerprint.value
    )
    session, answer = await store.publish("stream", parse_offer(sdp), "198.51.100.1")
    await client.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    await until(lambda: session.reason)
    await client.close()
    assert session.reason is EndReason.DTLS_FAILED


async def test_trickled_candidates_of_another_generation_are_ignored(
    store: SessionStore, open_session: Open
) -> None:
    opened = await open_session(store, connect=False)
    known = opened.session.peer.remote_candidates
    before = len(known)
    values = (
        "1 1 udp 1 198.51.100.1 5000 typ host ufrag other",
        "1 1 udp 1 198.51.100.1 5001 typ host",
    )
    candidates = tuple(Candidate.parse(value) for value in values)
    assert await opened.session.patch(Fragment(None, candidates)) is None
    assert len(known) == before + 1
    assert known[-1].port == 5001


async def _restart(opened: Opened) -> Fragment:
    """Restart ICE from the client's side, and give the session's answer."""
    local = await opened.client.restart_ice()
    answer = await opened.session.patch(Fragment(local.ice, local.candidates))
    assert answer is not None
    fragment = parse_fragment(answer)
    assert fragment.ice is not None
    opened.client.accept_restart(fragment.ice, fragment.candidates)
    return fragment


async def test_a_restart_is_answered_with_all_that_the_client_needs(
    store: SessionStore, open_session: Open
) -> None:
    """RFC 9725 section 4.3.3."""
    opened = await open_session(store)
    before, etag = opened.session.peer.local_ice, opened.session.etag
    fragment = await _restart(opened)
    assert fragment.ice is not None
    assert fragment.ice.ufrag != before.ice.ufrag
    assert fragment.ice.pwd != before.ice.pwd
    assert fragment.candidates
    assert fragment.end_of_candidates
    assert opened.session.etag != etag
    async with asyncio.timeout(LIMIT):
        await opened.client.restarted()
        await opened.session.peer.restarted()
    received: list[object] = []
    opened.channel.on("message", received.append)
    opened.channel.send("still here")
    await until(lambda: received)
    assert opened.session.state is SessionState.CONNECTED


async def test_a_restart_before_the_first_connection(
    store: SessionStore, open_session: Open
) -> None:
    opened = await open_session(store, connect=False)
    await opened.apply_answer()
    await _restart(opened)
    await opened.connected()
    async with asyncio.timeout(LIMIT):
        await opened.session.peer.restarted()
    assert opened.session.state is SessionState.CONNECTED


async def test_half_a_restart_is_refused(
    store: SessionStore, open_session: Open
) -> None:
    """RFC 8839 section 4.4.1.1.1: both values change."""
    opened = await open_session(store)
    etag, ice = opened.session.etag, opened.client.local_ice.ice
    for half in (IceCredentials(ice.ufrag, "n" * 22), IceCredentials("new1", ice.pwd)):
        with pytest.raises(UnacceptableSdp, match="both"):
            await opened.session.patch(Fragment(half))
    assert opened.session.etag == etag


async def test_a_request_of_an_earlier_ice_session_changes_nothing(
    store: SessionStore, open_session: Open
) -> None:
    opened = await open_session(store)
    old = opened.client.local_ice.ice
    await _restart(opened)
    etag = opened.session.etag
    with pytest.raises(OutdatedIce):
        await opened.session.patch(Fragment(old))
    assert opened.session.etag == etag
    async with asyncio.timeout(LIMIT):
        await opened.client.restarted()


async def test_a_restart_without_candidates_of_ours_leaves_the_session(
    store: SessionStore,
    open_session: Open,
    port: UdpPort,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = await open_session(store)
    etag = opened.session.etag

    def no_candidates() -> None:
        raise ConnectionError("No UDP socket can be opened")

    monkeypatch.setattr(port, "candidates", no_candidates)
    with pytest.raises(Unavailable):
        await opened.session.patch(Fragment(IceCredentials("new1", "n" * 22)))
    assert opened.session.etag == etag
    received: list[object] = []
    opened.channel.on("message", received.append)
    opened.channel.send("still here")
    await until(lambda: received)


async def test_a_restart_that_never_connects_leaves_the_session(
    store: SessionStore, open_session: Open
) -> None:
    """RFC 9725 section 4.3.3: the existing ICE session is kept."""
    opened = await open_session(store)
    assert await opened.session.patch(Fragment(IceCredentials("new1", "n" * 22)))
    received: list[object] = []
    opened.channel.on("message", received.append)
    opened.channel.send("still here")
    await until(lambda: received)
    # ... and the next one may succeed.
    await _restart(opened)
    async with asyncio.timeout(LIMIT):
        await opened.client.restarted()
    opened.channel.send("and here")
    await until(lambda: len(received) == 2)


@pytest.mark.virtual_time
async def test_consent_that_expires_during_a_failed_restart_ends_the_session(
    store: SessionStore, open_session: Open
) -> None:
    """RFC 9725 section 4.3.3: "the session MUST be terminated if the ICE consent
    expires as a consequence of the failed ICE restart"."""
    opened = await open_session(store)
    fall_silent(opened.client)
    assert await opened.session.patch(Fragment(IceCredentials("new1", "n" * 22)))
    await until(lambda: opened.session.reason, timeout=120)
    assert opened.session.reason is EndReason.CONSENT_LOST


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
        # Whoever knows the id may end the session.
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


@pytest.mark.parametrize("steps", range(4))
async def test_stopping_while_a_session_is_opened_leaves_nothing(
    store: SessionStore, port: UdpPort, steps: int
) -> None:
    offer = parse_offer(offers.CHROMIUM_DATA)
    opening = asyncio.create_task(store.publish("stream", offer, "198.51.100.1"))
    for _ in range(steps):
        await asyncio.sleep(0)
    await store.close()
    with suppress(Unavailable):
        await opening
    assert store.count().total() == 0
    assert port.dispatcher.endpoints == 0


async def test_a_session_is_found_by_its_stream_and_id(
    store: SessionStore, open_session: Open
) -> None:
    session = (await open_session(store)).session
    assert store.get(PUBLISHER, "stream", session.id) is session
    assert store.get(PUBLISHER, "other", session.id) is None
    assert store.get(PUBLISHER, "stream", session.id[:-1]) is None
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
