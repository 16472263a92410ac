"""Which worker takes the next viewer of a stream."""

from collections import Counter

import pytest

from whipbird.relay.placement import relay_cost, taker

KEPT = 40
RELAY_COST = relay_cost(KEPT)


@pytest.mark.parametrize(
    ("viewers", "own", "others", "relayed", "wanted"),
    [
        # Few viewers stay, however busy their worker is.
        (0, 500, {1: 0}, (), None),
        (KEPT - 1, 500, {1: 0}, (1,), None),
        # One that does not get the stream yet must be clearly less busy.
        (KEPT, KEPT + 1, {1: 0}, (), 1),
        (KEPT, RELAY_COST, {1: 0}, (), None),
        (50, 60, {1: 59}, (), None),
        (50, 60, {1: 60 - RELAY_COST}, (), None),
        # One that gets it need only be less busy.
        (50, 60, {1: 59}, (1,), 1),
        (50, 60, {1: 60}, (1,), None),
        (50, 60, {1: 20, 2: 21}, (2,), 2),
        # The least busy one, whatever it is busy with.
        (50, 60, {1: 20, 2: 10, 3: 30}, (1, 2, 3), 2),
        (50, 60, {1: 10, 2: 10}, (1, 2), 1),
        # The others are not there.
        (50, 60, {}, (), None),
    ],
)
def test_the_taker(
    viewers: int,
    own: int,
    others: dict[int, int],
    relayed: tuple[int, ...],
    wanted: int | None,
) -> None:
    assert taker(viewers, own, others, relayed, KEPT) == wanted


@pytest.mark.parametrize("workers", [2, 4, 16])
def test_many_viewers_of_one_stream_are_spread_evenly(workers: int) -> None:
    sessions = Counter({0: 1})
    relayed: set[int] = set()
    viewers = 0
    for _ in range(100 * workers):
        others = {number: sessions[number] for number in range(1, workers)}
        found = taker(viewers, sessions[0], others, relayed, KEPT)
        if found is None:
            viewers += 1
        else:
            relayed.add(found)
        sessions[found or 0] += 1
    assert max(sessions.values()) - min(sessions.values()) <= 1 + RELAY_COST
    assert len(sessions) == workers


def test_many_streams_of_few_viewers_are_not_relayed() -> None:
    assert all(
        taker(viewers, 1000, {1: 0, 2: 0}, (), KEPT) is None for viewers in range(KEPT)
    )
