"""What came of an attempt to deliver an event."""

import enum


class Outcome(enum.Enum):
    """What came of it."""

    DELIVERED = enum.auto()
    # Another attempt would end likewise.
    REFUSED = enum.auto()
    FAILED = enum.auto()
