"""Which worker a connection and a request are for."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from whipbird.http.owners import (
    opens_viewer,
    owner_of_connection,
    owner_of_request,
)
from whipbird.net.shard import Shard
from whipbird.sessions.session import may_be_id, new_id

SHARD = Shard(0, 2)
# "a" belongs to the other worker, "g" to this one.
OTHER = 1
# Ids of sessions: of this worker, of the other one, and of none.
HERE, THERE, NOWHERE = ("A" * 31 + last for last in "ABH")


@pytest.mark.parametrize(
    ("head", "owner"),
    [
        (b"POST /whip/a HTTP/1.1\r\nHost: x\r\n\r\nbody", OTHER),
        (b"PATCH /whep/a/0123 HTTP/1.1", OTHER),
        (b"GET /live/whip/a?x=1 HTTP/1.1", OTHER),
        (b"GET /watch/a HTTP/1.1", OTHER),
        (b"DELETE /api/streams/a/publisher HTTP/1.1", OTHER),
        (b"POST /whip/g HTTP/1.1", None),
        # The session is at another worker than its stream.
        (f"GET /whep/g/{THERE}/sse/x HTTP/1.1".encode(), OTHER),
        (f"PATCH /whep/a/{HERE} HTTP/1.1".encode(), None),
        # It is none of this server.
        (f"PATCH /whep/a/{NOWHERE} HTTP/1.1".encode(), OTHER),
        # It is not whole, or names none.
        (b"POST /whip/a", None),
        (b"GET / HTTP/1.1", None),
        (b"GET /?next=/whip/a HTTP/1.1", None),
        (b"GET /api/streams HTTP/1.1", None),
        (b"POST /whip/%61 HTTP/1.1", None),
        (b"\x16\x03\x01", None),
        (b"", None),
    ],
)
def test_connections(head: bytes, owner: int | None) -> None:
    assert owner_of_connection(head, SHARD) == owner


@pytest.mark.parametrize(
    ("method", "match", "owner"),
    [
        ("POST", {"stream": "a"}, OTHER),
        ("GET", {"stream": "g"}, None),
        ("PATCH", {"stream": "g", "session": THERE}, OTHER),
        ("DELETE", {"stream": "a", "session": HERE}, None),
        ("DELETE", {"stream": "a", "session": NOWHERE}, OTHER),
        ("DELETE", {"stream": "g", "session": "x"}, None),
        ("GET", {"streams": "a+g"}, OTHER),
        ("GET", {"streams": "g+a"}, None),
        ("DELETE", {"file": "a_20260101T000000Z_001.mp4"}, OTHER),
        # All see the same files.
        ("GET", {"file": "a_20260101T000000Z_001.mp4"}, None),
        ("DELETE", {"file": "nonsense"}, None),
        ("GET", {}, None),
    ],
)
def test_requests(method: str, match: dict[str, str], owner: int | None) -> None:
    info = web.UrlMappingMatchInfo(match, make_route())
    request = make_mocked_request(method, "/", match_info=info)
    request._match_info = info
    assert owner_of_request(request, SHARD) == owner


def make_route() -> web.AbstractRoute:
    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    return web.Application().router.add_get("/", handler)


def test_ids_of_one_process_and_of_workers() -> None:
    ids = {new_id(shard) for shard in (None, None, Shard(0, 9), Shard(8, 9))}
    assert len(ids) == 4
    assert all(map(may_be_id, (*ids, HERE, THERE, NOWHERE)))
    for number in range(9):
        assert SHARD.worker_of_id(new_id(Shard(number, 9))) == (
            number if number < SHARD.count else None
        )
    for malformed in ("", "x", "AAA", "§§§§"):
        assert SHARD.worker_of_id(malformed) is None


@pytest.mark.parametrize(
    ("method", "path", "headers", "wanted"),
    [
        ("POST", "/whep/{stream}", {}, True),
        ("POST", "/whep/{stream}/", {}, True),
        # A proxy of a content delivery network names itself, too.
        ("POST", "/whep/{stream}", {"CDN-Loop": "proxy.example; x=1"}, True),
        ("POST", "/whep/{stream}", {"CDN-Loop": "a, whipbird-0123"}, False),
        ("GET", "/whep/{stream}", {}, False),
        ("POST", "/whip/{stream}", {}, False),
        ("POST", "/whep/{stream}/{session}/layer", {}, False),
    ],
)
def test_offers_of_viewers(
    method: str, path: str, headers: dict[str, str], wanted: bool
) -> None:
    app = web.Application()
    route = app.router.add_route("*", path, make_route().handler)
    info = web.UrlMappingMatchInfo({"stream": "a"}, route)
    request = make_mocked_request(method, "/", headers=headers, match_info=info)
    request._match_info = info
    assert opens_viewer(request) is wanted
