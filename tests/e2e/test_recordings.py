"""Recordings on the page: begun, ended, listed, downloaded, and told of in words."""

import asyncio
import re
from pathlib import Path
from typing import Any

import av
import pytest
from playwright.async_api import Dialog, Locator, Page, ViewportSize, expect

from tests.server import ServerProcess

from .conftest import OpenPage, OpenPublisher, StartServer
from .ping_page import FAILED_REQUEST, PingPage
from .publish_page import NBSP, PublishPage
from .test_look import DESKTOP, SMALL_PHONE, assert_accessible

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "secret"


class RecordingsPage:
    """The Streams view of an open page, and the recordings on it."""

    def __init__(self, frame: PingPage, stream: str) -> None:
        # A stream may end before its picture is asked for.
        frame.expects(FAILED_REQUEST)
        self.frame = frame
        self.page: Page = frame.page
        heading = self.page.get_by_role("heading", name=stream, exact=True)
        self.article = self.page.locator("article").filter(has=heading)
        self.record = self.page.get_by_role(
            "button", name=f"Record {stream}", exact=True
        )
        self.stop = self.page.get_by_role(
            "button", name=f"Stop recording {stream}", exact=True
        )
        self.state = self.article.locator(".recording-state")
        self.problem = self.article.locator(".stream-actions .field-problem")
        self.note = self.page.locator("#recordings-note")
        self.list_problem = self.page.locator("#recordings-problem")
        self.files = self.page.locator("#recordings-list > li")

    async def open(self) -> None:
        await self.frame.open("/#streams")

    async def download(self, file: Locator, path: Path) -> str:
        """Save a file.

        Returns:
            The URL that it came from.
        """
        async with self.page.expect_download() as downloading:
            await file.get_by_role("link").click()
        download = await downloading.value
        assert (
            await file.get_by_role("link").inner_text() == download.suggested_filename
        )
        await download.save_as(path)
        return download.url


async def recorded(page: RecordingsPage, kilobytes: int = 20) -> None:
    """Wait until so much was recorded."""
    async with asyncio.timeout(60):
        while True:
            text = await page.state.inner_text()
            found = re.search(rf"(\d+){NBSP}kB", text)
            if (found and int(found[1]) >= kilobytes) or f"{NBSP}MB" in text:
                return
            await asyncio.sleep(0.1)


async def test_from_the_button_to_the_file(
    start_server: StartServer,
    open_page: OpenPage,
    open_publisher: OpenPublisher,
    tmp_path: Path,
) -> None:
    server = await start_server("--record", str(tmp_path / "files"), "--token", TOKEN)
    publisher = await open_publisher(server)
    await publisher.publish_with_token(TOKEN, codec="VP8", sound=True)

    page = RecordingsPage(await open_page(server), publisher.stream)
    await page.open()
    await expect(page.list_problem).to_contain_text("The server asks for a token")
    await page.frame.enter_token(TOKEN)
    await expect(page.note).to_contain_text("Nothing has been recorded yet.")
    await expect(page.article.locator("canvas")).to_be_visible()
    await expect(page.state).to_be_empty()
    await page.record.click()
    await expect(page.state).to_contain_text("Recording since")
    await expect(page.files).to_contain_text("still being written")
    await expect(page.note).to_have_text("1 recording.")
    await recorded(page)
    await page.stop.click()
    await expect(page.record).to_be_focused()
    await expect(page.state).to_be_empty()
    await expect(page.files).to_contain_text(re.compile(r"· \d+ s"))

    # Another one ends with its publisher; the newest stands first.
    await page.record.click()
    await expect(page.note).to_have_text("2 recordings.")
    await recorded(page)
    await publisher.stop()
    await expect(page.article).to_have_count(0)
    await expect(page.files.first).to_contain_text(re.compile(r"· \d+ s"))
    names = await page.files.get_by_role("link").all_inner_texts()
    assert names == sorted(names, reverse=True)

    for name, file in zip(names, await page.files.all(), strict=True):
        saved = tmp_path / name
        url = await page.download(file, saved)
        assert TOKEN not in url
        assert saved.read_bytes() == (tmp_path / "files" / name).read_bytes()
        with av.open(str(saved)) as container:
            assert container.streams.video[0].codec_context.name == "vp8"
            frames = list(container.decode(video=0))
        assert len(frames) > 5
        assert (frames[0].width, frames[0].height) == (320, 180)
        with av.open(str(saved)) as container:
            assert sum(frame.samples for frame in container.decode(audio=0)) > 0


async def test_a_server_that_records_nothing(
    server: ServerProcess, open_page: OpenPage, publisher: PublishPage
) -> None:
    await publisher.publish()
    page = RecordingsPage(await open_page(server), publisher.stream)
    await page.open()
    await expect(page.note).to_have_text("Recording is not set up on this server.")
    await expect(page.page.locator("#recordings-hint")).to_contain_text("--record")
    await expect(page.article).to_be_visible()
    await expect(page.record).to_be_hidden()
    await expect(page.files).to_have_count(0)
    await assert_accessible(page.frame)


async def test_a_folder_that_cannot_be_used(
    start_server: StartServer,
    open_page: OpenPage,
    open_publisher: OpenPublisher,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "files"
    server = await start_server("--record", str(folder))
    publisher = await open_publisher(server)
    await publisher.publish()
    folder.touch()
    page = RecordingsPage(await open_page(server), publisher.stream)
    await page.open()
    await expect(page.list_problem).to_contain_text("Recordings cannot be read.")
    await page.record.click()
    await expect(page.problem).to_contain_text("Cannot record.")
    await expect(page.problem).to_contain_text("File exists")
    # When the folder is readable again, the problem disappears.
    folder.unlink()
    await page.record.click()
    await expect(page.state).to_contain_text("Recording since")
    await expect(page.note).to_have_text("1 recording.")
    for problem in (page.problem, page.list_problem):
        await expect(problem).to_be_empty()
    await publisher.frames_advance()


def many(folder: Path, count: int) -> list[str]:
    """Make so many files; returns their names, the newest first."""
    names = [f"live_20310203T{n // 60:02}{n % 60:02}00Z_001.webm" for n in range(count)]
    for name in names:
        (folder / name).touch()
    return names[::-1]


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_deleting_a_file(
    start_server: StartServer, open_page: OpenPage, tmp_path: Path
) -> None:
    """With a confirmation, and with the token that recording needs."""
    server = await start_server("--record", str(tmp_path), "--token", TOKEN)
    kept, deleted = many(tmp_path, 2)
    page = RecordingsPage(await open_page(server), "none")
    await page.open()
    await page.frame.enter_token(TOKEN)
    await expect(page.note).to_have_text("2 recordings.")
    button = page.page.get_by_role("button", name=f"Delete {deleted}", exact=True)
    asked: list[str] = []

    async def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.dismiss()

    page.page.once("dialog", refuse)
    await button.click()
    await expect(page.note).to_have_text("2 recordings.")
    assert (tmp_path / deleted).exists()
    page.page.once("dialog", lambda dialog: dialog.accept())
    await button.click()
    await expect(page.note).to_have_text("1 recording.")
    assert asked == [f"Delete {deleted}? It cannot be restored."]
    assert names_in(tmp_path) == [kept]
    await expect(page.page.locator("#recordings-heading")).to_be_focused()
    await assert_accessible(page.frame)


async def test_many_files_are_shown_in_pages(
    start_server: StartServer, open_page: OpenPage, tmp_path: Path
) -> None:
    server = await start_server("--record", str(tmp_path))
    names = many(tmp_path, 250)
    page = RecordingsPage(await open_page(server), "none")
    await page.open()
    more = page.page.get_by_role("button", name="Show older files")
    await expect(page.note).to_have_text("The newest 100 recordings.")
    await more.click()
    await expect(page.note).to_have_text("The newest 200 recordings.")
    await more.click()
    await expect(page.note).to_have_text("250 recordings.")
    await expect(more).to_be_hidden()
    assert await page.files.get_by_role("link").all_inner_texts() == names


RECORDING = {
    "state": "recording",
    "problem": None,
    "started": "2031-02-03T04:05:06+00:00",
    "file": "n_20310203T040506Z_001.mp4",
    "files": 1,
    "octets": 12_345_678,
    "frames": {"audio": 1, "video": 1},
    "left_out": 0,
}


async def pretend(
    frame: PingPage,
    *recordings: dict[str, Any] | None,
    files: Any = (),
    armed: Any = (),
) -> None:
    """Have streams `a`, `b` and so on, of which something is recorded, and files."""
    listing = {"enabled": True, "recordings": files, "armed": armed}
    await frame.page.route(
        "**/api/recordings", lambda route: route.fulfill(json=listing)
    )
    streams: list[dict[str, Any]] = [
        {
            "name": name,
            "state": "connected",
            "duration": 1,
            "viewers": 0,
            "recording": recording,
            "tracks": [],
        }
        for name, recording in zip("abcdef", recordings, strict=False)
    ]
    await frame.page.route(
        "**/api/streams", lambda route: route.fulfill(json={"streams": streams})
    )


async def test_states_in_words(server: ServerProcess, open_page: OpenPage) -> None:
    frame = await open_page(server, timezone_id="UTC")
    problem = "No space left on device"
    await pretend(
        frame,
        None,
        {"state": "waiting"},
        RECORDING,
        RECORDING | {"left_out": 2},
        RECORDING | {"state": "failed", "problem": problem},
    )
    await RecordingsPage(frame, "a").open()
    since = f"Recording since 3 Feb 2031, 04:05, 12.3{NBSP}MB"
    for name, words, end, goes_on in (
        ("a", "", "", False),
        ("b", "Recording begins with the next key frame.", "", True),
        ("c", since, "", True),
        ("d", f"{since}, 2 frames left out", "", True),
        ("e", "", f"The recording has ended. {problem}.", False),
    ):
        page = RecordingsPage(frame, name)
        await expect(page.state).to_have_text(words)
        await expect(page.problem).to_have_text(end)
        await expect(page.stop if goes_on else page.record).to_be_visible()


async def test_somebody_else_was_faster(
    server: ServerProcess, open_page: OpenPage
) -> None:
    frame = await open_page(server)
    await pretend(frame, RECORDING)
    page = RecordingsPage(frame, "a")
    await page.open()
    async with page.page.expect_response("**/a/recording") as answer:
        await page.stop.click()
    assert (await answer.value).status == 404
    await expect(page.page.locator("#announcer")).to_have_text(
        "The recording of a has ended."
    )
    await expect(page.problem).to_be_empty()


@pytest.mark.parametrize(
    ("scheme", "viewport"), [("light", DESKTOP), ("dark", SMALL_PHONE)]
)
async def test_recordings_are_accessible_and_fit(
    server: ServerProcess, open_page: OpenPage, scheme: str, viewport: ViewportSize
) -> None:
    frame = await open_page(server, color_scheme=scheme, viewport=viewport)
    file = {
        "file": f"{'n' * 64}_20310203T040506Z_001.mp4",
        "stream": "n" * 64,
        "started": "2031-02-03T04:05:06+00:00",
        "size": 10**12,
        "duration": 9e6,
        "state": "ended",
        "ticket": None,
    }
    await pretend(
        frame,
        RECORDING | {"octets": 10**12, "left_out": 10**6},
        RECORDING | {"state": "failed", "problem": "p" * 80},
        files=[file, file | {"file": f"{'n' * 64}_20310203T030506Z_001.mp4"}],
        armed=["m" * 64],
    )
    page = RecordingsPage(frame, "a")
    await page.open()
    await expect(page.files.first).to_contain_text(f"1000.00{NBSP}GB · 104 d 4 h")
    await expect(page.stop).to_be_visible()
    assert not await frame.scrolls_sideways()
    await assert_accessible(frame)


async def test_files_of_one_recording_are_one_item(
    server: ServerProcess, open_page: OpenPage
) -> None:
    frame = await open_page(server, timezone_id="UTC")

    def file(name: str, number: int, minute: int) -> dict[str, Any]:
        return {
            "file": f"{name}_20310203T04{minute:02}06Z_{number:03}.mp4",
            "stream": name,
            "started": f"2031-02-03T04:{minute:02}:06+00:00",
            "size": 1_000_000,
            "duration": 30,
            "state": "ended",
            "ticket": None,
        }

    # The newest first; two streams are recorded at the same time.
    files = [
        file("talk", 1, 9),
        file("concert", 3, 8),
        file("talk", 2, 7),
        file("concert", 2, 6),
        file("talk", 1, 5),
        file("concert", 1, 4),
    ]
    await pretend(frame, files=files)
    page = RecordingsPage(frame, "a")
    await page.open()
    await expect(page.note).to_have_text("3 recordings.")
    first, second, third = [await item.inner_text() for item in await page.files.all()]
    assert f"talk 3 Feb 2031, 04:09 · 1.0{NBSP}MB · 30 s" in first
    assert f"talk 3 Feb 2031, 04:05 · 2.0{NBSP}MB · 2 files · 1 min 0 s" in second
    assert f"concert 3 Feb 2031, 04:04 · 3.0{NBSP}MB · 3 files · 1 min 30 s" in third
    links = await page.files.nth(2).get_by_role("link").all_inner_texts()
    assert links == [files[n]["file"] for n in (5, 3, 1)]


async def test_a_recording_is_played_in_the_page(
    start_server: StartServer,
    open_page: OpenPage,
    open_publisher: OpenPublisher,
    tmp_path: Path,
) -> None:
    server = await start_server("--record", str(tmp_path), "--token", TOKEN)
    publisher = await open_publisher(server)
    await publisher.publish_with_token(TOKEN, codec="VP8")
    page = RecordingsPage(await open_page(server), publisher.stream)
    await page.open()
    await page.frame.enter_token(TOKEN)
    await page.record.click()
    await recorded(page)
    await publisher.stop()
    play = page.page.get_by_role("button", name=re.compile("^Play "))
    await play.click()
    video = page.page.locator("#recording-video")
    await page.page.wait_for_function(
        "() => document.querySelector('#recording-video').ended", timeout=60_000
    )
    assert await video.evaluate(
        "(video) => [video.videoWidth, video.duration > 0]"
    ) == [
        320,
        True,
    ]
    assert TOKEN not in str(await video.get_attribute("src"))
    await assert_accessible(page.frame)
    await page.page.keyboard.press("Escape")
    await expect(video).not_to_have_attribute("src", re.compile("."))
    await expect(play).to_be_focused()

    # It was armed by the request to record: the next publisher would be recorded, too.
    armed = page.page.locator("#armed-list li")
    await expect(armed).to_contain_text(f"{publisher.stream} will be recorded")
    await page.page.get_by_role(
        "button", name=f"Do not record {publisher.stream}"
    ).click()
    await expect(armed).to_have_count(0)
    await expect(page.page.locator("#recordings-heading")).to_be_focused()
