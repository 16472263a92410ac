"""The store: how many sessions it holds."""

import asyncio
import errno
import os

import pytest

from tests import offers
from tests.unit.sessions.conftest import Open
from tests.waiting import until
from whipbird.rtc import Peer, ice_socket
from whipbird.sdp.offer import parse_offer
from whipbird.sessions import EndReason, Full, Session, SessionStore, Unavailable

OFFER = parse_offer(offers.CHROMIUM_DATA)


def bounded(sessions: int) -> SessionStore:
    return SessionStore(
        setup_timeout=10, echo_buffer=1024 * 1024, max_sessions=sessions
    )


async def opened(store: SessionStore) -> Session:
    session, _ = await store.publish("stream", OFFER, "198.51.100.1")
    return session


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_no_more_than_there_may_be() -> None:
    store = bounded(2)
    for _ in range(2):
        await opened(store)
    before = descriptors()
    with pytest.raises(Full) as caught:
        await opened(store)
    assert caught.value.limit == 2
    assert (store.count().total(), store.opened, descriptors()) == (2, 2, before)
    await store.close()


async def test_no_socket_can_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer without candidates would be of no use to anybody."""

    def bind(address: str) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(ice_socket, "bind", bind)
    store = bounded(2)
    with pytest.raises(Unavailable):
        await opened(store)
    assert store.count().total() == 0
    await store.close()


async def test_several_at_once() -> None:
    store = bounded(3)
    results = await asyncio.gather(
        *(opened(store) for _ in range(8)), return_exceptions=True
    )
    assert [type(result) for result in results] == [Session] * 3 + [Full] * 5
    await store.close()


async def test_a_session_that_is_ending_counts_until_it_is_gone(
    open_session: Open,
) -> None:
    """Its sockets are still there."""
    store = bounded(1)
    session = (await open_session(store)).session
    session.end_soon(EndReason.DELETED)
    assert store.count().total() == 0
    with pytest.raises(Full):
        await opened(store)
    await session.end(EndReason.DELETED)
    await opened(store)
    await store.close()


async def test_an_offer_that_could_not_be_answered_takes_no_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(_peer: Peer, _offer: object, _stream: str) -> str:
        raise OSError("no more of it")

    store = bounded(1)
    with monkeypatch.context() as patch:
        patch.setattr(Peer, "answer", fail)
        with pytest.raises(OSError, match="no more"):
            await opened(store)
    await opened(store)
    await store.close()


async def test_a_session_that_runs_out_of_time_makes_room() -> None:
    store = SessionStore(setup_timeout=0.05, echo_buffer=1024 * 1024, max_sessions=1)
    session = await opened(store)
    await until(lambda: session.reason)
    await session.end(EndReason.DELETED)
    await opened(store)
    await store.close()


async def test_a_full_server_that_stops_is_not_said_to_be_full() -> None:
    store = bounded(1)
    await opened(store)
    await store.close()
    with pytest.raises(Unavailable) as caught:
        await opened(store)
    assert not isinstance(caught.value, Full)


async def test_without_a_bound() -> None:
    store = SessionStore(setup_timeout=10, echo_buffer=1024 * 1024)
    for _ in range(20):
        await opened(store)
    assert store.count().total() == 20
    await store.close()
