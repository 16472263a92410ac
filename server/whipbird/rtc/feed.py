"""A layer's packets for all who watch it."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from ..rtp.form import Form
from ..rtp.history import PacketHistory
from ..rtp.packet import RtpPacket
from .layer import Layer


class Watcher(Protocol):
    """What is given a feed's packets.

    Attributes:
        identifiers: of the header extensions that it takes: URI -> identifier.
    """

    identifiers: Mapping[str, int]

    def begin(self, feed: "Feed", packet: RtpPacket, now: float) -> None:
        """Go on with a feed, of which this will be the first packet."""

    def forward(self, packet: RtpPacket, first: int, body: bytes, now: float) -> None:
        """Take a packet (see ``Rewriter.write``)."""


class Feed:
    """Gives a layer's packets to its watchers, and keeps the last ones.

    What is the same for watchers with the same header extensions is done once.

    Args:
        layer: whose packets these are.
        identifiers: of the publisher's header extensions: URI -> identifier.

    Attributes:
        history: its last packets.
    """

    def __init__(self, layer: Layer, identifiers: Mapping[str, int]) -> None:
        self.layer = layer
        self.history = PacketHistory()
        self._identifiers = identifiers
        self._codec = layer.codec
        self._waiting: list[Watcher] = []
        self._groups: dict[frozenset[tuple[str, int]], tuple[Form, list[Watcher]]] = {}
        self._now = asyncio.get_running_loop().time
        layer.subscribe(self._take)

    def close(self) -> None:
        """Give out nothing more."""
        self.layer.unsubscribe(self._take)
        self._waiting.clear()
        self._groups.clear()

    def begin(self, watcher: Watcher, now: float) -> None:
        """Give a watcher what came since the last key frame, and all from now on.

        When that is not known, it will begin with the next one, which is asked for.
        """
        packets = self.history.group()
        if not packets:
            self.wait(watcher)
            return
        watcher.begin(self, packets[0], now)
        form = self._add(watcher)
        for packet in packets:
            first, body = form.write(packet, now)
            watcher.forward(packet, first, body, now)

    def wait(self, watcher: Watcher) -> None:
        """Let a watcher begin with the next key frame, which is asked for."""
        self._waiting.append(watcher)
        self.layer.request_key_frame()

    def remove(self, watcher: Watcher) -> None:
        """Give a watcher nothing more."""
        if watcher in self._waiting:
            self._waiting.remove(watcher)
        key = frozenset(watcher.identifiers.items())
        _, watchers = self._groups.get(key, (None, []))
        if watcher in watchers:
            watchers.remove(watcher)
            if not watchers:
                del self._groups[key]

    def form_of(self, watcher: Watcher) -> Form:
        """How the packets look to one of the watchers."""
        form, _ = self._groups[frozenset(watcher.identifiers.items())]
        return form

    def _add(self, watcher: Watcher) -> Form:
        key = frozenset(watcher.identifiers.items())
        form, watchers = self._groups.setdefault(
            key, (Form(self._identifiers, watcher.identifiers), [])
        )
        watchers.append(watcher)
        return form

    def _take(self, packet: RtpPacket) -> None:
        layer = self.layer
        is_start = layer.is_start
        now = self._now()
        if layer.codec is not self._codec:
            self._change_codec()
        self.history.add(packet, is_key_frame=is_start and layer.is_video)
        if is_start and self._waiting:
            waiting, self._waiting = self._waiting, []
            for watcher in waiting:
                watcher.begin(self, packet, now)
                self._add(watcher)
        for form, watchers in self._groups.values():
            first, body = form.write(packet, now)
            for watcher in watchers:
                watcher.forward(packet, first, body, now)

    def _change_codec(self) -> None:
        """All go on with a key frame of the new one."""
        self._codec = self.layer.codec
        self.history = PacketHistory()
        for _, watchers in self._groups.values():
            self._waiting += watchers
        self._groups.clear()
        self.layer.request_key_frame()
