"""Waiting for the end of an ICE restart."""

import asyncio


class RestartWait:
    """The outcome of the newest ICE restart."""

    __slots__ = ("_ended",)

    def __init__(self) -> None:
        self._ended: asyncio.Future[None] | None = None

    @property
    def is_going_on(self) -> bool:
        """Whether one has begun, and not ended."""
        return self._ended is not None and not self._ended.done()

    def begin(self) -> None:
        """Begin another restart; the one before is given up."""
        self.end(False)
        self._ended = asyncio.get_running_loop().create_future()

    def end(self, succeeded: bool) -> None:
        """End the restart, if one is going on."""
        if self._ended is None or self._ended.done():
            return
        if succeeded:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(ConnectionError("The ICE restart was given up"))
            # Nobody has to wait for it.
            self._ended.exception()

    async def wait(self) -> None:
        """Wait for the end of the newest one.

        Raises:
            ConnectionError: when it is given up.
        """
        if self._ended is not None:
            await asyncio.shield(self._ended)
