"""Distributes the packets of an encoding to all that watch it."""

import asyncio
import math
from collections.abc import Sequence
from typing import Protocol

from ..rtp.forward_template import ExtensionMap, ForwardedPacket, ForwardTemplate
from ..rtp.history import GopBudget, PacketHistory
from ..rtp.packet import RtpPacket
from ..rtp.rewriter import Rewriting
from ..transport.packet_buffer import SLOTS, PacketBuffer
from .encoding import RATE_INTERVAL, Encoding, PacketHandler
from .redundancy import RedundantPackets
from .transport import FanOut
from .viewer_clock import ViewerClock

# The weight of the newest measurement in the smoothed bitrate.
RATE_WEIGHT = 0.25

# A late watcher starts with kept packets. Every CATCH_UP_INTERVAL seconds it gets
# CATCH_UP_STEP packets more than arrive: up to 30 Mb/s, since a burst of all of them
# would overflow queues in the network.
CATCH_UP_STEP = SLOTS
CATCH_UP_INTERVAL = 0.01

# Seconds after a key frame in which viewers behind thin paths request none: most
# encoders send the next one by then, and each costs all viewers.
RECOVERY_INTERVAL = 2.5

_MapKey = frozenset[tuple[str, int]]


class Watcher(Protocol):
    """A receiver of a feed's packets.

    Attributes:
        extension_map: the RTP header extensions that it negotiated: URI -> identifier.
        frames_dropped: frames skipped because it was congested.
        compiled_stream: its stream for the compiled packet path; None while its packets
            need more than that does, or are not all sent at once, or there is none.
    """

    extension_map: ExtensionMap
    frames_dropped: int
    compiled_stream: Rewriting | None

    @property
    def is_congested(self) -> bool:
        """Whether too many octets already wait for it: frames are to be left out."""

    @property
    def is_behind(self) -> bool:
        """Whether it is to go on with a key frame, without what waits for it."""

    @property
    def is_limited(self) -> bool:
        """Whether it leaves out frames again and again: its path is too thin."""

    def begin(self, feed: "Feed", packets: Sequence[RtpPacket], now: float) -> bool:
        """Switch to a feed.

        Args:
            packets: the packets that it will start with, one at least.

        Returns:
            Whether it can receive them: whether it negotiated their codec.
        """

    def catch_up(self, packet: ForwardedPacket) -> ForwardedPacket:
        """Move a kept packet's timestamp close to that of the newest packet."""

    def forward(
        self, packets: Sequence[ForwardedPacket], buffer: PacketBuffer, now: float
    ) -> None:
        """Send packets.

        Args:
            packets: at most as many as the buffer has slots.
            buffer: where to write and encrypt them.
        """


class Feed:
    """Distributes the packets of an encoding to watchers, and keeps the newest ones.

    The work for a packet is done once for all watchers with the same extension map.
    Packets that arrive in one iteration of the event loop are sent in one batch.

    Args:
        encoding: the source of the packets.
        extension_map: the publisher's RTP header extensions: URI -> identifier.
        budget: the octets for its GOP.
        fan_out: sends to many watchers with one call; None without the compiled packet
            path.

    Attributes:
        history: the newest packets.
        redundant_packets: makes packets for viewers of sound that lose some.
        bitrate: bits per second of the encoding, smoothed over some seconds.
    """

    def __init__(
        self,
        encoding: Encoding,
        extension_map: ExtensionMap,
        budget: GopBudget,
        fan_out: FanOut | None = None,
    ) -> None:
        self.encoding = encoding
        self.history = PacketHistory(budget, encoding.codec.clock_rate)
        self.redundant_packets = RedundantPackets()
        self._budget = budget
        self.bitrate = encoding.bitrate
        self._extension_map = extension_map
        self._fan_out = fan_out
        self._codec = encoding.codec
        self._timestamp = -1
        self._clock = self._new_clock()
        self._subscribers: tuple[PacketHandler, ...] = ()
        self._epoch = encoding.epoch
        self._buffer = PacketBuffer()
        self._pending: list[RtpPacket] = []
        # Watchers that wait for a key frame, and for their sockets to drain.
        self._waiting: list[Watcher] = []
        self._congested: list[Watcher] = []
        # Whether some of the waiting ones have left out frames; the last key frame.
        self._is_recovering = False
        self._key_frame_at = -math.inf
        # Watchers that get every packet as it arrives, by extension map.
        self._groups: dict[_MapKey, tuple[ForwardTemplate, list[Watcher]]] = {}
        # Those of them whose sockets may be congested: ``fan_out`` has not sent them
        # the last packets.
        self._unfanned: list[Watcher] = []
        # Late watchers: the sequence number of the next kept packet for each, and how
        # many packets it may still be behind after the next batch.
        self._late: dict[Watcher, tuple[int, int]] = {}
        self._catch_up_timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._measured = self._loop.time()
        encoding.subscribe(self._on_packet)

    def close(self) -> None:
        """Stop distributing packets."""
        self.encoding.unsubscribe(self._on_packet)
        self.history.close()
        for held in (
            self._waiting,
            self._congested,
            self._groups,
            self._unfanned,
            self._late,
            self._pending,
        ):
            held.clear()
        if self._catch_up_timer is not None:
            self._catch_up_timer.cancel()

    def _new_clock(self) -> ViewerClock:
        return ViewerClock(
            self.encoding.codec.clock_rate, is_video=self.encoding.is_video
        )

    def timestamp_at(self, now: float) -> int | None:
        """The RTP timestamp of a moment, as its packets have it.

        See ``Encoding.timestamp_at``.
        """
        timestamp, anchor = self.encoding.timestamp_at(now), self.encoding.anchor
        if timestamp is None:
            return None
        shift = self._clock.shift_at(None if anchor is None else anchor.reported)
        return (timestamp + shift) & 0xFFFFFFFF

    def subscribe(self, handler: PacketHandler) -> None:
        """Call a function with every packet from now on, as watchers get them."""
        self._subscribers += (handler,)

    def unsubscribe(self, handler: PacketHandler) -> None:
        """Stop calling a function."""
        self._subscribers = tuple(h for h in self._subscribers if h != handler)

    def add(self, watcher: Watcher) -> None:
        """Start a watcher with the packets since the last key frame.

        If they are not kept, it starts at the next key frame, which is requested.
        """
        packets = self.history.current_gop()
        if not packets or not watcher.begin(self, packets, self._loop.time()):
            self.add_at_key_frame(watcher)
            return
        first = packets[0].sequence
        self._late[watcher] = (first, self.history.count(first))
        self._send_kept(watcher)
        if self._late and self._catch_up_timer is None:
            self._catch_up_timer = self._loop.call_later(
                CATCH_UP_INTERVAL, self._catch_up
            )

    def add_at_key_frame(self, watcher: Watcher) -> None:
        """Start a watcher at the next key frame, and request one."""
        self._waiting.append(watcher)
        self.encoding.request_key_frame()

    def remove(self, watcher: Watcher) -> None:
        """Send a watcher no more packets."""
        for held in (self._waiting, self._congested):
            if watcher in held:
                held.remove(watcher)
        self._late.pop(watcher, None)
        key = frozenset(watcher.extension_map.items())
        _, watchers = self._groups.get(key, (None, []))
        if watcher in watchers:
            self._flush()
            watchers.remove(watcher)
            if watcher in self._unfanned:
                self._unfanned.remove(watcher)
            if not watchers:
                del self._groups[key]

    def skip(self, watcher: Watcher) -> None:
        """Let a watcher go on with the next key frame; a late one is requested."""
        self.remove(watcher)
        watcher.frames_dropped += 1
        self._waiting.append(watcher)
        self._is_recovering = True

    def template_for(self, watcher: Watcher) -> ForwardTemplate:
        """The template for packets to a watcher."""
        key = frozenset(watcher.extension_map.items())
        group = self._groups.get(key)
        if group is not None:
            return group[0]
        return ForwardTemplate(self._extension_map, watcher.extension_map)

    def _add_live(self, watcher: Watcher) -> None:
        """Send a watcher every packet that arrives from now on."""
        # Packets that arrived earlier are not for it.
        self._flush()
        key = frozenset(watcher.extension_map.items())
        _, watchers = self._groups.setdefault(
            key, (ForwardTemplate(self._extension_map, watcher.extension_map), [])
        )
        watchers.append(watcher)
        self._unfanned.append(watcher)

    def _on_packet(self, packet: RtpPacket) -> None:
        encoding = self.encoding
        if encoding.codec is not self._codec:
            self._change_codec()
        if packet.timestamp != self._timestamp:
            self._timestamp = packet.timestamp
            self._clock.frame(packet.timestamp, encoding.last_packet_at)
            self._begin_frame()
        if self._clock.shift:
            packet = packet.moved(self._clock.shift)
        if packet.is_random_access_point:
            if encoding.epoch != self._epoch:
                self._begin_epoch(packet)
            if encoding.is_video:
                self._begin_key_frame(packet)
            if self._waiting:
                self._begin_waiting(packet)
        self.history.add(
            packet, is_key_frame=packet.is_random_access_point and encoding.is_video
        )
        if self._groups:
            pending = self._pending
            pending.append(packet)
            if len(pending) == SLOTS:
                self._flush()
            elif len(pending) == 1:
                self._loop.call_soon(self._flush)
        for handler in self._subscribers:
            handler(packet)

    def _begin_key_frame(self, packet: RtpPacket) -> None:
        """Let watchers that are behind go on with a key frame."""
        now = self._key_frame_at = self._loop.time()
        self._is_recovering = False
        behind = [w for _, ws in self._groups.values() for w in ws if w.is_behind]
        if behind:
            self._flush()
        for watcher in behind:
            watcher.frames_dropped += 1
            watcher.begin(self, (packet,), now)
        for watcher in [w for w in self._congested if w.is_behind]:
            self._congested.remove(watcher)
            watcher.begin(self, (packet,), now)
            self._add_live(watcher)

    def _begin_waiting(self, packet: RtpPacket) -> None:
        """Start the watchers that wait for a key frame."""
        waiting, self._waiting = self._waiting, []
        for watcher in waiting:
            if watcher.is_congested:
                self._congested.append(watcher)
            elif watcher.begin(self, (packet,), self._loop.time()):
                self._add_live(watcher)
            else:
                self._waiting.append(watcher)

    def _begin_epoch(self, packet: RtpPacket) -> None:
        """Let all watchers go on with the first key frame of another source."""
        self._flush()
        self._epoch = self.encoding.epoch
        # What is kept is for the decoders of the source before.
        self._waiting += self._late
        self._late.clear()
        now = self._loop.time()
        for _, watchers in self._groups.values():
            for watcher in watchers:
                watcher.begin(self, (packet,), now)

    def _flush(self) -> None:
        """Send the pending packets to all watchers that are not late."""
        if not self._pending:
            return
        packets, self._pending = self._pending, []
        now = self._loop.time()
        self._unfanned.clear()
        for template, watchers in self._groups.values():
            forwarded = [template.apply(packet, now) for packet in packets]
            self._unfanned += self._send(forwarded, watchers, now)

    def _send(
        self,
        packets: Sequence[ForwardedPacket],
        watchers: Sequence[Watcher],
        now: float,
    ) -> Sequence[Watcher]:
        """Send packets, at most as many as the buffer has slots.

        Returns:
            The watchers that ``fan_out`` has not sent them to.
        """
        if self._fan_out is not None:
            streams = [watcher.compiled_stream for watcher in watchers]
            watchers = [watchers[n] for n in self._fan_out(packets, streams, now)]
        buffer = self._buffer
        for watcher in watchers:
            watcher.forward(packets, buffer, now)
        return watchers

    def _catch_up(self) -> None:
        """Send the next batch of kept packets to each late watcher."""
        for watcher in tuple(self._late):
            self._send_kept(watcher)
        self._catch_up_timer = (
            self._loop.call_later(CATCH_UP_INTERVAL, self._catch_up)
            if self._late
            else None
        )

    def _send_kept(self, watcher: Watcher) -> None:
        """Send the next batch of kept packets to one late watcher."""
        position, behind = self._late[watcher]
        count = self.history.count(position)
        if count > self.history.size:
            # The next packet for it is no longer kept: it was too slow, or another key
            # frame has come, with which it goes on.
            del self._late[watcher]
            watcher.frames_dropped += 1
            if watcher.is_congested:
                self.add_at_key_frame(watcher)
            else:
                self.add(watcher)
            return
        if watcher.is_congested:
            return
        del self._late[watcher]
        behind = max(behind - CATCH_UP_STEP, 0)
        count -= behind
        template, now = self.template_for(watcher), self._loop.time()
        packets = self.history.packets(position, count)
        for start in range(0, len(packets), SLOTS):
            batch = packets[start : start + SLOTS]
            forwarded = [watcher.catch_up(template.apply(p, now)) for p in batch]
            self._send(forwarded, (watcher,), now)
        if behind:
            self._late[watcher] = ((position + count) & 0xFFFF, behind)
        else:
            self._add_live(watcher)

    def _begin_frame(self) -> None:
        """Pause congested watchers; they skip whole frames, up to a key frame."""
        congested, self._congested = self._congested, []
        for watcher in congested:
            watcher.frames_dropped += 1
            if watcher.is_congested:
                self._congested.append(watcher)
            elif watcher.is_limited:
                self._waiting.append(watcher)
                self._is_recovering = True
            else:
                self.add_at_key_frame(watcher)
        # What ``fan_out`` has sent did not wait for the network.
        slow = [w for w in self._unfanned if w.is_congested]
        for watcher in slow:
            watcher.frames_dropped += 1
            self.remove(watcher)
            self._congested.append(watcher)

        now = self._loop.time()
        if self._is_recovering and now - self._key_frame_at >= RECOVERY_INTERVAL:
            self._is_recovering = False
            self.encoding.request_key_frame()
        if now - self._measured >= RATE_INTERVAL:
            self._measured = now
            weight = RATE_WEIGHT if self.bitrate else 1
            self.bitrate += weight * (self.encoding.bitrate - self.bitrate)

    def _change_codec(self) -> None:
        """Make all watchers wait for a key frame of the new codec."""
        self._flush()
        self._codec = self.encoding.codec
        self._clock = self._new_clock()
        self.history.close()
        self.history = PacketHistory(self._budget, self._codec.clock_rate)
        for _, watchers in self._groups.values():
            self._waiting += watchers
        self._waiting += self._late
        self._groups.clear()
        self._unfanned.clear()
        self._late.clear()
        self.encoding.request_key_frame()
