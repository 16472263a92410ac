"""The model of what Chromium asks for."""

from tests.netem.nack_module import NackModule


def receive(module: NackModule, *sequences: int) -> None:
    for sequence in sequences:
        module.receive(sequence, is_recovered=False)


def test_a_gap_is_asked_for_at_once() -> None:
    module = NackModule()
    receive(module, 10, 11)
    assert module.new_requests(0.0) == []
    receive(module, 14)
    assert module.new_requests(0.0) == [12, 13]
    assert module.new_requests(0.01) == []


def test_it_asks_again_after_a_round_trip_and_ten_times_at_most() -> None:
    module = NackModule(0.095)
    receive(module, 1, 3)
    asked = [0.0] * len(module.new_requests(0.0))
    for step in range(1, 200):
        asked += [step / 50] * len(module.due_requests(step / 50))
    assert asked == [n / 10 for n in range(10)]
    assert module.given_up == 1


def test_what_has_come_is_not_asked_for() -> None:
    module = NackModule()
    receive(module, 1, 4)
    module.new_requests(0.0)
    module.receive(2, is_recovered=True)
    assert module.due_requests(0.2) == [3]
    # Held up, and overtaken.
    receive(module, 3)
    assert module.due_requests(0.4) == []


def test_a_retransmission_shows_no_gap() -> None:
    module = NackModule()
    receive(module, 1)
    module.receive(3, is_recovered=True)
    assert module.new_requests(0.0) == []
    receive(module, 4)
    assert module.new_requests(0.0) == [2]


def test_too_much_is_not_asked_for() -> None:
    module = NackModule()
    receive(module, 1, 1002)
    assert len(module.new_requests(0.0)) == 1000
    receive(module, 1004)
    assert module.overflows == 1
    assert module.due_requests(1.0) == []


def test_what_is_no_longer_needed_is_not_asked_for() -> None:
    module = NackModule()
    receive(module, 1, 6)
    module.forget(4)
    assert module.new_requests(0.0) == [4, 5]
