"""Conversations with language models, through the library ``llm``.

What needs ``llm`` is in modules that are loaded when it is configured, for it is an
optional dependency; this package has what others need to know of it.
"""

from .errors import ChatError, Code
from .reply import ChatEngine, End, Event, Piece, Timings, Usage
from .request import ChatRequest, Message, read_request

__all__ = [
    "ChatEngine",
    "ChatError",
    "ChatRequest",
    "Code",
    "End",
    "Event",
    "Message",
    "Piece",
    "Timings",
    "Usage",
    "read_request",
]
