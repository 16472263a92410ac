"""A publisher pauses, and goes on: what Chromium makes of it, beside a usual pause."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page

from tests import offers
from tests.encoders import encode_opus, encode_video
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.sdp.offer import parse_offer
from whipbird.sessions import EndReason

from .direct_publisher import OPUS, VP8, Publisher

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Seconds.
BEFORE, PAUSE, AFTER = 4.0, 5.0, 12.0
STEP = 0.02

PICTURES = encode_video("libvpx", 192, 108, frames=100, key_interval=50)
SOUND = encode_opus("stereo")
# Half of the pictures that are sent before the pause.
EARLY = round(BEFORE / STEP / 4)

# Seconds that a stream may be frozen, and its sound may be late, beyond those of one
# whose clock shows the pause. With timestamps as they come, pictures that were held up
# are frozen for 7 s.
FROZEN, LATE = 3.0, 1.0

#: Watches a stream: `shown` has when pictures were shown, in s.
WATCH = """async ([name, url]) => {
    const pc = new RTCPeerConnection();
    const video = Object.assign(
        document.createElement('video'), { muted: true, autoplay: true });
    document.body.append(video);
    video.srcObject = new MediaStream();
    pc.ontrack = ({ track }) => { video.srcObject.addTrack(track); video.play(); };
    for (const kind of ['audio', 'video']) {
        pc.addTransceiver(kind, { direction: 'recvonly' });
    }
    await pc.setLocalDescription();
    await new Promise((resolve) => {
        const check = () => { if (pc.iceGatheringState === 'complete') resolve(); };
        pc.onicegatheringstatechange = check;
        check();
    });
    const answer = await fetch(url, { method: 'POST', body: pc.localDescription.sdp,
        headers: { 'Content-Type': 'application/sdp' } });
    await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
    const shown = [];
    const note = (now) => {
        shown.push(now / 1000);
        video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
    window.views ??= {};
    views[name] = { pc, shown };
}"""

#: How long the sound has been buffered so far, in s, and how many samples of it.
BUFFERED = """async (name) => {
    const report = await views[name].pc.getStats();
    const sound = [...report.values()].find(
        ({ type, kind }) => type === 'inbound-rtp' && kind === 'audio');
    return [sound.jitterBufferDelay, sound.jitterBufferEmittedCount];
}"""


@dataclass
class Stream:
    """A stream: what it does in the pause, and what is seen of it.

    Attributes:
        way: ``true`` if its clock goes on, ``frozen`` if it does not, ``held up`` if
            its packets come all at once behind the pause.
        frozen: seconds for which pictures stood longer than usual behind the pause.
        late: seconds for which sound is buffered in the end.
    """

    way: str
    publisher: Publisher
    frozen: float = 0.0
    late: float = 0.0

    async def play(self, begin: float) -> None:
        pictures = itertools.cycle(f.payloads for f in PICTURES)
        sound = itertools.cycle(SOUND)
        loop = asyncio.get_running_loop()
        stood = 0
        for step in range(round((BEFORE + PAUSE + AFTER) / STEP)):
            time = step * STEP
            is_pause = BEFORE <= time < BEFORE + PAUSE
            if is_pause and self.way != "held up":
                stood += self.way == "frozen"
                continue
            due = BEFORE + PAUSE if is_pause else time
            if (delay := begin + due - loop.time()) > 0:
                await asyncio.sleep(delay)
            n = step - stood
            self.publisher.send(OPUS, n * 960, next(sound))
            if step % 2 == 0:
                self.publisher.send(VP8, n * 1800, *next(pictures))
            if step % 50 == 10:
                for codec, ticks in ((OPUS, n * 960), (VP8, n * 1800)):
                    self.publisher.report(codec, 3_990_000_000 + time, ticks)

    async def look(self, page: Page) -> None:
        """See how it is, from some seconds before the end on."""
        begin = await page.evaluate(BUFFERED, self.way)
        await asyncio.sleep(2)
        end = await page.evaluate(BUFFERED, self.way)
        self.late = (end[0] - begin[0]) / max(end[1] - begin[1], 1)
        shown = await page.evaluate("(name) => views[name].shown", self.way)
        gaps = [after - before for before, after in itertools.pairwise(shown)]
        # Of the longest one, most is the pause itself.
        self.frozen = sum(gap for gap in gaps[EARLY:] if gap > 0.3) - PAUSE


@pytest_asyncio.fixture(loop_scope="module")
async def server() -> AsyncIterator[TestServer]:
    # The publishers have no connection, and are never connected.
    server = TestServer(create_app(Settings(setup_timeout=600)))
    async with server:
        yield server


async def test_pictures_move_and_sound_is_live(
    server: TestServer, browser: Browser
) -> None:
    offer = parse_offer(offers.CHROMIUM_MEDIA)
    streams = []
    for way in ("true", "frozen", "held up"):
        name = way.replace(" ", "-")
        session, _ = await server.app[STORE].publish(name, offer, "-")
        streams.append(Stream(way, Publisher(session)))
    page = await browser.new_page()
    try:
        await page.goto(str(server.make_url("/healthz")))
        for stream in streams:
            url = server.make_url(f"/whep/{stream.way.replace(' ', '-')}")
            await page.evaluate(WATCH, [stream.way, str(url)])
        begin = asyncio.get_running_loop().time()
        playing = asyncio.gather(*(stream.play(begin) for stream in streams))
        # The last seconds, of all of them at once.
        await asyncio.sleep(BEFORE + PAUSE + AFTER - 3)
        await asyncio.gather(*(stream.look(page) for stream in streams))
        await playing
    finally:
        await page.close()
        for stream in streams:
            await stream.publisher.session.end(EndReason.DELETED)
    print([(s.way, round(s.frozen, 2), round(s.late, 2)) for s in streams])  # noqa: T201
    usual, *others = streams
    for stream in others:
        assert stream.frozen < max(usual.frozen, 0.0) + FROZEN, stream.way
        assert stream.late < usual.late + LATE, stream.way
