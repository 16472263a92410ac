"""A client of TURN servers (RFC 8656): an allocation, and what carries its messages."""

from .allocation import Allocation, AllocationSinks, TurnError

__all__ = ["Allocation", "AllocationSinks", "TurnError"]
