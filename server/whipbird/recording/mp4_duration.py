"""How long the last picture of an MP4 file lasts (ISO/IEC 14496-12)."""

import struct
from functools import partial

from .mp4_boxes import (
    DamagedFileError,
    boxes_in,
    edited,
    is_long,
    leaf,
    leaves,
    numbers,
)


def extended(index: bytes, until: float) -> bytes:
    """An index in which the last picture lasts until a moment, in seconds.

    The duration is in the movie, track and media headers, in the edit list, and in the
    last entry of the decoding times (sections 8.2.2, 8.3.2, 8.4.2, 8.6.6, 8.6.1.2).

    Raises:
        DamagedFileError: when a box that is needed for it is missing or too short.
    """
    movie = next((box for box in boxes_in(index) if box.kind == b"mvhd"), None)
    if movie is None:
        raise DamagedFileError("it lacks the box mvhd")
    header = index[movie.content : movie.end]
    scale, longest = _times(header)
    for box in boxes_in(index):
        if box.kind != b"trak":
            continue
        track = index[box.content : box.end]
        found = leaves(track)
        missing = round(until * scale) - _track_duration(leaf(found, b"tkhd"))
        is_video = leaf(found, b"hdlr")[8:12] == b"vide"
        if not is_video or not any(leaf(found, b"stts")[4:8]) or missing <= 0:
            continue
        media_scale, _ = _times(leaf(found, b"mdhd"))
        more = max(round(until * scale) - longest, 0)
        ticks = missing * media_scale // scale
        try:
            track = edited(track, partial(_with_longer_end, missing, ticks), b"trak")
            header = _with_field(header, 16, 24, more)
        except struct.error:
            # A number of 32 bits is too small for it.
            return index
        size = struct.pack(">I4s", len(track) + 8, b"trak")
        return _replaced(
            index,
            {
                movie.content: (movie.end, header),
                box.start: (box.end, size + track),
            },
        )
    return index


def _replaced(data: bytes, changed: dict[int, tuple[int, bytes]]) -> bytes:
    """Data with other octets in place of some: their start -> their end, the others."""
    parts, done = [], 0
    for start, (end, octets) in sorted(changed.items()):
        parts += [data[done:start], octets]
        done = end
    return b"".join([*parts, data[done:]])


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


def _times(header: bytes) -> tuple[int, int]:
    """The time scale and the duration in a movie or media header.

    Raises:
        DamagedFileError: when it is too short, or has no time scale.
    """
    form, offset = (">IQ", 20) if is_long(header) else (">II", 12)
    scale, duration = numbers(form, header, offset)
    if not scale:
        raise DamagedFileError("its time scale is 0")
    return scale, duration


def _track_duration(header: bytes) -> int:
    form, offset = (">Q", 28) if is_long(header) else (">I", 20)
    return numbers(form, header, offset)[0]


def _with_field(data: bytes, offset_0: int, offset_1: int, more: int) -> bytes:
    """Add to a number that has 32 bits in version 0 of a box, and 64 in version 1.

    Raises:
        struct.error: when it is too large then.
    """
    form, offset = (">Q", offset_1) if is_long(data) else (">I", offset_0)
    (number,) = numbers(form, data, offset)
    changed = struct.pack(form, number + more)
    return data[:offset] + changed + data[offset + len(changed) :]


def _with_last_edit(data: bytes, more: int) -> bytes:
    size = 20 if is_long(data) else 12
    (count,) = numbers(">I", data, 4)
    offset = 8 + size * (count - 1)
    return _with_field(data, offset, offset, more) if count else data


def _with_last_delta(data: bytes, more: int) -> bytes:
    (count,) = numbers(">I", data, 4)
    offset = 8 * count
    samples, delta = numbers(">II", data, offset)
    entries = [(samples - 1, delta)] if samples > 1 else []
    entries.append((1, delta + more))
    head = data[:4] + struct.pack(">I", count - 1 + len(entries)) + data[8:offset]
    return head + b"".join(struct.pack(">II", *entry) for entry in entries)
