"""The published streams as JSON, described by their packets without decoding."""

from typing import Any

from aiohttp import web

from ..media.stats import EncodingStats, TrackStats
from ..recording import Recorder
from ..rights import Action, Grant, Rights
from ..streams import Audiences, Stream, Streams
from ..streams.health import Finding, findings
from ..upstream import PulledStats, Upstreams
from .auth import GRANT
from .problems import Problem, no_such_stream
from .stream_names import check_stream_names, is_stream_name, not_a_stream_name

PREFIX = "/api/streams"

NO_STORE = {"Cache-Control": "no-store"}


# What else is below the path of a stream.
_PARTS = frozenset({"recording", "snapshot.jpg", "publisher"})

# A middleware for the application that is mounted at ``PREFIX``.
check_names = check_stream_names(
    lambda: PREFIX, lambda rest: len(rest) == 2 and rest[1] in _PARTS
)


class StreamsResource:
    """The handlers of ``/api/streams`` and ``/api/streams/{stream}``.

    Its application must be mounted at ``PREFIX``.
    """

    def __init__(
        self,
        streams: Streams,
        audiences: Audiences,
        recorder: Recorder,
        rights: Rights,
        upstreams: Upstreams,
    ) -> None:
        self._streams = streams
        self._upstreams = upstreams
        self._audiences = audiences
        self._recorder = recorder
        self._rights = rights

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_get("", self.all)
        app.router.add_get("/{stream}", self.one)

    async def all(self, request: web.Request) -> web.Response:
        """Describe the published streams that may be watched, sorted by name.

        With ``name`` in the query, once or several times, only these. Those that are
        pulled from elsewhere are listed apart too, published or not.
        """
        grant = request[GRANT]
        names = request.query.getall("name", None)
        for name in names or ():
            if not is_stream_name(name):
                detail = not_a_stream_name(name).detail
                raise Problem(400, "Not a stream name", detail)
        streams = [
            self._describe(stream, grant)
            for stream in self._streams
            if (names is None or stream.name in names)
            and grant.allows(Action.WATCH, stream.name)
        ]
        upstreams = [
            {"stream": pulled.stream, **_upstream(pulled, grant)}
            for pulled in self._upstreams
            if (names is None or pulled.stream in names)
            and grant.allows(Action.WATCH, pulled.stream)
        ]
        return web.json_response(
            {"streams": streams, "upstreams": upstreams}, headers=NO_STORE
        )

    async def one(self, request: web.Request) -> web.Response:
        """Describe one stream."""
        stream = self._streams.get(request.match_info["stream"])
        if stream is None:
            raise no_such_stream()
        return web.json_response(
            self._describe(stream, request[GRANT]), headers=NO_STORE
        )

    def _describe(self, stream: Stream, grant: Grant) -> dict[str, Any]:
        stats = stream.stats(self._audiences.count(stream.name))
        pulled = self._upstreams.get(stream.name) if stream.is_pulled else None
        return {
            "name": stats.name,
            "state": stats.state,
            "duration": round(stats.age, 3),
            "viewers": stats.viewers,
            # Whether this client may make links for viewers, and they need one.
            "shareable": grant.allows(Action.PUBLISH, stats.name)
            and not self._rights.are_public(Action.WATCH, stats.name),
            "recording": self._recorder.describe(stats.name),
            "tracks": [_track(track) for track in stats.tracks],
            "health": [_finding(found) for found in findings(stats.tracks, stats.age)],
            "upstream": None if pulled is None else _upstream(pulled, grant),
        }


def _upstream(stats: PulledStats, grant: Grant) -> dict[str, Any]:
    """How a stream is pulled; what names the origin is for operators."""
    is_operator = grant.allows(Action.ADMIN, stats.stream)
    return {
        "state": str(stats.state),
        "since": round(stats.since, 3),
        "status": stats.status,
        "attempts": stats.attempts,
        "viewers": stats.viewers,
        "detail": (stats.detail or None) if is_operator else None,
    }


def _finding(found: Finding) -> dict[str, Any]:
    return {
        "code": found.code,
        "severity": found.severity,
        "kind": found.kind,
        "rid": found.rid,
        "text": found.text,
        "advice": found.advice,
    }


def _track(track: TrackStats) -> dict[str, Any]:
    encodings = [_encoding(encoding) for encoding in track.encodings]
    # The API calls an encoding a layer.
    return {
        "kind": track.kind,
        "layers": encodings,
        "malformed": track.received.malformed,
    }


def _encoding(encoding: EncodingStats) -> dict[str, Any]:
    totals, codec = encoding.totals, encoding.codec
    described: dict[str, Any] = {
        "rid": encoding.rid,
        "codec": codec.registered_name,
        "fmtp": codec.fmtp,
        "clock_rate": codec.clock_rate,
        "bitrate": round(encoding.bitrate),
        "packets": totals.packets,
        "octets": totals.octets,
        # With retransmissions over RTX, and in the RTP stream itself.
        "lost": totals.lost + totals.retransmitted,
        "recovered": totals.recovered + totals.retransmitted,
        "duplicates": totals.duplicates,
        "jitter": round(encoding.jitter, 6),
    }
    if encoding.is_video:
        described |= _video(encoding)
    else:
        described["channels"] = encoding.channels
    return described


def _video(encoding: EncodingStats) -> dict[str, Any]:
    parameters = encoding.parameters
    interval = encoding.key_frame_interval
    described: dict[str, Any] = {
        "frame_rate": round(encoding.frame_rate, 2),
        "frames": encoding.frames,
        "key_frames": encoding.key_frames,
        "key_frame_interval": None if interval is None else round(interval, 3),
    }
    for name in ("width", "height", "profile", "level"):
        described[name] = None if parameters is None else getattr(parameters, name)
    return described
