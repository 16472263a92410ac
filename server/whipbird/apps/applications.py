"""All applications of a server: which of them gets which channel."""

from collections.abc import Sequence

from ..recording import Recorder
from ..rtc import DataChannel, MessageHandler, Peer
from ..sessions import Session, SessionStore
from ..streams import Stream
from .application import Application
from .binding import Binding
from .loading import ApplicationError, check_handlers, describe
from .published import Publications
from .served import ApplicationStats, Served
from .watchdog import Watchdog


class Applications:
    """The applications of a server. It observes the sessions and streams of a store.

    For each channel the first application that takes it counts.

    Args:
        store: the sessions of the server.
        recorder: its recordings.
    """

    def __init__(self, store: SessionStore, recorder: Recorder) -> None:
        self._store = store
        self._recorder = recorder
        self._publications = Publications()
        self._watchdog = Watchdog()
        self._served: list[Served] = []
        self._started: list[Served] = []
        self._bindings: dict[Session, list[Binding]] = {}

    @property
    def stats(self) -> tuple[ApplicationStats, ...]:
        """A snapshot."""
        return tuple(served.stats for served in self._served)

    def add(
        self,
        name: str,
        application: Application,
        *,
        streams: Sequence[str] | None = None,
        channels: Sequence[str] | None = None,
    ) -> Served:
        """Add an application, before the start (see ``Served``).

        Raises:
            ApplicationError: when a handler of it is no async function.
        """
        check_handlers(name, application)
        served = Served(
            name,
            application,
            self._store,
            self._recorder,
            self._publications,
            self._watchdog,
            streams=streams,
            channels=channels,
        )
        self._served.append(served)
        return served

    def know_sessions_of(self, stream: str) -> bool:
        """Whether one of them is told of the sessions of a stream."""
        return any(served.knows_sessions_of(stream) for served in self._served)

    async def start(self) -> None:
        """Start the applications.

        Raises:
            ApplicationError: when one of them cannot start; the others are stopped.
        """
        if self._served:
            self._watchdog.start()
        for served in self._served:
            try:
                await served.start()
            except Exception as error:
                await served.release()
                await self.close()
                raise ApplicationError(
                    f"{served.name} cannot start: {describe(error)}"
                ) from error
            self._started.append(served)

    async def close(self) -> None:
        """Stop them, after the end of all sessions."""
        while self._started:
            await self._started.pop().stop()
        self._watchdog.stop()

    # Observer of sessions

    def session_connected(self, session: Session) -> None:
        """Tell the applications for its stream of a session."""
        takers: list[tuple[Served, Binding]] = []
        for served in self._served:
            binding = served.bind(session)
            if binding is not None:
                takers.append((served, binding))
        if not takers:
            return
        self._bindings[session] = [binding for _, binding in takers]
        router = _Router(session.peer, takers)
        session.peer.on("datachannel", router.open_channel)
        for _, binding in takers:
            binding.begin()

    def session_ended(self, session: Session) -> None:
        """Tell them of the end of a session."""
        for binding in self._bindings.pop(session, ()):
            binding.end()

    # Observer of streams

    def publisher_joined(self, stream: Stream) -> None:
        """Tell the applications of a published stream."""
        self._publications.publisher_joined(stream)
        for served in self._served:
            served.stream_began(stream)

    def publisher_left(self, stream: Stream) -> None:
        """Tell them of its end."""
        self._publications.publisher_left(stream)
        for served in self._served:
            served.stream_ended(stream)


class _Router:
    """Hands the messages of a peer's channels to the applications that take them.

    The echo's handler is replaced when an application takes the first channel of a
    session; sessions without such a channel pay nothing.

    Args:
        takers: the applications that may take channels.
    """

    def __init__(self, peer: Peer, takers: Sequence[tuple[Served, Binding]]) -> None:
        self._peer = peer
        self._takers = takers
        self._routes: dict[DataChannel, MessageHandler] = {}
        self._rest: MessageHandler | None = None

    def open_channel(self, channel: DataChannel) -> None:
        """Find out who takes a channel that the client has opened."""
        for served, binding in self._takers:
            if served.takes(channel.label):
                self._take(channel, binding)
                return

    def _take(self, channel: DataChannel, binding: Binding) -> None:
        if self._rest is None:
            self._rest, self._peer.on_message = self._peer.on_message, self._receive
        self._routes[channel] = binding.receive
        channel.on("close", lambda: self._routes.pop(channel, None))
        binding.open_channel(channel)

    def _receive(self, channel: DataChannel, protocol: int, data: bytes) -> None:
        handler = self._routes.get(channel, self._rest)
        if handler is not None:
            handler(channel, protocol, data)
