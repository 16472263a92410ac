"""A reply that is being made, kept so that it can be read again from anywhere."""

import asyncio
import bisect
from typing import Any

from ...llms import Piece

# Octets of a reply.
MAX_REPLY = 256 * 1024

# How often a model may change between thinking and answering; what follows counts as
# the answer.
MAX_CHANGES = 101

# Octets of text in one message to a client.
MAX_READ = 8 * 1024


class Transcript:
    """The text of a reply, in order of time. Offsets are octets of UTF-8.

    Attributes:
        end: the last message to clients; None while the reply is being made.
    """

    def __init__(self) -> None:
        self.end: dict[str, Any] | None = None
        self._text = bytearray()
        # Where reasoning and answer begin in turn; the first is an answer, maybe empty.
        self._starts = [0]
        self._changed = asyncio.Event()

    @property
    def length(self) -> int:
        """Octets so far."""
        return len(self._text)

    @property
    def answer(self) -> str:
        """The text so far, without the reasoning."""
        ends = [*self._starts[1:], len(self._text)]
        return b"".join(
            self._text[start:end]
            for start, end in list(zip(self._starts, ends, strict=True))[::2]
        ).decode()

    def add(self, piece: Piece) -> bool:
        """Add a piece; False if there is no room for it."""
        octets = piece.text.encode()
        if len(self._text) + len(octets) > MAX_REPLY:
            return False
        # An odd number of starts: the last part is an answer.
        is_answer = len(self._starts) % 2 == 1
        if is_answer == piece.is_reasoning and len(self._starts) < MAX_CHANGES:
            self._starts.append(len(self._text))
        self._text += octets
        self._wake()
        return True

    def finish(self, end: dict[str, Any]) -> None:
        """Say that nothing more comes."""
        self.end = end
        self._wake()

    async def read(self, offset: int) -> Piece | None:
        """The text after an offset, as soon as there is any; None at the end.

        It is part of one kind of text, and its octets are the next offset's distance.

        Raises:
            ValueError: when the offset is not at a character of the text.
        """
        if offset > len(self._text):
            raise ValueError("the text is not that long")
        while offset == len(self._text):
            if self.end is not None:
                return None
            await self._changed.wait()
        part = bisect.bisect_right(self._starts, offset)
        limit = offset + MAX_READ
        if part < len(self._starts):
            limit = min(limit, self._starts[part])
        octets = bytes(self._text[offset:limit])
        # A character whose octets are not all in it comes with the next ones.
        text = octets.decode(errors="ignore")
        if not octets.startswith(text.encode()) or not text:
            raise ValueError("the offset is within a character")
        return Piece(text, is_reasoning=part % 2 == 0)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
