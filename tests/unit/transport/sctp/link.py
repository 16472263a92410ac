"""Two associations joined by a link, in virtual time."""

import heapq
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from whipbird.transport.sctp import (
    Association,
    AssociationState,
    ChannelOptions,
    ChannelState,
    DataChannel,
)

Packet = tuple[float, int, "End", bytes]


@dataclass
class Weather:
    """What a link does to packets.

    Attributes:
        loss: the share of packets that are lost.
        duplication: the share of packets that arrive twice.
        delay: seconds that a packet takes.
        jitter: seconds that it takes more at most, so that packets overtake others.
    """

    loss: float = 0.0
    duplication: float = 0.0
    delay: float = 0.01
    jitter: float = 0.0


class End:
    """One association, and what came out of it.

    Attributes:
        received: messages: stream, protocol, octets.
        opened: channels that the peer opened.
        changes: channels, each with the state that it had then.
        closed: reasons for which the association is over.
        packets: all packets that it sent.
        sent_at: when it sent them.
        left: octets that have left the queue of each channel.
        echoes: whether to send every message back.
        refused: messages that could not be sent back.
        on_send: sees each packet, and may replace it; None loses it.
        on_message: sees each message.
    """

    def __init__(
        self,
        link: "Link",
        is_client: bool,
        limit: int | None = None,
        max_message_size: int = 0,
    ) -> None:
        self.link = link
        self.received: list[tuple[int, int, bytes]] = []
        self.opened: list[DataChannel] = []
        self.changes: list[tuple[DataChannel, ChannelState]] = []
        self.closed: list[str] = []
        self.packets: list[bytes] = []
        self.sent_at: list[float] = []
        self.left: dict[DataChannel, int] = {}
        self.echoes = False
        self.refused = 0
        self.on_send: Callable[[bytes], bytes | None] | None = None
        self.on_message: Callable[[DataChannel, int, bytes], None] | None = None
        self.association = Association(
            self,
            is_dtls_client=is_client,
            limit=limit,
            max_message_size=max_message_size,
            rng=random.Random(link.random.random()),
        )

    # Sinks

    def send_packet(self, packet: bytes) -> None:
        self.packets.append(packet)
        self.sent_at.append(self.link.now)
        out = packet if self.on_send is None else self.on_send(packet)
        if out is not None:
            self.link.carry(self, out)

    def message_received(
        self, channel: DataChannel, protocol: int, data: bytes
    ) -> None:
        self.received.append((channel.id, protocol, data))
        if self.on_message is not None:
            self.on_message(channel, protocol, data)
        if self.echoes and not self.association.send(channel, protocol, data):
            self.refused += 1

    def channel_opened(self, channel: DataChannel) -> None:
        self.opened.append(channel)

    def channel_changed(self, channel: DataChannel) -> None:
        self.changes.append((channel, channel.state))

    def buffered_amount_changed(self, channel: DataChannel, delta: int) -> None:
        assert delta < 0
        self.left[channel] = self.left.get(channel, 0) - delta

    def association_closed(self, reason: str) -> None:
        self.closed.append(reason)

    # Doing

    def open(
        self,
        label: str = "test",
        *,
        stream: int | None = None,
        ordered: bool = True,
        max_retransmits: int | None = None,
        max_packet_life_time: int | None = None,
        negotiated: bool = False,
    ) -> DataChannel:
        channel = self.association.open_channel(
            ChannelOptions(
                label=label,
                ordered=ordered,
                max_retransmits=max_retransmits,
                max_packet_life_time=max_packet_life_time,
                negotiated=negotiated,
                id=stream,
            )
        )
        self.flush()
        return channel

    def send(self, channel: DataChannel, data: bytes, protocol: int = 53) -> bool:
        sent = self.association.send(channel, protocol, data)
        self.flush()
        return sent

    def close(self, channel: DataChannel) -> None:
        self.association.close_channel(channel)
        self.flush()

    def flush(self) -> None:
        self.association.flush(self.link.now)

    def messages(self) -> list[bytes]:
        """The octets of the messages that came."""
        return [data for _, _, data in self.received]


class Link:
    """Carries packets between two ends, and drives their timers.

    Args:
        weather: what happens to packets.
        seed: of all that happens by chance.
        limit: of the server's association.
    """

    def __init__(
        self,
        weather: Weather | None = None,
        seed: int = 0,
        limit: int | None = None,
        max_message_size: int = 0,
    ) -> None:
        self.weather = weather or Weather()
        self.random = random.Random(seed)
        self.now = 1000.0
        self._on_the_way: list[Packet] = []
        self._count = 0
        self.client = End(self, True, max_message_size=max_message_size)
        self.server = End(self, False, limit, max_message_size)

    @property
    def ends(self) -> tuple[End, End]:
        return self.client, self.server

    def carry(self, sender: End, packet: bytes) -> None:
        """Take a packet on its way."""
        receiver = self.server if sender is self.client else self.client
        weather = self.weather
        copies = 1 + (self.random.random() < weather.duplication)
        for _ in range(copies):
            if self.random.random() < weather.loss:
                continue
            at = self.now + weather.delay + self.random.random() * weather.jitter
            self._count += 1
            heapq.heappush(self._on_the_way, (at, self._count, receiver, packet))

    def start(self) -> None:
        """Begin the handshake from both ends."""
        for end in self.ends:
            end.association.start(self.now)

    def _next(self) -> float:
        times = [end.association.deadline for end in self.ends]
        if self._on_the_way:
            times.append(self._on_the_way[0][0])
        return min(times)

    def step(self) -> bool:
        """Go on to the next packet or timer. Whether there was one."""
        at = self._next()
        if at == math.inf:
            return False
        self.now = max(self.now, at)
        arrived: set[int] = set()
        while self._on_the_way and self._on_the_way[0][0] <= self.now:
            _, _, receiver, packet = heapq.heappop(self._on_the_way)
            receiver.association.receive(packet, self.now)
            arrived.add(id(receiver))
        for end in self.ends:
            if end.association.deadline <= self.now:
                end.association.handle_timeout(self.now)
                assert end.association.deadline > self.now
            elif id(end) in arrived:
                end.flush()
        return True

    def run(self, seconds: float) -> None:
        """Let time go by."""
        end = self.now + seconds
        while self._next() <= end:
            self.step()
        self.now = end

    def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Let time go by until a condition holds.

        Raises:
            AssertionError: when it does not in time.
        """
        end = self.now + seconds
        while not condition():
            assert self._next() <= end, f"not within {seconds} s"
            self.step()

    def settle(self, seconds: float = 300.0) -> None:
        """Let time go by until nothing is left to do."""
        self.until(lambda: self._next() == math.inf, seconds)

    def established(self) -> "Link":
        """Begin, and wait until both ends are established and quiet."""
        self.start()
        state = AssociationState.ESTABLISHED
        self.until(lambda: all(end.association.state is state for end in self.ends))
        self.settle()
        return self


def connect(
    weather: Weather | None = None,
    seed: int = 0,
    limit: int | None = None,
    **channel: object,
) -> tuple[Link, DataChannel]:
    """Join two associations, and open a channel from the client."""
    link = Link(weather, seed, limit).established()
    opened = link.client.open(**channel)  # type: ignore[arg-type]
    link.until(lambda: opened.state is ChannelState.OPEN)
    link.settle()
    return link, opened


def chunks_of(packet: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The chunks of a packet: kind, flags, body."""
    position = 12
    while position + 4 <= len(packet):
        kind, flags = packet[position], packet[position + 1]
        length = int.from_bytes(packet[position + 2 : position + 4], "big")
        yield kind, flags, packet[position + 4 : position + length]
        position += length + (-length & 3)
