"""A client of TURN servers (RFC 8656): an allocation, and what carries its messages."""

from .allocation import Allocation, AllocationSinks
from .requests import TurnError

__all__ = ["Allocation", "AllocationSinks", "TurnError"]
