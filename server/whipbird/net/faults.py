"""Faults of ours: counted, and logged with tracebacks."""

import logging
from collections.abc import Mapping


class FaultLog:
    """Logs exceptions that nobody expected.

    The handler of the log leaves out those that are alike (``cli/logs.py``).

    Attributes:
        count: faults so far.
    """

    def __init__(self) -> None:
        self.count = 0

    def report(
        self,
        logger: logging.Logger,
        error: Exception,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """Log a fault as an ERROR.

        Args:
            fields: in which session it happened, as ``extra`` of the record.
        """
        self.count += 1
        logger.error("A fault of the server", exc_info=error, extra=fields)


def place_of(error: BaseException) -> tuple[str, int, type]:
    """The file and line that raised an exception, and its type."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ("", 0, type(error))
    return (trace.tb_frame.f_code.co_filename, trace.tb_lineno, type(error))
