"""The interface of applications."""

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .channel import Channel
    from .server import Server
    from .session import Session
    from .stream import Stream

Handler = Callable[..., Coroutine[Any, Any, None]]


class Application:
    """A program on the data channels and the media of a server.

    Either subclass it, and write the methods that you need::

        class Shout(Application):
            channels = "shout"

            async def on_message(self, channel, data):
                await channel.send(data.upper())

    or hand it functions of the same names, which have no ``self``::

        async def shout(channel, data):
            await channel.send(data.upper())

        app = Application(channels="shout", on_message=shout)

    The server is told of it by ``whipbird serve --app module:app``, which takes an
    instance, or a class that needs no arguments.

    An application that has ``on_message`` or ``on_channel`` takes the channels that
    clients open on its streams with its labels. Of several that would take a channel
    the first one gets it. A channel that none takes is echoed.

    The handlers of one session are called one after another, in the order of what has
    happened; those of different sessions run concurrently. While a handler awaits, the
    next messages of its session wait, and when there are many the client has to wait,
    too (SCTP's receive window). What lasts longer belongs in a task
    (``Session.create_task``).

    A handler that raises is logged as ERROR with its traceback, and its session ends;
    everything else goes on. ``ChannelClosed`` is no error: the client has gone.

    Args:
        streams, channels: see below.
        handlers: ``on_session``, ``on_message`` and so on: functions in place of the
            methods.

    Raises:
        TypeError: when there is no handler of a name.

    Attributes:
        streams: the names of the streams that it is for: one glob, or several.
        channels: the labels of the channels that it takes: one glob, or several.
    """

    streams: str | Sequence[str] = "*"
    channels: str | Sequence[str] = "*"

    def __init__(
        self,
        *,
        streams: str | Sequence[str] | None = None,
        channels: str | Sequence[str] | None = None,
        **handlers: Handler,
    ) -> None:
        if streams is not None:
            self.streams = streams
        if channels is not None:
            self.channels = channels
        for name, handler in handlers.items():
            if name not in HANDLERS:
                known = ", ".join(sorted(HANDLERS))
                raise TypeError(f"no handler is called {name!r}; there are: {known}")
            setattr(self, name, handler)

    async def start(self, server: "Server") -> None:
        """Called when the server starts; it starts only if this does not raise."""

    async def stop(self) -> None:
        """Called when the server stops, after the end of all sessions."""

    async def on_session(self, session: "Session") -> None:
        """Called when a session of one of its streams is connected, before the rest."""

    async def on_channel(self, channel: "Channel") -> None:
        """Called when the client has opened a channel that this application takes."""

    async def on_message(self, channel: "Channel", data: str | bytes) -> None:
        """Called with each message of its channels.

        Args:
            data: text as ``str``, binary as ``bytes``.
        """

    async def on_end(self, session: "Session") -> None:
        """Called when a session has ended, after its last message."""

    async def on_stream(self, stream: "Stream") -> None:
        """Called when one of its streams is published.

        It may run as long as the stream does: it is cancelled a few seconds after the
        end. If it raises, that is logged, and the stream goes on without it.
        """


HANDLERS = frozenset(
    {
        *("start", "stop", "on_session", "on_channel", "on_message", "on_end"),
        "on_stream",
    }
)


def has_handler(application: Application, *names: str) -> bool:
    """Whether an application has one of these handlers of its own."""

    def is_own(name: str) -> bool:
        handler: Any = getattr(application, name)
        default = getattr(Application, name)
        return getattr(handler, "__func__", handler) is not default

    return any(map(is_own, names))
