"""Snapshots of streams, made on request."""

from aiohttp import web

from ..recording.snapshots import LIFETIME, NoPicture, NoVideo, Snapshots
from ..streams import Streams
from .problems import Problem, no_such_stream


class SnapshotResource:
    """The handler of ``/api/streams/{stream}/snapshot.jpg``.

    Its route belongs to the application of the streams.
    """

    def __init__(self, streams: Streams, snapshots: Snapshots) -> None:
        self._streams = streams
        self._snapshots = snapshots

    def add_to(self, app: web.Application) -> None:
        """Add the route to an application."""
        app.router.add_get("/{stream}/snapshot.jpg", self.get)

    async def get(self, request: web.Request) -> web.Response:
        """Send the snapshot, as JPEG."""
        stream = self._streams.get(request.match_info["stream"])
        if stream is None:
            raise no_such_stream()
        try:
            picture = await self._snapshots.take(stream)
        except NoVideo:
            raise Problem(404, "No video", "The stream has no video.") from None
        except NoPicture as error:
            raise Problem(
                503,
                "No picture",
                f"There is no picture of the stream now. {error}",
                headers={"Retry-After": f"{LIFETIME:.0f}"},
            ) from None
        return web.Response(
            body=picture,
            content_type="image/jpeg",
            headers={
                "Cache-Control": "no-store",
                "Cross-Origin-Resource-Policy": "same-origin",
                "X-Content-Type-Options": "nosniff",
            },
        )
