"""Faults of GET, HEAD, OPTIONS and CORS."""

from aiohttp import hdrs

from .server import Asked, Fault, Reply


class GetIsNotAllowed(Fault):
    """GET and HEAD are answered with 405."""

    breaks = ("get-endpoint", "get-session")
    tries = ("4.1", "delete-removes")

    def request(self, asked: Asked) -> Reply | None:
        return Reply(405) if asked.method in ("GET", "HEAD") else None


class GetHasContent(Fault):
    """GET is answered with a page."""

    breaks = ("get-endpoint", "get-session")

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.method == "GET" and reply.status == 204:
            reply.status, reply.body = 200, "<h1>WHIP</h1>"

    def request(self, asked: Asked) -> Reply | None:
        return Reply(200) if asked.method == "HEAD" else None


class HeadIsNotAllowed(Fault):
    """Only GET is implemented."""

    breaks = ("head",)

    def request(self, asked: Asked) -> Reply | None:
        return Reply(405) if asked.method == "HEAD" else None


class NoCors(Fault):
    """There is nothing of CORS."""

    breaks = ("options-cors", "cors-response")
    tries = ("4.2", "auth-preflight")

    def response(self, asked: Asked, reply: Reply) -> None:
        for name in [n for n in reply.headers if n.startswith("Access-Control-")]:
            reply.headers.popall(name, None)


class OtherOrigin(Fault):
    """Only pages of one origin may use it."""

    breaks = ("options-cors", "cors-response")

    def response(self, asked: Asked, reply: Reply) -> None:
        reply.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "https://other.example"


class NoContentType(Fault):
    """Pages may not send a Content-Type."""

    breaks = ("options-cors",)

    def response(self, asked: Asked, reply: Reply) -> None:
        reply.headers.popall(hdrs.ACCESS_CONTROL_ALLOW_HEADERS, None)


class NothingExposed(Fault):
    """Pages cannot read the Location."""

    breaks = ("cors-response",)

    def response(self, asked: Asked, reply: Reply) -> None:
        reply.headers.popall(hdrs.ACCESS_CONTROL_EXPOSE_HEADERS, None)


class NoAcceptPost(Fault):
    """OPTIONS does not say what may be posted."""

    breaks = ("options-accept-post",)

    def response(self, asked: Asked, reply: Reply) -> None:
        reply.headers.popall("Accept-Post", None)


class PlainOptionsAreForbidden(Fault):
    """Only preflights are answered."""

    breaks = ("options-accept-post",)

    def request(self, asked: Asked) -> Reply | None:
        plain = asked.method == "OPTIONS" and not asked.is_preflight
        return Reply(403) if plain else None


class PreflightsNeedAToken(Fault):
    """Preflights without a token get 401, as all else."""

    breaks = ("options-cors", "options-accept-post", "auth-preflight")

    def request(self, asked: Asked) -> Reply | None:
        return Reply(401) if asked.is_preflight else None


class NoPreflightForSessions(Fault):
    """Pages can open sessions, and not change them: no rule of the text forbids it."""

    tries = ("options-session", "options-cors")
    absent = ("options-session",)

    def request(self, asked: Asked) -> Reply | None:
        return Reply(404) if asked.is_preflight and asked.is_session else None
