"""Lines of the log are written in a thread; a reader that stops stops nobody."""

import asyncio
import io
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import aiohttp
import pytest

from tests.server import ROOT, free_port
from whipbird.cli import log_writer
from whipbird.cli.log_writer import LineWriter
from whipbird.cli.logs import set_up_logging

# More than a pipe of Linux holds.
PIPE = 65_536


def describe(count: int) -> str:
    return f"{count} dropped\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w", encoding="ascii")
    yield reading, stream
    stream.close()


def read_to_end(descriptor: int) -> str:
    with os.fdopen(descriptor, "rb") as file:
        return file.read().decode()


def test_lines_are_written_in_order() -> None:
    stream = io.StringIO()
    writer = LineWriter(stream, describe)
    lines = [f"line {number}\n" for number in range(1000)]
    for line in lines:
        writer.write(line)
    writer.close()
    assert stream.getvalue() == "".join(lines)
    assert writer.dropped == 0
    assert writer._size == 0


def test_what_the_stream_cannot_encode(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    writer = LineWriter(stream, describe)
    writer.write("caf\xe9\n")
    writer.close()
    stream.close()
    assert read_to_end(reading) == "caf\\xe9\n"


def test_a_reader_that_stops(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    writer = LineWriter(stream, describe, max_waiting=10_000)
    lines = [f"{number:09}\n" for number in range(2 * PIPE // 10)]
    # This thread never waits: there would be nobody to read.
    for line in lines:
        writer.write(line)
        if not writer._waiting:
            time.sleep(0)
    assert 0 < writer.dropped < len(lines)
    assert writer._size <= 10_000
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(read_to_end(reading)))
    thread.start()
    deadline = time.monotonic() + 20
    while writer._size and time.monotonic() < deadline:
        time.sleep(0.001)
    writer.write("the end\n")
    writer.close()
    stream.close()
    thread.join(20)
    read = found[0].splitlines(keepends=True)
    # Who reads again is told how many are missing.
    told = [line for line in read if "dropped" in line]
    assert sum(int(line.split()[0]) for line in told) == writer.dropped
    kept = [line for line in read if line not in told]
    assert kept[-1] == "the end\n"
    assert kept[:-1] == sorted(kept[:-1])
    assert len(kept) - 1 + writer.dropped == len(lines)


def test_the_end_does_not_wait_for_a_reader(
    pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, stream = pipe
    monkeypatch.setattr(log_writer, "GRACE", 0.1)
    writer = LineWriter(stream, describe)
    writer.write("x" * 2 * PIPE)
    writer.close()
    assert writer._thread is not None
    assert writer._thread.is_alive()
    assert len(os.read(reading, PIPE)) > 0
    os.close(reading)
    writer._thread.join(20)
    assert not writer._thread.is_alive()


def test_a_reader_that_has_gone(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    os.close(reading)
    writer = LineWriter(stream, describe)
    for _ in range(10):
        writer.write("nobody reads this\n")
    writer.close()
    assert writer.dropped == 10


def test_the_dropped_lines_are_told_in_the_format_of_the_log(
    pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, stream = pipe
    root = logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.setattr(log_writer.LineWriter.__init__, "__defaults__", (1000,))
    try:
        set_up_logging("info", "json", stream)
        (handler,) = root.handlers
        logging.getLogger("whipbird.test").info("x" * 2000)
        logging.getLogger("whipbird.test").info("short", extra={"session": "abc"})
        handler.close()
    finally:
        root.handlers[:], root.level = before
    stream.close()
    short, told = map(json.loads, read_to_end(reading).splitlines())
    assert (short["message"], short["session"]) == ("short", "abc")
    assert told["message"] == "Nobody read the log: 1 lines of it were dropped"
    assert told["level"] == "warning"


def test_another_format_waits_for_nobody(pipe: tuple[int, TextIO]) -> None:
    """As at SIGHUP: what waits for a reader that has stopped goes on to wait."""
    reading, stream = pipe
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        set_up_logging("info", "text", stream)
        (handler,) = root.handlers
        for number in range(4):
            logging.getLogger("whipbird.test").info("%d %s", number, "x" * PIPE)
        began = time.monotonic()
        set_up_logging("debug", "json", stream)
        assert time.monotonic() - began < log_writer.GRACE
        assert root.handlers == [handler]
        assert root.level == logging.DEBUG
        logging.getLogger("whipbird.test").debug("the last")
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append(read_to_end(reading)))
        thread.start()
        handler.close()
        stream.close()
        thread.join(20)
    finally:
        root.handlers[:], root.level = before
    *texts, last = found[0].splitlines()
    assert [line.rstrip("x")[-2:] for line in texts] == ["0 ", "1 ", "2 ", "3 "]
    assert json.loads(last)["message"] == "the last"


async def test_a_server_whose_log_nobody_reads(
    tmp_path: Path, pipe: tuple[int, TextIO]
) -> None:
    """It answers all the same, and ends."""
    reading, stream = pipe
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "whipbird", "serve", "--port", str(port)),
        *("--access-log", "--request-rate", "0"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=stream,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "server")},
    )
    stream.close()
    url = f"http://127.0.0.1:{port}"
    async with asyncio.timeout(120), aiohttp.ClientSession() as http:
        await _answers(http, f"{url}/healthz")
        for number in range(2 * PIPE // 500):
            async with http.get(f"{url}/watch/{number:0400}") as response:
                await response.read()
        async with http.get(f"{url}/healthz") as response:
            assert response.status == 200
        server.terminate()
        assert await server.wait() == 0
    # It was as full as a pipe can be.
    assert len(read_to_end(reading)) >= PIPE / 2


async def _answers(http: aiohttp.ClientSession, url: str) -> None:
    """Wait until a server answers."""
    while True:
        try:
            async with http.get(url):
                return
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.05)
