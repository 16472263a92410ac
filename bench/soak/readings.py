"""Whether a server is as it was before."""

import statistics
from collections.abc import Sequence
from itertools import combinations

from .process import Reading

# Octets per minute by which the memory may grow once the server is warm. A leak of one
# kB for each session or request of this load is ten times as much.
MAX_SLOPE = 300_000
# Readings that a slope needs; with fewer, the growth in all is bounded.
MIN_READINGS = 6
MAX_GROWTH = 40_000_000

# Threads that the loop keeps for blocking calls (``asyncio.to_thread``).
SPARE_THREADS = 32

# Timers of what is made when it is needed first, and stays, such as a port's timer.
SPARE_TIMERS = 8

# Objects of a class that may be more than they were: what is cached.
SPARE_OBJECTS = 64


def slope(readings: Sequence[Reading]) -> float:
    """Octets per minute by which the memory grows.

    Returns:
        The median of the slopes of all pairs (Theil and Sen): a single peak does not
        change it.
    """
    return statistics.median(
        (b.private - a.private) / (b.at - a.at) * 60
        for a, b in combinations(readings, 2)
    )


def leftovers(base: Reading, last: Reading) -> list[str]:
    """What there is more of than before, in words; nothing when all is gone."""
    before, found = base.counts(), []
    for name, count in last.counts().items():
        if count > before[name] + (SPARE_TIMERS if name == "timers" else 0):
            found.append(f"{name}: {count}, {before[name]} before")
    census = last.census
    if census.threads > base.census.threads + SPARE_THREADS:
        found.append(f"threads: {census.threads}, {base.census.threads} before")
    for kind, count in census.objects.items():
        known = base.census.objects.get(kind, 0)
        if count > known + SPARE_OBJECTS:
            found.append(f"objects of {kind}: {count}, {known} before")
    return found


def growth(readings: Sequence[Reading]) -> list[str]:
    """What is wrong with the memory, from the first reading on; nothing if it is fine.

    Args:
        readings: each when all clients had gone; the first after the warm-up.
    """
    grown = readings[-1].private - readings[0].private
    if grown > MAX_GROWTH:
        return [f"memory: {grown / 1e6:.1f} MB more than after the warm-up"]
    if len(readings) >= MIN_READINGS and (rise := slope(readings)) > MAX_SLOPE:
        return [f"memory: it grows by {rise / 1e3:.0f} kB a minute"]
    return []
