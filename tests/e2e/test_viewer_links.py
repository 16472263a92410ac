"""Links for viewers: made in the Streams view, opened by somebody without a token."""

import time
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.server import ServerProcess
from whipbird.rights import Purpose, Signed, Signer, digest_of

from .conftest import OpenPage, OpenPublisher, StartServer
from .ping_page import FAILED_REQUEST
from .stage_page import StagePage

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "0123456789abcdef0123456789abcdef"


@pytest_asyncio.fixture(loop_scope="session")
async def guarded(start_server: StartServer, tmp_path: Path) -> ServerProcess:
    """A server with a broadcaster and a viewer, and a secret that signs links."""
    rules, secret = tmp_path / "rights.toml", tmp_path / "secret"
    rules.write_text(
        "".join(
            f'[[tokens]]\nname = "{token}"\nhash = "{digest_of(token)}"\n'
            f"actions = {actions}\n"
            for token, actions in (
                ("studio", ["publish", "watch"]),
                ("friend", ["watch"]),
            )
        )
    )
    secret.write_text(SECRET)
    options = ("--rights-file", str(rules), "--link-secret-file", str(secret))
    return await start_server(*options)


def link_to(stream: str, seconds: int) -> str:
    """The token of a link, as the server makes it."""
    signed = Signed(Purpose.WATCH, stream, int(time.time()) + seconds, "test")
    return Signer(SECRET.encode()).sign(signed)


async def open_streams(open_page: OpenPage, server: ServerProcess, token: str) -> Page:
    frame = await open_page(server)
    # The first list is asked for without a token; pictures may be missing.
    frame.expects(FAILED_REQUEST)
    await frame.open("/#streams")
    await frame.enter_token(token)
    return frame.page


def entry(page: Page, name: str) -> Locator:
    heading = page.get_by_role("heading", name=name, exact=True)
    return page.locator("article").filter(has=heading)


async def open_link(
    open_page: OpenPage, server: ServerProcess, stream: str, key: str
) -> StagePage:
    frame = await open_page(server)
    # A link may be refused.
    frame.expects(FAILED_REQUEST)
    stage = StagePage(frame, f"/watch/{stream}#key={key}")
    await stage.open()
    return stage


async def test_a_link_from_the_streams_view(
    guarded: ServerProcess,
    open_page: OpenPage,
    open_publisher: OpenPublisher,
) -> None:
    publisher = await open_publisher(guarded)
    await publisher.publish_with_token("studio")

    page = await open_streams(open_page, guarded, "studio")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    stream = entry(page, publisher.stream)
    await stream.get_by_label("How long the link").select_option("for an hour")
    button = stream.get_by_role("button", name="Copy link for viewers")
    await expect(button).to_have_count(1)
    await button.click()
    await expect(stream).to_contain_text("The link is copied. Whoever has it can watch")
    url = await page.evaluate("() => navigator.clipboard.readText()")
    address, _, key = url.partition("#key=")
    assert address == f"{guarded.url}/watch/{publisher.stream}"
    signed = Signer(SECRET.encode()).read(Purpose.WATCH, key)
    assert signed is not None
    assert 3500 < signed.expires - time.time() <= 3600

    viewer = await open_link(open_page, guarded, publisher.stream, key)
    await viewer.plays()
    # It stays in the address, so a reload plays too; the browser sends it nowhere.
    assert viewer.page.url == url
    await viewer.page.reload()
    await viewer.plays()
    await viewer.page.goto("about:blank")
    await guarded.logged(f"ended: stream={publisher.stream}")
    for request in viewer.frame.requests:
        assert key not in request.url
        headers = await request.all_headers()
        assert key not in headers.get("referer", "")
        if "/whep/" in request.url:
            assert headers["authorization"] == f"Bearer {key}"
    # It is for this page, not for the rest.
    await viewer.page.goto(f"{guarded.url}/#streams")
    problem = viewer.page.locator("#streams-problem")
    await expect(problem).to_contain_text("The server asks for a token")

    # Where copying is not allowed, there is a link to select.
    await page.evaluate(
        """() => {
            navigator.clipboard.write = async () => { throw new Error('no'); };
            document.execCommand = () => false;
        }"""
    )
    await button.click()
    field = stream.get_by_label("Link for viewers", exact=False).and_(
        page.locator("input")
    )
    assert (await field.input_value()).startswith(f"{address}#key=")
    assert key not in guarded.output


async def test_who_may_watch_alone_makes_no_links(
    guarded: ServerProcess, open_page: OpenPage
) -> None:
    frame = await open_page(guarded)
    frame.expects(FAILED_REQUEST)
    described = {"state": "connected", "duration": 1, "tracks": [], "viewers": 0}
    streams = [
        {**described, "name": "a", "shareable": False},
        # The right may just have been taken away.
        {**described, "name": "b", "shareable": True},
    ]
    await frame.page.route(
        "**/api/streams", lambda route: route.fulfill(json={"streams": streams})
    )
    await frame.open("/#streams")
    await frame.enter_token("friend")
    stream = entry(frame.page, "a")
    button = stream.get_by_role("button", name="Copy link for viewers")
    await expect(button).to_have_count(1)
    await expect(stream.get_by_label("How long the link")).to_be_hidden()
    stream = entry(frame.page, "b")
    await stream.get_by_role("button", name="Copy link for viewers").click()
    await expect(stream).to_contain_text("There is no link. Not permitted.")


async def test_links_that_are_refused(
    guarded: ServerProcess, open_page: OpenPage
) -> None:
    """In a person's words, without a field for a token."""
    expired, other = link_to("show", -60), link_to("elsewhere", 600)
    for key, title, text in (
        (expired, "This link has expired", "This link was good until 20"),
        (expired[:-3], "This link is not valid", "Ask whoever gave it to you"),
        (other, "This link is for something else", "It permits to watch one stream."),
    ):
        viewer = await open_link(open_page, guarded, "show", key)
        await expect(viewer.words).to_have_text(title)
        await expect(viewer.cover).to_contain_text(text)
        await expect(viewer.token).to_be_hidden()
    # The page without the link asks for a token.
    await viewer.page.goto(f"{guarded.url}/watch/show")
    await viewer.token.fill("friend")
    await viewer.token.press("Enter")
    await expect(viewer.words).to_have_text("show is not live yet")


async def test_another_link_in_the_same_tab(
    guarded: ServerProcess, open_page: OpenPage
) -> None:
    """Each counts from when it is opened, also for the stream that is watched."""
    viewer = await open_link(open_page, guarded, "show", link_to("show", 600))
    await expect(viewer.words).to_have_text("show is not live yet")
    for seconds, words in (
        (-1, "This link has expired"),
        (600, "show is not live yet"),
    ):
        await viewer.page.goto(
            f"{guarded.url}/watch/show#key={link_to('show', seconds)}"
        )
        await expect(viewer.words).to_have_text(words)
