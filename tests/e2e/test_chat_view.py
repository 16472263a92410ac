"""The Chat view: words as they come, Stop, figures, and a connection that is lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import ViewportSize, expect

from tests.model_server import ModelServer
from tests.server import ServerProcess

from .conftest import OpenPage
from .ping_page import PingPage
from .test_look import DESKTOP, SMALL_PHONE, assert_accessible

pytest.importorskip("llm", reason="pip install 'whipbird[chat]'")

from tests.unit.llms.engines import log_file

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def models() -> AsyncIterator[ModelServer]:
    async with ModelServer() as models:
        yield models


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def chat_server(
    models: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServerProcess]:
    """A server with language models; the first one of them echoes."""
    log: Path = log_file(tmp_path_factory.mktemp("log"))
    server = ServerProcess("--llm-api-base", models.api_base, "--llm-log", str(log))
    try:
        await server.start()
        yield server
        print(server.output)  # noqa: T201
    finally:
        await server.stop()


async def ask(frame: PingPage, text: str, model: str = "") -> None:
    if model:
        await frame.page.get_by_label("Model").select_option(model)
    await frame.page.get_by_label("Message").fill(text)
    await frame.page.get_by_role("button", name="Send").click()


@pytest.mark.parametrize(
    ("scheme", "viewport"), [("light", DESKTOP), ("dark", SMALL_PHONE)]
)
async def test_a_conversation(
    chat_server: ServerProcess,
    models: ModelServer,
    open_page: OpenPage,
    scheme: str,
    viewport: ViewportSize,
) -> None:
    models.go_on.clear()
    models.requests.clear()
    frame = await open_page(chat_server, color_scheme=scheme, viewport=viewport)
    await frame.open("/#chat")
    page = frame.page
    await frame.is_connected()
    await expect(page.get_by_label("Model")).to_have_value("echo")
    await page.locator("#chat-view summary").click()
    await page.get_by_label("System prompt").fill("Be a bird.")
    # Words come one by one: the model has stopped after two.
    await ask(frame, "hello there", "stalled")
    log = page.get_by_role("log")
    said = log.locator(".said")
    await expect(said).to_have_text(["hello there", "You said:"])
    await expect(page.locator("#chat-first")).to_contain_text("s")
    models.go_on.set()
    await expect(said).to_have_text(["hello there", "You said: hello there"])
    await expect(page.locator("#chat-note")).to_contain_text("The model took")
    await expect(page.locator("#chat-tokens")).to_have_text("5 + 4")
    await expect(page.locator("#chat-rtt")).to_contain_text("ms")
    # The conversation goes on.
    await page.get_by_label("Message").fill("and you?")
    await page.keyboard.press("Enter")
    await expect(said.last).to_have_text("You said: and you?")
    assert [m["content"] for m in models.requests[-1]["messages"]] == [
        "Be a bird.", "hello there", "You said: hello there", "and you?"
    ]  # fmt: skip
    assert not await frame.scrolls_sideways()
    await assert_accessible(frame)
    await page.get_by_role("button", name="New chat").click()
    await expect(log).to_be_hidden()
    await expect(page.get_by_label("Message")).to_be_focused()


async def test_stop_and_errors(
    chat_server: ServerProcess, models: ModelServer, open_page: OpenPage
) -> None:
    models.go_on.clear()
    models.stopped.clear()
    frame = await open_page(chat_server)
    await frame.open("/#chat")
    page = frame.page
    await frame.is_connected()
    await ask(frame, "hello there", "endless")
    await expect(page.locator(".said").last).to_contain_text("and and")
    await page.get_by_role("button", name="Stop").click()
    await expect(page.locator("#chat-note")).to_contain_text("Stopped.")
    await models.stopped.wait()
    await ask(frame, "hello there", "limited")
    await expect(page.get_by_role("alert")).to_contain_text(
        "429: Slow down. It may be asked again in 7 s"
    )
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    # The question can be asked again.
    await expect(page.get_by_label("Message")).to_have_value("hello there")
    await expect(page.locator(".said")).to_have_count(2)
    # A model that answers without a word has answered, too.
    await ask(frame, "hello", "silent")
    await expect(page.locator("#chat-note")).to_contain_text("without a word")


async def test_a_reply_goes_on_after_the_connection_was_lost(
    chat_server: ServerProcess, models: ModelServer, open_page: OpenPage
) -> None:
    models.go_on.clear()
    frame = await open_page(chat_server)
    await frame.open("/#chat")
    page = frame.page
    await frame.is_connected()
    await ask(frame, "hello there", "stalled")
    said = page.locator(".said").last
    await expect(said).to_have_text("You said:")
    await page.locator("#ping-link").click()
    await frame.is_connected()
    models.go_on.set()
    await page.locator("#chat-link").click()
    await expect(said).to_have_text("You said: hello there")
    await expect(page.locator("#chat-tokens")).to_have_text("5 + 4")


async def test_a_server_without_models_has_no_chat(
    server: ServerProcess, open_page: OpenPage
) -> None:
    frame = await open_page(server)
    await frame.open("/#chat")
    await expect(frame.page.locator("#chat-link")).to_be_hidden()
    await expect(frame.rtt_note).to_contain_text("This page has no view")
