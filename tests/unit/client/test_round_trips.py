"""What is counted of messages and their echoes."""

from whipbird.client.round_trips import Overdue, Reply, RoundTrips


def sent(trips: RoundTrips, *moments: float) -> None:
    for now in moments:
        trips.sent_at(trips.due(), now)


def test_an_echo_is_taken_once() -> None:
    trips = RoundTrips(64, 2.0)
    sent(trips, 0.0)
    assert trips.received(1, 0.5) == Reply(1, 64, 0.5)
    assert trips.received(1, 0.6) is None
    assert trips.received(7, 0.6) is None
    assert trips.is_answered
    assert (trips.stats.received, trips.stats.p50) == (1, trips.times.percentile(0.5))


def test_late_and_reordered_echoes() -> None:
    trips = RoundTrips(64, 2.0)
    sent(trips, 0.0, 1.0)
    assert trips.late_at == 2.0
    assert trips.overdue(1.9) == []
    assert trips.overdue(2.0) == [Overdue(1)]
    assert trips.overdue(2.0) == []
    assert trips.received(2, 2.5) == Reply(2, 64, 1.5)
    assert trips.received(1, 2.6) == Reply(1, 64, 2.6, is_late=True, is_reordered=True)
    stats = trips.stats
    assert (stats.sent, stats.received, stats.late, stats.reordered) == (2, 2, 1, 1)


def test_what_waits_is_not_lost_yet() -> None:
    trips = RoundTrips(64, 2.0)
    sent(trips, 0.0, 1.0)
    trips.received(1, 0.5)
    assert (trips.stats.waiting, trips.stats.lost, trips.stats.loss) == (1, 0, 0.0)
    trips.stop_waiting()
    assert (trips.stats.waiting, trips.stats.lost, trips.stats.loss) == (0, 1, 0.5)
    assert not trips.is_answered


def test_a_session_that_ends_takes_what_was_on_its_way() -> None:
    trips = RoundTrips(64, 2.0)
    trips.connected()
    sent(trips, 0.0, 0.5, 1.0)
    trips.overdue(2.0)
    trips.received(2, 2.1)
    assert trips.give_up() == [Overdue(3)]
    assert trips.is_answered
    assert trips.received(3, 2.2) is None
    assert (trips.stats.sessions, trips.stats.lost) == (1, 2)
