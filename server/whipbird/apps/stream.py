"""A stream name, as applications have it."""

from typing import TYPE_CHECKING

from ..rtc.data_channel import write_message
from .track import Track

if TYPE_CHECKING:
    from .server import Server
    from .session import Session


class Stream:
    """A name of streams, whether somebody publishes it or not.

    Attributes:
        name: the name.
        server: the server.
    """

    def __init__(self, name: str, server: "Server") -> None:
        self.name = name
        self.server = server

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Stream {self.name!r}>"

    @property
    def is_live(self) -> bool:
        """Whether it is published now."""
        return self.name in self.server.publications.by_name

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The tracks that are published now; none while it is not live."""
        publication = self.server.publications.by_name.get(self.name)
        return () if publication is None else publication.tracks

    def track(self, kind: str) -> Track | None:
        """Its track of ``audio`` or of ``video``; None if it has none now."""
        return next((t for t in self.tracks if t.kind == kind), None)

    @property
    def viewers(self) -> int:
        """How many watch it."""
        return self.server.store.audiences.count(self.name)

    @property
    def sessions(self) -> "tuple[Session, ...]":
        """The sessions with this name that the application knows."""
        return self.server.sessions_of(self.name)

    def broadcast(self, data: str | bytes) -> None:
        """Send a message to all viewers, on their channel ``broadcast``.

        A viewer that is behind by more than a mebibyte does not get it.
        """
        self.server.store.audiences.broadcast(self.name, *write_message(data))

    async def record(self) -> bool:
        """Begin to record it, in the folder that the server has for recordings.

        Returns:
            Whether that has begun; False if it is being recorded already.

        Raises:
            NoFolder: when the server records nothing.
            NotPublished: when it is not live.
        """
        return await self.server.recorder.start(self.name)

    async def stop_recording(self) -> bool:
        """End the recording, and wait until its file is complete.

        Returns:
            Whether it was being recorded.
        """
        return await self.server.recorder.stop(self.name)
