"""Recordings: started and stopped by stream; files listed, downloaded and deleted."""

import asyncio
import json
import logging
import os
import re
from functools import partial
from typing import Any
from urllib.parse import urlencode

from aiohttp import hdrs, web

from ..recording import (
    FileIsOpen,
    ListedFile,
    NoFolder,
    NotPublished,
    Recorder,
    is_name,
)
from ..rights import Action
from ..sdp.errors import quote
from .auth import GRANT
from .problems import Problem, no_such_stream
from .tickets import Tickets

logger = logging.getLogger(__name__)

PREFIX = "/api/recordings"

# Files in a list: by default, and at most.
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
_NUMBER = re.compile("[0-9]{1,6}", re.ASCII)

_NO_STORE = {"Cache-Control": "no-store"}

# Content types by suffix; Python does not know all of them.
_TYPES = {".mp4": "video/mp4", ".webm": "video/webm", ".mkv": "video/x-matroska"}


class RecordingsResource:
    """The handlers of ``/api/recordings`` and ``/api/recordings/{file}``.

    Its application must be mounted at ``PREFIX``.

    Args:
        recorder: the recorder.
        tickets: issues download tickets with the list of files; None if the server
            requires no token.
    """

    def __init__(self, recorder: Recorder, tickets: Tickets | None = None) -> None:
        self._recorder = recorder
        self._tickets = tickets

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_get("", self.all)
        app.router.add_get("/{file}", self.one)
        app.router.add_delete("/{file}", self.delete)

    async def all(self, request: web.Request) -> web.Response:
        """List files of streams that the client may record, the newest first."""
        limit, after = _read_page(request)
        may_record = partial(request[GRANT].allows, Action.RECORD)
        try:
            # One more tells whether there is another page.
            files = await self._recorder.files(limit + 1, after, may_record)
        except OSError as error:
            raise _unreadable(error) from None
        headers = dict(_NO_STORE)
        if len(files) > limit:
            query = urlencode({"limit": limit, "after": files[limit - 1].file.name})
            headers[hdrs.LINK] = f'<?{query}>; rel="next"'
        # Others are not to wait for a long text.
        armed = [name for name in self._recorder.armed if may_record(name)]
        text = await asyncio.to_thread(self._text, files[:limit], armed)
        return web.Response(text=text, content_type="application/json", headers=headers)

    async def one(self, request: web.Request) -> web.FileResponse:
        """Send a file, or a range of it."""
        name = request.match_info["file"]
        file = await self._recorder.file(name)
        if file is None:
            raise _no_such_recording(name)
        if not await asyncio.to_thread(os.access, file.path, os.R_OK):
            raise _unreadable(PermissionError())
        return web.FileResponse(
            file.path,
            headers={
                hdrs.CONTENT_TYPE: _TYPES[file.path.suffix],
                hdrs.CONTENT_DISPOSITION: f'attachment; filename="{file.name}"',
                "X-Content-Type-Options": "nosniff",
                "Cross-Origin-Resource-Policy": "same-origin",
                **_NO_STORE,
            },
        )

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a file."""
        name = request.match_info["file"]
        try:
            was_deleted = await self._recorder.delete(name)
        except FileIsOpen:
            raise Problem(
                409,
                "Still being written",
                "The file is being written. Stop the recording first.",
            ) from None
        except OSError as error:
            logger.error("%s cannot be deleted: %s", name, error)
            raise Problem(
                503,
                "Cannot delete",
                f"The recording cannot be deleted: {_reason(error)}.",
            ) from None
        if not was_deleted:
            raise _no_such_recording(name)
        return web.Response(status=204)

    def _text(self, files: list[ListedFile], armed: list[str]) -> str:
        described = [self._describe(listed) for listed in files]
        return json.dumps(
            {
                "enabled": self._recorder.is_enabled,
                "recordings": described,
                "armed": armed,
            }
        )

    def _describe(self, listed: ListedFile) -> dict[str, Any]:
        file, seconds, tickets = listed.file, listed.seconds, self._tickets
        return {
            "file": file.name,
            "stream": file.stream,
            "started": file.started.isoformat(timespec="seconds"),
            "size": file.size,
            "duration": None if seconds is None else round(seconds, 3),
            "state": "recording" if listed.is_open else "ended",
            "ticket": None if tickets is None else tickets.issue(file.name),
        }


class StreamRecordingResource:
    """The handlers of ``/api/streams/{stream}/recording``.

    Its routes belong to the application of the streams.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        path = "/{stream}/recording"
        app.router.add_get(path, self.get)
        app.router.add_post(path, self.start)
        app.router.add_delete(path, self.stop)

    async def get(self, request: web.Request) -> web.Response:
        """Describe the recording."""
        return self._response(request.match_info["stream"])

    async def start(self, request: web.Request) -> web.Response:
        """Record the stream: 201 if it starts now, 200 if it is recorded already."""
        name = request.match_info["stream"]
        try:
            has_begun = await self._recorder.start(name)
        except NoFolder:
            raise Problem(
                409,
                "No folder for recordings",
                'This server was started without the setting "record", so nothing '
                "can be recorded.",
            ) from None
        except NotPublished:
            raise no_such_stream() from None
        except OSError as error:
            logger.error("%s cannot be recorded: %s", name, error)
            raise Problem(
                503,
                "Cannot record",
                "No file can be created in the folder of recordings: "
                f"{_reason(error)}.",
            ) from None
        return self._response(name, status=201 if has_begun else 200)

    async def stop(self, request: web.Request) -> web.Response:
        """Stop recording. When this responds, the last file is finished."""
        name = request.match_info["stream"]
        if not await self._recorder.stop(name):
            raise _not_recorded()
        return web.Response(status=204)

    def _response(self, name: str, status: int = 200) -> web.Response:
        described = self._recorder.describe(name)
        if described is None:
            raise _not_recorded()
        return web.json_response(described, status=status, headers=_NO_STORE)


def _read_page(request: web.Request) -> tuple[int, str | None]:
    """The number of files on a page, and the name of the file before it.

    Raises:
        Problem: when they are not valid.
    """
    limit = request.query.get("limit", str(DEFAULT_LIMIT))
    if not _NUMBER.fullmatch(limit) or not 1 <= int(limit) <= MAX_LIMIT:
        raise Problem(
            400,
            "Invalid limit",
            f'The limit is a number from 1 to {MAX_LIMIT}, not "{quote(limit)}".',
        )
    after = request.query.get("after")
    if after is not None and not is_name(after):
        raise Problem(
            400,
            "Invalid page",
            f'The list cannot go on after "{quote(after)}", which is not the name of a '
            "recording.",
        )
    return int(limit), after


def _no_such_recording(name: str) -> Problem:
    return Problem(404, "No such recording", f'There is no recording "{quote(name)}".')


def _not_recorded() -> Problem:
    return Problem(404, "Not recorded", "The stream is not being recorded.")


def _unreadable(error: OSError) -> Problem:
    return Problem(
        503,
        "Recordings cannot be read",
        f"The recordings cannot be read now: {_reason(error)}.",
    )


def _reason(error: OSError) -> str:
    """A description of an error, without the path."""
    return os.strerror(error.errno) if error.errno else "permission denied"
