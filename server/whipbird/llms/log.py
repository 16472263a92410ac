"""The log of ``llm``: an SQLite file that its commands read."""

import asyncio
import logging
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import llm
import sqlite_utils
from llm.logs import LogStore

from .errors import ChatError, Code

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)

# Turns that wait to be written; more are lost, and counted.
MAX_WAITING = 1_000

# Seconds for which another program may have the file locked.
_LOCKED = 10.0


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other servers, and workers, from making a log in a folder meanwhile.

    SQLite would fail at once in one of two that bring the same file up to date.
    """
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def default_file() -> Path | None:
    """The file of ``llm`` itself; None after ``llm logs off``."""
    folder = llm.user_dir()
    return None if (folder / "logs-off").exists() else folder / "logs.db"


class ChatLog:
    """Writes turns to a log, in a thread.

    Args:
        file: the SQLite file; it is made if there is none. A file without a path lives
            in memory only.

    Attributes:
        lost: turns that were not written.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chat log")
        self._store: LogStore | None = None
        self._waiting = 0
        self.lost = 0

    async def open(self) -> None:
        """Open the file, and bring an older one up to date.

        Raises:
            ChatError: when it cannot be used.
        """
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._open)
        except (OSError, sqlite3.Error) as error:
            raise ChatError(
                Code.FAILED, f"the log of chats cannot be kept in {self._file}: {error}"
            ) from None

    async def write(
        self,
        history: Sequence[llm.AsyncResponse],
        last: llm.AsyncResponse,
        *,
        find: bool,
    ) -> None:
        """Log a turn, and of the turns before it those that are not logged yet.

        Args:
            history: the turns before it, which were rebuilt.
            last: the turn. It has ended.
            find: whether it belongs to the conversation in the log that ``history``
                has come from, instead of its own.
        """
        if self._waiting >= MAX_WAITING:
            self.lost += 1
            return
        self._waiting += 1
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._thread, self._write, history, last, find
            )
        except sqlite3.Error as error:
            self.lost += 1
            logger.error("A chat is not logged in %s: %s", self._file, error)
        except Exception:
            # What a model has said may be something that llm cannot write.
            self.lost += 1
            logger.exception("A chat is not logged in %s", self._file)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Write what waits, and close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    # In the thread

    def _open(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with _alone(self._file.parent):
            self._prepare()

    def _prepare(self) -> None:
        is_new = not self._file.exists() or not self._file.stat().st_size
        connection = sqlite3.connect(self._file, timeout=_LOCKED)
        if is_new:
            # llm makes an empty file in some fifty steps, and a busy disk takes seconds
            # for that, and there is nothing to lose yet.
            connection.execute("pragma synchronous = off")
        self._store = LogStore(sqlite_utils.Database(connection))
        connection.execute("pragma synchronous = full")

    def _close(self) -> None:
        if self._store is not None:
            self._store.db.close()

    def _write(
        self,
        history: Sequence[llm.AsyncResponse],
        last: llm.AsyncResponse,
        find: bool,
    ) -> None:
        assert self._store is not None
        conversation = last.conversation
        assert conversation is not None
        missing = []
        for response in reversed(history):
            thread = self._thread_of(response, None if find else conversation.id)
            if thread is not None:
                conversation.id = thread
                break
            missing.append(response)
        for response in (*reversed(missing), last):
            response.log_to_db(self._store.db)

    def _thread_of(self, response: llm.AsyncResponse, thread: str | None) -> str | None:
        """The conversation that a turn is the last one of, as it is logged.

        Args:
            thread: the conversation that it must be; None for any.
        """
        assert self._store is not None
        said = llm.parts.Message(
            role="assistant",
            parts=[llm.parts.TextPart(text=response.text_or_raise())],
        )
        # Messages are stored once, by their contents: this finds those that are there.
        tip = self._store.ensure_chain([*response.prompt.messages, said])
        sql, values = "select id from threads where tip_message_hash = ?", [tip]
        if thread is not None:
            sql, values = f"{sql} and id = ?", [tip, thread]
        for row in self._store.db.query(sql, values):
            return str(row["id"])
        return None
