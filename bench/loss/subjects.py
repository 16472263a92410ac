"""The servers under test: Whipbird, from this checkout or another one, and others."""

import os
import sys
import tempfile
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from ..servers import NO_LIMITS, ROOT, Endpoint, ServerError
from .lab import SERVER_ADDRESS, Lab, listening, started

_PORT = 8080
_STREAM = "bench"


class SubjectError(Exception):
    """The description of a server is wrong. The message says what."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A server, and where it takes what.

    Attributes:
        name: what the table calls it.
        command: starts it; it need not end by itself.
        whip, whep: one stream.
        tree: the checkout that Python runs.
    """

    name: str
    command: tuple[str, ...]
    whip: Endpoint
    whep: Endpoint
    tree: Path = ROOT

    @property
    def origin(self) -> str:
        """The origin of its pages."""
        return str(URL(self.whep.url).origin())


def whipbird(name: str, tree: Path) -> Subject:
    """Whipbird, as a checkout has it."""
    server = f"http://{SERVER_ADDRESS}:{_PORT}"
    where = (
        *("--host", SERVER_ADDRESS, "--open", "--port", str(_PORT)),
        *("--log-level", "warning"),
    )
    return Subject(
        name,
        (sys.executable, "-m", "whipbird", "serve", *where, *NO_LIMITS),
        Endpoint(f"{server}/whip/{_STREAM}"),
        Endpoint(f"{server}/whep/{_STREAM}"),
        tree,
    )


def peer(path: Path) -> Subject:
    """Another server, as a TOML file describes it.

    Its keys are those of a `Subject`; ``token`` is a Bearer token for both endpoints.

    Raises:
        SubjectError: when it does not.
    """
    try:
        text = path.read_text().replace("{address}", SERVER_ADDRESS)
        found = tomllib.loads(text)
        token = found.get("token")
        return Subject(
            found.get("name", path.stem),
            tuple(os.path.expanduser(part) for part in found["command"]),
            Endpoint(found["whip"], token),
            Endpoint(found["whep"], token),
        )
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        raise SubjectError(f"{path}: {error!r}") from error


@asynccontextmanager
async def serving(subject: Subject, lab: Lab) -> AsyncIterator[None]:
    """Start a server in its namespace, and end it when done.

    Raises:
        ServerError: when it does not listen. The message has the end of its output.
    """
    port = URL(subject.whep.url).port
    assert port is not None
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryFile() as log:
        async with started(
            lab.server, subject.command, subject.tree, folder=empty, log=log
        ) as process:
            try:
                await listening(process, port)
            except ServerError as error:
                log.seek(0)
                output = log.read()[-2000:].decode(errors="replace")
                raise ServerError(f"{subject.name}: {error}: {output}") from None
            yield
