"""Reads the boxes of MP4 files (ISO/IEC 14496-12), whatever is in the file."""

import os
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from .descriptors import read_at

# Octets of an index that is read. One of a day of pictures and sound has 100 MB.
MAX_INDEX = 512 * 1024 * 1024

# The boxes between an index and what is changed in it, each with the boxes that lead
# on (section 6.2.3). Elsewhere they are content like any other, so nesting has an end.
_CHILDREN: Mapping[bytes, frozenset[bytes]] = {
    b"moov": frozenset({b"trak"}),
    b"trak": frozenset({b"edts", b"mdia"}),
    b"mdia": frozenset({b"minf"}),
    b"minf": frozenset({b"stbl"}),
}

# Takes the type and the content of a box, and returns them anew.
Change = Callable[[bytes, bytes], tuple[bytes, bytes]]


class DamagedFileError(ValueError):
    """A file is not what it should be; the message says where."""


class Box(NamedTuple):
    """A box.

    Attributes:
        kind: its type, of four octets.
        start, content, end: where it, its content and what follows it begin.
    """

    kind: bytes
    start: int
    content: int
    end: int


def boxes_of(descriptor: int) -> Iterator[Box]:
    """The boxes of a file.

    Raises:
        DamagedFileError: behind the last whole one, when the file goes on.
    """
    size = os.fstat(descriptor).st_size
    start = 0
    while start < size:
        head = read_at(descriptor, 16, start)
        box = _box(head, 0, size - start)
        if box is None:
            raise DamagedFileError(f"there is no whole box at octet {start}")
        yield Box(box.kind, start, start + box.content, start + box.end)
        start += box.end


def boxes_in(data: bytes) -> Iterator[Box]:
    """The boxes in the content of a box.

    Raises:
        DamagedFileError: behind the last whole one, when the content goes on.
    """
    start = 0
    while start < len(data):
        box = _box(data, start, len(data))
        if box is None:
            raise DamagedFileError("a box does not fit into the one around it")
        yield box
        start = box.end


def _box(data: bytes, start: int, limit: int) -> Box | None:
    """The box that begins at an octet; None when it is not whole.

    A size of 0, up to the end of the file, is none: nothing follows such a box.
    """
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
    return Box(kind, start, content, start + size)


def content_of(descriptor: int, box: Box) -> bytes:
    """The content of an index.

    Raises:
        DamagedFileError: when it is too large to be one.
    """
    size = box.end - box.content
    if size > MAX_INDEX:
        raise DamagedFileError(f"its index has {size} octets")
    data = read_at(descriptor, size, box.content)
    if len(data) < size:
        raise DamagedFileError("it became shorter")
    return data


def edited(data: bytes, change: Change, parent: bytes = b"moov") -> bytes:
    """Boxes with some of them changed.

    Args:
        data: the content of a box.
        change: is called for each box that does not only lead on to others.
        parent: the type of the box with this content.

    Raises:
        DamagedFileError: when there is something else than whole boxes.
    """
    parts = []
    leading = _CHILDREN.get(parent, frozenset())
    for box in boxes_in(data):
        kind, content = box.kind, data[box.content : box.end]
        if kind in leading:
            content = edited(content, change, kind)
        else:
            kind, content = change(kind, content)
        parts += [struct.pack(">I4s", len(content) + 8, kind), content]
    return b"".join(parts)


def leaves(track: bytes) -> dict[bytes, bytes]:
    """The contents of the boxes in a track, by their types."""
    found: dict[bytes, bytes] = {}

    def note(kind: bytes, content: bytes) -> tuple[bytes, bytes]:
        found[kind] = content
        return kind, content

    edited(track, note, b"trak")
    return found


def leaf(found: Mapping[bytes, bytes], kind: bytes) -> bytes:
    """The content of the box of a type.

    Raises:
        DamagedFileError: when there is none.
    """
    try:
        return found[kind]
    except KeyError:
        raise DamagedFileError(f"it lacks the box {kind.decode()}") from None


def numbers(form: str, data: bytes, offset: int) -> tuple[int, ...]:
    """Numbers in a box.

    Args:
        form: as of ``struct``.

    Raises:
        DamagedFileError: when the box ends before.
    """
    try:
        return struct.unpack_from(form, data, offset)
    except struct.error:
        raise DamagedFileError("a box is too short") from None


def is_long(data: bytes) -> bool:
    """Whether the times in a box have 64 bits (version 1), not 32 (version 0)."""
    return bool(data[:1].strip(b"\0"))
