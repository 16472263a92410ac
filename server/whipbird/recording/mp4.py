"""Moves the index of an MP4 file to its front (ISO/IEC 14496-12)."""

import contextlib
import os
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .descriptors import open_file, read_at

# Boxes that have only boxes in them, on the way to those that are changed.
_CONTAINERS = frozenset({b"trak", b"edts", b"mdia", b"minf", b"stbl"})

# Octets copied at once; between them, it can be abandoned.
_CHUNK = 4 * 1024 * 1024

_MAX_32 = 0xFFFFFFFF


class Abandoned(Exception):  # noqa: N818 - a state, not a fault
    """It was not finished, because the server ends."""


class _Box(NamedTuple):
    kind: bytes
    start: int
    content: int
    end: int


def _boxes_of(descriptor: int) -> Iterator[_Box]:
    """The boxes of a file; a last one that is incomplete is left out."""
    size = os.fstat(descriptor).st_size
    start = 0
    while start + 8 <= size:
        head = read_at(descriptor, 16, start)
        box = _box(head, 0, size - start)
        if box is None:
            return
        yield _Box(box.kind, start, start + box.content, start + box.end)
        start += box.end


def _boxes_in(data: bytes) -> Iterator[_Box]:
    start = 0
    while (box := _box(data, start, len(data))) is not None:
        yield box
        start = box.end


def _box(data: bytes, start: int, limit: int) -> _Box | None:
    if start + 8 > min(len(data), limit):
        return None
    size, kind = struct.unpack_from(">I4s", data, start)
    content = start + 8
    if size == 1:
        if content + 8 > len(data):
            return None
        (size,) = struct.unpack_from(">Q", data, content)
        content += 8
    if size < content - start or start + size > limit:
        return None
    return _Box(kind, start, content, start + size)


def sample_entry(descriptor: int, codes: frozenset[bytes]) -> int | None:
    """Find the code of a sample entry in the last index of a file.

    Args:
        codes: the codes that it may have, of four octets each.

    Returns:
        The offset of the code; None if there is no such index, or no such entry.
    """
    index = None
    for box in _boxes_of(descriptor):
        if box.kind == b"moov":
            index = box
    if index is None:
        return None
    data = read_at(descriptor, index.end - index.content, index.content)
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
    front already, or none, is left as it is.

    Args:
        path: the file.
        new: the copy's name until it is complete; in the same folder.
        picture_until: the end of the last picture, in seconds from the beginning; its
            duration is extended to that.
        is_abandoned: called between the steps; whether to stop.

    Raises:
        OSError: when the copy cannot be written; the file is as it was.
        Abandoned: likewise.
    """
    try:
        with _opened(path, os.O_RDONLY) as old:
            boxes = {box.kind: box for box in _boxes_of(old)}
            kinds = list(boxes)
            if (
                kinds[:1] != [b"ftyp"]
                or kinds[-1:] != [b"moov"]
                or b"mdat" not in boxes
            ):
                return
            index, front = boxes[b"moov"], boxes[b"ftyp"].end
            content = read_at(old, index.end - index.content, index.content)
            moov = _moved(_extended(content, picture_until))
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
    """
    # Larger numbers may make it larger, and so the numbers larger.
    shift = 0
    while True:
        moved = _edited(content, partial(_shifted, shift))
        if len(moved) + 8 == shift:
            return struct.pack(">I4s", shift, b"moov") + moved
        shift = len(moved) + 8


def _shifted(shift: int, kind: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Chunk offsets (section 8.7.5), all moved by so many octets."""
    if kind not in (b"stco", b"co64"):
        return kind, data
    form = "I" if kind == b"stco" else "Q"
    (count,) = struct.unpack_from(">I", data, 4)
    offsets = [n + shift for n in struct.unpack_from(f">{count}{form}", data, 8)]
    if max(offsets, default=0) > _MAX_32:
        kind, form = b"co64", "Q"
    return kind, data[:8] + struct.pack(f">{count}{form}", *offsets)


def _edited(
    data: bytes, change: Callable[[bytes, bytes], tuple[bytes, bytes]]
) -> bytes:
    """Boxes with some of them changed.

    Args:
        change: takes the type and the content of a box, and returns them anew.
    """
    parts = []
    for box in _boxes_in(data):
        kind, content = box.kind, data[box.content : box.end]
        if kind in _CONTAINERS:
            content = _edited(content, change)
        else:
            kind, content = change(kind, content)
        parts += [struct.pack(">I4s", len(content) + 8, kind), content]
    return b"".join(parts)


def _extended(index: bytes, until: float) -> bytes:
    """An index in which the last picture lasts until a moment, in seconds.

    The duration is in the movie, track and media headers, in the edit list, and in the
    last entry of the decoding times (sections 8.2.2, 8.3.2, 8.4.2, 8.6.6, 8.6.1.2).
    """
    movie = next(box for box in _boxes_in(index) if box.kind == b"mvhd")
    header = index[movie.content : movie.end]
    scale, longest = _times(header)
    for box in _boxes_in(index):
        if box.kind != b"trak":
            continue
        track = index[box.content : box.end]
        leaves = _leaves(track)
        missing = round(until * scale) - _track_duration(leaves[b"tkhd"])
        is_video = leaves[b"hdlr"][8:12] == b"vide" and any(leaves[b"stts"][4:8])
        if not is_video or missing <= 0:
            continue
        media_scale, _ = _times(leaves[b"mdhd"])
        more = max(round(until * scale) - longest, 0)
        ticks = missing * media_scale // scale
        try:
            track = _edited(track, partial(_with_longer_end, missing, ticks))
            header = _with_field(header, 16, 24, more)
        except struct.error:
            # A number of 32 bits is too small for it.
            return index
        before = index[: movie.content] + header + index[movie.end : box.start]
        size = struct.pack(">I4s", len(track) + 8, b"trak")
        return before + size + track + index[box.end :]
    return index


def _with_longer_end(
    movie_ticks: int, media_ticks: int, kind: bytes, data: bytes
) -> tuple[bytes, bytes]:
    """A box of a track whose last picture lasts so much longer."""
    match kind:
        case b"tkhd":
            return kind, _with_field(data, 20, 28, movie_ticks)
        case b"elst":
            return kind, _with_last_edit(data, movie_ticks)
        case b"mdhd":
            return kind, _with_field(data, 16, 24, media_ticks)
        case b"stts":
            return kind, _with_last_delta(data, media_ticks)
        case _:
            return kind, data


def _leaves(data: bytes) -> dict[bytes, bytes]:
    """The contents of the boxes in a track, by their types."""
    found: dict[bytes, bytes] = {}

    def note(kind: bytes, content: bytes) -> tuple[bytes, bytes]:
        found[kind] = content
        return kind, content

    _edited(data, note)
    return found


def _times(header: bytes) -> tuple[int, int]:
    """The time scale and the duration in a movie or media header."""
    form, offset = (">IQ", 20) if header[0] else (">II", 12)
    scale, duration = struct.unpack_from(form, header, offset)
    return scale, duration


def _track_duration(header: bytes) -> int:
    form, offset = (">Q", 28) if header[0] else (">I", 20)
    (duration,) = struct.unpack_from(form, header, offset)
    return int(duration)


def _with_field(data: bytes, offset_0: int, offset_1: int, more: int) -> bytes:
    """Add to a number that has 32 bits in version 0 of a box, and 64 in version 1."""
    form, offset = (">Q", offset_1) if data[0] else (">I", offset_0)
    (number,) = struct.unpack_from(form, data, offset)
    changed = struct.pack(form, number + more)
    return data[:offset] + changed + data[offset + len(changed) :]


def _with_last_edit(data: bytes, more: int) -> bytes:
    size = 20 if data[0] else 12
    (count,) = struct.unpack_from(">I", data, 4)
    offset = 8 + size * (count - 1)
    return _with_field(data, offset, offset, more) if count else data


def _with_last_delta(data: bytes, more: int) -> bytes:
    (count,) = struct.unpack_from(">I", data, 4)
    offset = 8 * count
    samples, delta = struct.unpack_from(">II", data, offset)
    entries = [(samples - 1, delta)] if samples > 1 else []
    entries.append((1, delta + more))
    head = data[:4] + struct.pack(">I", count - 1 + len(entries)) + data[8:offset]
    return head + b"".join(struct.pack(">II", *entry) for entry in entries)
