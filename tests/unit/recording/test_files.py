"""The folder of recordings: names, and what is found under them."""

import os
import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.media_files import write_media
from whipbird.recording.files import RecordingFolder

STARTED = datetime(2031, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
NAME = "live_20310203T040506Z_001.mp4"


def create(folder: RecordingFolder, stream: str = "live", number: int = 1) -> str:
    name, descriptor = folder.create(stream, STARTED, number, "mp4")
    os.write(descriptor, b"recorded")
    os.close(descriptor)
    return name


def test_the_folder_is_made_and_names_say_what_is_in_them(tmp_path: Path) -> None:
    folder = RecordingFolder(tmp_path / "new" / "folder")
    assert list(folder) == []
    assert create(folder) == NAME
    (file,) = folder
    assert (file.name, file.stream, file.size) == (NAME, "live", 8)
    assert file.started == STARTED.replace(microsecond=0)
    assert stat.S_IMODE(file.path.stat().st_mode) & 0o133 == 0


def test_times_are_those_of_utc(tmp_path: Path) -> None:
    folder = RecordingFolder(tmp_path)
    there = STARTED.astimezone(timezone(timedelta(hours=5)))
    name, descriptor = folder.create("live", there, 1, "mp4")
    os.close(descriptor)
    assert name == NAME


@pytest.mark.parametrize("stream", [".", "..", "a_b", "-x", "~", "A.b-c_d~e", "x" * 64])
def test_every_name_of_a_stream_stays_in_the_folder(
    tmp_path: Path, stream: str
) -> None:
    folder = RecordingFolder(tmp_path)
    name = create(folder, stream)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    (file,) = folder
    assert file.stream == stream


@pytest.mark.parametrize("stream", ["", "a/b", "../a", "a\0", "é", "x" * 65, "a\n"])
def test_what_is_no_name_of_a_stream(tmp_path: Path, stream: str) -> None:
    with pytest.raises(ValueError, match="not a valid name"):
        create(RecordingFolder(tmp_path), stream)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = RecordingFolder(tmp_path)
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    (tmp_path / NAME).write_bytes(b"old")
    (tmp_path / NAME.replace("001", "002")).symlink_to(outside)
    assert create(folder) == NAME.replace("001", "003")
    assert (tmp_path / NAME).read_bytes() == b"old"
    assert not outside.exists()


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "live.mp4",
        "../" + NAME,
        "./" + NAME,
        NAME + "\n",
        NAME + "\0",
        "live_20311399T040506Z_001.mp4",
        "live_20310203T040506Z_1.mp4",
        "live_20310203T040506Z_001.exe",
        "live_\uff120310203T040506Z_001.mp4",
    ],
)
def test_other_names_are_not_seen(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / NAME).touch()
    if "\0" not in name and "/" not in name:
        (inside / name).touch()
    folder = RecordingFolder(inside)
    assert folder.get(name) is None
    assert list(folder) == []


def test_links_and_folders_are_not_seen(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    (inside / NAME.replace("001", "002")).mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (inside / NAME).symlink_to(tmp_path / "secret")
    folder = RecordingFolder(inside)
    assert folder.get(NAME) is None
    assert list(folder) == []


def test_the_newest_comes_first(tmp_path: Path) -> None:
    folder = RecordingFolder(tmp_path)
    later = NAME.replace("04", "05")
    (tmp_path / later).touch()
    create(folder)
    create(folder, number=2)
    assert [file.name for file in folder] == [
        later,
        NAME.replace("001", "002"),
        NAME,
    ]


def test_the_length_is_in_the_file(tmp_path: Path) -> None:
    folder = RecordingFolder(tmp_path)
    write_media(tmp_path / NAME, "libx264", frames=15)
    other = create(folder, number=2)
    lengths = {file.name: folder.length(file) for file in folder}
    assert lengths == {NAME: pytest.approx(0.5), other: None}
    # It is not opened again while it is the same.
    found = folder.get(NAME)
    assert found is not None
    data = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(bytes(len(data)))
    os.utime(tmp_path / NAME, ns=(found.changed, found.changed))
    assert folder.length(found) == pytest.approx(0.5)
    (tmp_path / NAME).write_bytes(b"broken")
    broken = folder.get(NAME)
    assert broken is not None
    assert folder.length(broken) is None


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        RecordingFolder(tmp_path / "file" / "folder").prepare()
    with pytest.raises(FileExistsError):
        RecordingFolder(tmp_path / "file").prepare()


@pytest.mark.parametrize("stream", [".", "..", ".hidden", "..x", "." + "x" * 63])
def test_names_that_begin_with_a_dot_make_no_hidden_files(
    tmp_path: Path, stream: str
) -> None:
    folder = RecordingFolder(tmp_path)
    name = create(folder, stream)
    assert name.startswith("%2E")
    (file,) = folder
    assert (file.name, file.stream) == (name, stream)
    assert folder.get(name) == file


def test_files_that_were_hidden_are_still_found(tmp_path: Path) -> None:
    (tmp_path / f".{NAME}").touch()
    (file,) = RecordingFolder(tmp_path)
    assert file.stream == ".live"


def test_pages_go_on_where_the_last_one_ended(tmp_path: Path) -> None:
    folder = RecordingFolder(tmp_path)
    for number in range(1, 6):
        create(folder, number=number)
    names = [file.name for file in folder]
    first = [file.name for file in folder.page(2)]
    # New and deleted files do not move the pages.
    (tmp_path / NAME.replace("2031", "2032")).touch()
    (tmp_path / first[-1]).unlink()
    second = [file.name for file in folder.page(2, first[-1])]
    last = [file.name for file in folder.page(2, second[-1])]
    assert [*first, *second, *last] == names
    assert folder.page(2, last[-1]) == []


def test_only_the_files_of_a_page_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RecordingFolder(tmp_path)
    for number in range(1, 31):
        create(folder, number=number)
    seen: list[str] = []
    get = RecordingFolder.get

    def count(self: RecordingFolder, name: str) -> object:
        seen.append(name)
        return get(self, name)

    monkeypatch.setattr(RecordingFolder, "get", count)
    assert len(folder.page(3)) == 3
    assert len(seen) <= 4


def test_a_folder_on_a_file_system_that_takes_nothing() -> None:
    """Not even root may write there; the permissions do not say so."""
    with pytest.raises(OSError, match="/proc"):
        RecordingFolder(Path("/proc/recordings")).prepare()
    with pytest.raises(OSError, match="/proc"):
        RecordingFolder(Path("/proc/self")).check()


def test_checking_a_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    RecordingFolder(tmp_path / "new" / "folder").check()
    assert list(tmp_path.iterdir()) == []
    copy = tmp_path / f"{NAME}.part"
    other = tmp_path / "other.part"
    copy.touch()
    other.touch()
    RecordingFolder(tmp_path).check()
    assert list(tmp_path.iterdir()) == [other]
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        RecordingFolder(tmp_path / "file" / "a" / "b").check()
