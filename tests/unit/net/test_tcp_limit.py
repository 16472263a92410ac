"""Who gives up connections when there are too many, and how often they are counted."""

from dataclasses import dataclass, field

from whipbird.net.tcp_limit import ConnectionLimit

LIMIT = 1280


@dataclass
class Connection:
    network: str
    open: "list[Connection]" = field(repr=False)

    def end(self) -> None:
        self.open.remove(self)


class Crowd:
    """Connections that come, and the limit for them."""

    def __init__(self) -> None:
        self.open: list[Connection] = []
        self.counted = 0
        self.most = 0
        self.limit = ConnectionLimit(LIMIT, self._count, lambda: list(self.open))

    def _count(self) -> int:
        self.counted += 1
        return len(self.open)

    def come(self, network: str, count: int = 1) -> None:
        for _ in range(count):
            self.limit.make_room()
            self.open.append(Connection(network, self.open))
            self.most = max(self.most, len(self.open))

    def of(self, network: str) -> int:
        return sum(one.network == network for one in self.open)


def test_who_has_most_gives_up_the_oldest() -> None:
    crowd = Crowd()
    crowd.come("honest", 20)
    crowd.come("flood", 5 * LIMIT)
    crowd.come("another", 20)
    assert crowd.most == LIMIT
    assert (crowd.of("honest"), crowd.of("another")) == (20, 20)
    assert crowd.limit.ended == 20 + 5 * LIMIT + 20 - len(crowd.open)


def test_a_flood_is_not_counted_one_by_one() -> None:
    """Counting takes as long as there are many of them."""
    crowd = Crowd()
    crowd.come("flood", LIMIT)
    crowd.counted = 0
    crowd.come("flood", 1000)
    assert crowd.counted == 100
    assert crowd.most == LIMIT


def test_while_there_is_room_they_are_seldom_counted() -> None:
    crowd = Crowd()
    crowd.come("honest", LIMIT - 100)
    assert crowd.counted <= LIMIT // 10
    assert crowd.limit.ended == 0


def test_room_that_others_leave_is_found() -> None:
    crowd = Crowd()
    crowd.come("flood", LIMIT + 1)
    del crowd.open[:500]
    ended = crowd.limit.ended
    crowd.come("flood", 500)
    assert crowd.limit.ended == ended
