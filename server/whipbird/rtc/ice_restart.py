"""Waiting for the end of an ICE restart."""

import asyncio


class RestartWait:
    """What became of the newest ICE restart."""

    def __init__(self) -> None:
        self._ended: asyncio.Future[None] | None = None

    @property
    def is_going_on(self) -> bool:
        """Whether one has begun, and not ended."""
        return self._ended is not None and not self._ended.done()

    def begin(self) -> None:
        """Another restart begins, and the one before is given up."""
        self.end(False)
        self._ended = asyncio.get_running_loop().create_future()

    def end(self, succeeded: bool) -> None:
        """The restart has succeeded, or was given up; nothing when there is none."""
        if self._ended is None or self._ended.done():
            return
        if succeeded:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(ConnectionError("The ICE restart was given up"))
            # It need not be waited for.
            self._ended.exception()

    async def wait(self) -> None:
        """Wait for the end of the newest one.

        Raises:
            ConnectionError: when it is given up.
        """
        if self._ended is not None:
            await asyncio.shield(self._ended)
