"""The web client: its files, the page of each stream, and errors as pages."""

import json
import re
from collections.abc import Awaitable, Callable, Iterable
from importlib.resources import files
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from ..config import ANY
from ..pages import Content, Site
from .clients import client_of
from .content import FOREVER, FRESH, ISOLATION, is_trustworthy, quality, respond
from .preview import Previews
from .problems import CONTENT_TYPE as PROBLEM
from .problems import Problem
from .stream_names import is_stream_name, not_a_stream_name

INDEX = "index.html"
MANIFEST = "manifest.webmanifest"
# The link to the view of language models, without them and with them.
_CHAT_LINK = ('href="#chat" hidden>', 'href="#chat">')
# The name of the route of the start page.
_ROOT = "start-page"

# Streams that one page shows side by side.
MOST_STREAMS = 9

# What answers to endpoints and to the API are asked for as.
_FOR_PROGRAMS = ("application/json", PROBLEM, "application/sdp")

_ENDPOINT = re.compile(r"/(whip|whep)(?:/([^/]+))?/?")

_Handler = Callable[[web.Request], Awaitable[web.Response]]


def webclient_directory() -> Path:
    """The directory of the page's files: in the package, or in a checkout."""
    package = Path(str(files("whipbird")))
    installed = package / "webclient"
    return installed if installed.is_dir() else package.parents[1] / "webclient"


def wants_page(request: web.BaseRequest) -> bool:
    """Whether a browser asks for something to show to its user."""
    if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
        return False
    accept = request.headers.get(hdrs.ACCEPT, "")
    others = max(quality(accept, name) for name in _FOR_PROGRAMS)
    return quality(accept, "text/html") > others


def _path_of(request: web.BaseRequest) -> str:
    """The path of a request, from the start page on; it begins with a slash."""
    assert isinstance(request, web.Request)
    # An application that is mounted in another one has a path of its own.
    root = request.app.router[_ROOT].url_for().raw_path.rstrip("/")
    client = client_of(request)
    if client.is_prefix_kept:
        root = f"{client.prefix}{root}"
    return request.rel_url.raw_path.removeprefix(root) or "/"


def base_of(request: web.BaseRequest) -> str:
    """The relative URL from the address of a request to the start page.

    So it is right behind a proxy, too, that has the page below a path of its own.
    """
    depth = _path_of(request).count("/") - 1
    return "../" * depth or "./"


class PageResource:
    """The handlers of ``/``, of each file of the page, and of the page of a stream.

    Args:
        site: the files.
        previews: what a page says of its stream to those who link to it.
        embedders: the origins whose pages may show a stream in a frame; ``ANY`` for
            all. Pages of this server always may.
        has_chat: whether a stream has a chat.
        has_llms: whether the server has language models, so that the page shows Chat.
    """

    def __init__(
        self,
        site: Site,
        previews: Previews,
        embedders: Iterable[str],
        has_chat: Callable[[str], bool],
        *,
        has_llms: bool = False,
    ) -> None:
        self._site = site
        self._has_chat = has_chat
        self._has_llms = has_llms
        self._previews = previews
        embedders = tuple(embedders)
        self._ancestors = ANY if ANY in embedders else " ".join(("'self'", *embedders))

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        for name, content in self._site.files.items():
            if name == INDEX and self._has_llms:
                content = content.changed(*_CHAT_LINK, name)
            handler = _serve(content, FRESH)
            app.router.add_get(f"/{name}", handler)
            if name == INDEX:
                app.router.add_get("/", _with_slash(handler), name=_ROOT)
                # Of an application that is mounted at a path.
                app.router.add_get("", _with_slash(handler))
        for name, content in self._site.assets.items():
            app.router.add_get(f"/{name}", _serve(content, FOREVER))
        app.router.add_get(f"/{MANIFEST}", self.manifest)
        app.router.add_get(f"/watch/{{streams}}/{MANIFEST}", self.manifest)
        for slash in ("", "/"):
            app.router.add_get(f"/watch{slash}", self.choose)
            app.router.add_get(f"/watch/{{streams}}{slash}", self.watch)
            app.router.add_get(f"/embed/{{streams}}{slash}", self.embed)

    async def choose(self, request: web.Request) -> web.Response:
        """Lead to the view that asks for the name of a stream."""
        raise web.HTTPSeeOther(f"{base_of(request)}#watch")

    async def watch(self, request: web.Request) -> web.Response:
        """The page that plays a stream, or several."""
        return respond(request, await self._render(request, "watch"))

    async def embed(self, request: web.Request) -> web.Response:
        """The same for a frame in another page."""
        content = await self._render(request, "embed")
        response = respond(request, content, frame_ancestors=self._ancestors)
        # A page that is isolated from other origins may show it, too.
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        response.headers["Cross-Origin-Embedder-Policy"] = "require-corp"
        return response

    async def manifest(self, request: web.Request) -> web.Response:
        """What a phone that installs a page opens then: the page that it was on."""
        base = base_of(request)
        title, start = "Whipbird", base
        if "streams" in request.match_info:
            title = "+".join(self._names_in(request))
            start = f"{base}watch/{title}"
        content = self._site.render(MANIFEST, base=base, title=title, start=start)
        return respond(request, content)

    async def _render(self, request: web.Request, kind: str) -> Content:
        names = self._names_in(request)
        base = base_of(request)
        preview = await self._previews.of(request, base, names)
        return self._site.render(
            "watch.html",
            base=base,
            kind=kind,
            title=preview.title,
            description=preview.description,
            streams=" ".join(names),
            chats=" ".join(filter(self._has_chat, names)),
            streams_path="+".join(names),
            url=preview.url,
            picture=preview.picture,
        )

    def _names_in(self, request: web.Request) -> list[str]:
        """The names of streams in a path.

        Raises:
            Problem: 404 when one cannot be, or there are too many.
        """
        names = request.match_info["streams"].split("+")
        for name in names:
            if not is_stream_name(name):
                raise not_a_stream_name(name)
        if len(names) > MOST_STREAMS:
            raise Problem(
                404,
                "Too many streams",
                f"One page shows {MOST_STREAMS} streams at most.",
            )
        return names


class BrowserMiddlewares:
    """What browsers get in place of what is for programs.

    Args:
        site: the files of the page.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def problems(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        """A middleware that makes pages of problem details."""
        site = self._site

        @web.middleware
        async def middleware(
            request: web.Request, handler: Handler
        ) -> web.StreamResponse:
            response = await handler(request)
            if (
                # Most are none; that is the cheapest to see.
                response.status < 400
                or response.content_type != PROBLEM
                or not isinstance(response, web.Response)
                or not isinstance(response.body, bytes)
                or not wants_page(request)
            ):
                return response
            details = json.loads(response.body)
            content = site.render(
                "problem.html",
                base=base_of(request),
                title=details["title"],
                detail=details["detail"],
                status=str(response.status),
            )
            page = respond(request, content, status=response.status)
            for name in (hdrs.ALLOW, hdrs.RETRY_AFTER, hdrs.WWW_AUTHENTICATE):
                if name in response.headers:
                    page.headers[name] = response.headers[name]
            page.headers[hdrs.CACHE_CONTROL] = "no-store"
            page.headers.add(hdrs.VARY, hdrs.ACCEPT)
            return page

        return middleware

    @property
    def endpoints(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        """A middleware that leads from the address of an endpoint to its page."""

        @web.middleware
        async def middleware(
            request: web.Request, handler: Handler
        ) -> web.StreamResponse:
            if not wants_page(request):
                return await handler(request)
            match = _ENDPOINT.fullmatch(_path_of(request))
            if match is None:
                return await handler(request)
            protocol, stream = match.groups()
            target = f"/{stream}" if stream else ""
            path = f"#publish{target}" if protocol == "whip" else f"watch{target}"
            raise web.HTTPSeeOther(
                f"{base_of(request)}{path}", headers={hdrs.VARY: hdrs.ACCEPT}
            )

        return middleware


def _serve(content: Content, cache: str) -> _Handler:
    async def serve(request: web.Request) -> web.Response:
        response = respond(request, content, cache=cache)
        if is_trustworthy(request):
            response.headers.update(ISOLATION)
        return response

    return serve


def _with_slash(handler: _Handler) -> _Handler:
    """Make a handler that first sends a browser to a path with a slash at its end.

    The links of the page are relative to it.
    """

    async def serve(request: web.Request) -> web.Response:
        last = request.rel_url.raw_path.rpartition("/")[2]
        if not last:
            return await handler(request)
        query = request.rel_url.raw_query_string
        location = f"{last}/?{query}" if query else f"{last}/"
        return web.Response(status=308, headers={hdrs.LOCATION: location})

    return serve
