"""Moves the index of an MP4 file to its front (ISO/IEC 14496-12)."""

import contextlib
import os
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from .descriptors import open_file, read_at
from .mp4_boxes import Box, DamagedFileError, boxes_of, content_of, edited, numbers
from .mp4_duration import extended

# Octets copied at once; between them, it can be abandoned.
_CHUNK = 4 * 1024 * 1024

# Octets of a file type box that is read; FFmpeg writes 32.
_MAX_FRONT = 4096

# Chunk offsets that are numbers at a time: each takes some 40 octets of memory.
_OFFSETS = 65_536

_MAX_32 = 0xFFFFFFFF


class Abandoned(Exception):  # noqa: N818 - a state, not a fault
    """It was not finished, because the server ends."""


def sample_entry(descriptor: int, codes: frozenset[bytes]) -> int | None:
    """Find the code of a sample entry in the last index of a file.

    Args:
        codes: the codes that it may have, of four octets each.

    Returns:
        The offset of the code; None if there is no such index, or no such entry.
    """
    index, data = None, b""
    # A file that is being written may end within a box.
    with contextlib.suppress(DamagedFileError):
        for box in boxes_of(descriptor):
            if box.kind == b"moov":
                index = box
    with contextlib.suppress(DamagedFileError):
        data = b"" if index is None else content_of(descriptor, index)
    if index is None:
        return None
    start = 0
    # stsd: its size and type, version, number of entries; the entry's size and type.
    while (start := data.find(b"stsd", start) + 4) >= 4:
        code = start + 12
        if data[code : code + 4] in codes:
            return index.content + code
    return None


def move_index(
    path: Path, new: Path, picture_until: float, is_abandoned: Callable[[], bool]
) -> None:
    """Write a copy of a file that has its index in front, and replace the file by it.

    At each moment there is a complete file under the path. A file with its index in
    front already is left as it is.

    Args:
        path: the file.
        new: the copy's name until it is complete; in the same folder.
        picture_until: the end of the last picture, in seconds from the beginning; its
            duration is extended to that.
        is_abandoned: called between the steps; whether to stop.

    Raises:
        DamagedFileError: when it is no such file, or a part of one; it is as it was.
        OSError: when the copy cannot be written; likewise.
        Abandoned: likewise.
    """
    try:
        with _opened(path, os.O_RDONLY) as old:
            found = _front_and_index(old)
            if found is None:
                return
            front, index = found
            moov = _moved(extended(content_of(old, index), picture_until))
            with _opened(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC) as copy:
                _write(copy, read_at(old, front, 0) + moov)
                _copy(old, copy, front, index.start, is_abandoned)
                os.fsync(copy)
            status = os.fstat(old)
        # Both are closed: Windows replaces no file that is open.
        os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def _front_and_index(descriptor: int) -> tuple[int, Box] | None:
    """The end of the file type box, and the index at the end of a file.

    Returns:
        None when the index is in front of the media.

    Raises:
        DamagedFileError: when there is no index, or no file type.
    """
    front: int | None = None
    last: Box | None = None
    is_in_front = has_media = False
    for box in boxes_of(descriptor):
        if front is None:
            if box.kind != b"ftyp" or box.end > _MAX_FRONT:
                raise DamagedFileError("it does not begin with a file type")
            front = box.end
        is_in_front = is_in_front or (box.kind == b"moov" and not has_media)
        has_media = has_media or box.kind == b"mdat"
        last = box
    if is_in_front:
        return None
    if front is None or last is None or last.kind != b"moov":
        raise DamagedFileError("it does not end with an index")
    return front, last


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """A descriptor of a file."""
    descriptor = open_file(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _copy(
    old: int, new: int, start: int, end: int, is_abandoned: Callable[[], bool]
) -> None:
    while start < end:
        if is_abandoned():
            raise Abandoned
        data = read_at(old, min(_CHUNK, end - start), start)
        if not data:
            raise OSError("The file has become shorter")
        _write(new, data)
        start += len(data)


def _moved(content: bytes) -> bytes:
    """An index that stands before what it refers to, no longer after it.

    Args:
        content: the boxes in the index.

    Raises:
        DamagedFileError: when its chunk offsets cannot be read, or moved.
    """
    # Its size if each offset needs 64 bits: an upper limit.
    limit = 8 + len(edited(content, partial(_shifted, 0, 0)))
    # What was widened does not depend on the shift, so this has the final size.
    shift = 8 + len(edited(content, partial(_shifted, 0, _MAX_32 - limit)))
    moved = edited(content, partial(_shifted, shift, _MAX_32 - limit))
    return struct.pack(">I4s", shift, b"moov") + moved


def _shifted(shift: int, largest: int, kind: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Chunk offsets (section 8.7.5), all moved by so many octets.

    Args:
        largest: when there is a larger one before, they get 64 bits.
    """
    if kind not in (b"stco", b"co64"):
        return kind, data
    form = "I" if kind == b"stco" else "Q"
    if max(map(max, _offsets(form, data)), default=0) > largest:
        kind, new_form = b"co64", "Q"
    else:
        new_form = form
    parts = [data[:8]]
    try:
        for some in _offsets(form, data):
            parts.append(
                struct.pack(f">{len(some)}{new_form}", *(n + shift for n in some))
            )
    except struct.error:
        raise DamagedFileError("a chunk is beyond the end of any file") from None
    return kind, b"".join(parts)


def _offsets(form: str, data: bytes) -> Iterator[tuple[int, ...]]:
    """The chunk offsets in a box, some at a time."""
    (count,) = numbers(">I", data, 4)
    size, start = struct.calcsize(f">{form}"), 8
    while count:
        some = min(count, _OFFSETS)
        yield numbers(f">{some}{form}", data, start)
        count, start = count - some, start + some * size
