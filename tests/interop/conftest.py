"""Fixtures: the clients that have to be installed."""

import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.e2e.browser import find_chromium, launch_flags

from .players import PlayerPage, bundle, opened, serving

OpenPlayer = Callable[[], Awaitable[PlayerPage]]

# The interpreter that Debian's bindings of GStreamer are for.
PYTHON = "/usr/bin/python3"

ELEMENTS = (
    *("webrtcbin", "nicesink", "dtlsenc", "srtpenc", "vp8enc", "vp9enc", "x264enc"),
    *("x265enc", "opusenc", "mulawenc", "alawenc"),
)
PROBE = """
import sys
import gi
for name in ("Gst", "GstSdp", "GstWebRTC"):
    gi.require_version(name, "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC
Gst.init(None)
missing = [e for e in sys.argv[1:] if not Gst.ElementFactory.find(e)]
raise SystemExit(f"no {' '.join(missing)}" if missing else 0)
"""


def _find(*elements: str) -> None:
    """Skip where GStreamer, its bindings or an element is not installed."""
    try:
        # Its first use looks at all plugins.
        probe = subprocess.run(
            (PYTHON, "-c", PROBE, *elements), capture_output=True, text=True, timeout=60
        )
    except FileNotFoundError:
        pytest.skip(f"there is no {PYTHON}")
    if probe.returncode:
        pytest.skip(f"GStreamer: {probe.stderr.strip().splitlines()[-1]}")


@pytest.fixture(scope="session")
def gstreamer() -> tuple[str, str]:
    """The command that publishes with GStreamer. It skips where it is not installed."""
    _find(*ELEMENTS)
    return PYTHON, str(Path(__file__).with_name("gstreamer_client.py"))


@pytest.fixture(scope="session")
def gstreamer_rust(gstreamer: tuple[str, str]) -> tuple[str, str]:
    """The command that runs a pipeline, for the elements that speak WHIP and WHEP
    themselves. It skips where they are not installed, or not in ``GST_PLUGIN_PATH``.
    """
    # openh264dec decodes no pictures of several slices, which x264enc makes (1.22).
    _find("whipsink", "whepsrc", "whipclientsink", "whepclientsrc", "avdec_h264")
    python, client = gstreamer
    return python, str(Path(client).with_name("gstreamer_pipeline.py"))


@pytest.fixture(scope="module")
def players(request: pytest.FixtureRequest) -> bytes:
    """The players, as one module for a page. It skips where there is no Node."""
    return bundle(request.config.cache)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(playwright.chromium.executable_path),
            args=launch_flags(),
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def open_player(browser: Browser, players: bytes) -> AsyncIterator[OpenPlayer]:
    """Opens pages with the players, each in a fresh context."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(players))

        async def make() -> PlayerPage:
            return await stack.enter_async_context(opened(browser, url))

        yield make
