"""Browsers in a network: all that there is to do, on a page of the server's."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from playwright.async_api import Playwright

from bench.loss.browsers import chromium

from .cells import ACTIONS, Cell

SCRIPT = Path(__file__).with_name("page.js")
# A document of the server's origin that does nothing by itself.
DOCUMENT = "/client/whip-client.js"

# Messages, frames or pictures that are enough.
ENOUGH = 15
# Seconds for an action.
LIMIT = 60.0


class Page(Protocol):
    """A page of any browser."""

    async def run(self, expression: str) -> Any:
        """The value of a JavaScript expression, as JSON has it."""


class _ChromiumPage:
    def __init__(self, page: Any) -> None:
        self._page = page

    async def run(self, expression: str) -> Any:
        return await self._page.evaluate(expression)


@asynccontextmanager
async def chromium_page(
    playwright: Playwright, namespace: str, url: str
) -> AsyncIterator[Page]:
    """A page of the server at a URL, in a Chromium in a namespace."""
    async with chromium(playwright, namespace, url) as browser:
        page = await browser.new_page()
        await page.goto(f"{url}{DOCUMENT}")
        yield _ChromiumPage(page)


async def prepare(page: Page) -> None:
    """Have a page ready for ``act`` and ``act_moving``."""
    await page.run(SCRIPT.read_text())


async def act(page: Page) -> dict[str, Cell]:
    """Do everything, one after the other."""
    await prepare(page)
    return {action: await _outcome(_do(page, action)) for action in ACTIONS}


async def act_moving(page: Page, move: Callable[[], None]) -> dict[str, Cell]:
    """Do everything at once, and go on while the client's address changes.

    Args:
        move: changes it.
    """
    await prepare(page)
    began = {a: await _outcome(_begin(page, a)) for a in ACTIONS}
    move()
    cells = await asyncio.gather(
        *(_outcome(_go_on(page, action, began[action])) for action in ACTIONS)
    )
    return dict(zip(ACTIONS, cells, strict=True))


async def _begin(page: Page, action: str) -> Cell:
    await _call(page, "start", action, ENOUGH)
    return Cell(**await _call(page, "cell", action))


async def _go_on(page: Page, action: str, cell: Cell) -> Cell:
    if cell.problem:
        return cell
    if action == "restart":
        went_on = await _call(page, "restart", action)
        await _call(page, "goOn", action, ENOUGH)
    else:
        went_on = await _call(page, "goOn", action, ENOUGH)
    await _call(page, "end", action)
    return cell.replace(went_on=went_on)


async def _do(page: Page, action: str) -> Cell:
    cell = await _begin(page, action)
    if action == "restart":
        return await _go_on(page, action, cell)
    await _call(page, "end", action)
    return cell


async def _call(page: Page, function: str, *arguments: object) -> Any:
    given = ", ".join(map(json.dumps, arguments))
    return await page.run(f"networks.{function}({given})")


async def _outcome(doing: Awaitable[Cell]) -> Cell:
    try:
        async with asyncio.timeout(LIMIT):
            return await doing
    except Exception as error:
        return Cell.failed(error)
