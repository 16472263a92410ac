"""The streams that are published now, as applications have them."""

from collections.abc import Mapping

from ..streams import Stream as ServerStream
from .track import Track


class Publication:
    """One published stream.

    Attributes:
        stream: the server's stream.
        tracks: its tracks.
    """

    def __init__(self, stream: ServerStream) -> None:
        self.stream = stream
        self.tracks = tuple(map(Track, stream.source.tracks))

    def end(self) -> None:
        """End what reads its tracks."""
        for track in self.tracks:
            track.end()


class Publications:
    """Observes the streams of a server.

    Attributes:
        by_name: those that are published now.
    """

    def __init__(self) -> None:
        self._by_name: dict[str, Publication] = {}

    @property
    def by_name(self) -> Mapping[str, Publication]:
        """See above."""
        return self._by_name

    def publisher_joined(self, stream: ServerStream) -> None:
        """Note a stream that is published now."""
        self._by_name[stream.name] = Publication(stream)

    def publisher_left(self, stream: ServerStream) -> None:
        """Note that a stream has ended."""
        publication = self._by_name.pop(stream.name, None)
        if publication is not None:
            publication.end()
