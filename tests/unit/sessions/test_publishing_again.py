"""Who may publish a stream that has a publisher: the same encoder, or after silence."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from aiortc import RTCSessionDescription

from tests import offers
from tests.netem.world import World
from tests.unit.sessions.conftest import NewStore
from tests.waiting import until
from whipbird.net import UdpPort
from whipbird.rtc import Certificate, Peer, PeerOptions
from whipbird.rtc.probe import fall_silent
from whipbird.sdp.fragment import Fragment
from whipbird.sdp.offer import Offer, parse_offer
from whipbird.sdp.role import VIEWER
from whipbird.sessions import (
    EndReason,
    Full,
    Session,
    SessionLimits,
    SessionState,
    SessionStore,
)
from whipbird.streams import StreamTaken

ENCODER = parse_offer(offers.CHROMIUM_MEDIA)
ANOTHER = parse_offer(offers.of_another(offers.CHROMIUM_MEDIA))
THIRD = parse_offer(offers.of_another(offers.OBS).replace("00:01:", "FF:FF:"))
VIEWER_OFFER = parse_offer(offers.CHROMIUM_VIEWER, VIEWER)


async def publish(store: SessionStore, offer: Offer) -> Session:
    session, _ = await store.publish("live", offer, "-")
    return session


async def publish_with_patience(store: SessionStore, offer: Offer) -> Session:
    """Publish, and try again as often and as late as the server says."""
    while True:
        try:
            return await publish(store, offer)
        except StreamTaken as taken:
            await asyncio.sleep(taken.retry_after)


def publisher_of(store: SessionStore) -> object:
    stream = store.streams.get("live")
    return stream.source if stream else None


@dataclass
class Muted:
    """A connected publisher that sends no media, and its session."""

    session: Session
    client: Peer


OpenMuted = Callable[[SessionStore], Awaitable[Muted]]


@pytest.fixture
async def open_muted(client_port: UdpPort) -> AsyncIterator[OpenMuted]:
    """Connect publishers, and close their clients after the test."""
    clients: list[Peer] = []

    async def open_muted(store: SessionStore) -> Muted:
        client = Peer(PeerOptions(Certificate.generate(), client_port))
        clients.append(client)
        client.addTransceiver("audio", "sendonly")
        await client.setLocalDescription(await client.createOffer())
        offer = parse_offer(client.localDescription.sdp)
        session, answer = await store.publish("live", offer, "-")
        await client.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await until(lambda: session.state is SessionState.CONNECTED)
        return Muted(session, client)

    yield open_muted
    for client in clients:
        await client.close()


# The same encoder


async def test_the_same_encoder_always_may(store: SessionStore) -> None:
    """An answer that never arrived, or an encoder that reconnects."""
    first = await publish(store, ENCODER)
    second = await publish(store, ENCODER)
    assert first.reason is EndReason.PUBLISHED_AGAIN
    assert second.reason is None
    assert publisher_of(store) is second.peer
    assert store.count().total() == 1


async def test_one_fingerprint_in_common_is_enough(store: SessionStore) -> None:
    """RFC 8122 section 5: an offer may have several, of several hash functions."""
    attribute = f"a=fingerprint:sha-256 {offers.FINGERPRINT}"
    longer = "a=fingerprint:sha-512 " + ":".join(["5A"] * 64)
    both = offers.added(offers.CHROMIUM_MEDIA, longer, after=attribute)
    first = await publish(store, parse_offer(both))
    await publish(store, ENCODER)
    assert first.reason is EndReason.PUBLISHED_AGAIN


async def test_the_same_encoder_with_takeover(new_store: NewStore) -> None:
    store = new_store(takeover=lambda _: True)
    first = await publish(store, ENCODER)
    second = await publish(store, ENCODER)
    await publish(store, ANOTHER)
    assert first.reason is EndReason.PUBLISHED_AGAIN
    assert second.reason is EndReason.TAKEN_OVER


@pytest.mark.virtual_time
async def test_a_full_server_has_room_for_the_same_encoder(
    new_store: NewStore,
) -> None:
    store = new_store(limits=SessionLimits(1))
    await publish(store, ENCODER)
    second = await publish(store, ENCODER)
    # The first is still being closed, and counts again for the next.
    with pytest.raises(Full):
        await publish(store, ENCODER)
    assert publisher_of(store) is second.peer
    await until(lambda: not store._ending)
    with pytest.raises(StreamTaken):
        await publish(store, ANOTHER)
    await publish(store, ENCODER)


async def test_viewers_stay_and_see_the_new_publisher(store: SessionStore) -> None:
    await publish(store, ENCODER)
    session, _ = await store.watch("live", VIEWER_OFFER, "-")
    viewer = store.viewer(session)
    store.audiences.join("live", viewer)
    await publish(store, ENCODER)
    assert session.reason is None
    assert store.audiences.count("live") == 1


# Silence


@pytest.mark.virtual_time
async def test_one_who_has_never_connected_gives_way_after_two_seconds(
    store: SessionStore,
) -> None:
    first = await publish(store, ENCODER)
    await asyncio.sleep(1.9)
    with pytest.raises(StreamTaken) as caught:
        await publish(store, ANOTHER)
    assert caught.value.retry_after == pytest.approx(0.1, abs=0.02)
    await asyncio.sleep(caught.value.retry_after)
    second = await publish(store, ANOTHER)
    assert first.reason is EndReason.SILENT
    assert publisher_of(store) is second.peer


@pytest.mark.virtual_time
async def test_one_who_has_vanished_gives_way(
    store: SessionStore, open_muted: OpenMuted, world: World
) -> None:
    muted = await open_muted(store)
    await asyncio.sleep(60)
    fall_silent(muted.client)
    vanished = world.now
    await publish_with_patience(store, ANOTHER)
    assert muted.session.reason is EndReason.SILENT
    # Two seconds of silence, and one for an answer that does not come.
    assert world.now - vanished < 3.2


@pytest.mark.virtual_time
async def test_one_who_sends_nothing_but_is_there_stays(
    store: SessionStore, open_muted: OpenMuted
) -> None:
    """It is muted. Its checks come seconds apart, so it is asked."""
    muted = await open_muted(store)
    assert muted.client.connection.transport.packets_sent < 20
    for _ in range(40):
        with pytest.raises(StreamTaken) as caught:
            await publish(store, ANOTHER)
        assert 0 < caught.value.retry_after <= 2
        await asyncio.sleep(2.7)
    assert publisher_of(store) is muted.session.peer
    assert store.count().total() == 1


@pytest.mark.virtual_time
async def test_a_lite_server_cannot_ask_and_waits_longer(
    new_store: NewStore, open_muted: OpenMuted
) -> None:
    store = new_store(ice_lite=True)
    muted = await open_muted(store)
    for _ in range(20):
        with pytest.raises(StreamTaken):
            await publish(store, ANOTHER)
        await asyncio.sleep(2.7)
    fall_silent(muted.client)
    await asyncio.sleep(12)
    await publish(store, ANOTHER)
    assert muted.session.reason is EndReason.SILENT


@pytest.mark.virtual_time
async def test_a_request_is_a_sign_of_life(store: SessionStore) -> None:
    """A client that still gathers candidates trickles them over HTTP."""
    first = await publish(store, ENCODER)
    await asyncio.sleep(1.5)
    await first.patch(Fragment(None))
    await asyncio.sleep(1.5)
    with pytest.raises(StreamTaken):
        await publish(store, ANOTHER)
    await asyncio.sleep(0.5)
    await publish(store, ANOTHER)


# Several at once


@pytest.mark.virtual_time
async def test_of_several_who_come_after_a_silent_one_the_first_gets_it(
    store: SessionStore,
) -> None:
    first = await publish(store, ENCODER)
    await asyncio.sleep(5)
    results = await asyncio.gather(
        publish(store, ANOTHER), publish(store, THIRD), return_exceptions=True
    )
    assert [type(result) for result in results] == [Session, StreamTaken]
    assert first.reason is EndReason.SILENT
    assert isinstance(results[0], Session)
    assert publisher_of(store) is results[0].peer
    assert store.count().total() == 1


@pytest.mark.virtual_time
async def test_of_several_who_come_first_one_gets_it(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All were told that the name is free before one of them had an answer."""
    both_asked = asyncio.Barrier(2)
    answer = Peer.answer

    async def answer_late(peer: Peer, offer: Offer, stream: str = "-") -> str:
        await both_asked.wait()
        return await answer(peer, offer, stream)

    monkeypatch.setattr(Peer, "answer", answer_late)
    results = await asyncio.gather(
        publish(store, ENCODER), publish(store, ANOTHER), return_exceptions=True
    )
    assert {type(result) for result in results} == {Session, StreamTaken}
    assert store.count().total() == 1


@pytest.mark.virtual_time
async def test_one_who_leaves_while_it_is_asked_makes_room(
    store: SessionStore, open_muted: OpenMuted
) -> None:
    muted = await open_muted(store)
    fall_silent(muted.client)
    await asyncio.sleep(3)
    asking = asyncio.create_task(publish(store, ANOTHER))
    await asyncio.sleep(0.1)
    muted.session.end_soon(EndReason.DELETED)
    session = await asking
    assert muted.session.reason is EndReason.DELETED
    assert publisher_of(store) is session.peer


@pytest.mark.virtual_time
async def test_a_server_that_stops_meanwhile_opens_nothing(
    store: SessionStore, open_muted: OpenMuted
) -> None:
    muted = await open_muted(store)
    fall_silent(muted.client)
    await asyncio.sleep(3)
    asking = asyncio.create_task(publish(store, ANOTHER))
    await asyncio.sleep(0.1)
    await store.close()
    results = await asyncio.gather(asking, return_exceptions=True)
    assert isinstance(results[0], Exception)
    assert store.count().total() == 0
