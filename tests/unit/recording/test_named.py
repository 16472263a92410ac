"""Recordings to a file with a name of one's own."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from whipbird.recording.named import NamedFile


def test_the_suffix_chooses_the_container(tmp_path: Path) -> None:
    assert NamedFile(tmp_path / "a.mkv").container({"vp8", "pcmu"}).suffix == "mkv"
    assert NamedFile(tmp_path / "a.MP4").container({"h264", "opus"}).suffix == "mp4"
    assert NamedFile(tmp_path / "a.webm").container({"vp8"}).suffix == "webm"


def test_codecs_that_the_container_cannot_have(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="mp4 cannot have vp8; take mkv"):
        NamedFile(tmp_path / "a.mp4").container({"vp8", "opus"})


@pytest.mark.parametrize("name", ["a", "a.avi", ".mkv"])
def test_other_suffixes(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"does not end with \.mkv, \.mp4, \.webm"):
        NamedFile(tmp_path / name)


def test_further_files_stand_beside_it(tmp_path: Path) -> None:
    file = NamedFile(tmp_path / "talk.mkv")
    for number in (1, 2):
        name, descriptor = file.create("live", datetime.now(UTC), number, "mkv")
        os.close(descriptor)
        assert (tmp_path / name).exists()
    assert [path.name for path in file.written] == ["talk.mkv", "talk-2.mkv"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "talk.mkv").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        NamedFile(tmp_path / "talk.mkv").create("live", datetime.now(UTC), 1, "mkv")
    assert (tmp_path / "talk.mkv").read_bytes() == b"mine"
