"""The page's files and the pages of streams: what is served, how, and nothing else."""

import gzip
import re
from typing import Any

import pytest
from aiohttp import hdrs
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient
from yarl import URL

from tests import offers
from whipbird.app import create_app
from whipbird.config import Settings
from whipbird.http.content import HEADERS, ISOLATION
from whipbird.http.page import webclient_directory
from whipbird.pages import load_site

#: As browsers ask for a page.
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SDP = {"Content-Type": "application/sdp"}


async def serve(aiohttp_client: AiohttpClient, **settings: Any) -> TestClient[Any, Any]:
    return await aiohttp_client(create_app(Settings(**settings)))


async def test_every_file_is_served(aiohttp_client: AiohttpClient) -> None:
    client = await serve(aiohttp_client)
    directory = webclient_directory()
    names = [p.relative_to(directory).as_posix() for p in directory.rglob("*.*")]
    plain = [name for name in names if not name.endswith((".html", ".webmanifest"))]
    assert "app.js" in plain
    for name in plain:
        response = await client.get(f"/{name}")
        assert response.status == 200
        assert await response.read() == (directory / name).read_bytes()
        assert response.headers["Cache-Control"] == "no-cache"
        for header, value in HEADERS.items():
            assert response.headers[header] == value
    assert (await client.get("/app.js")).content_type == "text/javascript"
    assert (await client.get("/")).content_type == "text/html"
    for name in ("watch.html", "problem.html"):
        assert (await client.get(f"/{name}")).status == 404


@pytest.mark.parametrize(
    ("path", "kinds"),
    [("/", {"js", "svg"}), ("/watch/live", {"css", "js", "svg"})],
)
async def test_a_page_loads_files_that_are_kept_forever(
    aiohttp_client: AiohttpClient, path: str, kinds: set[str]
) -> None:
    client = await serve(aiohttp_client)
    page = await client.get(path)
    assert page.headers["Cache-Control"] == "no-cache"
    loaded = set(re.findall(r'"(assets/[^"]+)"', await page.text()))
    assert {name.rpartition(".")[2] for name in loaded} >= kinds
    for name in loaded:
        response = await client.get(f"/{name}")
        assert response.status == 200
        assert "immutable" in response.headers["Cache-Control"]
        tag = response.headers["ETag"].strip('"').partition("-")[0]
        assert f".{tag}." in name


async def test_text_is_compressed_for_who_takes_that(
    aiohttp_client: AiohttpClient,
) -> None:
    client = await serve(aiohttp_client)
    plain = await client.get("/app.js", headers={"Accept-Encoding": "gzip;q=0, br"})
    assert hdrs.CONTENT_ENCODING not in plain.headers
    async with client.get(
        "/app.js", headers={"Accept-Encoding": "br, gzip"}, auto_decompress=False
    ) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in response.headers["Vary"]
        assert response.headers["ETag"] != plain.headers["ETag"]
        assert gzip.decompress(await response.read()) == await plain.read()
    # What is compressed already, or small, is not.
    for path in ("/icon-512.png", "/favicon.svg"):
        assert hdrs.CONTENT_ENCODING not in (await client.get(path)).headers


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("path", ["/", "/watch/live"])
async def test_an_unchanged_file_is_not_sent_again(
    aiohttp_client: AiohttpClient, path: str, encoding: str
) -> None:
    client = await serve(aiohttp_client)
    headers = {hdrs.ACCEPT_ENCODING: encoding}
    first = await client.get(path, headers=headers)
    tag = first.headers["ETag"]
    again = await client.get(path, headers={**headers, hdrs.IF_NONE_MATCH: tag})
    assert again.status == 304
    assert await again.read() == b""
    assert again.headers["ETag"] == tag


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/%2e%2e/config.py", "/js/", "/assets/app.js"]
)
async def test_nothing_else_is_reached(
    aiohttp_client: AiohttpClient, path: str
) -> None:
    client = await serve(aiohttp_client)
    assert (await client.get(path)).status == 404


@pytest.mark.parametrize(
    ("headers", "isolated"),
    [
        ({"Host": "localhost:8080"}, True),
        ({"Host": "127.0.0.1"}, True),
        ({"Host": "[::1]:8080"}, True),
        ({"Host": "whip.example"}, False),
        ({"Host": "whip.example", "X-Forwarded-Proto": "https"}, False),
    ],
)
async def test_isolation_where_the_connection_is_trusted(
    aiohttp_client: AiohttpClient, headers: dict[str, str], isolated: bool
) -> None:
    client = await serve(aiohttp_client, allowed_hosts=("whip.example",))
    response = await client.get("/", headers=headers)
    for header in ISOLATION:
        assert (header in response.headers) == isolated


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/watch/live", "../"),
        ("/watch/a.b~c_d-e/", "../../"),
        ("/watch/a+b+c", "../"),
        ("/embed/%6cive", "../"),
        ("/watch/" + "x" * 64, "../"),
    ],
)
async def test_the_page_of_a_stream_loads_relative_to_the_start(
    aiohttp_client: AiohttpClient, path: str, base: str
) -> None:
    client = await serve(aiohttp_client)
    response = await client.get(path)
    assert response.status == 200
    text = await response.text()
    assert f'<base href="{base}">' in text
    # Nothing else in it is absolute, but what is for other sites.
    rest = re.sub(r'<meta property="og:[^>]*>', "", text)
    assert not re.search(r'(?:href|src)="(?:/|https?:)', rest)


@pytest.mark.parametrize(
    "path",
    [
        "/watch/bad%20name",
        "/watch/%3Cscript%3E",
        "/watch/a%2Fb",
        "/watch/" + "x" * 65,
        "/watch/a++b",
        "/embed/" + "+".join("abcdefghij"),
        "/watch/%00",
    ],
)
async def test_what_is_no_stream_gets_words(
    aiohttp_client: AiohttpClient, path: str
) -> None:
    client = await serve(aiohttp_client)
    page = await client.get(path, headers=HTML)
    assert page.status == 404
    assert page.content_type == "text/html"
    text = await page.text()
    assert "streams at most" in text if "+j" in path else "1 to 64" in text
    for_programs = await client.get(path)
    assert for_programs.content_type == "application/problem+json"


async def test_links_are_previewed(aiohttp_client: AiohttpClient) -> None:
    client = await serve(
        aiohttp_client, trusted_proxies=("127.0.0.1",), allowed_hosts=("show.example",)
    )
    text = await (await client.get("/watch/live")).text()
    host = f"http://127.0.0.1:{client.port}"
    assert '<meta property="og:title" content="live">' in text
    assert f'<meta property="og:url" content="{host}/watch/live">' in text
    assert f'<meta property="og:image" content="{host}/icon-512.png">' in text
    assert (await client.get("/icon-512.png")).content_type == "image/png"

    offered = await client.post("/whip/live", data=offers.CHROMIUM_MEDIA, headers=SDP)
    assert offered.status == 201
    headers = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "show.example",
    }
    text = await (await client.get("/watch/live", headers=headers)).text()
    picture = "https://show.example/api/streams/live/snapshot.jpg"
    assert f'<meta property="og:image" content="{picture}">' in text
    for wrong in ('x"><script>', "a/b", ""):
        headers["X-Forwarded-Host"] = wrong
        text = await (await client.get("/watch/live", headers=headers)).text()
        assert f'"https://127.0.0.1:{client.port}/watch/live"' in text
        assert "<script>" not in text


async def test_what_needs_a_token_is_not_previewed(
    aiohttp_client: AiohttpClient,
) -> None:
    client = await serve(aiohttp_client, token="secret")
    headers = {**SDP, "Authorization": "Bearer secret"}
    offered = await client.post(
        "/whip/live", data=offers.CHROMIUM_MEDIA, headers=headers
    )
    assert offered.status == 201
    live = await (await client.get("/watch/live")).text()
    assert "snapshot" not in live
    # Who may not watch does not learn what is live.
    absent = await (await client.get("/watch/none")).text()
    assert absent.replace("none", "live") == live


@pytest.mark.parametrize(
    ("origins", "ancestors"),
    [
        ((), "'self'"),
        (("https://blog.example",), "'self' https://blog.example"),
        (("*",), "*"),
    ],
)
async def test_who_may_frame_what(
    aiohttp_client: AiohttpClient, origins: tuple[str, ...], ancestors: str
) -> None:
    client = await serve(aiohttp_client, embed_origins=origins)
    for path, expected in (
        ("/", "'none'"),
        ("/watch/live", "'none'"),
        ("/nothing", "'none'"),
        ("/embed/live", ancestors),
    ):
        response = await client.get(path, headers=HTML)
        policy = response.headers["Content-Security-Policy"]
        assert policy.endswith(f"frame-ancestors {expected}")
        framed = response.headers.get("Cross-Origin-Resource-Policy")
        assert framed == ("cross-origin" if path == "/embed/live" else None)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/whip/live", "../#publish/live"),
        ("/whip/live/", "../../#publish/live"),
        ("/whip", "./#publish"),
        ("/whep/live", "../watch/live"),
        ("/whep/a%20b", "../watch/a%20b"),
        ("/watch", "./#watch"),
    ],
)
@pytest.mark.parametrize("token", [None, "secret"])
async def test_the_address_of_an_endpoint_leads_to_its_page(
    aiohttp_client: AiohttpClient, path: str, target: str, token: str | None
) -> None:
    client = await serve(aiohttp_client, token=token)
    response = await client.get(path, headers=HTML, allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, target)


@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "application/sdp", "application/json, text/html", "text/html;q=0"],
)
async def test_programs_get_what_the_protocols_say(
    aiohttp_client: AiohttpClient, accept: str | None
) -> None:
    client = await serve(aiohttp_client)
    headers = {} if accept is None else {"Accept": accept}
    assert (await client.get("/whip/live", headers=headers)).status == 204
    assert (await client.get("/whep/live", headers=headers)).status == 200
    problem = await client.get("/nothing", headers=headers)
    assert problem.status == 404
    assert problem.content_type == "application/problem+json"
    posted = await client.post("/whip/live", data="x", headers={**SDP, **HTML})
    assert posted.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/nothing/at/all", 404, "nothing/at/all"),
        ("/<img src=x>", 404, "&lt;img"),
        ("/whip/live/session/", 401, "token"),
        ("/api/streams", 401, "token"),
    ],
)
async def test_browsers_get_errors_as_pages(
    aiohttp_client: AiohttpClient, path: str, status: int, word: str
) -> None:
    client = await serve(aiohttp_client, token="secret")
    response = await client.get(path, headers=HTML)
    assert response.status == status
    assert response.content_type == "text/html"
    assert "Accept" in response.headers.getall("Vary")
    assert response.headers["Cache-Control"] == "no-store"
    assert (status == 401) == (hdrs.WWW_AUTHENTICATE in response.headers)
    text = await response.text()
    assert word in text
    assert "<img src=x" not in text
    assert f'<base href="{"../" * (path.count("/") - 1) or "./"}">' in text


@pytest.mark.parametrize(("page", "start"), [("/", "/"), ("/watch/a+b", "/watch/a+b")])
async def test_a_phone_installs_the_page_that_it_is_on(
    aiohttp_client: AiohttpClient, page: str, start: str
) -> None:
    client = await serve(aiohttp_client)
    text = await (await client.get(page)).text()
    base = client.make_url(page)
    if found := re.search('<base href="([^"]+)">', text):
        base = base.join(URL(found[1]))
    link = re.search('rel="manifest" href="([^"]+)"', text)
    assert link is not None
    address = base.join(URL(link[1]))
    response = await client.get(address.path)
    assert response.content_type == "application/manifest+json"
    manifest = await response.json(content_type=None)
    assert address.join(URL(manifest["start_url"])).path == start
    assert address.join(URL(manifest["scope"])).path == "/"
    assert len(manifest["icons"]) == 3
    for icon in manifest["icons"]:
        found_icon = await client.get(address.join(URL(icon["src"])).path)
        assert found_icon.content_type == icon["type"]


def test_a_process_reads_the_files_once() -> None:
    assert load_site(webclient_directory()) is load_site(webclient_directory())
