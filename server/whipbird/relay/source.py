"""A stream that another worker passes on, as a source of tracks here."""

from collections.abc import Callable, Mapping
from typing import Any

from ..media.feedback import Feedback
from ..media.local_transport import LocalTransport
from ..media.track import Track
from .description import media_of
from .frames import read_packets


class RelayedSource:
    """The tracks of a stream of another worker (see ``StreamSource``).

    Its packets are in order, and nothing is waited for that is missing: its worker has
    done that. Each encoding has a source of its own. Here they are interpreted as those
    of any publisher.

    Args:
        described: the stream (see ``describe_stream``).
        on_key_frame_request: called with the SSRC of which a key frame is needed.

    Attributes:
        tracks: see ``StreamSource``.
    """

    # Its worker knows whether the publisher is still there.
    silence = 0.0
    can_ask = True

    def __init__(
        self, described: Mapping[str, Any], on_key_frame_request: Callable[[int], None]
    ) -> None:
        transport = LocalTransport(on_key_frame_request)
        self._routes = transport.rtp_routes
        self._feedback = Feedback(transport)
        self._is_open = True
        tracks = []
        for one in described["tracks"]:
            track = Track(one["kind"], transport, in_order=True)
            track.configure(media_of(one), self._feedback)
            tracks.append(track)
        self.tracks = tuple(tracks)

    @property
    def connectionState(self) -> str:  # noqa: N802 - as aiortc has it
        """``connected`` or ``closed``."""
        return "connected" if self._is_open else "closed"

    async def responds(self) -> bool:
        """Whether it has not ended."""
        return self._is_open

    def name_source(self, track: int, ssrc: int, rid: str) -> None:
        """Note the rid of a source of a track, which sends next."""
        self.tracks[track].name_source(ssrc, rid)

    def forget(self, ssrcs: tuple[int, ...]) -> None:
        """Note that encodings have ended."""
        for track in self.tracks:
            track.forget(ssrcs)
            for ssrc in ssrcs:
                track.name_source(ssrc, None)

    def packets_received(self, body: bytes) -> None:
        """Take RTP packets."""
        routes = self._routes
        for data in read_packets(body):
            routes[data[1] & 0x7F](data)

    def rtcp_received(self, data: bytes) -> None:
        """Take a sender report."""
        self._feedback.rtcp_received(data)

    def close(self) -> None:
        """Stop what runs for it."""
        self._is_open = False
        self._feedback.stop()
