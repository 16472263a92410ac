"""Recordings over HTTP: begun, ended, listed, downloaded."""

import json
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient
from yarl import URL

from tests.unit.recording.publisher import (
    VIDEO,
    Publisher,
    files_in,
    read,
    video_frames,
)
from tests.waiting import until
from whipbird.http.auth import authorize
from whipbird.http.needs import of_recordings
from whipbird.http.problems import problem_middleware
from whipbird.http.recordings import (
    PREFIX,
    RecordingsResource,
    StreamRecordingResource,
)
from whipbird.http.tickets import Tickets
from whipbird.recording import Recorder
from whipbird.rights import Rights, Signer

Client = TestClient[web.Request, web.Application]

PATH = "/api/streams/live/recording"


def make_app(recorder: Recorder) -> web.Application:
    app = web.Application(
        middlewares=[problem_middleware, authorize(Rights(), of_recordings)]
    )
    recordings, streams = web.Application(), web.Application()
    RecordingsResource(recorder).add_to(recordings)
    StreamRecordingResource(recorder).add_to(streams)
    app.add_subapp(PREFIX, recordings)
    app.add_subapp("/api/streams", streams)
    return app


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    made = Publisher(VIDEO["libx264"])
    yield made
    await made.rig.stop()


@pytest.fixture
async def recorder(tmp_path: Path, publisher: Publisher) -> AsyncIterator[Recorder]:
    made = Recorder(tmp_path)
    made.publisher_joined(publisher.stream())
    yield made
    await made.close()


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, recorder: Recorder) -> Client:
    return await aiohttp_client(make_app(recorder))


def play(publisher: Publisher) -> None:
    for frame in video_frames("libx264"):
        publisher.send_frame(frame.payloads)


def replace_by_file(folder: Path) -> None:
    """So that nothing can be made in it."""
    folder.rmdir()
    folder.touch()


async def problem_of(response: Any, status: int) -> Any:
    assert response.status == status
    return await response.json(content_type="application/problem+json")


async def test_from_the_start_to_the_download(
    client: Client, publisher: Publisher, tmp_path: Path
) -> None:
    response = await client.post(PATH)
    assert response.status == 201
    described = await response.json()
    assert (described["state"], described["file"]) == ("waiting", None)
    assert (await client.post(PATH)).status == 200
    play(publisher)

    async def state() -> Any:
        response = await client.get(PATH)
        assert response.headers["Cache-Control"] == "no-store"
        return await response.json()

    while (described := await state())["frames"]["video"] < 30:
        assert described["problem"] is None
    name = described["file"]
    (listed,) = (await (await client.get(PREFIX)).json())["recordings"]
    assert (listed["file"], listed["stream"]) == (name, "live")
    assert (listed["state"], listed["duration"]) == ("recording", None)
    assert (await client.delete(PATH)).status == 204
    await problem_of(await client.get(PATH), 404)
    (listed,) = (await (await client.get(PREFIX)).json())["recordings"]
    (path,) = files_in(tmp_path)
    data = path.read_bytes()
    assert listed == {
        "file": name,
        "stream": "live",
        "started": listed["started"],
        "size": len(data),
        "duration": 1.0,
        "state": "ended",
        "ticket": None,
    }
    assert listed["started"].endswith("+00:00")
    response = await client.get(f"{PREFIX}/{name}")
    assert await response.read() == data
    assert response.headers["Content-Type"] == "video/mp4"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'


async def test_a_file_that_is_being_written_can_be_played(
    client: Client, publisher: Publisher, recorder: Recorder, tmp_path: Path
) -> None:
    """One gets what is in it at that moment."""
    await client.post(PATH)
    for _ in range(3):
        play(publisher)

    def described() -> Any:
        return recorder.describe("live")

    await until(lambda: described()["frames"]["video"] == 90)
    response = await client.get(f"{PREFIX}/{described()['file']}")
    data = await response.read()
    assert len(data) == described()["octets"]
    path = tmp_path / "downloaded"
    path.write_bytes(data)
    assert read(path).decoded >= 30
    assert described()["state"] == "recording"


async def test_a_range_of_a_file(client: Client, tmp_path: Path) -> None:
    """RFC 9110 section 14."""
    name = "live_20310203T040506Z_001.webm"
    (tmp_path / name).write_bytes(b"0123456789")
    url = f"{PREFIX}/{name}"
    response = await client.get(url, headers={"Range": "bytes=2-4"})
    assert (response.status, await response.read()) == (206, b"234")
    assert response.headers["Content-Range"] == "bytes 2-4/10"
    assert response.headers["Content-Type"] == "video/webm"
    response = await client.get(url, headers={"Range": "bytes=-3"})
    assert (response.status, await response.read()) == (206, b"789")
    response = await client.get(url, headers={"Range": "bytes=20-"})
    assert response.status == 416
    response = await client.head(url)
    assert (response.status, response.headers["Content-Length"]) == (200, "10")


@pytest.mark.parametrize(
    "name",
    [
        "secret.txt",
        "live_20310203T040506Z_002.mp4",
        "..%2Fsecret.txt",
        "%2e%2e",
        "..%2Foutside_20310203T040506Z_001.mp4",
        "link_20310203T040506Z_001.mp4",
        "%00",
    ],
)
async def test_nothing_else_can_be_downloaded(
    aiohttp_client: AiohttpClient, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for path in (
        folder / "secret.txt",
        tmp_path / "secret.txt",
        tmp_path / "outside_20310203T040506Z_001.mp4",
    ):
        path.write_text("secret")
    link = folder / "link_20310203T040506Z_001.mp4"
    link.symlink_to(tmp_path / "secret.txt")
    client = await aiohttp_client(make_app(Recorder(folder)))
    response = await client.get(f"{PREFIX}/{name}")
    problem = await problem_of(response, 404)
    assert "secret" not in str(problem["detail"]).replace("secret.txt", "")
    assert (await (await client.get(PREFIX)).json())["recordings"] == []


async def test_nobody_publishes(client: Client) -> None:
    response = await client.post("/api/streams/other/recording")
    assert (await problem_of(response, 404))["title"] == "No such stream"
    response = await client.delete("/api/streams/other/recording")
    assert (await problem_of(response, 404))["title"] == "Not recorded"


async def test_without_a_folder(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(make_app(Recorder(None)))
    problem = await problem_of(await client.post(PATH), 409)
    assert problem["title"] == "No folder for recordings"
    assert await (await client.get(PREFIX)).json() == {
        "enabled": False,
        "recordings": [],
        "armed": [],
    }


async def test_a_folder_that_cannot_be_used(
    aiohttp_client: AiohttpClient, tmp_path: Path, publisher: Publisher
) -> None:
    (tmp_path / "file").touch()
    recorder = Recorder(tmp_path / "file")
    recorder.publisher_joined(publisher.stream())
    client = await aiohttp_client(make_app(recorder))
    problem = await problem_of(await client.post(PATH), 503)
    assert problem["detail"] == (
        "No file can be created in the folder of recordings: File exists."
    )
    problem = await problem_of(await client.get(PREFIX), 503)
    assert problem["detail"] == "The recordings cannot be read now: Not a directory."
    await recorder.close()


async def test_a_recording_that_has_failed_says_why(
    client: Client, publisher: Publisher, recorder: Recorder, tmp_path: Path
) -> None:
    await client.post(PATH)
    replace_by_file(tmp_path)
    play(publisher)
    await until(lambda: (recorder.describe("live") or {})["state"] == "failed")
    described = await (await client.get(PATH)).json()
    assert described["problem"] == "File exists"
    assert (await client.delete(PATH)).status == 204


async def test_what_waits_for_a_publisher_is_listed(
    client: Client, publisher: Publisher, recorder: Recorder
) -> None:
    async def armed() -> object:
        return (await (await client.get(PREFIX)).json())["armed"]

    stream = publisher.stream()
    recorder.publisher_joined(stream)
    assert (await client.post(PATH)).status == 201
    assert await armed() == []
    recorder.publisher_left(stream)
    assert await armed() == ["live"]
    assert (await client.delete(PATH)).status == 204
    assert await armed() == []


async def test_with_a_token_each_file_has_a_ticket(
    aiohttp_client: AiohttpClient, recorder: Recorder, tmp_path: Path
) -> None:
    (tmp_path / "live_20310203T040506Z_001.mp4").touch()
    tickets = Tickets(Signer())
    app = web.Application(middlewares=[authorize(Rights(), of_recordings)])
    RecordingsResource(recorder, tickets).add_to(app)
    client = await aiohttp_client(app)
    listing = await (await client.get("")).json()
    assert listing["enabled"] is True
    (listed,) = listing["recordings"]
    assert listed["ticket"] == tickets.issue(listed["file"])


def many(folder: Path, count: int) -> list[str]:
    """Make so many files; returns their names, the newest first."""
    names = [
        f"live_2031{n // 1440 + 101:04}T{n // 60 % 24:02}{n % 60:02}00Z_001.mp4"
        for n in range(count)
    ]
    for name in names:
        (folder / name).touch()
    return names[::-1]


async def test_the_list_has_pages(client: Client, tmp_path: Path) -> None:
    """RFC 8288: the link to the next page."""
    names = many(tmp_path, 250)
    found: list[str] = []
    url = PREFIX
    sizes = []
    while True:
        response = await client.get(url)
        assert response.content_type == "application/json"
        page = [listed["file"] for listed in (await response.json())["recordings"]]
        sizes.append(len(page))
        found += page
        link = response.links.get("next")
        if link is None:
            break
        url = URL(link["url"]).path_qs
    assert found == names
    assert sizes == [100, 100, 50]
    response = await client.get(PREFIX, params={"limit": "250"})
    assert len((await response.json())["recordings"]) == 250
    assert "Link" not in response.headers


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "-1"},
        {"limit": "ten"},
        {"limit": ""},
        {"limit": "1.5"},
        {"limit": "٣"},
        {"after": ""},
        {"after": "secret.txt"},
        {"after": "../live_20310203T040506Z_001.mp4"},
    ],
)
async def test_pages_that_do_not_exist(client: Client, query: dict[str, str]) -> None:
    problem = await problem_of(await client.get(PREFIX, params=query), 400)
    assert problem["title"] in ("Invalid limit", "Invalid page")


async def test_thousands_of_files_keep_nobody_waiting(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop does not look at files, and the text is not made there."""
    many(tmp_path, 3000)
    loop_thread = threading.get_ident()
    here: list[str] = []
    lstat, dumps = Path.lstat, json.dumps

    def watch(name: str, function: Any) -> Any:
        def watched(*args: Any, **options: Any) -> Any:
            if threading.get_ident() == loop_thread:
                here.append(name)
            return function(*args, **options)

        return watched

    monkeypatch.setattr(Path, "lstat", watch("lstat", lstat))
    monkeypatch.setattr(os, "listdir", watch("listdir", os.listdir))
    monkeypatch.setattr(json, "dumps", watch("dumps", dumps))
    response = await client.get(PREFIX, params={"limit": "1000"})
    assert len((await response.json())["recordings"]) == 1000
    assert here == []


async def test_deleting_a_file(client: Client, tmp_path: Path) -> None:
    kept, deleted = many(tmp_path, 2)
    assert (await client.delete(f"{PREFIX}/{deleted}")).status == 204
    assert [path.name for path in files_in(tmp_path)] == [kept]
    problem = await problem_of(await client.delete(f"{PREFIX}/{deleted}"), 404)
    assert problem["title"] == "No such recording"


async def test_what_is_being_written_is_not_deleted(
    client: Client, publisher: Publisher, recorder: Recorder, tmp_path: Path
) -> None:
    await client.post(PATH)
    play(publisher)
    await until(lambda: (recorder.describe("live") or {})["frames"]["video"] == 30)
    (path,) = files_in(tmp_path)
    problem = await problem_of(await client.delete(f"{PREFIX}/{path.name}"), 409)
    assert problem["title"] == "Still being written"
    await client.delete(PATH)
    assert read(path).decoded == 30
    assert (await client.delete(f"{PREFIX}/{path.name}")).status == 204
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["secret.txt", "..%2Fsecret.txt", "link_20310203T040506Z_001.mp4", "%00"]
)
async def test_nothing_else_can_be_deleted(
    aiohttp_client: AiohttpClient, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    secrets = [folder / "secret.txt", tmp_path / "secret.txt"]
    for path in secrets:
        path.write_text("secret")
    link = folder / "link_20310203T040506Z_001.mp4"
    link.symlink_to(secrets[1])
    client = await aiohttp_client(make_app(Recorder(folder)))
    await problem_of(await client.delete(f"{PREFIX}/{name}"), 404)
    assert all(path.exists() for path in [*secrets, link])


async def test_a_file_that_cannot_be_deleted(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = many(tmp_path, 1)

    def refuse(_: Path) -> None:
        raise PermissionError(13, os.strerror(13))

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        problem = await problem_of(await client.delete(f"{PREFIX}/{name}"), 503)
    assert problem["detail"] == "The recording cannot be deleted: Permission denied."


async def test_the_file_of_a_name_with_a_dot(
    aiohttp_client: AiohttpClient, tmp_path: Path
) -> None:
    name = "%2Ehidden_20310203T040506Z_001.webm"
    (tmp_path / name).write_bytes(b"0123456789")
    client = await aiohttp_client(make_app(Recorder(tmp_path)))
    (listed,) = (await (await client.get(PREFIX)).json())["recordings"]
    assert (listed["file"], listed["stream"]) == (name, ".hidden")
    response = await client.get(URL(f"{PREFIX}/{quote(name)}", encoded=True))
    assert await response.read() == b"0123456789"
