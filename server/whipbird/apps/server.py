"""The server, as applications have it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ..recording import Recorder
from ..rights.grant import STREAM_NAME
from ..sdp.codecs import Codec
from ..sessions import SessionStore
from ..streams import Replacement
from ..streams import Stream as ServerStream
from .line import CODECS, kind_of
from .published import Publications
from .source import Source
from .stream import Stream

if TYPE_CHECKING:
    from .session import Session


class Server:
    """The server that an application belongs to.

    Args:
        store: its sessions.
        recorder: its recordings.
        publications: its streams.
        sessions_of: finds the application's sessions of a stream name.
        create_task: runs a coroutine until the server stops. If it raises, that is
            logged.

    Attributes:
        store, recorder, publications, sessions_of, create_task: see above.
    """

    def __init__(
        self,
        store: SessionStore,
        recorder: Recorder,
        publications: Publications,
        sessions_of: "Callable[[str], tuple[Session, ...]]",
        create_task: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self.store = store
        self.recorder = recorder
        self.publications = publications
        self.sessions_of = sessions_of
        self.create_task = create_task
        self._sources: dict[Source, None] = {}
        # Why a source is closed now, if it is.
        self._closing = "ended by its application"

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that are published now, sorted by name."""
        return tuple(self.stream(stream.name) for stream in self.store.streams)

    def stream(self, name: str) -> Stream:
        """A stream by its name, whether it is published or not."""
        return Stream(name, self)

    async def publish(
        self,
        name: str,
        *,
        video: str | None = "vp8",
        audio: str | None = None,
        bitrate: int | None = None,
    ) -> Source:
        """Publish a stream: what is sent to it can be watched and recorded as others.

        Args:
            name: its name.
            video: ``vp8``, ``vp9``, ``h264``, ``h265`` or ``av1``; None for no
                pictures.
            audio: ``opus``, ``pcmu``, ``pcma``, ``g722``, or ``multiopus``, which is
                for encoded frames alone; None for no sound.
            bitrate: of the pictures, in bit/s, as far as they are encoded here; None
                for one that fits their size.

        Raises:
            StreamTaken: when the name has another publisher, which stays.
            ValueError: when the name or a codec cannot be.
        """
        if not STREAM_NAME.fullmatch(name):
            raise ValueError(f"a stream cannot have the name {name!r}")
        codecs = [
            _codec(kind, codec)
            for kind, codec in (("video", video), ("audio", audio))
            if codec is not None
        ]
        if not codecs:
            raise ValueError("a stream has video, audio or both")
        await self.store.streams.make_way(name, ())
        source = Source(codecs, bitrate)

        def replaced(_why: Replacement) -> None:
            self._sources.pop(source, None)
            source.end()

        def closed() -> None:
            self._sources.pop(source, None)
            self.store.streams.leave(name, source, self._closing)

        source.on_close = closed
        self._sources[source] = None
        try:
            self.store.streams.publish(ServerStream(name, source, replaced))
        except BaseException:
            self._sources.pop(source, None)
            source.end()
            raise
        return source

    def publishes(self, stream: ServerStream) -> bool:
        """Whether the application itself publishes a stream."""
        return stream.source in self._sources

    async def close(self) -> None:
        """End all that the application publishes, since the server stops."""
        self._closing = "server shutdown"
        for source in tuple(self._sources):
            await source.close()


def _codec(kind: str, name: str) -> Codec:
    """A codec of a kind.

    Raises:
        ValueError: when there is none of this name.
    """
    known = {name: codec for name, codec in CODECS.items() if kind_of(codec) == kind}
    if name not in known:
        raise ValueError(f"{kind} has the codecs {', '.join(known)}; not {name!r}")
    return known[name]
