"""A store of sessions with applications, and clients of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sessions.conftest import (
    NewStore,
    Open,
    Opened,
    client_certificate,
    new_store,
    open_session,
)
from tests.waiting import until
from whipbird.apps import Application
from whipbird.apps.applications import Applications
from whipbird.recording import Recorder
from whipbird.rtc import DataChannel
from whipbird.sessions import Session, SessionStore

__all__ = ["client_certificate", "new_store", "open_session"]


@dataclass
class Client:
    """A client that is connected, and its session."""

    opened: Opened

    @property
    def session(self) -> Session:
        return self.opened.session

    async def open(self, label: str) -> "Talk":
        """Open a channel."""
        channel = self.opened.client.createDataChannel(label)
        talk = Talk(channel)
        await until(lambda: channel.readyState == "open")
        return talk


class Talk:
    """A channel of a client, and what came on it."""

    def __init__(self, channel: DataChannel) -> None:
        self.channel = channel
        self.came: asyncio.Queue[str | bytes] = asyncio.Queue()
        channel.on("message", self.came.put_nowait)

    async def ask(self, data: str | bytes) -> str | bytes:
        """Send a message; return the next one that comes."""
        self.channel.send(data)
        return await self.next()

    async def next(self) -> str | bytes:
        """The next message."""
        return await asyncio.wait_for(self.came.get(), 60)


@dataclass
class Host:
    """A store with applications."""

    store: SessionStore
    recorder: Recorder
    applications: Applications
    connect: Callable[..., Awaitable[Client]]


Serve = Callable[..., Awaitable[Host]]


@pytest.fixture
async def serve(
    new_store: NewStore, open_session: Open, tmp_path: Path
) -> AsyncIterator[Serve]:
    """Serve applications; all of them must have ended after the test."""
    hosts: list[Host] = []

    async def serve(*apps: Application, **options: Any) -> Host:
        store = new_store()
        recorder = Recorder(tmp_path)
        applications = Applications(store, recorder)
        for number, app in enumerate(apps):
            applications.add(f"app {number}", app, **options)
        store.streams.observers += [recorder, applications]
        store.observers.append(applications)
        await recorder.open()
        await applications.start()

        async def connect(*, wait: bool = True) -> Client:
            opened = await open_session(store, connect=wait)
            if not wait:
                await opened.apply_answer()
            return Client(opened)

        hosts.append(Host(store, recorder, applications, connect))
        return hosts[-1]

    yield serve
    for host in hosts:
        await host.store.close()
        await host.applications.close()
        await host.recorder.close()
        assert not any(one.sessions for one in host.applications.stats)
