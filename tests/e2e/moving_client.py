"""A page whose device moves to another network, in network namespaces.

    unshare --net --map-root-user -- python -m tests.e2e.moving_client \\
        chromium|firefox link|address FOLDER

The server is in the namespace that this runs in, the browser in one of its own. Two
veth pairs join them; at first one carries everything, later only the other. FOLDER has
the driver of Firefox. Prints what happened as JSON. All of it is gone when this ends,
however it ends: nothing holds the namespaces but the processes in them.
"""

import asyncio
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, async_playwright

from tests.interop.firefox import LIMIT, running
from tests.server import ServerProcess

from .browser import find_chromium, launch_flags
from .ping_page import RECORD_STATES

#: Of the server: its HTTP address is on no link, and stays.
SERVER = "10.9.0.1"
NETWORKS = {"first": "10.1.0", "second": "10.2.0"}

#: Notes which pings are sent, and whose echoes come back, and the requests to WHIP.
RECORD = """() => {
    window.restartNote = () => document.querySelector('#restart-note').textContent;
    window.requests = [];
    const native = window.fetch;
    window.fetch = (url, options = {}) => {
        const { method = 'GET', headers } = options;
        if (String(url).includes('/whip/')) {
            const restarts = new Headers(headers).get('If-Match') === '*';
            window.requests.push({ method, url: String(url), restarts });
        }
        return native(url, options);
    };
    const channels = new WeakSet();
    window.sent = [];
    window.echoed = [];
    const numberOf = (message) => new DataView(message).getUint32(4);
    const { send } = RTCDataChannel.prototype;
    RTCDataChannel.prototype.send = function (message) {
        if (!channels.has(this)) {
            channels.add(this);
            this.addEventListener('message',
                ({ data }) => window.echoed.push(numberOf(data)));
        }
        window.sent.push(numberOf(message));
        send.call(this, message);
    };
}"""

PAIR = "document.querySelector('#pair').textContent"


def run(*command: str) -> None:
    subprocess.run(command, check=True)


class Device:
    """A network namespace with two networks, of which one at a time is in use."""

    def __init__(self, pid: int) -> None:
        self.enter = ("nsenter", f"--net=/proc/{pid}/ns/net", "--")
        for name, network in NETWORKS.items():
            run(
                *("ip", "link", "add", f"{name}-s", "type", "veth"),
                *("peer", "name", name, "netns", str(pid)),
            )
            # An IPv6 address that comes after a second would make the browser drop
            # the page that it is loading: the network has changed.
            run(*self.enter, "ip", "link", "set", name, "addrgenmode", "none")
            run("ip", "addr", "add", f"{network}.1/24", "dev", f"{name}-s")
            run("ip", "link", "set", f"{name}-s", "up")
        run(*self.enter, "ip", "link", "set", "lo", "up")

    def join(self, name: str) -> None:
        network = NETWORKS[name]
        run(*self.enter, "ip", "addr", "add", f"{network}.2/24", "dev", name)
        run(*self.enter, "ip", "link", "set", name, "up")
        run(*self.enter, "ip", "route", "replace", "default", "via", f"{network}.1")

    def leave(self, name: str, way: str) -> None:
        """Lose the address alone (a new lease), or the link (out of range)."""
        if way == "address":
            address = f"{NETWORKS[name]}.2/24"
            run(*self.enter, "ip", "addr", "del", address, "dev", name)
        else:
            run(*self.enter, "ip", "link", "set", name, "down")

    def wrap(self, program: str, wrapper: Path) -> None:
        """Write a script that runs a program in here."""
        command = shlex.join([*self.enter, program])
        wrapper.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        wrapper.chmod(0o755)


@contextmanager
def device() -> Iterator[Device]:
    # It ends with its standard input, even when this process is killed.
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield Device(holder.pid)
        assert holder.stdin is not None
        holder.stdin.close()


class Tab(Protocol):
    """A page in a browser. Expressions are JavaScript."""

    async def open(self, url: str, *scripts: str) -> None: ...

    async def click(self, selector: str) -> None: ...

    async def select(self, selector: str, value: str) -> None: ...

    async def run(self, expression: str) -> Any: ...

    async def until(self, expression: str) -> None: ...


class ChromiumTab:
    """The same as `FirefoxPage`, by Playwright."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def open(self, url: str, *scripts: str) -> None:
        for script in scripts:
            await self._page.add_init_script(script)
        await self._page.goto(url)

    async def click(self, selector: str) -> None:
        await self._page.click(selector)

    async def select(self, selector: str, value: str) -> None:
        await self._page.select_option(selector, value)

    async def run(self, expression: str) -> Any:
        return await self._page.evaluate(expression)

    async def until(self, expression: str) -> None:
        try:
            await self._page.wait_for_function(f"() => {expression}")
        except PlaywrightError as error:
            shown = await self._page.inner_text("main")
            raise AssertionError(f"never {expression} ({error}):\n{shown}") from None


@asynccontextmanager
async def chromium(url: str, client: Device, folder: Path) -> AsyncIterator[Tab]:
    async with async_playwright() as playwright:
        wrapper = folder / "chromium"
        client.wrap(find_chromium(playwright.chromium.executable_path), wrapper)
        browser = await playwright.chromium.launch(
            executable_path=wrapper,
            args=[
                *launch_flags(),
                # As on HTTPS: else it would tell no address, and use any.
                f"--unsafely-treat-insecure-origin-as-secure={url}",
            ],
        )
        page = await browser.new_page()
        # This browser has not been started before, and the machine may be busy.
        page.set_default_timeout(1000 * LIMIT)
        yield ChromiumTab(page)
        await browser.close()


@dataclass
class Kept:
    """The driver of Firefox is there already."""

    folder: Path

    def mkdir(self, name: str) -> Path:
        assert (self.folder / "node_modules").is_dir(), name
        return self.folder


async def move(browser: str, way: str, driver: Path) -> dict[str, Any]:
    run("ip", "link", "set", "lo", "up")
    run("ip", "addr", "add", f"{SERVER}/32", "dev", "lo")
    server = ServerProcess("--host", "0.0.0.0", "--open")
    async with AsyncExitStack() as stack:
        client = stack.enter_context(device())
        client.join("first")
        stack.push_async_callback(server.stop)
        await server.start()
        url = f"http://{SERVER}:{server.port}"
        if browser == "firefox":
            running_one = running(Kept(driver), enter=client.enter)
            tab: Tab = (await stack.enter_async_context(running_one)).page()
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            tab = await stack.enter_async_context(chromium(url, client, folder))
        return await pinging(tab, url, way, client)


async def pinging(tab: Tab, url: str, way: str, client: Device) -> dict[str, Any]:
    await tab.open(url, f"({RECORD})()", f"({RECORD_STATES})()")
    await tab.until("document.querySelector('#state-word').textContent === 'Connected'")
    await tab.select("#interval", "100")
    await tab.click("#auto")
    await tab.until("echoed.length >= 10")
    first = await tab.run(PAIR)

    if way == "address":
        client.join("second")
        client.leave("first", way)
    else:
        client.leave("first", way)
        client.join("second")
    # The figures of the new path, and its echoes.
    await tab.until(f"{PAIR}.includes('{NETWORKS['second']}.2')")
    await tab.until("states.at(-1) === 'Connected'")
    count = await tab.run("echoed.length")
    await tab.until(f"echoed.length >= {count} + 10")
    await tab.click("#auto")
    await tab.until("echoed.at(-1) === sent.at(-1)")
    requests = await tab.run("requests")
    return {
        "first": first,
        "second": await tab.run(PAIR),
        **{name: await tab.run(name) for name in ("sent", "echoed", "states")},
        "note": await tab.run("restartNote()"),
        "sessions": sum(request["method"] == "POST" for request in requests),
        "restarts": sorted({each["url"] for each in requests if each["restarts"]}),
        "trickled": sorted(
            {each["url"] for each in requests if each["method"] == "PATCH"}
        ),
    }


def main() -> None:
    assert os.geteuid() == 0
    browser, way, driver = sys.argv[1:]
    print(json.dumps(asyncio.run(move(browser, way, Path(driver)))))  # noqa: T201


if __name__ == "__main__":
    main()
