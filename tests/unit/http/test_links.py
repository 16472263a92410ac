"""Links for viewers, on a whole server: who makes them, and what they open."""

import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from aiohttp import hdrs, web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from tests import offers
from whipbird.app import RIGHTS, SIGNER, STORE, create_app
from whipbird.config import Settings, load_settings
from whipbird.rights import Purpose, Signed, digest_of

Client = TestClient[web.Request, web.Application]

TOKENS = {
    "publisher": ("publish", "live"),
    "viewer": ("watch", "live"),
    "recordist": ("record", "live"),
    "elsewhere": ("publish", "other"),
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
    for name, (action, streams) in TOKENS.items()
)
PUBLIC = """
[anonymous]
actions = ["watch"]
streams = ["public-*"]
"""


def bearer(token: str) -> dict[str, str]:
    return {hdrs.AUTHORIZATION: f"Bearer {token}"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file, secret = tmp_path / "rights.toml", tmp_path / "secret"
    file.write_text(RULES + PUBLIC)
    secret.write_text("0123456789abcdef0123456789abcdef\n")
    return load_settings({"rights_file": file, "link_secret_file": str(secret)})


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, settings: Settings) -> Client:
    return await aiohttp_client(create_app(settings))


async def make(
    client: Client,
    token: str = "publisher",
    stream: str = "live",
    body: Any = {"expires_in": 3600},  # noqa: B006 - it is only read
) -> tuple[int, dict[str, Any]]:
    response = await client.post(
        f"/api/streams/{stream}/links", json=body, headers=bearer(token)
    )
    assert "no-store" in response.headers.get("Cache-Control", "no-store")
    return response.status, await response.json()


async def post(client: Client, path: str, token: str, offer: str) -> Any:
    headers = {hdrs.CONTENT_TYPE: "application/sdp", **bearer(token)}
    return await client.post(path, data=offer.encode(), headers=headers)


async def test_a_link(client: Client) -> None:
    began = int(time.time())
    status, link = await make(client)
    assert status == 201
    assert set(link) == {"stream", "url", "token", "expires"}
    assert link["stream"] == "live"
    # Relative to the URL of the request: a proxy may have taken a prefix off the path.
    for prefix in ("", "/webrtc"):
        asked = f"http://server{prefix}/api/streams/live/links"
        page = f"http://server{prefix}/#watch/live?key={link['token']}"
        assert urljoin(asked, link["url"]) == page
    expires = datetime.fromisoformat(link["expires"]).timestamp()
    assert began + 3600 <= expires <= time.time() + 3600


async def test_who_may_make_one(client: Client) -> None:
    """Whoever publishes a stream; a viewer does not pass its right on."""
    found = {token: (await make(client, token))[0] for token in TOKENS}
    assert found == {
        "publisher": 201,
        "viewer": 403,
        "recordist": 403,
        "elsewhere": 403,
        "chief": 201,
    }
    link = (await make(client))[1]["token"]
    assert (await make(client, link))[0] == 403
    assert (await client.post("/api/streams/live/links")).status == 401


async def test_what_it_opens(client: Client) -> None:
    """The stream, for viewers, and the session that it has opened."""
    link, other = [(await make(client))[1]["token"] for _ in range(2)]
    opened = await post(client, "/whep/live", link, offers.CHROMIUM_VIEWER)
    assert opened.status == 201
    session = opened.headers[hdrs.LOCATION]
    assert client.app is not None
    media = await post(client, "/whip/live", "publisher", offers.CHROMIUM_MEDIA)
    assert media.status == 201
    for method, path, status in (
        ("GET", session, 204),
        ("PATCH", session, 415),
        ("POST", f"{session}/sse", 201),
        ("GET", "/api/streams/live", 200),
        ("GET", "/api/streams/live/snapshot.jpg", 503),
        ("GET", "/api/streams/live/recording", 404),
        ("GET", "/whep/other", 403),
        ("POST", "/whep/other", 403),
        ("GET", "/api/streams/other", 403),
        ("POST", "/api/streams/live/recording", 403),
        ("DELETE", "/api/streams/live/publisher", 403),
        ("GET", "/whip/live", 403),
        ("POST", "/whip/live", 403),
        ("DELETE", media.headers[hdrs.LOCATION], 403),
        ("GET", "/api/recordings", 403),
        ("GET", "/api/sessions", 403),
        ("GET", "/metrics", 403),
    ):
        response = await client.request(method, path, headers=bearer(link))
        assert response.status == status, (method, path)
    listed = await (await client.get("/api/streams", headers=bearer(link))).json()
    assert [stream["name"] for stream in listed["streams"]] == ["live"]
    # Another link to the same stream, and another viewer, do not own the session.
    for token in (other, "viewer"):
        response = await client.delete(session, headers=bearer(token))
        assert response.status == 403
    assert (await client.delete(session, headers=bearer(link))).status == 200


async def test_a_session_outlasts_its_link(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on, but is not for who has no right any more."""
    link = (await make(client))[1]["token"]
    opened = await post(client, "/whep/live", link, offers.CHROMIUM_VIEWER)
    assert client.app is not None
    monkeypatch.setattr(client.app[RIGHTS], "_now", lambda: time.time() + 3601)
    for method, path in (
        ("DELETE", opened.headers[hdrs.LOCATION]),
        ("POST", "/whep/live"),
        ("GET", "/api/streams/live"),
    ):
        response = await client.request(method, path, headers=bearer(link))
        assert response.status == 401
        assert 'error="invalid_token"' in response.headers[hdrs.WWW_AUTHENTICATE]
        problem = await response.json()
        assert problem["title"] == "Link expired"
        assert "This link was good until 20" in problem["detail"]
    assert client.app[STORE].count().total() == 1


async def test_links_that_are_none(client: Client) -> None:
    link = (await make(client))[1]["token"]
    head, body, signature = link.split(".")
    changed = "A" if signature[9] != "A" else "B"
    for token in (
        link[:-1],
        f"{head}.{body}.{signature[:9]}{changed}{signature[10:]}",
        f"{head}.{body[:-4]}AAAA.{signature}",
    ):
        response = await client.get("/whep/live", headers=bearer(token))
        assert response.status == 401
        assert (await response.json())["title"] == "Wrong token"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"expires_in": 60}, 201),
        ({"expires_in": 2_592_000}, 201),
        ({"expires_in": 59}, 422),
        ({"expires_in": 2_592_001}, 422),
        ({"expires_in": 3600.0}, 422),
        ({"expires_in": True}, 422),
        ({"expires_in": "3600"}, 422),
        ({}, 422),
        ({"expires_in": 3600, "actions": ["admin"]}, 422),
        ([3600], 400),
        (None, 415),
    ],
)
async def test_for_how_long(client: Client, body: Any, status: int) -> None:
    found, answer = await make(client, body=body)
    assert found == status, answer
    if status == 422:
        assert "expires_in" in answer["detail"]


async def test_other_bodies(client: Client) -> None:
    url, headers = "/api/streams/live/links", bearer("publisher")
    for kind, data, status in (
        ("application/json", b"{", 400),
        ("application/json", b"", 400),
        ("text/plain", b"{}", 415),
    ):
        response = await client.post(
            url, data=data, headers={hdrs.CONTENT_TYPE: kind, **headers}
        )
        assert response.status == status


async def test_names_of_streams(client: Client) -> None:
    """None but those that can be published; a stream may be called as a resource is."""
    for stream, status in (("a%20b", 404), ("x" * 65, 404), ("links", 201)):
        assert (await make(client, "chief", stream))[0] == status, stream
    link = (await make(client, "chief", "publisher"))[1]["token"]
    for path, status in (
        ("/api/streams/publisher", 404),
        ("/api/streams/links", 403),
        ("/whep/publisher", 200),
    ):
        response = await client.get(path, headers=bearer(link))
        assert response.status == status, path


async def test_where_everybody_may_watch(
    client: Client, aiohttp_client: AiohttpClient
) -> None:
    """A link would promise to expire, and not do so."""
    status, problem = await make(client, "chief", "public-1")
    assert (status, problem["title"]) == (409, "Everybody may watch")
    everybody = await aiohttp_client(create_app(Settings()))
    assert (await make(everybody))[0] == 409


async def test_streams_say_whether_they_can_be_shared(client: Client) -> None:
    for stream in ("live", "public-1"):
        path = f"/whip/{stream}"
        response = await post(client, path, "chief", offers.CHROMIUM_MEDIA)
        assert response.status == 201

    async def shareable(token: str, stream: str) -> Any:
        url = f"/api/streams/{stream}"
        response = await client.get(url, headers=bearer(token))
        return (await response.json())["shareable"]

    assert await shareable("chief", "live") is True
    assert await shareable("viewer", "live") is False
    assert await shareable("chief", "public-1") is False


async def test_another_server_with_the_secret(
    client: Client, aiohttp_client: AiohttpClient, settings: Settings
) -> None:
    link = (await make(client))[1]["token"]
    other = await aiohttp_client(create_app(settings))
    without = await aiohttp_client(
        create_app(settings.model_copy(update={"link_secret_file": None}))
    )
    for server, status in ((other, 200), (without, 401)):
        response = await server.get("/whep/live", headers=bearer(link))
        assert response.status == status


async def test_a_link_signed_elsewhere(client: Client) -> None:
    """Whoever has the secret makes links, as docs/access.md says."""
    assert client.app is not None
    signer = client.app[SIGNER]
    link = signer.sign(Signed(Purpose.WATCH, "live", int(time.time()) + 60))
    assert (await client.get("/whep/live", headers=bearer(link))).status == 200
