"""The chats of streams: messages and reactions of viewers and publishers."""

from .chats import Chats, Elsewhere
from .messages import Refusal, ref_of
from .room import Member, Room
from .seat import PROTOCOL, Seat

__all__ = [
    "PROTOCOL",
    "Chats",
    "Elsewhere",
    "Member",
    "Refusal",
    "Room",
    "Seat",
    "ref_of",
]
