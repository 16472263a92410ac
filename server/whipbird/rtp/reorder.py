"""A reorder buffer."""

from typing import Generic, TypeVar

Item = TypeVar("Item")

# The longest gap that is waited for: in sequence numbers, and in seconds.
MAX_SPAN = 1024
MAX_WAIT = 1.0


class ReorderBuffer(Generic[Item]):
    """Puts packets in order; waits for missing ones, for a limited time.

    No packets are held back while none is missing.

    Args:
        max_span: sequence numbers from the first missing one to the newest, at most.
        max_wait: seconds that a packet is held back, at most.
    """

    __slots__ = ("_max_span", "_max_wait", "_next", "_waiting")

    def __init__(self, max_span: int = MAX_SPAN, max_wait: float = MAX_WAIT) -> None:
        self._max_span = max_span
        self._max_wait = max_wait
        self._next: int | None = None
        # Packets and their times of arrival, in the order of arrival.
        self._waiting: dict[int, tuple[Item, float]] = {}

    def __len__(self) -> int:
        """The number of packets held back."""
        return len(self._waiting)

    def push(self, sequence: int, item: Item, now: float) -> list[Item]:
        """Add a packet.

        Args:
            sequence: its extended sequence number.
            item: the packet.
            now: the time, in seconds.

        Returns:
            The packets that are now in order. A duplicate is dropped, and so is a
            packet whose successors were released already.
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
        """Release the packets that need not wait any longer, in order.

        Args:
            now: the time, in seconds.
            awaited: the lowest extended sequence number that may still arrive
                (:attr:`.reception.Reception.awaited`).
        """
        released: list[Item] = []
        waiting = self._waiting
        while waiting:
            assert self._next is not None
            if self._next not in waiting:
                # The packet that arrived first has shown the gap.
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

    def flush(self) -> list[Item]:
        """Release all packets, in order, and begin anew with the next one."""
        waiting, self._waiting, self._next = self._waiting, {}, None
        return [waiting[sequence][0] for sequence in sorted(waiting)]
