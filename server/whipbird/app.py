"""Where the rooms are wired together."""

from aiohttp import web

from .config import Settings
from .http.access import access_middleware
from .http.cors import enable_cors, plain_options
from .http.page import PageResource, webclient_directory
from .http.problems import problem_middleware
from .http.status import StatusResource
from .http.whip import MAX_BODY_SIZE, WhipResource
from .sessions import SessionStore

STORE = web.AppKey("store", SessionStore)


def create_app(settings: Settings) -> web.Application:
    """Build a server. There is no other state: many can live in one process.

    Args:
        settings: what the operator has decided.
    """
    app = web.Application(
        middlewares=[access_middleware, problem_middleware, plain_options],
        client_max_size=MAX_BODY_SIZE,
    )
    store = SessionStore(
        setup_timeout=settings.setup_timeout,
        echo_buffer=settings.echo_buffer,
        loopback=settings.ice_loopback,
    )
    app[STORE] = store
    enable_cors(app, WhipResource(store).add_to(app))
    StatusResource(store).add_to(app)
    PageResource(webclient_directory()).add_to(app)

    async def end_sessions(_app: web.Application) -> None:
        await store.close()

    async def sign(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = "Whipbird"

    app.on_shutdown.append(end_sessions)
    app.on_response_prepare.append(sign)
    return app
