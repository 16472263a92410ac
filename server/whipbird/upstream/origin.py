"""A session at the origin of a stream: WHEP, its events, and whether it is alive."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from ..client.errors import WhipError
from ..client.events import EVENTS_RELATION, events_of
from ..client.whep import WhepClient
from ..net import HostAddresses, UdpPort
from ..rtc import Certificate, DataChannel, Peer, PeerOptions
from ..streams import BROADCAST, LayerChoice
from ..streams.events import ACTIVE, INACTIVE, LAYERS, UPSTREAM
from .failure import LOOP_DETECTED, PUBLISHER_LEFT, failure_of
from .layers import read_layers
from .path import (
    CDN_LOOP,
    MAX_HOPS,
    STREAM_PATH,
    Path,
    path_in,
    read_path,
    write_path,
)
from .pull import Failure, PullState
from .rule import UpstreamRule

LAYER_RELATION = "urn:ietf:params:whep:ext:core:layer"

# Seconds for each response, and for the connection.
TIMEOUT = 10.0
# Seconds after the connection without media after which nobody publishes.
MEDIA_TIME = 1.0
# Seconds in which the other tracks come after the first one.
TRACKS_TIME = 0.5
# Seconds without anything from the origin after which it is asked whether it is there,
# and from one look to the next. Waiting costs it a check each five seconds or so.
SILENCE = 3.0
LOOK_INTERVAL = 1.0
# Seconds in which a publisher may replace another without the session ending.
GRACE = 0.5
# Seconds between requests for events when they break off.
EVENTS_PAUSE = 5.0

# Those of the draft, and what an edge tells beside them.
EVENTS = (ACTIVE, INACTIVE, LAYERS)
ALL_EVENTS = (*EVENTS, UPSTREAM)

# What an origin that does not take data channels may answer with.
_WITHOUT_CHANNELS = (400, 406, 415, 422)


class OriginEvents(Protocol):
    """What happens in a session at an origin."""

    def connected(self) -> None:
        """The session is connected."""

    def nothing_came(self) -> None:
        """It is connected, and there is no media."""

    def media_began(self, peer: Peer) -> None:
        """The first encoding has come; its first packet follows."""

    def media_complete(self) -> None:
        """All tracks have come, or have had time to."""

    def layers_changed(self, layers: Sequence[Mapping[str, Any]]) -> None:
        """The layers of the origin's simulcast, as in a ``layers`` event."""

    def path_changed(self, path: Path) -> None:
        """The nodes through which the origin gets the stream."""

    def message_received(self, protocol: int, data: bytes) -> None:
        """A message for all viewers has come."""


class OriginSession:
    """One session at an origin.

    Args:
        rule: where the origin is.
        stream: the name of the stream.
        path: the nodes for which it is opened, this one last.
        certificate: that of the process.
        addresses: those of this machine that media may use.
        events: called with what happens.
    """

    def __init__(
        self,
        rule: UpstreamRule,
        stream: str,
        path: Path,
        certificate: Certificate,
        addresses: HostAddresses,
        events: OriginEvents,
    ) -> None:
        self._rule = rule
        self._stream = stream
        self._path = path
        self._certificate = certificate
        self._addresses = addresses
        self._events = events
        self._client: WhepClient | None = None
        self._port: UdpPort | None = None
        # Whether the first encoding has come; set whenever one has come.
        self._has_begun = False
        self._has_media = asyncio.Event()
        self._choice = LayerChoice()
        self._choice_changed = asyncio.Event()
        self._leaving: asyncio.TimerHandle | None = None
        self._over: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()

    async def run(self) -> Failure:
        """Open the session, and wait for its end.

        Returns:
            Why it was not opened, or has ended. ``close`` is to be called all the same.
        """
        try:
            client = await self._connect()
        except WhipError as error:
            return failure_of(error)
        except OSError as error:
            return Failure(PullState.UNREACHABLE, f"no network: {error}")
        self._events.connected()
        tasks = [
            asyncio.create_task(self._await_media(client.peer)),
            asyncio.create_task(self._look_after(client.peer)),
            asyncio.create_task(self._follow_events(client)),
            asyncio.create_task(self._choose_layers(client)),
        ]
        for task in tasks:
            task.add_done_callback(self._task_ended)
        try:
            return await self._over
        finally:
            for task in tasks:
                task.cancel()
            if self._leaving is not None:
                self._leaving.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """End the session at the origin, and close the connection."""
        try:
            if self._client is not None:
                await self._client.close()
        finally:
            if self._port is not None:
                self._port.close()

    def choose(self, choice: LayerChoice) -> None:
        """Ask for other layers, if the origin has that extension."""
        if choice != self._choice:
            self._choice = choice
            self._choice_changed.set()

    # Set-up

    async def _connect(self) -> WhepClient:
        try:
            return await self._open(has_channels=True)
        except WhipError as error:
            if error.status not in _WITHOUT_CHANNELS:
                raise
        await self.close()
        return await self._open(has_channels=False)

    async def _open(self, *, has_channels: bool) -> WhepClient:
        # A port of its own: many origins tell sessions of one address apart by nothing
        # but that address.
        self._port = UdpPort(self._addresses)
        await self._port.open()
        client = self._client = WhepClient(
            self._rule.url_of(self._stream),
            token=self._rule.token,
            timeout=TIMEOUT,
            options=PeerOptions(self._certificate, self._port),
            headers={CDN_LOOP: write_path(self._path)},
        )
        if has_channels:
            # Only an offer with data channels gets the publisher's messages.
            client.peer.createDataChannel(BROADCAST)
        await client.post()
        self._path_came(read_path([client.response_headers.get(STREAM_PATH, "")]))
        # Before the first packet: it may begin the only key frame for long.
        client.peer.on_message = self._message_received
        for track in client.peer.tracks:
            track.on_encodings_changed.append(self._encodings_changed)
        await client.connected()
        return client

    def _encodings_changed(self) -> None:
        assert self._client is not None
        self._has_media.set()
        if not self._has_begun and not self._over.done():
            self._has_begun = True
            self._events.media_began(self._client.peer)

    def _message_received(
        self, channel: DataChannel, protocol: int, data: bytes
    ) -> None:
        if channel.label == BROADCAST:
            self._events.message_received(protocol, data)

    # While it is open

    async def _await_media(self, peer: Peer) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(MEDIA_TIME):
                await self._has_media.wait()
        if not self._has_begun:
            self._events.nothing_came()
            await self._has_media.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(TRACKS_TIME):
                while not all(t.encodings for t in peer.tracks if t.is_configured):
                    self._has_media.clear()
                    await self._has_media.wait()
        self._events.media_complete()

    async def _look_after(self, peer: Peer) -> None:
        """Find out soon that the origin is not there any more."""
        while True:
            if peer.connectionState in ("closed", "failed"):
                self._lost("the origin has closed it" if peer.closed_by_peer else "")
            elif peer.silence > SILENCE and not await peer.responds():
                self._lost()
            await asyncio.sleep(LOOK_INTERVAL)

    async def _follow_events(self, client: WhepClient) -> None:
        if EVENTS_RELATION not in client.links:
            return
        types: tuple[str, ...] = ALL_EVENTS
        while True:
            try:
                async for kind, data in events_of(client, types):
                    self._event_came(kind, data)
            except WhipError as error:
                if error.status == 400 and types != EVENTS:
                    types = EVENTS
                    continue
            # Its process may have ended, of which UDP says nothing.
            if not await client.peer.responds():
                self._lost()
            await asyncio.sleep(EVENTS_PAUSE)

    def _event_came(self, kind: str, data: Any) -> None:
        if kind == LAYERS and isinstance(data, dict):
            for layers in data.values():
                if isinstance(layers, list):
                    self._events.layers_changed(read_layers(layers))
        elif kind == UPSTREAM:
            try:
                self._path_came(path_in(data))
            except WhipError as error:
                self._end(failure_of(error))
        elif kind == INACTIVE and self._leaving is None:
            loop = asyncio.get_running_loop()
            self._leaving = loop.call_later(GRACE, self._end, PUBLISHER_LEFT)
        elif kind == ACTIVE and self._leaving is not None:
            # Another one has replaced it.
            self._leaving.cancel()
            self._leaving = None

    async def _choose_layers(self, client: WhepClient) -> None:
        target = client.links.get(LAYER_RELATION)
        while target is not None:
            await self._choice_changed.wait()
            self._choice_changed.clear()
            # What it has not, it does not change.
            with suppress(WhipError):
                await client.http.request(
                    "POST",
                    target,
                    data=json.dumps(_written(self._choice)).encode(),
                    headers={"Content-Type": "application/json"},
                )

    # Its end

    def _path_came(self, path: Path) -> None:
        """Pass on through which nodes the origin gets the stream.

        Raises:
            WhipError: when it gets it from this node.
        """
        if self._path[-1] in path or len(path) > MAX_HOPS:
            raise WhipError(
                "Loop",
                f"the origin gets the stream by way of {write_path(path)}, and this "
                f"node is {self._path[-1]}",
                LOOP_DETECTED,
            )
        self._events.path_changed(path)

    def _lost(self, detail: str = "") -> None:
        detail = detail or "the connection to the origin is lost"
        self._end(Failure(PullState.UNREACHABLE, detail))

    def _end(self, failure: Failure) -> None:
        if not self._over.done():
            self._over.set_result(failure)

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        """End the session with a fault of ours, instead of going on without a part."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._over.done():
            self._over.set_exception(error)


def _written(choice: LayerChoice) -> dict[str, Any]:
    """A choice as the layer selection extension has it."""
    members = {
        "rid": choice.rid,
        "maxWidth": choice.max_width,
        "maxHeight": choice.max_height,
    }
    return {name: value for name, value in members.items() if value is not None}
