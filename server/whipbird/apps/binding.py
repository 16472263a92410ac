"""One application on one session: its handlers, called in order."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple

from ..rtc import DataChannel
from ..rtc.data_channel import read_message
from ..sessions import EndReason, short_id
from ..sessions import Session as ServerSession
from .application import has_handler
from .channel import Channel, MessageTooLarge
from .closed import Closed
from .session import Session

if TYPE_CHECKING:
    from .served import Served

logger = logging.getLogger(__name__)

# Octets of memory, about, that an event takes beside its message.
EVENT_COST = 256

# Seconds after which a handler that has not returned is told, once for an application.
PATIENCE = 30.0

# Seconds that handlers have, when a session has ended, to handle what has come before.
END_TIME = 5.0


class _Event(NamedTuple):
    """A call of a handler that is due.

    Attributes:
        handler: its name.
        cost: octets of memory, about, that it holds until it has been handled.
    """

    handler: str
    call: Callable[[], Coroutine[Any, Any, None]]
    cost: int


class Binding:
    """Calls the handlers of an application for one session.

    They run in a task that exists only while there is something to handle. What waits
    takes up the receive window of the client, and so is bounded by ``echo_buffer``.

    Attributes:
        inner: the server's session.
        session: the same, as the application has it.
        channels: the open channels of the application.
    """

    def __init__(self, served: "Served", inner: ServerSession) -> None:
        self.inner = inner
        self.session = Session(self, served.server.stream(inner.stream))
        self.channels: dict[DataChannel, Channel] = {}
        self._served = served
        self._events: deque[_Event] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_failed = False
        self._loop = asyncio.get_running_loop()
        # The handler that runs, since when, and the timer for when that is long.
        self._handling, self._since = "", 0.0
        self._impatience: asyncio.TimerHandle

    # Events of the session

    def begin(self) -> None:
        """Tell the application of the session."""
        application = self._served.application
        if has_handler(application, "on_session"):
            self._put("on_session", lambda: application.on_session(self.session), 0)

    def open_channel(self, inner: DataChannel) -> None:
        """Take a channel that the client has opened."""
        channel = self.channels[inner] = Channel(self.session, inner)
        inner.on("close", lambda: self.channels.pop(inner, None))
        application = self._served.application
        if has_handler(application, "on_channel"):
            self._put("on_channel", lambda: application.on_channel(channel), EVENT_COST)

    def receive(self, inner: DataChannel, protocol: int, data: bytes) -> None:
        """Take a message of such a channel."""
        channel = self.channels.get(inner)
        if channel is None or self._has_failed:
            return
        self._served.messages += 1
        application, message = self._served.application, read_message(protocol, data)
        self._put(
            "on_message",
            lambda: application.on_message(channel, message),
            len(data) + EVENT_COST,
        )

    def end(self) -> None:
        """Note that the session has ended."""
        for task in self._tasks:
            task.cancel()
        if (
            self._worker
            or self._tasks
            or has_handler(self._served.application, "on_end")
        ):
            self._served.spawn(self._finish())
        else:
            self._served.unbind(self)

    # Handlers

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """See ``Session.create_task``."""
        task = asyncio.create_task(self._served.watch(coroutine, "a task of a session"))
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        if not self.session.is_open:
            task.cancel()
        return task

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._raised(error)

    def _put(
        self, handler: str, call: Callable[[], Coroutine[Any, Any, None]], cost: int
    ) -> None:
        if cost:
            self.inner.peer.count_unread(cost)
        self._events.append(_Event(handler, call, cost))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    async def _work(self) -> None:
        """Handle the events, one after another."""
        self._impatience = self._loop.call_later(PATIENCE, self._check_patience)
        try:
            while self._events:
                event = self._events.popleft()
                self._handling, self._since = event.handler, self._loop.time()
                try:
                    if not self._has_failed:
                        await self._guard(event.handler, event.call())
                finally:
                    if event.cost:
                        self.inner.peer.count_unread(-event.cost)
        finally:
            self._worker = None
            self._impatience.cancel()

    def _check_patience(self) -> None:
        """Tell of a handler that does not return."""
        due = self._since + PATIENCE
        if due > self._loop.time():
            self._impatience = self._loop.call_at(due, self._check_patience)
        else:
            self._served.note_slow(self._handling, PATIENCE)

    async def _guard(self, name: str, handler: Coroutine[Any, Any, None]) -> None:
        """Run a handler; if it fails, end the session."""
        try:
            await self._served.watch(handler, name)
        except Exception as error:
            self._raised(error)

    def _raised(self, error: BaseException) -> None:
        """Handle what a handler or a task has raised."""
        match error:
            case Closed():
                # The client has gone; that is no fault of the application.
                logger.debug("%s: %s", self._served.name, error)
            case MessageTooLarge():
                self._fail(str(error), None)
            case _:
                self._fail(f"{type(error).__name__} in {self._served.name}", error)

    def _fail(self, detail: str, error: BaseException | None) -> None:
        """End the session because of the application.

        Args:
            error: its fault; None if the client cannot take what it sends.
        """
        self._has_failed = True
        self._log(
            logging.WARNING if error is None else logging.ERROR,
            f"Application {self._served.name} has failed: {detail}",
            error,
        )
        self._served.errors += error is not None
        self.inner.end_soon(EndReason.APPLICATION_FAILED, detail)

    def _log(
        self, level: int, message: str, error: BaseException | None = None
    ) -> None:
        fields = {
            "session": short_id(self.inner.id),
            "kind": str(self.inner.kind),
            "stream": self.inner.stream,
            "client": self.inner.client,
        }
        logger.log(level, message, exc_info=error, extra=fields)

    async def _finish(self) -> None:
        """Let the handlers end, then tell the application of the end."""
        try:
            running = {*self._tasks}
            if self._worker is not None:
                running.add(self._worker)
                await asyncio.wait({self._worker}, timeout=END_TIME)
            for task in running:
                task.cancel()
            if running:
                _, left = await asyncio.wait(running, timeout=END_TIME)
                if left:
                    self._log(
                        logging.ERROR,
                        f"Application {self._served.name} does not end its handlers",
                    )
            self._events.clear()
            async with asyncio.timeout(END_TIME):
                await self._guard(
                    "on_end", self._served.application.on_end(self.session)
                )
        except TimeoutError:
            self._log(
                logging.ERROR, f"Application {self._served.name}: on_end takes too long"
            )
        finally:
            self._served.unbind(self)
