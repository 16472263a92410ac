"""What a soak has done, and what went wrong in it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from whipbird.client import WhipError

from ..clients import BenchError

# Failures that are kept in words.
_MAX_TOLD = 50


class Tally:
    """Counts what was done.

    Attributes:
        counts: by name.
        failures: what should not have happened.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []

    def fail(self, text: str) -> None:
        """Note a failure."""
        self.counts["failures"] += 1
        if len(self.failures) < _MAX_TOLD:
            self.failures.append(text)

    @contextmanager
    def expecting(self, what: str) -> Iterator[None]:
        """Note what fails inside, and go on behind it."""
        try:
            yield
        except (WhipError, BenchError, ConnectionError, TimeoutError) as error:
            self.fail(f"{what}: {error or type(error).__name__}")

    def __str__(self) -> str:
        return ", ".join(f"{n:,} {what}" for what, n in sorted(self.counts.items()))
