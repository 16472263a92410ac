"""The page of a stream as a test sees it."""

from playwright.async_api import Locator, expect

from .ping_page import PingPage


class StagePage:
    """`/watch/{stream}` or `/embed/{stream}`; `frame` is what it shares with others."""

    def __init__(self, frame: PingPage, path: str) -> None:
        self.frame = frame
        self.page = frame.page
        self.path = path
        page = frame.page
        self.stage = page.locator("#stage")
        self.video = page.locator("video").first
        self.cover = page.locator(".cover").first
        self.words = page.locator(".cover-title").first
        self.live = page.locator(".live").first
        self.viewers = page.locator(".viewers").first
        self.play = page.locator("#play")
        self.mute = page.locator("#mute")
        self.unmute = page.get_by_role("button", name="Turn on the sound")
        self.volume = page.get_by_label("Volume")
        self.full_screen = page.locator("#full-screen")
        self.small_window = page.locator("#small-window")
        self.layer = page.get_by_label("Layer", exact=True)
        self.stats = page.get_by_role("button", name="Stats")
        self.share = page.get_by_role("button", name="Share")
        self.token = page.get_by_label("Token").first

    async def open(self) -> None:
        await self.frame.open(self.path)

    async def plays(self, tile: Locator | None = None) -> None:
        """Wait until the picture moves, and nothing covers it."""
        root = self.page if tile is None else tile
        await root.locator("video").first.evaluate(
            """(video) => new Promise((resolve) => {
                let left = 3;
                const next = () => {
                    left -= 1;
                    if (left) video.requestVideoFrameCallback(next);
                    else resolve();
                };
                video.requestVideoFrameCallback(next);
            })"""
        )
        await expect(root.locator(".cover").first).to_be_hidden()
