"""Where a token is needed, each view has a field for it, in the message that asks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect

from tests.server import ServerProcess
from whipbird.rights import digest_of

from .conftest import OpenPage
from .ping_page import FAILED_REQUEST, PingPage
from .test_look import assert_accessible

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServerProcess]:
    """A server with a token for everything, and one that permits too little."""
    folder: Path = tmp_path_factory.mktemp("guarded")
    rules = folder / "rights.toml"
    rules.write_text(
        f'[[tokens]]\nname = "all"\nhash = "{digest_of("secret")}"\n'
        'actions = ["admin"]\n'
        f'[[tokens]]\nname = "other"\nhash = "{digest_of("other")}"\n'
        'actions = ["record"]\nstreams = ["elsewhere"]\n'
    )
    server = ServerProcess("--rights-file", str(rules), "--record", str(folder / "to"))
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


async def opened(view: str, frame: PingPage) -> tuple[Locator, Locator]:
    """Open a view, and do what needs the token.

    Returns:
        The field that asks, and what is there once the token is right.
    """
    page = frame.page
    await frame.open(view)
    enter_here = page.get_by_label("Enter it here")
    match view.partition("#")[2]:
        case "publish/live":
            await page.get_by_label("Source").select_option(label="Test pattern")
            await page.locator("#publish-start").click()
            return enter_here, page.locator("#state-word", has_text="On air")
        case "watch/nobody":
            note = page.locator("#watch-note", has_text="Nobody publishes")
            return enter_here, note
        case "streams":
            note = page.locator(
                "#recordings-note", has_text="Nothing has been recorded"
            )
            return page.get_by_label("Enter it to go on"), note
        case _:
            note = page.locator("#admin-note", has_text="open")
            return page.get_by_label("Enter it to go on"), note


# Those of Ping, and of the page of a stream, are tested with their other errors.
@pytest.mark.parametrize(
    "view",
    ["/#publish/live", "/#watch/nobody", "/#streams", "/#admin"],
    ids=["publish", "watch", "streams", "admin"],
)
async def test_the_message_has_a_field(
    guarded: ServerProcess, open_page: OpenPage, view: str
) -> None:
    frame = await open_page(guarded)
    frame.expects(FAILED_REQUEST)
    field, done = await opened(view, frame)
    await expect(field).to_be_visible()
    if "admin" in view:
        await assert_accessible(frame)
    # Unknown, then with too few rights: it is asked for again.
    for token in ("guess", "other"):
        await field.fill(token)
        async with frame.page.expect_response(lambda r: r.status in (401, 403)):
            await field.press("Enter")
        await expect(field).to_be_visible()
    await field.fill("secret")
    await field.press("Enter")
    await expect(done).to_be_visible()
    await expect(field).to_be_hidden()
    kept = await frame.run("() => Object.values(sessionStorage).includes('secret')")
    assert kept
    # It is asked for once.
    requests = len(frame.requests)
    if "publish" in view:
        frame.page.on("dialog", lambda dialog: dialog.accept())
    await frame.page.reload()
    if "publish" in view:
        await frame.page.locator("#publish-start").click()
    await expect(done).to_be_visible()
    for request in frame.requests[requests:]:
        if "/api/" in request.url or "/whip/" in request.url:
            assert (await request.all_headers())["authorization"] == "Bearer secret"
