"""A folder of recordings that several processes write to."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from whipbird.recording import FileIsOpen, RecordingFolder, Retention
from whipbird.recording.finishing import COPY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no locks")

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

# Writes a file, says its name, and goes on until its input ends.
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from whipbird.recording import RecordingFolder
folder = RecordingFolder(Path(sys.argv[1]))
name, _ = folder.create("other", datetime(2020, 1, 1, tzinfo=UTC), 1, "webm")
print(name, flush=True)
sys.stdin.read()
"""


@contextmanager
def written_elsewhere(path: Path) -> Iterator[str]:
    """Another process that writes a file; it is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


def test_what_another_process_writes_is_not_deleted(tmp_path: Path) -> None:
    """Neither on request, nor as too old, nor the copy that it makes."""
    folder = RecordingFolder(tmp_path, Retention(octets=1))
    with written_elsewhere(tmp_path) as name:
        copy = tmp_path / (name + COPY)
        copy.write_bytes(b"half")
        (tmp_path / name).write_bytes(b"much")
        with pytest.raises(FileIsOpen):
            folder.delete(name)
        folder.make_room()
        folder.prepare()
        assert {path.name for path in tmp_path.iterdir()} == {name, copy.name}
    # It has died.
    folder.prepare()
    assert not copy.exists()
    folder.make_room()
    assert not list(tmp_path.iterdir())


def test_files_of_this_process_are_free_when_they_are_finished(tmp_path: Path) -> None:
    folder = RecordingFolder(tmp_path)
    other = RecordingFolder(tmp_path)
    name, descriptor = folder.create("mine", STARTED, 1, "webm")
    os.close(descriptor)
    with pytest.raises(FileIsOpen):
        other.delete(name)
    folder.finish(name, 1.0)
    folder_finished = folder.finisher.wait([name])
    asyncio.run(asyncio.wait_for(folder_finished, 60))
    assert other.delete(name)


def test_a_file_that_came_to_nothing_is_removed(tmp_path: Path) -> None:
    folder = RecordingFolder(tmp_path)
    name, descriptor = folder.create("mine", STARTED, 1, "webm")
    os.close(descriptor)
    folder.remove(name)
    assert not list(tmp_path.iterdir())
    assert not folder._locks._held
