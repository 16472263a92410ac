"""The right that each request needs."""

from aiohttp import hdrs, web

from ..recording import stream_of
from ..rights import Action, Need

_READING = (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS)


def to_publish(request: web.Request) -> Need:
    """For all requests below ``/whip``."""
    return Need(Action.PUBLISH, request.match_info.get("stream"))


def to_watch(request: web.Request) -> Need:
    """For all requests below ``/whep``."""
    return Need(Action.WATCH, request.match_info.get("stream"))


def to_operate(_request: web.Request) -> Need:
    """For what only operators may see and do."""
    return Need(Action.ADMIN)


def of_streams(request: web.Request) -> Need:
    """For requests below ``/api/streams``: to see it, to change its recording, or to
    end its publisher.
    """
    stream = request.match_info.get("stream")
    if request.path.endswith("/publisher"):
        return Need(Action.ADMIN)
    if request.method not in _READING:
        return Need(Action.RECORD, stream)
    return Need(Action.WATCH, stream, is_list=stream is None)


def of_recordings(request: web.Request) -> Need:
    """For requests below ``/api/recordings``: who may record may have the files."""
    file = request.match_info.get("file")
    if file is None:
        return Need(Action.RECORD, is_list=request.method in _READING)
    # What is no name of a file has no stream: who may not see all learns nothing.
    return Need(Action.RECORD, stream_of(file))
