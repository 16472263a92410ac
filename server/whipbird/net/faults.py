"""A log of faults of ours: with tracebacks, each place in the code once a minute."""

import logging
from collections import OrderedDict

# Seconds in which one fault is logged in full once; repetitions are counted.
INTERVAL = 60.0

# Different faults that are remembered.
MAX_FAULTS = 64


class FaultLog:
    """Logs exceptions that nobody expected, each place in the code once a minute.

    Attributes:
        count: faults so far, logged or not.
    """

    def __init__(self) -> None:
        self.count = 0
        # Place and type -> when it was logged, and how often it was skipped since.
        self._seen: OrderedDict[tuple[str, int, type], tuple[float, int]] = (
            OrderedDict()
        )

    def report(self, logger: logging.Logger, error: Exception, now: float) -> None:
        """Log a fault as an ERROR, unless the same was logged within ``INTERVAL``."""
        self.count += 1
        place = place_of(error)
        last, skipped = self._seen.get(place, (-INTERVAL, 0))
        if now - last < INTERVAL:
            self._seen[place] = (last, skipped + 1)
            return
        self._seen[place] = (now, 0)
        self._seen.move_to_end(place)
        if len(self._seen) > MAX_FAULTS:
            self._seen.popitem(last=False)
        more = f" ({skipped} more like it since the last)" if skipped else ""
        logger.error("A fault of the server%s", more, exc_info=error)


def place_of(error: BaseException) -> tuple[str, int, type]:
    """The file and line that raised an exception, and its type."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ("", 0, type(error))
    return (trace.tb_frame.f_code.co_filename, trace.tb_lineno, type(error))
