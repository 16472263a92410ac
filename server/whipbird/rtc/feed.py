"""A layer's packets for all who watch it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from ..rtp.form import Form, FormedPacket
from ..rtp.history import SIZE, PacketHistory
from ..rtp.packet import RtpPacket
from ..transport.packet_buffer import SLOTS, PacketBuffer
from .layer import RATE_INTERVAL, Layer

# How much the last second counts for the bitrate.
RATE_WEIGHT = 0.25

# Who begins with packets that came before is given so many of them more than come, each
# so many seconds: up to 30 Mb/s, which a network takes better than all at once.
CATCH_UP_STEP = SLOTS
CATCH_UP_INTERVAL = 0.01


class Watcher(Protocol):
    """What is given a feed's packets.

    Attributes:
        identifiers: of the header extensions that it takes: URI -> identifier.
        frames_dropped: how many frames were kept from it.
    """

    identifiers: Mapping[str, int]
    frames_dropped: int

    @property
    def is_congested(self) -> bool:
        """Whether too much waits to be sent already."""

    def begin(self, feed: "Feed", packets: Sequence[RtpPacket], now: float) -> bool:
        """Go on with a feed.

        Args:
            packets: the first ones of it that will come, all that there are.

        Returns:
            Whether they can be taken.
        """

    def caught_up(self, packet: FormedPacket) -> FormedPacket:
        """One of these first packets, as it is to be forwarded."""

    def forward(
        self, packets: Sequence[FormedPacket], buffer: PacketBuffer, now: float
    ) -> None:
        """Take packets.

        Args:
            packets: as many as the buffer has room for, at most.
            buffer: to write them in.
        """


class Feed:
    """Gives a layer's packets to its watchers, and keeps the last ones.

    What is the same for watchers with the same header extensions is done once. Packets
    that have come together are given out together, within the same turn of the event
    loop.

    Args:
        layer: whose packets these are.
        identifiers: of the publisher's header extensions: URI -> identifier.

    Attributes:
        history: its last packets.
        bitrate: of the layer, evened out over some seconds.
    """

    def __init__(self, layer: Layer, identifiers: Mapping[str, int]) -> None:
        self.layer = layer
        self.history = PacketHistory()
        self.bitrate = layer.bitrate
        self._identifiers = identifiers
        self._codec = layer.codec
        self._timestamp = -1
        self._buffer = PacketBuffer()
        self._pending: list[RtpPacket] = []
        # For a key frame; for the network to take what was sent.
        self._waiting: list[Watcher] = []
        self._congested: list[Watcher] = []
        self._groups: dict[frozenset[tuple[str, int]], tuple[Form, list[Watcher]]] = {}
        # The number of the next packet for each, and how many it may be behind.
        self._late: dict[Watcher, tuple[int, int]] = {}
        self._catching_up: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._measured = self._loop.time()
        layer.subscribe(self._take)

    def close(self) -> None:
        """Give out nothing more."""
        self.layer.unsubscribe(self._take)
        for held in (
            self._waiting,
            self._congested,
            self._groups,
            self._late,
            self._pending,
        ):
            held.clear()
        if self._catching_up is not None:
            self._catching_up.cancel()

    def begin(self, watcher: Watcher) -> None:
        """Give a watcher what came since the last key frame, and all from now on.

        When that is not known, it will begin with the next one, which is asked for.
        """
        packets = self.history.group()
        if not packets or not watcher.begin(self, packets, self._loop.time()):
            self.wait(watcher)
            return
        first = packets[0].sequence
        self._late[watcher] = (first, self.history.count(first))
        self._help(watcher)
        if self._late and self._catching_up is None:
            self._catching_up = self._loop.call_later(CATCH_UP_INTERVAL, self._catch_up)

    def wait(self, watcher: Watcher) -> None:
        """Let a watcher begin with the next key frame, which is asked for."""
        self._waiting.append(watcher)
        self.layer.request_key_frame()

    def remove(self, watcher: Watcher) -> None:
        """Give a watcher nothing more."""
        for held in (self._waiting, self._congested):
            if watcher in held:
                held.remove(watcher)
        self._late.pop(watcher, None)
        key = frozenset(watcher.identifiers.items())
        _, watchers = self._groups.get(key, (None, []))
        if watcher in watchers:
            self._flush()
            watchers.remove(watcher)
            if not watchers:
                del self._groups[key]

    def form_of(self, watcher: Watcher) -> Form:
        """How the packets look to one of the watchers."""
        key = frozenset(watcher.identifiers.items())
        group = self._groups.get(key)
        return group[0] if group else Form(self._identifiers, watcher.identifiers)

    def _add(self, watcher: Watcher, packets: Sequence[RtpPacket]) -> bool:
        """Let a watcher begin, if it can, with these packets."""
        began = watcher.begin(self, packets, self._loop.time())
        if began:
            self._join(watcher)
        return began

    def _join(self, watcher: Watcher) -> None:
        """Give a watcher what comes; what has come it has already."""
        self._flush()
        key = frozenset(watcher.identifiers.items())
        _, watchers = self._groups.setdefault(
            key, (Form(self._identifiers, watcher.identifiers), [])
        )
        watchers.append(watcher)

    def _take(self, packet: RtpPacket) -> None:
        layer = self.layer
        if layer.codec is not self._codec:
            self._change_codec()
        if packet.timestamp != self._timestamp:
            self._timestamp = packet.timestamp
            self._begin_frame()
        if layer.is_start and self._waiting:
            waiting, self._waiting = self._waiting, []
            for watcher in waiting:
                if watcher.is_congested:
                    self._congested.append(watcher)
                elif not self._add(watcher, (packet,)):
                    self._waiting.append(watcher)
        self.history.add(packet, is_key_frame=layer.is_start and layer.is_video)
        if self._groups:
            pending = self._pending
            pending.append(packet)
            if len(pending) == SLOTS:
                self._flush()
            elif len(pending) == 1:
                self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Give out what has come."""
        if not self._pending:
            return
        packets, self._pending = self._pending, []
        buffer, now = self._buffer, self._loop.time()
        for form, watchers in self._groups.values():
            formed = [form.write(packet, now) for packet in packets]
            for watcher in watchers:
                watcher.forward(formed, buffer, now)

    def _catch_up(self) -> None:
        """Give all who are behind some more."""
        for watcher in tuple(self._late):
            self._help(watcher)
        self._catching_up = (
            self._loop.call_later(CATCH_UP_INTERVAL, self._catch_up)
            if self._late
            else None
        )

    def _help(self, watcher: Watcher) -> None:
        """Give one who is behind some more."""
        position, behind = self._late[watcher]
        count = self.history.count(position)
        if count > SIZE:
            # Too slow: what it should get next is kept no more.
            del self._late[watcher]
            watcher.frames_dropped += 1
            self.wait(watcher)
            return
        if watcher.is_congested:
            return
        del self._late[watcher]
        behind = max(behind - CATCH_UP_STEP, 0)
        count -= behind
        form, now = self.form_of(watcher), self._loop.time()
        packets = self.history.packets(position, count)
        for start in range(0, len(packets), SLOTS):
            formed = [form.write(p, now) for p in packets[start : start + SLOTS]]
            early = [watcher.caught_up(packet) for packet in formed]
            watcher.forward(early, self._buffer, now)
        if behind:
            self._late[watcher] = ((position + count) & 0xFFFF, behind)
        else:
            self._join(watcher)

    def _begin_frame(self) -> None:
        """Let whoever is too slow miss whole frames, up to a key frame."""
        congested, self._congested = self._congested, []
        for watcher in congested:
            watcher.frames_dropped += 1
            if watcher.is_congested:
                self._congested.append(watcher)
            else:
                self.wait(watcher)
        slow = [w for _, ws in self._groups.values() for w in ws if w.is_congested]
        for watcher in slow:
            watcher.frames_dropped += 1
            self.remove(watcher)
            self._congested.append(watcher)

        now = self._loop.time()
        if now - self._measured >= RATE_INTERVAL:
            self._measured = now
            weight = RATE_WEIGHT if self.bitrate else 1
            self.bitrate += weight * (self.layer.bitrate - self.bitrate)

    def _change_codec(self) -> None:
        """All go on with a key frame of the new one."""
        self._flush()
        self._codec = self.layer.codec
        self.history = PacketHistory()
        for _, watchers in self._groups.values():
            self._waiting += watchers
        self._waiting += self._late
        self._groups.clear()
        self._late.clear()
        self.layer.request_key_frame()
