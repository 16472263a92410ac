"""An application, as a server has it: what it is for, and the sessions it knows."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ..recording import Recorder
from ..sessions import Session as ServerSession
from ..sessions import SessionStore
from ..streams import Stream as ServerStream
from .application import Application, has_handler
from .binding import END_TIME, Binding
from .closed import Closed
from .published import Publications
from .server import Server
from .session import Session
from .watchdog import Watchdog

logger = logging.getLogger(__name__)

# Seconds that an application's own end may take, and after which a start that goes on
# is told.
STOP_TIME = SLOW_TIME = 10.0


@dataclass(frozen=True, slots=True)
class ApplicationStats:
    """An application at a moment.

    Attributes:
        streams, channels: the globs of the streams and labels that it is for.
        sessions: open sessions that it knows.
        messages: messages that it got so far.
        errors: how often it has failed.
    """

    name: str
    streams: tuple[str, ...]
    channels: tuple[str, ...]
    sessions: int
    messages: int
    errors: int


class Served:
    """An application that a server has.

    Args:
        name: how it is called in the log and in ``/api/status``.
        application: what to call.
        store, recorder, publications: see ``Server``.
        watchdog: says when it holds up the event loop.
        streams, channels: globs in place of the application's own; None for those.

    Attributes:
        name, application: see above.
        server: the server, as the application has it.
        messages, errors: see ``ApplicationStats``.
    """

    def __init__(
        self,
        name: str,
        application: Application,
        store: SessionStore,
        recorder: Recorder,
        publications: Publications,
        watchdog: Watchdog,
        *,
        streams: Sequence[str] | None = None,
        channels: Sequence[str] | None = None,
    ) -> None:
        self.name = name
        self.application = application
        self.messages = self.errors = 0
        self.server = Server(
            store, recorder, publications, self._sessions_of, self._create_task
        )
        self._publications = publications
        self._watchdog = watchdog
        self._streams = _globs(application.streams if streams is None else streams)
        self._labels = _globs(application.channels if channels is None else channels)
        self._takes_channels = has_handler(application, "on_channel", "on_message")
        self._knows_sessions = self._takes_channels or has_handler(
            application, "on_session", "on_end"
        )
        self._bindings: dict[str, dict[Binding, None]] = {}
        self._follows_streams = has_handler(application, "on_stream")
        self._is_started = self._is_slow = False
        # What ends by itself soon; what lasts; and the handlers of streams.
        self._tasks: set[asyncio.Task[None]] = set()
        self._lasting: set[asyncio.Task[None]] = set()
        self._followers: dict[ServerStream, asyncio.Task[None]] = {}

    @property
    def stats(self) -> ApplicationStats:
        """A snapshot."""
        return ApplicationStats(
            name=self.name,
            streams=self._streams,
            channels=self._labels if self._takes_channels else (),
            sessions=sum(map(len, self._bindings.values())),
            messages=self.messages,
            errors=self.errors,
        )

    def knows_sessions_of(self, stream: str) -> bool:
        """Whether it is told of the sessions of a stream."""
        return self._knows_sessions and self._is_for(stream)

    def bind(self, session: ServerSession) -> Binding | None:
        """Tell the application of a session, if it is for its stream."""
        if not self.knows_sessions_of(session.stream):
            return None
        binding = Binding(self, session)
        self._bindings.setdefault(session.stream, {})[binding] = None
        return binding

    def unbind(self, binding: Binding) -> None:
        """Forget a session."""
        name = binding.inner.stream
        del self._bindings[name][binding]
        if not self._bindings[name]:
            del self._bindings[name]

    def takes(self, label: str) -> bool:
        """Whether it takes channels with this label."""
        return self._takes_channels and _matches(label, self._labels)

    def watch(
        self, coroutine: Coroutine[Any, Any, None], what: str
    ) -> Coroutine[Any, Any, None]:
        """Watch a coroutine of the application (see ``Watchdog``)."""
        return self._watchdog.watch(coroutine, f"Application {self.name}: {what}")

    def note_slow(self, handler: str, seconds: float) -> None:
        """Tell, the first time, that a handler has not returned for some seconds."""
        if not self._is_slow:
            self._is_slow = True
            logger.warning(
                "Application %s: %s has not returned for %g s. The messages of its "
                "session wait for it: what lasts belongs in session.create_task",
                self.name,
                handler,
                seconds,
            )

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine, which ends by itself soon; ``stop`` waits for it."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stream_began(self, stream: ServerStream) -> None:
        """Tell the application of a published stream, unless it publishes it itself."""
        if (
            self._follows_streams
            and self._is_started
            and self._is_for(stream.name)
            and not self.server.publishes(stream)
        ):
            handler = self.application.on_stream(self.server.stream(stream.name))
            task = self._run(handler, f"on_stream of {stream.name}")
            self._followers[stream] = task

    def stream_ended(self, stream: ServerStream) -> None:
        """Let the handler of a stream end."""
        task = self._followers.pop(stream, None)
        if task is not None and not task.done():
            self.spawn(_end(task))

    async def start(self) -> None:
        """Start the application, and tell it of the streams that have begun before.

        Raises:
            Exception: whatever it raises.
        """
        slow = asyncio.get_running_loop().call_later(
            SLOW_TIME,
            logger.warning,
            "Application %s: start has not returned for %g s. The server waits for it: "
            "what lasts belongs in server.create_task",
            self.name,
            SLOW_TIME,
        )
        try:
            await self.watch(self.application.start(self.server), "start")
        finally:
            slow.cancel()
        self._is_started = True
        for publication in self._publications.by_name.values():
            self.stream_began(publication.stream)

    async def stop(self) -> None:
        """Stop it, after the end of all sessions."""
        await self.release()
        try:
            async with asyncio.timeout(STOP_TIME):
                await self.watch(self.application.stop(), "stop")
        except Exception:
            logger.exception("Application %s has failed to stop", self.name)

    async def release(self) -> None:
        """End what it has begun: its tasks, and the streams that it publishes."""
        self._is_started = False
        lasting = {*self._lasting, *self._followers.values()}
        for task in lasting:
            task.cancel()
        await self.server.close()
        for running in (lasting, set(self._tasks)):
            if running:
                await asyncio.wait(running, timeout=STOP_TIME)

    def _create_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """See ``Server.create_task``."""
        task = self._run(coroutine, "a task")
        self._lasting.add(task)
        task.add_done_callback(self._lasting.discard)
        return task

    def _run(
        self, coroutine: Coroutine[Any, Any, None], what: str
    ) -> asyncio.Task[None]:
        """Run what belongs to no session; if it fails, that is logged."""
        task = asyncio.create_task(self.watch(coroutine, what))
        task.add_done_callback(lambda task: self._ended(task, what))
        return task

    def _ended(self, task: asyncio.Task[None], what: str) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Closed):
            logger.debug("%s: %s", self.name, error)
        elif error is not None:
            self.errors += 1
            logger.error(
                "Application %s has failed: %s", self.name, what, exc_info=error
            )

    def _is_for(self, stream: str) -> bool:
        return _matches(stream, self._streams)

    def _sessions_of(self, stream: str) -> tuple[Session, ...]:
        return tuple(b.session for b in self._bindings.get(stream, ()))


async def _end(task: asyncio.Task[None]) -> None:
    """Let a task end within ``END_TIME``; else cancel it."""
    await asyncio.wait({task}, timeout=END_TIME)
    task.cancel()
    await asyncio.wait({task}, timeout=END_TIME)


def _globs(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _matches(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)
