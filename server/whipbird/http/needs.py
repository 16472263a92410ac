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


def to_prompt(_request: web.Request) -> Need:
    """For all requests below ``/v1``: language models belong to no stream."""
    return Need(Action.PROMPT, is_list=True)


def of_streams(request: web.Request) -> Need:
    """For requests below ``/api/streams``: to see it, to change its recording, to end
    its publisher, or to make links for its viewers.
    """
    stream = request.match_info.get("stream")
    resource = request.match_info.route.resource
    # A stream may have any of these names itself.
    match "" if resource is None else resource.canonical.rpartition("}/")[2]:
        case "publisher":
            return Need(Action.ADMIN)
        case "links":
            # Whoever publishes it says who may watch it.
            return Need(Action.PUBLISH, stream)
    if request.method not in _READING:
        return Need(Action.RECORD, stream)
    if stream is None and len(names := request.query.getall("name", [])) == 1:
        # A program that is asked knows streams, not lists.
        return Need(Action.WATCH, names[0])
    return Need(Action.WATCH, stream, is_list=stream is None)


def of_recordings(request: web.Request) -> Need:
    """For requests below ``/api/recordings``: who may record may have the files."""
    file = request.match_info.get("file")
    if file is None:
        return Need(Action.RECORD, is_list=request.method in _READING)
    # What is no name of a file has no stream: who may not see all learns nothing.
    return Need(Action.RECORD, stream_of(file))
