"""One stream of this worker, passed on to one other worker."""

import asyncio
import itertools
import json
import logging
from collections.abc import Mapping
from typing import Any

from ..media.encoding import Encoding
from ..media.feed import Feed
from ..rtp.packet import RtpPacket
from ..sessions import Demand, Supply
from ..streams import Audiences, LayerChoice, Stream
from .chat import RemoteMembers
from .description import choice_of, describe_stream
from .encoding_relay import EncodingRelay
from .frames import (
    Kind,
    add_packet,
    read_chat,
    write,
    write_control,
    write_message,
)
from .link import Link

logger = logging.getLogger(__name__)

# Octets of packets in one frame: the other worker does something else in between.
MAX_BATCH = 65_536

# Seconds between sender reports.
REPORT_INTERVAL = 1.0


class Outgoing:
    """Passes a stream on to another worker, as long as this has viewers of it.

    It is one receiver of the audience (see ``streams.Relay``), however many viewers
    there are behind it.

    Args:
        stream: the name of the stream.
        worker: the number of the other worker.
        link: the connection to it.
        audiences: those of this worker.
        supply: gets the stream from other servers.

    Attributes:
        stream, worker: see above.
        viewers: the connected viewers that the other worker has.
        choice: the layers that are enough for them.
    """

    def __init__(
        self,
        stream: str,
        worker: int,
        link: Link,
        audiences: Audiences,
        supply: Supply,
    ) -> None:
        self.stream = stream
        self.worker = worker
        self.viewers = 0
        self.choice = LayerChoice()
        self._link = link
        self._audiences = audiences
        self._supply = supply
        self._loop = asyncio.get_running_loop()
        self._demands: list[Demand] = []
        self._members = RemoteMembers(stream, audiences.chats, link.send)
        self._published: Stream | None = None
        self._relays: dict[Encoding, EncodingRelay] = {}
        self._by_ssrc: dict[int, Encoding] = {}
        self._numbers = itertools.count(1)
        self._pending = bytearray()
        self._status: dict[str, Any] = {}
        self._settling: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(REPORT_INTERVAL, self._report)
        audiences.add_relay(stream, self)

    def close(self) -> None:
        """Pass nothing on any more: the connection has ended."""
        self._timer.cancel()
        if self._settling is not None:
            self._settling.cancel()
        self.publisher_left()
        self._members.leave()
        self._audiences.remove_relay(self.stream, self)
        for demand in self._demands:
            demand.release()
        self._demands.clear()

    # What the other worker says

    def frame_received(self, kind: Kind, body: bytes) -> None:
        """Take a frame of the other worker."""
        if kind is Kind.CHAT:
            self._members.receive(*read_chat(body))
            return
        for what, value in json.loads(body).items():
            match what:
                case "wanted":
                    self._count(value)
                case "viewers":
                    self.viewers = value
                    self._audiences.relay_changed(self.stream)
                case "choice":
                    self.choice = choice_of(value)
                    self._audiences.relay_changed(self.stream)
                case "key_frame":
                    if encoding := self._by_ssrc.get(value):
                        encoding.request_key_frame()
                case "join":
                    self._members.join(value)
                case "leave":
                    self._members.remove(value)

    def _count(self, wanted: int) -> None:
        """Let as many viewers count for where the stream comes from."""
        while len(self._demands) < wanted:
            self._demands.append(self._supply.demand(self.stream, ()))
        while len(self._demands) > wanted:
            self._demands.pop().release()
        if self._settling is None and self._demands:
            self._settling = asyncio.create_task(self._settle(self._demands[0]))

    async def _settle(self, demand: Demand) -> None:
        """Say when it is known what the stream has."""
        await demand.ready()
        self._flush()
        self._link.send(write_control({"settled": True}))

    # What the audience says (see ``streams.Relay``)

    def publisher_joined(self, stream: Stream) -> None:
        """Describe the stream that is passed on from now on."""
        self._published = stream
        self._link.send(write_control({"stream": describe_stream(stream)}))

    def publisher_left(self) -> None:
        """Pass on that there is none any more."""
        if self._published is None:
            return
        self._flush()
        self._published = None
        for relay in self._relays.values():
            relay.close()
        self._relays.clear()
        self._by_ssrc.clear()
        self._link.send(write_control({"stream": None}))

    def feeds_changed(self, feeds: Mapping[Encoding, Feed]) -> None:
        """Pass on other encodings."""
        self._flush()
        for encoding in [e for e in self._relays if e not in feeds]:
            relay = self._relays.pop(encoding)
            relay.close()
            self._end(relay.ssrcs)
        for encoding, feed in feeds.items():
            if encoding not in self._relays:
                self._relays[encoding] = EncodingRelay(
                    feed, self._take, self._numbered, self._is_congested
                )

    def send_message(self, protocol: int, data: bytes) -> None:
        """Pass on a message of the publisher."""
        self._flush()
        if not self._link.is_congested:
            self._link.send(write_message(protocol, data))

    def announce(self, viewers: int, upstream: Mapping[str, Any] | None) -> None:
        """Pass on what has changed of what viewers are told.

        Args:
            viewers: all of the stream.
            upstream: see ``StreamStatus``.
        """
        layers = None if self._published is None else self._published.layers
        status = {
            # Those that the other worker does not know.
            "elsewhere": viewers - self.viewers,
            "upstream": upstream,
            "layers": None if layers is None else list(layers),
        }
        changed = {n: v for n, v in status.items() if self._status.get(n) != v}
        if changed:
            self._status = status
            self._link.send(write_control(changed))

    # Packets

    def _is_congested(self) -> bool:
        return self._link.is_congested

    def _numbered(self, relay: EncodingRelay) -> int:
        """See ``Numbered``."""
        assert self._published is not None
        self._flush()
        # What was current before is, until the first packet of the new one has come.
        self._end(relay.ssrcs[:-1])
        ssrc = next(self._numbers)
        encoding = relay.encoding
        relay.ssrcs = [*relay.ssrcs[-1:], ssrc]
        self._by_ssrc[ssrc] = encoding
        tracks = enumerate(self._published.source.tracks)
        number, track = next((n, t) for n, t in tracks if encoding in t.encodings)
        if track.rids:
            named = {"source": [number, ssrc, encoding.rid or ""]}
            self._link.send(write_control(named))
        return ssrc

    def _end(self, ssrcs: list[int]) -> None:
        for ssrc in ssrcs:
            del self._by_ssrc[ssrc]
        if ssrcs:
            self._link.send(write_control({"ended": ssrcs}))

    def _take(self, packet: RtpPacket, ssrc: int) -> None:
        """See ``Take``; what comes in one turn goes on together."""
        if not self._pending:
            self._loop.call_soon(self._flush)
        add_packet(self._pending, packet, ssrc)
        if len(self._pending) > MAX_BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._link.send(write(Kind.PACKETS, self._pending))
            self._pending = bytearray()

    def _report(self) -> None:
        self._timer = self._loop.call_later(REPORT_INTERVAL, self._report)
        now = self._loop.time()
        self._flush()
        for relay in self._relays.values():
            if (report := relay.report(now)) is not None:
                self._link.send(report)
