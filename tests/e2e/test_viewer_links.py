"""Links for viewers: made in the Streams view, opened by somebody without a token."""

import time
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.server import ServerProcess
from whipbird.rights import Purpose, Signed, Signer, digest_of

from .conftest import OpenPage, OpenPublisher, OpenViewer, StartServer
from .ping_page import FAILED_REQUEST
from .watch_page import WatchPage

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


async def watch(viewer: WatchPage, key: str) -> None:
    await viewer.frame.open(f"/#watch/{viewer.stream}?key={key}")


async def test_a_link_from_the_streams_view(
    guarded: ServerProcess,
    open_page: OpenPage,
    open_publisher: OpenPublisher,
    open_viewer: OpenViewer,
) -> None:
    publisher = await open_publisher(guarded)
    publisher.frame.expects(FAILED_REQUEST)
    await publisher.open()
    await publisher.frame.enter_token("studio")
    await publisher.choose()
    await publisher.start.click()
    await publisher.is_on_air()

    page = await open_streams(open_page, guarded, "studio")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    stream = entry(page, publisher.stream)
    await stream.get_by_label("How long the link").select_option("for an hour")
    button = stream.get_by_role("button", name="Copy link for viewers")
    await expect(button).to_have_count(1)
    await button.click()
    await expect(stream).to_contain_text("The link is copied. Whoever has it can watch")
    url = await page.evaluate("() => navigator.clipboard.readText()")
    address, _, key = url.partition("?key=")
    assert address == f"{guarded.url}/#watch/{publisher.stream}"
    signed = Signer(SECRET.encode()).read(Purpose.WATCH, key)
    assert signed is not None
    assert 3500 < signed.expires - time.time() <= 3600

    viewer = await open_viewer(guarded, publisher.stream)
    await watch(viewer, key)
    await viewer.plays()
    # It stays in the address, so a reload plays too; the browser sends it nowhere.
    assert viewer.page.url == url
    await viewer.page.reload()
    await viewer.plays()
    await viewer.leave()
    for request in viewer.frame.requests:
        assert key not in request.url
        headers = await request.all_headers()
        assert key not in headers.get("referer", "")
    for method in ("POST", "DELETE"):
        for request in viewer.requests(method):
            headers = await request.all_headers()
            assert headers["authorization"] == f"Bearer {key}"
    # It is for this stream, not for the rest of the page.
    await viewer.page.get_by_role("link", name="Streams", exact=True).click()
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
    assert (await field.input_value()).startswith(f"{address}?key=")
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
    guarded: ServerProcess, open_viewer: OpenViewer
) -> None:
    """In a person's words, without a field for a token; a token helps all the same."""
    expired, other = link_to("show", -60), link_to("elsewhere", 600)
    viewer = await open_viewer(guarded, "show")
    problem = viewer.frame.problem
    for key, title, text in (
        (expired, "This link has expired", "This link was good until 20"),
        (expired[:-3], "This link is not valid", "Ask whoever gave it to you"),
        (other, "This link is for something else", "It permits to watch one stream."),
    ):
        await watch(viewer, key)
        await expect(problem).to_contain_text(title)
        await expect(problem).to_contain_text(text)
        await expect(viewer.frame.state_word).to_have_text("Not connected")
        await expect(viewer.page.get_by_label("Enter it here")).to_be_hidden()
    await viewer.frame.enter_token("friend")
    await expect(viewer.frame.state_word).to_have_text("Connected")
    assert viewer.page.url == f"{guarded.url}/#watch/show"


async def test_another_link_in_the_same_tab(
    guarded: ServerProcess, open_viewer: OpenViewer
) -> None:
    """Each counts from when it is opened, also for the stream that is watched."""
    viewer = await open_viewer(guarded, "show")
    await watch(viewer, link_to("show", 600))
    await expect(viewer.frame.state_word).to_have_text("Connected")
    await watch(viewer, link_to("show", -1))
    await expect(viewer.frame.problem).to_contain_text("This link has expired")
    await watch(viewer, link_to("show", 600))
    await expect(viewer.frame.state_word).to_have_text("Connected")
