"""What is alive in a process: tasks, timers, threads, objects."""

import asyncio
import contextlib
import ctypes
import gc
import json
import os
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from whipbird.net import Dispatcher

_PACKAGE = "whipbird."


@dataclass(frozen=True, slots=True)
class Census:
    """Counts at one moment, after garbage was collected.

    Attributes:
        number: how many were made before in this process.
        tasks: of asyncio.
        timers: of the event loop.
        threads: of Python.
        endpoints, ufrags, paths, deadlines: what the dispatcher knows of sessions.
        objects: of classes of this project, by class. Those made before the server
            began to listen are left out.
    """

    number: int
    tasks: int
    timers: int
    threads: int
    endpoints: int
    ufrags: int
    paths: int
    deadlines: int
    objects: dict[str, int]

    @classmethod
    def read(cls, file: Path) -> "Census | None":
        """Read one that ``write`` has written; None when there is none."""
        try:
            fields: dict[str, Any] = json.loads(file.read_text())
        except FileNotFoundError:
            return None
        return cls(**fields)

    def write(self, file: Path) -> None:
        """Write it; whoever reads sees the whole of it, or the one before."""
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(self)))
        os.replace(part, file)


def take(number: int, dispatchers: Sequence[Dispatcher]) -> Census:
    """Count, in the thread of a running event loop."""
    gc.collect()
    # What the allocator holds in reserve is not in use.
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    objects = gc.get_objects()
    kinds = Counter(
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in map(type, objects)
        if kind.__module__.startswith(_PACKAGE)
    )
    return Census(
        number=number,
        tasks=len(asyncio.all_tasks()),
        timers=sum(type(o).__name__ == "TimerHandle" for o in objects),
        threads=threading.active_count(),
        endpoints=sum(d.endpoints for d in dispatchers),
        ufrags=sum(len(d._by_ufrag) for d in dispatchers),
        paths=sum(len(p) for d in dispatchers for p in d._routes.values()),
        deadlines=sum(timer[2] is not None for d in dispatchers for timer in d._timers),
        objects=dict(kinds),
    )
