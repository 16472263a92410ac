"""A page whose device moves to another network, in network namespaces.

    unshare --net --map-root-user -- python -m tests.e2e.moving_client link|address

The server is in the namespace that this runs in, the browser in one of its own. Two
veth pairs join them; at first one carries everything, later only the other. Prints
what happened as JSON. All of it is gone when this ends, however it ends: nothing holds
the namespaces but the processes in them.
"""

import asyncio
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright, expect

from tests.server import ServerProcess

from .browser import find_chromium, launch_flags
from .ping_page import RECORD_STATES, PingPage
from .restart_lab import restarts

#: Of the server: its HTTP address is on no link, and stays.
SERVER = "10.9.0.1"
NETWORKS = {"first": "10.1.0", "second": "10.2.0"}

#: Notes which pings are sent, and whose echoes come back.
RECORD = """() => {
    window.sent = [];
    window.echoed = [];
    const numberOf = (message) => new DataView(message).getUint32(4);
    const { send } = RTCDataChannel.prototype;
    RTCDataChannel.prototype.send = function (message) {
        if (!window.sent.length) {
            this.addEventListener('message',
                ({ data }) => window.echoed.push(numberOf(data)));
        }
        window.sent.push(numberOf(message));
        send.call(this, message);
    };
}"""


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


async def move(way: str, directory: Path) -> dict[str, Any]:
    run("ip", "link", "set", "lo", "up")
    run("ip", "addr", "add", f"{SERVER}/32", "dev", "lo")
    server = ServerProcess("--host", "0.0.0.0", "--open")
    with device() as client:
        client.join("first")
        try:
            await server.start()
            url = f"http://{SERVER}:{server.port}"
            return await pinging(url, directory / "chromium", way, client)
        finally:
            await server.stop()


async def pinging(url: str, wrapper: Path, way: str, client: Device) -> dict[str, Any]:
    async with async_playwright() as playwright:
        program = find_chromium(playwright.chromium.executable_path)
        client.wrap(program, wrapper)
        browser = await playwright.chromium.launch(
            executable_path=wrapper,
            args=[
                *launch_flags(),
                # As on HTTPS: else it would tell no address, and use any.
                f"--unsafely-treat-insecure-origin-as-secure={url}",
            ],
        )
        page = PingPage(await browser.new_page(), url)
        await page.page.add_init_script(f"({RECORD})()")
        await page.page.add_init_script(f"({RECORD_STATES})()")
        await page.open()
        # This browser has not been started before, and the machine may be busy.
        try:
            await expect(page.state_word).to_have_text("Connected", timeout=60_000)
        except AssertionError:
            seen = await page.page.locator("main").inner_text()
            raise AssertionError(f"{page.problems}\n{seen}") from None
        await page.page.locator("summary", has_text="Path").click()
        await page.ping_automatically()
        await page.page.wait_for_function("() => echoed.length >= 10")
        first = await page.page.locator("#pair").inner_text()

        if way == "address":
            client.join("second")
            client.leave("first", way)
        else:
            client.leave("first", way)
            client.join("second")
        await expect(page.restart_note).to_contain_text(
            "New path found", timeout=60_000
        )
        await page.is_connected()
        await page.page.wait_for_function(
            "(count) => echoed.length >= count + 10",
            arg=await page.run("() => sent.length"),
        )
        await page.auto.uncheck()
        await page.page.wait_for_function("() => echoed.length === sent.length")
        facts = {
            "first": first,
            "second": await page.page.locator("#pair").inner_text(),
            "sent": await page.run("() => sent"),
            "echoed": await page.run("() => echoed"),
            "states": await page.run("() => states"),
            "note": await page.restart_note.inner_text(),
            "sessions": len(page.whip_requests("POST")),
            "restarts": sorted({request.url for request in restarts(page)}),
            "trickled": sorted(
                {request.url for request in page.whip_requests("PATCH")}
            ),
        }
        await browser.close()
        return facts


def main() -> None:
    assert os.geteuid() == 0
    with tempfile.TemporaryDirectory() as directory:
        facts = asyncio.run(move(sys.argv[1], Path(directory)))
    print(json.dumps(facts))  # noqa: T201


if __name__ == "__main__":
    main()
