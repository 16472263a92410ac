"""Recorded files: each can be decoded, and has what the server said it had."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import av
from av.error import FFmpegError

from ..clients import BenchError
from .tally import Tally


def check(
    folder: Path, said: Mapping[str, int], tally: Tally, keep: Path | None
) -> None:
    """Decode and delete all files of a folder.

    Args:
        said: file -> pictures that it has, at least.
        keep: a folder for those that cannot be decoded, or lack pictures.
    """
    for name in said:
        if not (folder / name).is_file():
            tally.fail(f"recording {name}: there is no such file")
    for file in sorted(folder.glob("*")) if folder.is_dir() else ():
        try:
            pictures = _pictures(file)
            if pictures < said.get(file.name, 0):
                raise BenchError(f"{pictures} pictures, not {said[file.name]}")
            tally.counts["pictures recorded"] += pictures
        except (BenchError, FFmpegError, OSError) as error:
            tally.fail(f"recording {file.name}: {error}")
            if keep is not None:
                shutil.copy(file, keep)
        file.unlink()


def _pictures(file: Path) -> int:
    """Decode a file; return how many pictures are in it."""
    with av.open(str(file)) as container:
        if not container.streams.video:
            return 0
        return sum(1 for _ in container.decode(container.streams.video[0]))
