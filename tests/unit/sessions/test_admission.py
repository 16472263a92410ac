"""Who gets another session, and whose sessions make room for it."""

import pytest

from tests import offers
from tests.unit.sessions.conftest import NewStore, Open
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.role import VIEWER
from whipbird.sessions import (
    EndReason,
    Full,
    NothingToWatch,
    Session,
    SessionLimits,
    SessionStore,
)

OFFER = parse_offer(offers.CHROMIUM_DATA)
A, B, C = "198.51.100.1", "198.51.100.2", "203.0.113.3"


class Others:
    """Another worker, which has no sessions. It notes what must be told at once."""

    def __init__(self) -> None:
        self.at_once: list[tuple[int, bool]] = []

    def held(self, network: str) -> tuple[int, int]:
        return 0, 0

    def total(self) -> int:
        return 0

    def tell(
        self, network: str, held: int, connecting: int, total: int, *, at_once: bool
    ) -> None:
        self.at_once.append((total, at_once))


async def opened(store: SessionStore, client: str) -> Session:
    session, _ = await store.publish("stream", OFFER, client)
    return session


async def test_a_client_may_have_so_many(new_store: NewStore) -> None:
    store = new_store(limits=SessionLimits(of_client=2))
    first = await opened(store, A)
    await opened(store, A)
    with pytest.raises(Full) as caught:
        await opened(store, A)
    assert (caught.value.limit, caught.value.is_of_client) == (2, True)
    await opened(store, B)
    await first.end(EndReason.DELETED)
    await opened(store, A)


async def test_so_many_that_are_not_connected(
    new_store: NewStore, open_session: Open
) -> None:
    store = new_store(limits=SessionLimits(connecting=1))
    one = await open_session(store, connect=False)
    with pytest.raises(Full):
        await opened(store, one.session.client)
    await one.apply_answer()
    await one.connected()
    await opened(store, one.session.client)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8::1", "2001:db8::ffff:1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
    ],
)
async def test_a_network_is_one_client(
    new_store: NewStore, one: str, other: str
) -> None:
    store = new_store(limits=SessionLimits(of_client=1))
    await opened(store, one)
    with pytest.raises(Full):
        await opened(store, other)


async def test_who_has_most_that_are_not_connected_makes_room(
    new_store: NewStore,
) -> None:
    """Two clients cannot hold all sessions by requests alone."""
    store = new_store(limits=SessionLimits(8))
    few = [await opened(store, B) for _ in range(3)]
    many = [await opened(store, A) for _ in range(5)]
    for number in range(2):
        await opened(store, C)
        assert many[number].reason is EndReason.MADE_ROOM
    assert all(session.reason is None for session in [*few, *many[2:]])


async def test_who_has_as_many_gets_none(new_store: NewStore) -> None:
    store = new_store(limits=SessionLimits(4))
    sessions = [await opened(store, client) for client in (A, A, B, B)]
    for client in (A, B):
        with pytest.raises(Full) as caught:
            await opened(store, client)
        assert not caught.value.is_of_client
    assert all(session.reason is None for session in sessions)


async def test_sessions_that_are_connected_stay(
    new_store: NewStore, open_session: Open
) -> None:
    store = new_store(limits=SessionLimits(2))
    for _ in range(2):
        one = await open_session(store)
        await one.connected()
    with pytest.raises(Full):
        await opened(store, C)


async def test_an_offer_that_fails_drives_nobody_out(
    new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(limits=SessionLimits(3))
    held = [await opened(store, A) for _ in range(3)]
    for client in (B, C):
        # Nobody publishes it, and its offer is refused before it takes a place.
        monkeypatch.setattr(store, "_wait_for_publisher", lambda _: False)
        with pytest.raises(NothingToWatch):
            await store.watch("x", parse_offer(offers.CHROMIUM_VIEWER, VIEWER), client)
    assert all(session.reason is None for session in held)


@pytest.mark.parametrize(
    "limits",
    [SessionLimits(total=8), SessionLimits(of_client=8), SessionLimits(connecting=8)],
)
async def test_other_workers_are_told_at_once_near_a_limit(
    new_store: NewStore, limits: SessionLimits
) -> None:
    store, others = new_store(limits=limits), Others()
    store.count_with(others)
    held = [await opened(store, A) for _ in range(5)]
    assert others.at_once == [(n, n >= 3) for n in (1, 2, 3, 4, 5)]
    others.at_once.clear()
    for session in held:
        await session.end(EndReason.DELETED)
    # They have heard of 4, and must not believe it for longer than it is so.
    assert others.at_once == [(n, n >= 3) for n in (4, 3, 2, 1, 0)]


async def test_other_workers_are_told_in_time_without_limits(
    new_store: NewStore,
) -> None:
    store, others = new_store(limits=SessionLimits()), Others()
    store.count_with(others)
    await opened(store, A)
    assert others.at_once == [(1, False)]
