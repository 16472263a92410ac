"""Packets in order."""

from typing import Generic, TypeVar

Item = TypeVar("Item")

# How many sequence numbers may be waited over, and seconds.
MAX_SPAN = 1024
MAX_WAIT = 1.0


class ReorderBuffer(Generic[Item]):
    """Gives out what comes in, in order; missing packets are waited for, but not long.

    Nothing is kept while nothing is missing.

    Args:
        max_span: how many sequence numbers, from the first missing one on, are kept at
            most.
        max_wait: how many seconds a packet may be held back.
    """

    __slots__ = ("_max_span", "_max_wait", "_next", "_waiting")

    def __init__(self, max_span: int = MAX_SPAN, max_wait: float = MAX_WAIT) -> None:
        self._max_span = max_span
        self._max_wait = max_wait
        self._next: int | None = None
        # In the order of arrival: with the time of it.
        self._waiting: dict[int, tuple[Item, float]] = {}

    def __len__(self) -> int:
        """How many packets are held back."""
        return len(self._waiting)

    def push(self, sequence: int, item: Item, now: float) -> list[Item]:
        """Take a packet.

        Args:
            sequence: its extended sequence number.
            item: the packet.
            now: the time, in seconds.

        Returns:
            What may go on now, in order. A packet whose successors have gone on, and
            one that came already, is thrown away.
        """
        if sequence == self._next and not self._waiting:
            self._next = sequence + 1
            return [item]
        if self._next is None:
            self._next = sequence
        if sequence < self._next or sequence in self._waiting:
            return []
        self._waiting[sequence] = (item, now)
        return self.release(now, sequence - self._max_span + 1)

    def release(self, now: float, awaited: int = 0) -> list[Item]:
        """What need not be held back any longer, in order.

        Args:
            now: the time, in seconds.
            awaited: the extended sequence number before which no packet will come any
                more (:attr:`.reception.Reception.awaited`).
        """
        released: list[Item] = []
        waiting = self._waiting
        while waiting:
            assert self._next is not None
            if self._next not in waiting:
                # Of those that wait, the one that has come first has shown the gap.
                _, since = next(iter(waiting.values()))
                is_early = now - since < self._max_wait
                if is_early and awaited <= self._next:
                    break
                first = min(waiting)
                if is_early and awaited < first:
                    self._next = awaited
                    break
                self._next = first
            released.append(waiting.pop(self._next)[0])
            self._next += 1
        return released
