"""Links: each property alone, and all together from a seed."""

import pytest

from tests.netem.link import Conditions, Datagram, Link
from tests.netem.seeds import for_seeds
from tests.netem.world import World

A, B = ("192.0.2.1", 1000), ("192.0.2.2", 2000)
COUNT = 2000


class Line:
    """A link, and what comes out of it when."""

    def __init__(self, conditions: Conditions, seed: int = 0) -> None:
        self.world = World(seed)
        self.arrivals: list[tuple[float, bytes]] = []
        self.link = Link(self.world, "a", self._arrive, conditions)

    def _arrive(self, datagram: Datagram) -> None:
        self.arrivals.append((self.world.now, datagram.data))

    def send(self, data: bytes = b"") -> None:
        self.link.send(Datagram(A, B, data))

    def send_numbers(self, count: int = COUNT, interval: float = 0.001) -> None:
        """Send numbers of two octets, one each interval, and wait for all."""
        for number in range(count):
            self.send(number.to_bytes(2, "big"))
            self.world.run_for(interval)
        self.world.run_for(10)

    @property
    def numbers(self) -> list[int]:
        return [int.from_bytes(data, "big") for _, data in self.arrivals]


def test_a_good_link_delivers_all_in_order_after_its_delay() -> None:
    line = Line(Conditions(delay=0.25))
    line.send(b"a")
    line.send(b"b")
    line.world.run_for(1)
    assert line.arrivals == [(0.25, b"a"), (0.25, b"b")]
    assert (line.link.sent, line.link.delivered) == (2, 2)


def test_loss() -> None:
    line = Line(Conditions(loss=0.3))
    line.send_numbers()
    assert line.link.lost == pytest.approx(0.3 * COUNT, rel=0.15)
    assert len(line.arrivals) == COUNT - line.link.lost
    assert line.numbers == sorted(line.numbers)


def test_jitter_keeps_the_order() -> None:
    line = Line(Conditions(delay=0.1, jitter=0.05))
    line.send_numbers()
    assert line.numbers == list(range(COUNT))
    transits = [when - number * 0.001 for number, (when, _) in enumerate(line.arrivals)]
    assert min(transits) >= 0.1 - 1e-6
    assert max(transits) <= 0.15 + 1e-6
    assert max(transits) - min(transits) > 0.01


def test_reordering_holds_some_up() -> None:
    line = Line(Conditions(delay=0.1, reordering=0.1, hold_up=0.02))
    line.send_numbers()
    assert line.numbers != list(range(COUNT))
    assert sorted(line.numbers) == list(range(COUNT))
    transits = [
        when - number * 0.001
        for number, (when, _) in zip(line.numbers, line.arrivals, strict=True)
    ]
    assert max(transits) <= 0.12 + 1e-6
    late = sum(transit > 0.1 + 1e-6 for transit in transits)
    assert late == pytest.approx(0.1 * COUNT, rel=0.25)


def test_duplication() -> None:
    line = Line(Conditions(duplication=0.2))
    line.send_numbers()
    assert set(line.numbers) == set(range(COUNT))
    assert len(line.numbers) - COUNT == pytest.approx(0.2 * COUNT, rel=0.2)
    assert line.link.delivered == len(line.numbers)


def test_corruption_flips_one_bit() -> None:
    line = Line(Conditions(corruption=0.1))
    data = bytes(range(100))
    for _ in range(COUNT):
        line.send(data)
    line.world.run_for(1)
    spoilt = [arrived for _, arrived in line.arrivals if arrived != data]
    assert len(spoilt) == pytest.approx(0.1 * COUNT, rel=0.25)
    for arrived in spoilt:
        difference = int.from_bytes(arrived, "big") ^ int.from_bytes(data, "big")
        assert difference.bit_count() == 1


def test_an_empty_datagram_cannot_be_corrupted() -> None:
    line = Line(Conditions(corruption=1))
    line.send(b"")
    line.world.run_for(1)
    assert line.numbers == [0]


@pytest.mark.parametrize(
    ("destination", "largest"), [(B, 1172), (("2001:db8::1", 1), 1152)]
)
def test_datagrams_larger_than_the_mtu_vanish(
    destination: tuple[str, int], largest: int
) -> None:
    line = Line(Conditions(mtu=1200))
    line.link.send(Datagram(A, destination, bytes(largest)))
    line.link.send(Datagram(A, destination, bytes(largest + 1)))
    line.world.run_for(1)
    assert [len(data) for _, data in line.arrivals] == [largest]
    assert line.link.oversized == 1


def test_a_rate_spaces_datagrams() -> None:
    line = Line(Conditions(delay=0.5, rate=1000))
    for _ in range(3):
        line.send(bytes(72))
    line.world.run_for(2)
    times = [when for when, _ in line.arrivals]
    assert times == pytest.approx([0.6, 0.7, 0.8])


def test_the_queue_of_a_rate_is_bounded() -> None:
    line = Line(Conditions(rate=1000, queue=500))
    for _ in range(10):
        line.send(bytes(72))
    line.world.run_for(0.1)
    assert line.link.overflowed == 5
    line.send(bytes(72))
    line.send(bytes(72))
    line.world.run_for(10)
    assert line.link.overflowed == 6
    assert line.link.delivered == 6


def test_nothing_passes_while_it_is_down() -> None:
    line = Line(Conditions())
    line.send(b"a")
    line.link.conditions.is_down = True
    line.send(b"b")
    line.world.run_for(1)
    line.link.conditions.is_down = False
    line.send(b"c")
    line.world.run_for(1)
    assert [data for _, data in line.arrivals] == [b"a", b"c"]
    assert line.link.lost == 1


def test_conditions_change_while_it_runs() -> None:
    line = Line(Conditions(delay=0.1))
    line.send(b"a")
    line.link.conditions.delay = 0.2
    line.send(b"b")
    line.link.conditions = Conditions(delay=0.3)
    line.send(b"c")
    line.world.run_for(1)
    assert [when for when, _ in line.arrivals] == pytest.approx([0.1, 0.2, 0.3])


def _bad(seed: int) -> Line:
    line = Line(
        Conditions(
            loss=0.1, jitter=0.05, reordering=0.1, duplication=0.1, corruption=0.1
        ),
        seed,
    )
    line.send_numbers(200)
    return line


@for_seeds(10)
def test_one_seed_gives_one_trace(seed: int) -> None:
    assert _bad(seed).arrivals == _bad(seed).arrivals
    assert _bad(seed).arrivals != _bad(seed + 1).arrivals


def test_a_property_does_not_change_what_the_others_draw() -> None:
    """A smaller loss loses a part of what a larger loss loses, and nothing else."""
    received = []
    for loss in (0.1, 0.3):
        line = Line(Conditions(loss=loss, jitter=0.01))
        line.send_numbers(500)
        received.append(line.arrivals)
    assert {data for _, data in received[1]} < {data for _, data in received[0]}


def test_a_burst_takes_the_first_datagrams_of_each_second() -> None:
    line = Line(Conditions(burst=3, delay=0.0))
    line.world.run_for(0.0005)
    line.send_numbers(3000)
    lost = set(range(3000)) - set(line.numbers)
    assert len(lost) == line.link.lost == 9
    assert {number % 1000 for number in lost} == {0, 1, 2}
