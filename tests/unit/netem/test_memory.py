"""What an object holds is counted."""

from collections import deque

from tests.netem.memory import measure


class Slotted:
    __slots__ = ("absent", "queue")

    def __init__(self) -> None:
        self.queue = deque([b"12345", b"678"])


class Root:
    def __init__(self) -> None:
        self.part = Slotted()
        self.table = {n: bytearray(n) for n in range(10)}
        self.again = self.part
        self.itself = self


def test_entries_and_octets_of_all_parts_are_counted_once() -> None:
    held = measure(Root(), package=__name__)
    assert held.entries == 2 + 10
    assert held.octets == 8 + sum(range(10))
    assert held.largest == ".table (10)"


def test_objects_of_other_packages_are_not_looked_into() -> None:
    """But for the one that is measured."""
    assert measure(Root(), package="another") == (10, 45, ".table (10)")
