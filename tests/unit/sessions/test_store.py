"""The store: how many sessions it holds."""

import asyncio
import os

import pytest

from tests import offers
from tests.unit.sessions.conftest import NewStore, Open
from tests.waiting import until
from whipbird.net import UdpPort
from whipbird.net.reach import Reach
from whipbird.rtc import Peer
from whipbird.sdp.offer import parse_offer
from whipbird.sessions import (
    EndReason,
    Full,
    Session,
    SessionLimits,
    SessionStore,
    Unavailable,
)

OFFER = parse_offer(offers.CHROMIUM_DATA)


async def opened(store: SessionStore) -> Session:
    session, _ = await store.publish("stream", OFFER, "198.51.100.1")
    return session


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_no_more_than_there_may_be(new_store: NewStore) -> None:
    store = new_store(limits=SessionLimits(2))
    for _ in range(2):
        await opened(store)
    before = descriptors()
    with pytest.raises(Full) as caught:
        await opened(store)
    assert caught.value.limit == 2
    assert (store.count().total(), store.opened, descriptors()) == (2, 2, before)
    await store.close()


async def test_no_address_to_be_reached_at(
    new_store: NewStore, port: UdpPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer without candidates would be of no use to anybody."""

    def no_candidates() -> None:
        raise ConnectionError("No UDP socket can be opened")

    monkeypatch.setattr(port, "candidates", no_candidates)
    store = new_store()
    with pytest.raises(Unavailable):
        await opened(store)
    assert store.count().total() == 0
    assert port.dispatcher.endpoints == 0


async def test_several_at_once(new_store: NewStore) -> None:
    store = new_store(limits=SessionLimits(3))
    results = await asyncio.gather(
        *(opened(store) for _ in range(8)), return_exceptions=True
    )
    assert [type(result) for result in results] == [Session] * 3 + [Full] * 5
    await store.close()


async def test_a_session_that_is_ending_counts_until_it_is_gone(
    new_store: NewStore, open_session: Open
) -> None:
    """It still has to say good-bye."""
    store = new_store(limits=SessionLimits(1))
    session = (await open_session(store)).session
    session.end_soon(EndReason.DELETED)
    assert store.count().total() == 0
    with pytest.raises(Full):
        await opened(store)
    await session.end(EndReason.DELETED)
    await opened(store)
    await store.close()


async def test_an_offer_that_could_not_be_answered_takes_no_place(
    new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_peer: Peer, _offer: object, _stream: str) -> str:
        raise OSError("no more of it")

    store = new_store(limits=SessionLimits(1))
    with monkeypatch.context() as patch:
        patch.setattr(Peer, "answer", fail)
        with pytest.raises(OSError, match="no more"):
            await opened(store)
    await opened(store)
    await store.close()


@pytest.mark.virtual_time
async def test_a_session_that_runs_out_of_time_makes_room(
    new_store: NewStore,
) -> None:
    store = new_store(setup_timeout=15, limits=SessionLimits(1))
    session = await opened(store)
    await until(lambda: session.reason)
    await session.end(EndReason.DELETED)
    await opened(store)
    await store.close()


async def test_a_full_server_that_stops_is_not_said_to_be_full(
    new_store: NewStore,
) -> None:
    store = new_store(limits=SessionLimits(1))
    await opened(store)
    await store.close()
    with pytest.raises(Unavailable) as caught:
        await opened(store)
    assert not isinstance(caught.value, Full)


async def test_without_a_bound(new_store: NewStore, port: UdpPort) -> None:
    """Sessions have no sockets of their own."""
    store = new_store()
    before = descriptors()
    for _ in range(20):
        await opened(store)
    assert store.count().total() == port.dispatcher.endpoints == 20
    assert descriptors() == before


@pytest.mark.parametrize("private", [True, False])
async def test_candidates_out_of_reach_are_not_checked(
    new_store: NewStore, private: bool
) -> None:
    """The client may name machines behind the server; its own checks are answered.

    Addresses for documentation are not public either.
    """
    candidate = "a=candidate:1 1 udp 2130706431 198.51.100.7 50000 typ host"
    offer = parse_offer(offers.added(offers.CHROMIUM_DATA, candidate, after="a=mid:0"))
    store = new_store(reach=Reach(private=private))
    session, _ = await store.publish("stream", offer, "198.51.100.1")
    found = [found.address for found in session.peer.remote_candidates]
    assert ("198.51.100.7" in found) is private


async def test_draining_waits_for_the_last_session(new_store: NewStore) -> None:
    store = new_store()
    sessions = [await opened(store) for _ in range(2)]
    assert store.is_accepting
    draining = asyncio.create_task(store.drain())
    await asyncio.sleep(0)
    assert not store.is_accepting
    with pytest.raises(Unavailable):
        await opened(store)
    for session in sessions:
        assert not draining.done()
        await session.end(EndReason.DELETED)
    async with asyncio.timeout(60):
        await draining
    # Nothing is open any more.
    await store.drain()
