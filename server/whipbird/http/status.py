"""Liveness and status of the server, for operators."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from aiohttp import hdrs, web

from .. import __version__
from ..apps.served import ApplicationStats
from ..net import Neighbours, UdpPort
from ..rights import Action, Need, Rights
from ..sessions import SessionState, SessionStore
from .auth import grant_for
from .problems import Problem

_NO_STORE = {"Cache-Control": "no-store"}


class StatusResource:
    """The handlers of ``/healthz``, ``/readyz`` and ``/api/status``.

    Args:
        rights: they say who may see the counts.
        applications: takes a snapshot of the applications.
        neighbours: the other workers of this server, if there are any.
    """

    def __init__(
        self,
        store: SessionStore,
        port: UdpPort,
        rights: Rights,
        applications: Callable[[], Sequence[ApplicationStats]],
        neighbours: Neighbours | None = None,
    ) -> None:
        self._applications = applications
        self._neighbours = neighbours
        self._rights = rights
        self._store = store
        self._port = port
        self._started = time.monotonic()

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_get("/healthz", self.health)
        app.router.add_get("/readyz", self.readiness)
        app.router.add_get("/api/status", self.status)

    async def health(self, _request: web.Request) -> web.Response:
        """Answer that the server is alive."""
        return web.json_response({"status": "ok"})

    async def readiness(self, _request: web.Request) -> web.Response:
        """Answer whether new sessions are accepted: not while the server drains."""
        if self._store.is_accepting:
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "draining"}, status=503)

    async def status(self, request: web.Request) -> web.Response:
        """Send counts. Session ids are not shown: whoever knows one may end it.

        A client without a token learns the version alone, where there are rules.
        """
        try:
            await grant_for(request, self._rights, Need(Action.ADMIN))
        except Problem as problem:
            if problem.status == 401 and hdrs.AUTHORIZATION not in request.headers:
                return web.json_response({"version": __version__}, headers=_NO_STORE)
            raise
        counts = self._store.count()
        states = [s for s in SessionState if s is not SessionState.CLOSED]
        handed_over = (
            {}
            if self._neighbours is None
            else {"handed_over": asdict(self._neighbours.stats)}
        )
        return web.json_response(
            {
                "version": __version__,
                "packet_path": self._port.packet_path,
                "uptime": round(time.monotonic() - self._started, 3),
                "sessions": {
                    "open": counts.total(),
                    **{str(state): counts[state] for state in states},
                    "total": self._store.opened,
                },
                "messages_echoed": self._store.messages_echoed,
                "applications": list(map(asdict, self._applications())),
                "udp": asdict(self._port.stats),
                "tcp": asdict(self._port.tcp.stats),
                **handed_over,
            },
            headers=_NO_STORE,
        )
