"""Faults of entity tags and If-Match."""

from aiohttp import hdrs

from .server import Asked, Fault, Reply


class NoETag(Fault):
    """The 201 response has no ETag."""

    breaks = ("etag-201",)
    tries = ("4.3.1", "4.3.2")

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.method == "POST":
            reply.headers.popall(hdrs.ETAG, None)


class WeakETag(Fault):
    """The ETag is a weak one."""

    breaks = ("etag-strong",)
    tries = ("4.3.1", "4.3.2")

    def request(self, asked: Asked) -> Reply | None:
        value = asked.headers.get(hdrs.IF_MATCH, "")
        if value.startswith("W/"):
            asked.headers[hdrs.IF_MATCH] = value[2:]
        return None

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and hdrs.ETAG in reply.headers:
            reply.headers[hdrs.ETAG] = "W/" + reply.headers[hdrs.ETAG]


class AsteriskETag(Fault):
    """The ETag is an asterisk."""

    breaks = ("etag-strong",)
    tries = ("4.3.1", "4.3.2")

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and hdrs.ETAG in reply.headers:
            reply.headers[hdrs.ETAG] = "*"


class IfMatchIsIgnored(Fault):
    """If-Match is never looked at."""

    breaks = ("patch-428", "patch-412", "patch-if-match", "restart-412")
    tries = ("4.3.1", "4.3.2", "4.3.3")

    def request(self, asked: Asked) -> Reply | None:
        if asked.method == "PATCH":
            asked.headers[hdrs.IF_MATCH] = "*"
        return None


class IfMatchIsOptional(Fault):
    """A PATCH without If-Match is taken."""

    breaks = ("patch-428",)
    tries = ("4.3.1", "4.3.2")

    def request(self, asked: Asked) -> Reply | None:
        if asked.method == "PATCH":
            asked.headers.setdefault(hdrs.IF_MATCH, "*")
        return None


class IfMatchIsOneTag(Fault):
    """If-Match is compared as a string."""

    breaks = ("patch-if-match",)

    def request(self, asked: Asked) -> Reply | None:
        several = "," in asked.headers.get(hdrs.IF_MATCH, "")
        return Reply(412) if several else None


class DeleteLooksAtIfMatch(Fault):
    """DELETE is conditional."""

    breaks = ("delete-ignores-etag",)

    def request(self, asked: Asked) -> Reply | None:
        conditional = asked.method == "DELETE" and hdrs.IF_MATCH in asked.headers
        return Reply(412) if conditional else None


class TrickleOnly(Fault):
    """ICE restarts are not supported, and that is said with 422: a right server."""

    tries = ("4.3", "4.3.1", "4.3.2", "4.3.3")
    absent = ("restart", "restart-200", "restart-media", "restart-replaces")

    def request(self, asked: Asked) -> Reply | None:
        star = asked.headers.get(hdrs.IF_MATCH) == "*"
        return Reply(422) if asked.method == "PATCH" and star else None


class TrickleOnlyWithoutSayingSo(Fault):
    """ICE restarts are not supported, and that is said with 501."""

    breaks = ("patch-422",)
    tries = ("4.3.1",)

    def request(self, asked: Asked) -> Reply | None:
        star = asked.headers.get(hdrs.IF_MATCH) == "*"
        return Reply(501) if asked.method == "PATCH" and star else None


class NoPatch(Fault):
    """Neither trickle ICE nor ICE restarts are supported: a right server too."""

    tries = ("4.3", "4.3.1", "4.3.2", "4.3.3")
    absent = ("trickle", "restart", "patch-412", "trickle-204", "patch-422")

    def request(self, asked: Asked) -> Reply | None:
        return Reply(405) if asked.method == "PATCH" else None

    def response(self, asked: Asked, reply: Reply) -> None:
        reply.headers.popall(hdrs.ETAG, None)
