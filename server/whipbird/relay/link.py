"""A connection between two workers, for one stream."""

import asyncio
from collections.abc import Callable
from typing import cast

from .frames import Frames, Kind

# Octets that wait for the other worker: above the first number media is left out; above
# the second one the connection ends, since nothing else may be.
CONGESTED = 32 * 1024 * 1024
STUCK = 64 * 1024 * 1024


class Link(asyncio.Protocol):
    """A connection to another worker.

    Args:
        on_frame: called with each frame that comes.
        on_closed: called once at its end, whoever ends it.

    Attributes:
        on_frame, on_closed: see above.
    """

    def __init__(
        self,
        on_frame: Callable[[Kind, bytes], None],
        on_closed: Callable[[], None],
    ) -> None:
        self.on_frame = on_frame
        self.on_closed = on_closed
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None

    @property
    def is_congested(self) -> bool:
        """Whether media is to be left out: the other worker does not read it."""
        transport = self._transport
        return transport is None or transport.get_write_buffer_size() > CONGESTED

    def send(self, frame: bytes) -> None:
        """Send a frame; without a connection nothing happens."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > STUCK:
            transport.abort()
        else:
            transport.write(frame)

    def close(self) -> None:
        """End the connection; what waits is sent first."""
        if self._transport is not None:
            self._transport.close()

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        for kind, body in self._frames.feed(data):
            self.on_frame(kind, body)

    def connection_lost(self, _error: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = None
        self.on_closed()
