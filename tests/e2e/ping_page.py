"""The ping page as a test sees it: its parts by name, and what went wrong on it."""

import re
from typing import Any

from playwright.async_api import ConsoleMessage, Page, Request

#: What the browser itself logs for a request that fails. No page can prevent it.
FAILED_REQUEST = r"^Failed to load resource"

#: Notes every connection state that the page shows.
RECORD_STATES = """() => {
    window.states = [];
    new MutationObserver(() => {
        const word = document.getElementById('state-word')?.textContent;
        if (word && word !== window.states.at(-1)) window.states.push(word);
    }).observe(document, { childList: true, subtree: true });
}"""

#: Counts the pings from now on, where none is in flight: those sent, and those settled.
COUNT_PINGS = """() => {
    if (window.pings) return;
    const figures = () => ['answered', 'lost', 'late'].reduce(
        (sum, id) => sum + Number(document.getElementById(id).textContent), 0);
    const before = figures();
    window.pings = { sent: 0, settled: () => figures() - before };
    const { send } = RTCDataChannel.prototype;
    RTCDataChannel.prototype.send = function (data) {
        send.call(this, data);
        window.pings.sent += 1;
    };
}"""


class PingPage:
    """One open ping page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        self.requests: list[Request] = []
        self._expected: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.requests.append(request))

        self.state = page.locator("#state")
        self.state_word = page.locator("#state-word")
        self.state_hint = page.locator("#state-hint")
        self.restart = page.get_by_role("button", name="Restart ICE", exact=True)
        self.restart_note = page.locator("#restart-note")
        self.problem = page.get_by_role("alert").filter(
            has=page.locator("#problem-title")
        )
        self.countdown = page.locator("#countdown")
        self.try_now = page.locator("#try-now")
        self.connect = page.locator("#connect")
        self.ping = page.get_by_role("button", name="Ping", exact=True)
        self.rtt = page.locator("#rtt")
        self.rtt_note = page.locator("#rtt-note")
        self.auto = page.get_by_label("Auto-ping", exact=True)
        self.interval = page.get_by_label("Auto-ping interval")
        self.size = page.get_by_label("Payload")
        self.size_problem = page.locator("#size-problem")
        self.answered = page.locator("#answered")
        self.lost = page.locator("#lost")
        self.graph = page.locator("#graph")
        self.points = page.locator("#graph circle")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    def expects(self, *patterns: str) -> None:
        """Take problems that match for a part of the test, not for a fault."""
        self._expected.extend(patterns)

    def unexpected_problems(self) -> list[str]:
        return [
            problem
            for problem in self.problems
            if not any(re.search(pattern, problem) for pattern in self._expected)
        ]

    async def open(self, path: str = "/") -> None:
        await self.page.goto(self.url + path)

    async def open_without_application(self) -> None:
        """Open the page for its modules only: it does nothing by itself.

        A session is begun for the Ping view alone.
        """
        await self.page.route(
            "**/assets/app.*.js",
            lambda route: route.fulfill(content_type="text/javascript", body=""),
        )
        await self.open("/#publish")

    async def open_connected(self, path: str = "/") -> None:
        await self.open(path)
        await self.is_connected()

    async def is_connected(self) -> None:
        # Waiting for an element sees every frame; an expectation asks now and then,
        # which would make up half the time of most tests.
        word = self.page.locator("#state-word", has_text=re.compile("^Connected$"))
        await word.wait_for(timeout=60_000)

    async def ping_once(self) -> None:
        """Press Ping and wait for the echo."""
        before = int(await self.answered.inner_text())
        await self.ping.click()
        count = re.compile(f"^{before + 1}$")
        await self.page.locator("#answered", has_text=count).wait_for(timeout=60_000)

    async def ping_automatically(self, interval: str = "every 0.1 s") -> None:
        await self.run(COUNT_PINGS)
        await self.interval.select_option(label=interval)
        await self.auto.check()

    async def stop_pinging(self) -> None:
        """Switch the automatic pings off, and wait for the echo of the last one."""
        await self.auto.uncheck()
        await self.page.wait_for_function(
            "() => window.pings.settled() === window.pings.sent", timeout=60_000
        )

    async def enter_token(self, token: str) -> None:
        """Open the settings, and enter a token; on the ping page it connects anew."""
        await self.page.locator("#settings summary").click()
        await self.page.get_by_label("Token").fill(token)
        await self.page.locator("#apply").click()

    async def run(self, function: str, argument: Any = None) -> Any:
        """Evaluate a JavaScript function in the page."""
        return await self.page.evaluate(function, argument)

    async def scrolls_sideways(self) -> bool:
        return bool(
            await self.run(
                "() => document.documentElement.scrollWidth >"
                " document.documentElement.clientWidth"
            )
        )

    def whip_requests(self, method: str) -> list[Request]:
        return [
            request
            for request in self.requests
            if request.method == method and "/whip/" in request.url
        ]
