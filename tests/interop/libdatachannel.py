"""libdatachannel, the WebRTC library of OBS: processes that publish, or watch."""

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
PUBLISHER = Path(__file__).with_name("libdatachannel_publisher.mjs")
VIEWER = Path(__file__).with_name("libdatachannel_viewer.mjs")

EVENT_LIMIT = 60.0

# Connects that the library itself loses under load: about one of 25.
MAX_ATTEMPTS = 4

# An entry of a media file: when it is due, in seconds, and its octets.
Entry = tuple[float, bytes]


def install(cache: pytest.Cache | None) -> Path:
    """The path of the library. Skips the test without Node."""
    return npm.install(cache, PACKAGE)


@dataclass(frozen=True, slots=True)
class Media:
    """The media to publish.

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


class _Client:
    """A process that opens a session. As a context manager it does not outlive it.

    Args:
        script: what it runs.
        job: what it is told, as a file.

    Attributes:
        answer: what it says of the answer: ``status``, and what its script has of it.
        attempts: how often it had to connect.
    """

    def __init__(self, script: Path, job: Path) -> None:
        self.answer: dict[str, Any] = {}
        self.attempts = 0
        self.process: asyncio.subprocess.Process | None = None
        self._script = script
        self._job = job

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

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

    async def end(self) -> int:
        """Let it end its session, whatever it has done.

        Returns:
            The status of its DELETE.
        """
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        while (deleted := await self._event())["event"] != "deleted":
            pass
        async with asyncio.timeout(EVENT_LIMIT):
            assert await self.process.wait() == 0
        return int(deleted["status"])

    async def _offer(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *("node", str(self._script), str(self._job)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self.answer = await self._event("answer")

    async def _event(self, name: str | None = None) -> dict[str, Any]:
        """The next event, which must be the one that is named."""
        assert self.process is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(EVENT_LIMIT):
            line = await self.process.stdout.readline()
        assert line, f"the process ended with {await self.process.wait()}"
        event: dict[str, Any] = json.loads(line)
        assert name in (None, event["event"]), event
        return event


class Publisher(_Client):
    """One that publishes.

    Args:
        library: see ``install``.
        folder: for its files.
        url: the WHIP endpoint.
    """

    def __init__(
        self, library: Path, folder: Path, url: str, token: str, media: Media
    ) -> None:
        job = folder / "job.json"
        job.write_text(
            json.dumps(
                {"library": str(library), "url": url, "token": token}
                | media.write(folder)
            )
        )
        super().__init__(PUBLISHER, job)

    async def sent(self) -> None:
        """Wait until it has sent everything."""
        await self._event("sent")


class Viewer(_Client):
    """One that watches, and counts.

    Args:
        library: see ``install``.
        folder: for its files.
        url: the WHEP endpoint.
        codec: ``VP8`` or ``H264``.
    """

    def __init__(
        self, library: Path, folder: Path, url: str, token: str, codec: str
    ) -> None:
        job = folder / "viewer.json"
        job.write_text(
            json.dumps(
                {"library": str(library), "url": url, "token": token, "codec": codec}
            )
        )
        super().__init__(VIEWER, job)

    async def received(self) -> dict[str, dict[str, int]]:
        """Its received packets so far, reported several times per second.

        Returns:
            By kind: ``packets``, ``frames``, and how many numbers are ``missing``.
        """
        event = await self._event("received")
        return {kind: event[kind] for kind in ("audio", "video")}
