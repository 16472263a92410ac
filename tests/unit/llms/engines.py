"""Engines for tests, and what they answer."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlite_utils
from llm.logs import LogStore

from whipbird.llms import End, Piece, read_request
from whipbird.llms.endpoint import EndpointModels
from whipbird.llms.engine import Engine, Models
from whipbird.llms.log import ChatLog

# Seconds without a token; no more than a test that waits for it to pass can afford.
PATIENCE = 60.0


@asynccontextmanager
async def engine_of(
    source: str | Models,
    log: Path | None = None,
    *,
    patience: float = PATIENCE,
    at_once: int = 4,
    key: str | None = None,
    names: tuple[str, ...] = (),
) -> AsyncIterator[Engine]:
    """An engine that has started: of models, or of the API at a URL."""
    if isinstance(source, str):
        source = EndpointModels(source, names, key)
    engine = Engine(
        source,
        None if log is None else ChatLog(log),
        patience=patience,
        at_once=at_once,
    )
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def asked(text: str, **others: Any) -> dict[str, Any]:
    """The JSON of a request with one message."""
    return {"messages": [{"role": "user", "content": text}], **others}


async def answer(engine: Engine, request: dict[str, Any]) -> tuple[list[Piece], End]:
    """All that the engine answers."""
    pieces: list[Piece] = []
    async with aclosing(engine.reply(read_request(request))) as events:
        async for event in events:
            if isinstance(event, End):
                return pieces, event
            pieces.append(event)
    raise AssertionError("the reply has no end")


@cache
def _empty_log() -> bytes:
    """The file of an empty log; to make one takes ``llm`` more than a second."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log.db"
        database = sqlite_utils.Database(file)
        LogStore(database)
        database.close()
        return file.read_bytes()


def log_file(folder: Path, name: str = "log.db") -> Path:
    """An empty log in a folder."""
    file = folder / name
    file.write_bytes(_empty_log())
    return file


def turns(file: Path) -> list[dict[str, Any]]:
    """The turns in a log, the oldest first."""
    database = sqlite_utils.Database(file)
    try:
        return list(database.query("select * from turns order by rowid"))
    finally:
        database.close()
