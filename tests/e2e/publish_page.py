"""The Publish view as a test sees it, and what the server says of its stream."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import aiohttp
from playwright.async_api import Locator, Page, expect

from .ping_page import FAILED_REQUEST, PingPage

Stream = dict[str, Any]

NBSP = "\N{NO-BREAK SPACE}"


async def received(url: str, name: str) -> Stream | None:
    """A server's description of a stream; None if it is not published."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{url}/api/streams/{name}") as response,
    ):
        if response.status == 404:
            return None
        stream: Stream = await response.json()
        return stream


def layers(stream: Stream | None, kind: str = "video") -> dict[str | None, Any]:
    """The layers of a stream's track of a kind, by rid; none when it has none."""
    tracks = stream["tracks"] if stream else []
    return {
        layer["rid"]: layer
        for track in tracks
        if track["kind"] == kind
        for layer in track["layers"]
    }


def size(width: int, height: int) -> str:
    """The size of a picture as the page writes it."""
    return f"{width}{NBSP}\N{MULTIPLICATION SIGN}{NBSP}{height}"


def frames_of(stream: Stream | None) -> int:
    return sum(layer["frames"] for layer in layers(stream).values())


class PublishPage:
    """The Publish view of an open page; `frame` is what it shares with the others."""

    def __init__(self, frame: PingPage, stream: str) -> None:
        self.frame = frame
        self.page: Page = frame.page
        self.stream = stream
        page = frame.page
        self.start = page.locator("#publish-start")
        self.source = page.get_by_label("Source")
        self.sound = page.get_by_label("With sound")
        self.name = page.get_by_label("Publish as")
        self.codec = page.get_by_label("Codec")
        self.resolution = page.get_by_label("Resolution")
        self.frame_rate = page.get_by_label("Frame rate")
        self.bitrate = page.get_by_label("Bitrate limit")
        self.simulcast = page.get_by_label("Simulcast")
        self.preview = page.get_by_label("Preview")
        self.problem = page.locator("#publish-problem")
        self.on_air = page.locator("#on-air")

    async def open(self) -> None:
        await self.frame.open(f"/#publish/{self.stream}")

    async def choose(
        self,
        source: str = "Test pattern",
        resolution: str = "320x180",
        *,
        codec: str = "Automatic",
        bitrate: int = 500,
        frame_rate: int = 15,
        sound: bool = False,
        simulcast: bool = False,
    ) -> None:
        """Fill in the form. Small pictures: encoders without hardware are slow."""
        await self.source.select_option(label=source)
        await self.resolution.select_option(resolution)
        await self.codec.select_option(label=codec)
        await self.bitrate.fill(str(bitrate))
        await self.frame_rate.select_option(str(frame_rate))
        await self.sound.set_checked(sound)
        await self.simulcast.set_checked(simulcast)

    async def publish(self, *args: Any, **options: Any) -> None:
        """Open the view, fill in the form, start, and wait until it is on air."""
        await self.open()
        await self.choose(*args, **options)
        await self.start.click()
        await self.is_on_air()

    async def publish_with_token(self, token: str, *args: Any, **options: Any) -> None:
        """The same on a server that asks for a token."""
        # The first requests have none.
        self.frame.expects(FAILED_REQUEST)
        await self.open()
        await self.frame.enter_token(token)
        await self.choose(*args, **options)
        await self.start.click()
        await self.is_on_air()

    async def is_on_air(self) -> None:
        await self.page.locator("#state-word", has_text="On air").wait_for(
            timeout=60_000
        )

    async def stop(self) -> None:
        """Stop, and wait until the server has answered the DELETE."""
        async with self.page.expect_response(
            lambda response: response.request.method == "DELETE"
        ):
            await self.start.click()
        await expect(self.frame.state_word).to_have_text("Not publishing")

    async def received(self) -> Stream | None:
        return await received(self.frame.url, self.stream)

    async def until_received(
        self, condition: Callable[[Stream | None], object], limit: float = 20.0
    ) -> Stream:
        """Wait until what the server says meets a condition.

        Raises:
            AssertionError: with what it said last, when it does not in time.
        """
        stream = None
        try:
            async with asyncio.timeout(limit):
                while not condition(stream := await self.received()):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"the server says {stream}") from None
        assert stream is not None
        return stream

    async def until_free(self, limit: float = 20.0) -> None:
        """Wait until nobody publishes the stream any more.

        Raises:
            TimeoutError: when somebody still does after `limit` seconds.
        """
        async with asyncio.timeout(limit):
            while await self.received() is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def frames(self) -> int:
        """How many frames of video the server has received, of all layers."""
        return frames_of(await self.received())

    async def frames_advance(self, by: int = 5) -> None:
        """Wait until so many more frames have come."""
        before = await self.frames()
        await self.until_received(lambda stream: frames_of(stream) >= before + by)

    def figures(self, title: str = "Video") -> Locator:
        """The table of a layer."""
        caption = self.page.locator("caption", has_text=re.compile(f"^{title}$"))
        return self.page.locator("table.layer").filter(has=caption)

    async def figure(self, row: str, title: str = "Video") -> tuple[str, str]:
        """The sent and received figures in a table."""
        sent, got = await self.row(row, title).locator("td").all_inner_texts()
        return sent, got

    def row(self, name: str, title: str = "Video") -> Locator:
        """A row of a table."""
        header = self.page.get_by_role("rowheader", name=name, exact=True)
        return self.figures(title).locator("tr").filter(has=header)
