"""What each token may do on a whole server, and what nobody may without one."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest
from aiohttp import hdrs, web
from aiohttp.test_utils import TestClient, TestServer
from pytest_aiohttp.plugin import AiohttpClient

from tests import offers
from whipbird.app import RIGHTS, STORE, create_app
from whipbird.config import Settings
from whipbird.http.page import webclient_directory
from whipbird.rights import digest_of

Client = TestClient[web.Request, web.Application]

ACTIONS = {
    "publisher": ("publish", "live"),
    "again": ("publish", "live"),
    "viewer": ("watch", "live"),
    "recordist": ("record", "live"),
    "elsewhere": ("admin", "other"),
    "chief": ("admin", "*"),
}
RULES = "".join(
    f"""
[[tokens]]
name = "{name}"
hash = "{digest_of(name)}"
actions = ["{action}"]
streams = ["{streams}"]
"""
    for name, (action, streams) in ACTIONS.items()
)
FILE = "live_20310203T040506Z_001.mp4"

# What needs no token: liveness, the page, the description of the interface. Of the
# status, a client without a token learns the version.
OPEN = {"/", "/healthz", "/readyz", "/api/openapi.yaml"}
PAGES = ("/assets/", "/watch", "/embed/")
OPEN |= {
    f"/{path.relative_to(webclient_directory())}"
    for path in webclient_directory().rglob("*")
}


def bearer(token: str) -> dict[str, str]:
    return {hdrs.AUTHORIZATION: f"Bearer {token}"}


def write(file: Path, text: str) -> None:
    file.write_text(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "rights.toml"
    file.write_text(RULES)
    return file


@pytest.fixture
async def client(
    aiohttp_client: AiohttpClient, file: Path, tmp_path: Path
) -> AsyncIterator[Client]:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for stream in ("live", "other"):
        (folder / FILE.replace("live", stream)).write_bytes(b"recorded")
    yield await aiohttp_client(create_app(Settings(rights_file=file, record=folder)))
    assert len(list(folder.iterdir())) == 2


def routes(client: Client) -> list[tuple[str, str]]:
    """Every method and path of the server that is not open to all."""
    assert client.app is not None
    found = []
    for route in client.app.router.routes():
        assert route.resource is not None
        if route.resource.canonical.startswith(PAGES):
            continue
        path = route.resource.canonical.format(
            stream="live", session="session", events="events", file=FILE, id="12345678"
        )
        if path not in OPEN:
            found.append((route.method, path))
    assert len(found) > 40
    assert ("PATCH", "/whep/live/session") in found
    return found


async def test_a_stranger_can_do_nothing_but_be_told_so(client: Client) -> None:
    assert client.app is not None
    for method, path in routes(client):
        response = await client.request(method, path)
        if path == "/api/status":
            assert response.status == 200
            if method == "GET":
                assert set(await response.json()) == {"version"}
        elif path.endswith("/sse/events") and method == "GET":
            # The URL has a secret, which nobody can guess.
            assert response.status == 404
        else:
            assert response.status == 401, (method, path)
            assert response.headers[hdrs.WWW_AUTHENTICATE].startswith("Bearer ")
    assert client.app[STORE].opened == 0


async def test_a_token_with_too_few_rights_is_told_so(client: Client) -> None:
    """Each right opens only what it is for; one for another stream opens nothing."""
    assert client.app is not None
    prefixes = {
        "publisher": ["/whip/live", "/api/streams/live/links"],
        "viewer": ["/whep/live", "/api/streams"],
        "recordist": ["/api/recordings", "/api/streams/live/recording"],
        "elsewhere": ["/api/streams", "/api/recordings"],
    }
    for token, allowed in prefixes.items():
        refused = 0
        for method, path in routes(client):
            if path.endswith("/sse/events") and method == "GET":
                continue
            if any(path.startswith(prefix) for prefix in allowed):
                continue
            response = await client.request(method, path, headers=bearer(token))
            assert response.status == 403, (token, method, path)
            challenge = response.headers[hdrs.WWW_AUTHENTICATE]
            assert 'error="insufficient_scope", scope="' in challenge
            refused += 1
        assert refused >= 20
    assert client.app[STORE].opened == 0


@pytest.mark.parametrize(
    ("method", "path", "tokens"),
    [
        ("GET", "/whip/live", {"publisher", "again"}),
        ("GET", "/whip", set()),
        ("GET", "/whep/live", {"viewer"}),
        ("GET", "/api/streams", {"viewer", "elsewhere"}),
        ("GET", "/api/streams?name=live", {"viewer"}),
        ("GET", "/api/streams?name=live&name=other", {"viewer", "elsewhere"}),
        ("GET", "/api/streams/live", {"viewer"}),
        ("GET", "/api/streams/live/snapshot.jpg", {"viewer"}),
        ("GET", "/api/streams/live/recording", {"viewer"}),
        ("POST", "/api/streams/live/recording", {"recordist"}),
        ("DELETE", "/api/streams/live/recording", {"recordist"}),
        ("GET", "/api/recordings", {"recordist", "elsewhere"}),
        ("GET", f"/api/recordings/{FILE}", {"recordist"}),
        ("GET", "/api/recordings/other_20310203T040506Z_001.mp4", {"elsewhere"}),
        ("GET", "/api/recordings/no-name", set()),
        ("DELETE", "/api/recordings/live_20310203T040506Z_002.mp4", {"recordist"}),
        ("GET", "/api/status", set()),
    ],
)
async def test_who_may_do_what(
    client: Client, method: str, path: str, tokens: set[str]
) -> None:
    for token in ACTIONS:
        response = await client.request(method, path, headers=bearer(token))
        expected = token in tokens or token == "chief"
        assert (response.status not in (401, 403)) is expected, token


async def test_lists_have_what_one_may_see(client: Client) -> None:
    url = "/api/recordings"
    seen = {}
    for token in ("recordist", "elsewhere", "chief"):
        listing = await (await client.get(url, headers=bearer(token))).json()
        seen[token] = {file["stream"] for file in listing["recordings"]}
    assert seen == {
        "recordist": {"live"},
        "elsewhere": {"other"},
        "chief": {"live", "other"},
    }
    # The page after which there is nothing for this token is the last one.
    response = await client.get(f"{url}?limit=1", headers=bearer("recordist"))
    assert hdrs.LINK not in response.headers


async def test_the_streams_that_one_may_watch(client: Client) -> None:
    for stream in ("live", "other"):
        response = await post(client, f"/whip/{stream}", "chief", offers.CHROMIUM_MEDIA)
        assert response.status == 201
    for token, expected in (
        ("viewer", {"live"}),
        ("elsewhere", {"other"}),
        ("chief", {"live", "other"}),
    ):
        listing = await (await client.get("/api/streams", headers=bearer(token))).json()
        assert {stream["name"] for stream in listing["streams"]} == expected


async def post(client: Client, path: str, token: str, offer: str) -> web.Response:
    return await client.post(  # type: ignore[return-value]
        path,
        data=offer.encode(),
        headers={hdrs.CONTENT_TYPE: "application/sdp", **bearer(token)},
    )


async def test_a_session_belongs_to_who_opened_it(client: Client) -> None:
    """Others with the same rights are refused, an administrator is not."""
    for owner, path, offer, others in (
        ("publisher", "/whip/live", offers.CHROMIUM_DATA, ("again",)),
        ("chief", "/whep/live", offers.CHROMIUM_VIEWER, ("viewer",)),
    ):
        opened = await post(client, path, owner, offer)
        assert opened.status == 201
        session = opened.headers[hdrs.LOCATION]
        requests = [(method, "") for method in ("GET", "OPTIONS", "PATCH", "DELETE")]
        if "whep" in path:
            requests += [("POST", "/layer"), ("POST", "/sse"), ("DELETE", "/sse/x")]
        for other in others:
            for method, below in requests:
                response = await client.request(
                    method, f"{session}{below}", headers=bearer(other)
                )
                assert response.status == 403, (method, below)
                assert (await response.json())["title"] == "Not your session"
        for token, status in ((owner, 204), ("chief", 204)):
            response = await client.get(session, headers=bearer(token))
            assert response.status == status
        response = await client.delete(session, headers=bearer("chief"))
        assert response.status == 200


async def test_a_right_that_is_taken_away(client: Client, file: Path) -> None:
    """The session goes on, but is not for who has no right any more."""
    assert client.app is not None
    opened = await post(client, "/whip/live", "publisher", offers.CHROMIUM_DATA)
    session = opened.headers[hdrs.LOCATION]
    write(file, RULES.replace(digest_of("publisher"), digest_of("other")))
    assert client.app[RIGHTS].reload()
    response = await client.delete(session, headers=bearer("publisher"))
    assert response.status == 401
    response = await client.delete(session, headers=bearer("other"))
    assert response.status == 200


async def test_any_name_while_nothing_is_permitted_to_strangers(
    client: Client, file: Path
) -> None:
    """A page that uses DNS rebinding may do what anybody may."""
    assert client.app is not None
    headers = {hdrs.HOST: "media.example.com"}
    assert (await client.get("/healthz", headers=headers)).status == 200
    write(file, RULES + '[anonymous]\nactions = ["watch"]')
    assert client.app[RIGHTS].reload()
    assert (await client.get("/healthz", headers=headers)).status == 421


def secret_in(folder: Path) -> tuple[bytes, Path]:
    """A secret, and a file with it."""
    secret, file = b"0123456789abcdef0123456789abcdef", folder / "secret"
    file.write_bytes(secret)
    return secret, file


async def test_json_tokens(aiohttp_client: AiohttpClient, tmp_path: Path) -> None:
    secret, file = secret_in(tmp_path)
    client = await aiohttp_client(create_app(Settings(jwt_key_file=file)))
    claims = {"sub": "ann", "actions": ["publish"], "streams": ["live"]}
    for seconds, statuses in ((600, [204, 403, 403]), (-600, [401, 401, 401])):
        token = jwt.encode({**claims, "exp": time.time() + seconds}, secret)
        found = [
            (await client.get(path, headers=bearer(token))).status
            for path in ("/whip/live", "/whip/other", "/whep/live")
        ]
        assert found == statuses
    assert (await client.get("/whip/live")).status == 401


async def test_a_webhook(aiohttp_client: AiohttpClient) -> None:
    """With and without a token; nothing is permitted when it does not answer."""

    async def decide(request: web.Request) -> web.Response:
        asked = await request.json()
        if asked["path"] == "broken":
            return web.Response(status=500)
        is_right = asked["token"] == "good" or asked["path"] == "public"
        return web.Response(status=200 if is_right else 401)

    program = web.Application()
    program.router.add_post("/", decide)
    async with TestServer(program) as server:
        settings = Settings(auth_url=str(server.make_url("/")))
        client = await aiohttp_client(create_app(settings))
        for path, token, status in (
            ("/whip/live", "good", 204),
            ("/whip/live", "bad", 401),
            ("/whip/live", None, 401),
            ("/whip/public", None, 204),
            ("/whip/broken", "good", 503),
            ("/whip/broken", None, 503),
        ):
            headers = {} if token is None else bearer(token)
            response = await client.get(path, headers=headers)
            assert response.status == status, (path, token)
            assert (hdrs.RETRY_AFTER in response.headers) is (status == 503)


STREAMS = """
[[streams]]
names = ["stage"]
takeover = true

[[streams]]
names = ["premiere"]
wait_for_publisher = false
"""


async def test_streams_have_rules_of_their_own(client: Client, file: Path) -> None:
    """The second encoder takes over where it may; viewers wait where they may."""
    write(file, RULES + STREAMS)
    assert client.app is not None
    assert client.app[RIGHTS].reload()
    changed = offers.FINGERPRINT[:-2] + "0F"
    assert changed != offers.FINGERPRINT
    other = offers.CHROMIUM_MEDIA.replace(offers.FINGERPRINT, changed)
    for stream, status in (("stage", 201), ("live", 409)):
        for offer, expected in ((offers.CHROMIUM_MEDIA, 201), (other, status)):
            response = await post(client, f"/whip/{stream}", "chief", offer)
            assert response.status == expected, stream
    for stream, status in (("premiere", 409), ("anything", 201)):
        viewer = offers.CHROMIUM_VIEWER
        response = await post(client, f"/whep/{stream}", "chief", viewer)
        assert response.status == status, stream
