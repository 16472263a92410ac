"""libdatachannel, the WebRTC library of OBS, as a publisher: in Node, a process."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import pack
from typing import Any, Self

import pytest

from . import npm

PACKAGE = "node-datachannel@0.33.4"
SCRIPT = Path(__file__).with_name("libdatachannel_publisher.mjs")

EVENT_LIMIT = 30.0

# Connects that the library itself loses under load: about one of 25.
MAX_ATTEMPTS = 4

# An entry of a media file: when it is due, in seconds, and its octets.
Entry = tuple[float, bytes]


def install(cache: pytest.Cache | None) -> Path:
    """Where the library is. Skips the test where there is no Node."""
    return npm.install(cache, PACKAGE)


@dataclass(frozen=True, slots=True)
class Media:
    """What is published.

    Attributes:
        codec: ``H264``, ``H265`` or ``AV1``.
        video: frames; with layers, RTP packets.
        audio: Opus packets.
        rids: of the layers.
    """

    codec: str
    video: Sequence[Entry]
    audio: Sequence[Entry]
    rids: tuple[str, ...] = ()

    def write(self, folder: Path) -> dict[str, Any]:
        """Write files, and what the publisher wants to know of them."""
        files = {"video": self.video, "audio": self.audio}
        for name, entries in files.items():
            (folder / name).write_bytes(_file(entries))
        paths = {name: str(folder / name) for name in files}
        return paths | {"codec": self.codec, "rids": self.rids}


def _file(entries: Iterable[Entry]) -> bytes:
    return b"".join(
        pack("!II", round(1000 * due), len(data)) + data for due, data in entries
    )


class Publisher:
    """The process. As a context manager it ends the session, if nobody has.

    Args:
        library: see ``install``.
        folder: for its files.
        url: the WHIP endpoint.

    Attributes:
        answer: what it says of the answer: ``status``, ``offer``, ``answer``, ``link``.
        attempts: how often it had to connect.
    """

    def __init__(
        self, library: Path, folder: Path, url: str, token: str, media: Media
    ) -> None:
        self.answer: dict[str, Any] = {}
        self.attempts = 0
        self._job = folder / "job.json"
        self._job.write_text(
            json.dumps(
                {"library": str(library), "url": url, "token": token}
                | media.write(folder)
            )
        )
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def connect(self) -> None:
        """Start, and wait until it is connected; again, when the library fails."""
        for _ in range(MAX_ATTEMPTS):
            self.attempts += 1
            await self._offer()
            assert self.answer["status"] == 201, self.answer
            event = await self._event()
            if event["event"] == "connected":
                return
            assert event["event"] in ("failed", "closed", "timeout"), event
            await self._event("deleted")
        raise AssertionError(f"no connection in {MAX_ATTEMPTS} attempts")

    async def refused(self) -> int:
        """Start, to be refused.

        Returns:
            The status of its POST.
        """
        await self._offer()
        return int(self.answer["status"])

    async def _offer(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *("node", str(SCRIPT), str(self._job)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self.answer = await self._event("answer")

    async def sent(self) -> None:
        """Wait until it has sent everything."""
        await self._event("sent")

    async def end(self) -> int:
        """Let it end its session, whatever it has sent.

        Returns:
            The status of its DELETE.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        deleted = await self._event()
        if deleted["event"] == "sent":
            deleted = await self._event()
        assert deleted["event"] == "deleted"
        async with asyncio.timeout(EVENT_LIMIT):
            assert await self._process.wait() == 0
        return int(deleted["status"])

    async def _event(self, name: str | None = None) -> dict[str, Any]:
        """The next event, which must be the one that is named."""
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(EVENT_LIMIT):
            line = await self._process.stdout.readline()
        assert line, f"the publisher ended with {await self._process.wait()}"
        event: dict[str, Any] = json.loads(line)
        assert name in (None, event["event"]), event
        return event
