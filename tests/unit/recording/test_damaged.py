"""Files that are damaged stay as they are, and a line says why."""

import functools
import logging
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.recording.publisher import files_in
from tests.work import assert_linear
from whipbird.recording import mp4
from whipbird.recording.finishing import Finisher
from whipbird.recording.mp4_boxes import DamagedFileError
from whipbird.recording.mp4_duration import extended


def box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I4s", len(content) + 8, kind) + content


def words(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def track(handler: bytes, offsets: bytes) -> bytes:
    times = box(b"stts", words(0, 2, 9, 3000, 1, 3000))
    table = box(b"stbl", box(b"stsd", words(0, 0)), times, offsets)
    media = (
        box(b"mdhd", words(0, 0, 0, 90_000, 30_000, 0)),
        box(b"hdlr", words(0, 0), handler, bytes(13)),
        box(b"minf", table),
    )
    return box(
        b"trak",
        box(b"tkhd", words(0, 0, 0, 1, 0, 333), bytes(60)),
        box(b"edts", box(b"elst", words(0, 1, 333, 0, 0x10000))),
        box(b"mdia", *media),
    )


@functools.cache
def sound_file() -> bytes:
    """A file as the muxer leaves it, with everything in it that is looked at."""
    index = box(
        b"moov",
        box(b"mvhd", words(0, 0, 0, 1000, 333), bytes(80)),
        track(b"soun", box(b"co64", words(0, 1), struct.pack(">Q", 40))),
        track(b"vide", box(b"stco", words(0, 2, 40, 60))),
    )
    return box(b"ftyp", b"isom", bytes(4)) + box(b"mdat", bytes(100)) + index


def moved(data: bytes) -> tuple[str, bytes]:
    """The problem with a file, or nothing; and what the file is then."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.mp4"
        path.write_bytes(data)
        problem = ""
        try:
            mp4.move_index(path, Path(folder) / "copy", 5.0, lambda: False)
        except DamagedFileError as error:
            problem = str(error)
            assert problem
        assert files_in(Path(folder)) == [path]
        return problem, path.read_bytes()


def test_the_file_of_these_tests_is_sound() -> None:
    problem, data = moved(sound_file())
    assert not problem
    assert data.index(b"moov") < data.index(b"mdat")
    # The last picture lasts until 5 s now, in each of the four places.
    assert words(9, 3000, 1, 3000 + 4667 * 90) in data
    assert data.count(words(5000)) == 3


SIZES = (0, 1, 2, 7, 8, 15, 16, 2**31, 2**32 - 1)
LARGE_SIZES = (0, 1, 15, 16, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
TYPES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stco", b"co64", b"mdat")


def at_boxes(data: bytes) -> list[int]:
    """Where boxes begin."""
    kinds = (*TYPES, b"ftyp", b"mvhd", b"tkhd", b"mdhd", b"hdlr", b"elst", b"stts")
    found = [data.find(kind) - 4 for kind in kinds]
    return [start for start in found if start >= 0]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The file, with a few boxes and octets that are something else."""
    data = bytearray(sound_file())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.sampled_from(at_boxes(bytes(data)) or [0]))
        match draw(st.integers(0, 5)):
            case 0:
                data[start : start + 4] = words(draw(st.sampled_from(SIZES)))
            case 1:
                size = struct.pack(">Q", draw(st.sampled_from(LARGE_SIZES)))
                data[start : start + 16] = words(1) + data[start + 4 : start + 8] + size
            case 2:
                data[start + 4 : start + 8] = draw(st.sampled_from(TYPES))
            case 3:
                del data[draw(st.integers(0, len(data))) :]
            case 4:
                at = draw(st.integers(0, max(len(data) - 1, 0)))
                data[at : at + 4] = draw(st.binary(min_size=4, max_size=4))
            case _:
                at = draw(st.integers(0, len(data)))
                data[at:at] = data[start : start + draw(st.integers(1, 200))]
    return bytes(data)


@given(damaged() | st.binary(max_size=200))
def test_any_content_leaves_a_whole_file(data: bytes) -> None:
    problem, after = moved(data)
    if problem:
        assert after == data


@given(st.integers(0, 1000))
def test_a_file_that_was_cut_off_stays_as_it_is(length: int) -> None:
    part = sound_file()[: length % len(sound_file())]
    problem, after = moved(part)
    assert problem
    assert after == part


def nested(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = box(b"trak", content)
    return content


@pytest.mark.parametrize("kind", [b"trak", b"mdia", b"stbl"])
def test_boxes_within_each_other_without_end(kind: bytes) -> None:
    """They neither exhaust the stack, nor are they copied for each level."""
    index = box(b"moov", nested(5000).replace(b"trak", kind))
    data = box(b"ftyp", bytes(8)) + box(b"mdat", bytes(8)) + index
    problem, after = moved(data)
    assert problem == "it lacks the box mvhd"
    assert after == data


def many_tracks(count: int) -> bytes:
    return count * track(b"soun", box(b"stco", words(0, 1, 40)))


def many_tables(count: int) -> bytes:
    """Each would be widened because of the one before."""
    step = [box(b"stco", words(0, 1, 2**32 - 60 - 30 * n)) for n in range(count)]
    return box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", *step))))


def many_offsets(count: int) -> bytes:
    table = box(b"stco", words(0, 1000 * count, *(1000 * count * [2**32 - 1])))
    return box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table))))


@pytest.mark.parametrize("make", [many_tracks, many_tables, many_offsets, nested])
def test_the_work_grows_as_the_index_does(make: Callable[[int], bytes]) -> None:
    header = box(b"mvhd", words(0, 0, 0, 1000, 333), bytes(80))

    def moving(size: int) -> Callable[[], object]:
        content = header + make(size)
        return lambda: mp4._moved(extended(content, 5.0))

    assert_linear(moving)


def test_the_work_grows_as_the_file_does(tmp_path: Path) -> None:
    def reading(size: int) -> Callable[[], object]:
        path = tmp_path / "file.mp4"
        path.write_bytes(box(b"ftyp", bytes(8)) + size * box(b"mdat"))
        return lambda: mp4.move_index(path, tmp_path / "copy", 5.0, lambda: False)

    assert_linear(reading)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("live_1.mp4", b"", "it does not end with an index"),
        ("live_1.mp4", bytes(100), "there is no whole box at octet 0"),
        ("live_1.mp4", box(b"mdat", bytes(8)), "it does not begin with a file type"),
        ("live_1.mkv", bytes(20) + b"\x44\x89\x88\x01", "it ends within its header"),
    ],
)
async def test_a_damaged_file_is_a_warning(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    content: bytes,
    problem: str,
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    finisher = Finisher()
    finished: list[Path] = []
    finisher.on_finished = finished.append
    finisher.submit(path, 5.0)
    await finisher.wait([name])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.exc_info is None
    assert record.getMessage() == (
        f"{name} stays as it is, since it cannot be finished: {problem}"
    )
    assert path.read_bytes() == content
    assert finished == [path]
