"""One server of several workers: each answers for itself, and this for all of them.

A request that names a session is answered by the worker that has it, and one that names
a stream by its owner, which may have another worker open the session of a viewer. What
concerns all streams is asked of each worker, and the answers are merged.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any, Protocol

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from ..recording import stream_of
from .inside import Inside, WorkerAway
from .merging import merge_metrics, merge_status
from .operators import read_page
from .owners import opens_viewer, owner_of_request
from .problems import Problem

_Answer = tuple[int, Mapping[str, str], bytes]

# Sessions that one worker lists at once (see ``OpenSessionsResource``).
_MAX_PAGE = 1000


class Placement(Protocol):
    """Says which worker a new viewer goes to."""

    def taker(self, stream: str) -> int | None:
        """The worker that takes the next viewer of a stream of this worker; None if
        this one does.
        """

    def handing(self, worker: int) -> AbstractContextManager[None]:
        """Count a viewer that is handed to another worker, and is not there yet."""


class AllWorkers:
    """A middleware that makes one server of the workers.

    It comes before all that concerns what is asked: that is the affair of who answers.

    Args:
        inside: the way to the other workers.
        workers: what is known of all workers, as ``/api/status`` describes them.

    Attributes:
        placement: where new viewers go; None if all stay with the owner.
    """

    __middleware_version__ = 1

    def __init__(
        self, inside: Inside, workers: Callable[[], list[dict[str, Any]]]
    ) -> None:
        self.placement: Placement | None = None
        self._inside = inside
        self._workers = workers
        self._merges: dict[
            tuple[str, str],
            Callable[[web.Request, web.Response], Awaitable[web.StreamResponse]],
        ] = {
            (hdrs.METH_GET, "/api/streams"): self._streams,
            (hdrs.METH_GET, "/api/sessions"): self._sessions,
            (hdrs.METH_GET, "/api/sessions/{id}"): self._first_found,
            (hdrs.METH_DELETE, "/api/sessions/{id}"): self._first_found,
            (hdrs.METH_GET, "/api/recordings"): self._recordings,
            (hdrs.METH_GET, "/api/status"): self._status,
            (hdrs.METH_GET, "/metrics"): self._metrics,
        }

    async def __call__(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Answer, or have another worker answer."""
        is_inside = self._inside.is_inside(request)
        if is_inside:
            self._inside.mark_part(request)
            if self._inside.is_chosen(request):
                return await handler(request)
        elif (owner := owner_of_request(request, self._inside.shard)) is not None:
            return await self._forward(request, owner)
        if self.placement is not None and opens_viewer(request):
            taker = self.placement.taker(request.match_info["stream"])
            if taker is not None:
                # One that has just ended, and is not known to have, takes none.
                with suppress(WorkerAway), self.placement.handing(taker):
                    return await self._forward(request, taker, is_chosen=True)
        own = await handler(request)
        if is_inside:
            return own
        resource = request.match_info.route.resource
        path = "" if resource is None else resource.canonical
        merge = self._merges.get((request.method, path))
        if merge is None or not isinstance(own, web.Response):
            return own
        return await merge(request, own)

    async def _forward(
        self, request: web.Request, worker: int, *, is_chosen: bool = False
    ) -> web.StreamResponse:
        try:
            return await self._inside.forward(request, worker, is_chosen=is_chosen)
        except WorkerAway as problem:
            if is_chosen:
                raise
            return problem.response()
        except Problem as problem:
            return problem.response()

    async def _ask(
        self, request: web.Request, query: str | None = None
    ) -> dict[int, _Answer]:
        """What each of the others answers, without those that do not."""
        others = self._inside.others
        answers = await asyncio.gather(
            *(self._inside.ask(request, other, query) for other in others)
        )
        return {
            other: answer
            for other, answer in zip(others, answers, strict=True)
            if answer is not None
        }

    async def _ask_json(
        self, request: web.Request, own: web.Response, query: str | None = None
    ) -> dict[int, Any]:
        """The documents of all workers that can answer, by their numbers."""
        found = {self._inside.shard.number: _document(own)}
        for worker, (status, _, body) in (await self._ask(request, query)).items():
            if status == 200:
                found[worker] = json.loads(body)
        return found

    # Merges

    async def _streams(
        self, request: web.Request, own: web.Response
    ) -> web.StreamResponse:
        if own.status != 200:
            return own
        found = await self._ask_json(request, own)

        def joined(name: str, key: str) -> list[dict[str, Any]]:
            entries = (entry for one in found.values() for entry in one[name])
            return sorted(entries, key=lambda entry: str(entry[key]))

        streams, upstreams = joined("streams", "name"), joined("upstreams", "stream")
        return _replaced(own, {"streams": streams, "upstreams": upstreams})

    async def _sessions(
        self, request: web.Request, own: web.Response
    ) -> web.StreamResponse:
        if own.status != 200:
            return own
        page = read_page(request)
        end = page.offset + page.limit
        # Which of a worker's are on this page is not known before they are merged.
        sessions: list[dict[str, Any]] = []
        total = 0
        for start in range(0, end, _MAX_PAGE):
            size = min(_MAX_PAGE, end - start)
            query = page.query(size, start)
            own_part = await self._inside.ask(request, self._inside.shard.number, query)
            parts = [*(await self._ask(request, query)).values()]
            parts += [] if own_part is None else [own_part]
            documents = [json.loads(body) for status, _, body in parts if status == 200]
            sessions += [one for found in documents for one in found["sessions"]]
            total = sum(found["total"] for found in documents)
            if all(start + size >= found["total"] for found in documents):
                break
        sessions.sort(key=lambda session: float(session["age"]))
        own.headers.popall(hdrs.LINK, None)
        if (link := page.link_to_next(total)) is not None:
            own.headers[hdrs.LINK] = link
        return _replaced(own, {"total": total, "sessions": sessions[page.offset : end]})

    async def _first_found(
        self, request: web.Request, own: web.Response
    ) -> web.StreamResponse:
        if own.status != 404:
            return own
        for status, headers, body in (await self._ask(request)).values():
            if status != 404:
                kept = {
                    name: value
                    for name, value in headers.items()
                    if name in (hdrs.CONTENT_TYPE, hdrs.CACHE_CONTROL)
                }
                return web.Response(status=status, headers=kept, body=body or None)
        return own

    async def _recordings(
        self, request: web.Request, own: web.Response
    ) -> web.StreamResponse:
        if own.status != 200:
            return own
        found = await self._ask_json(request, own)
        # All see the same files; what is being written only its owner knows.
        described = {
            (worker, file["file"]): file
            for worker, one in found.items()
            for file in one["recordings"]
        }
        merged = _document(own)
        owner_of = self._inside.shard.owner_of
        merged["recordings"] = [
            described.get((owner_of(stream_of(file["file"]) or ""), file["file"]), file)
            for file in merged["recordings"]
        ]
        merged["armed"] = sorted({s for one in found.values() for s in one["armed"]})
        return _replaced(own, merged)

    async def _status(
        self, request: web.Request, own: web.Response
    ) -> web.StreamResponse:
        # A stranger learns the version alone.
        if own.status != 200 or "sessions" not in _document(own):
            return own
        found = await self._ask_json(request, own)
        return _replaced(
            own, merge_status(found, self._inside.shard.number, self._workers())
        )

    async def _metrics(
        self, request: web.Request, own: web.Response
    ) -> web.StreamResponse:
        if own.status != 200:
            return own
        bodies = [_body(own)]
        for status, _, body in (await self._ask(request)).values():
            if status == 200:
                bodies.append(body)
        own.body = merge_metrics(
            bodies, own.headers[hdrs.CONTENT_TYPE], self._workers()
        )
        return own


def _body(response: web.Response) -> bytes:
    assert isinstance(response.body, bytes)
    return response.body


def _document(response: web.Response) -> Any:
    return json.loads(_body(response))


def _replaced(response: web.Response, document: Any) -> web.Response:
    """A response with another document."""
    response.body = json.dumps(document).encode()
    return response
