"""An association of ours with one of aiortc's, over a wire that stands in for DTLS."""

import asyncio
import random
from collections.abc import Callable

import pytest
from aiortc import RTCDataChannel, RTCSctpTransport
from aiortc.rtcdatachannel import RTCDataChannelParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities

from tests.waiting import until
from whipbird.transport.sctp import (
    Association,
    ChannelOptions,
    ChannelState,
    DataChannel,
)


class Wire:
    """The DTLS transport below aiortc's association, and the sinks of ours."""

    state = "connected"

    def __init__(self, role: str) -> None:
        self._role = role
        self._loop = asyncio.get_running_loop()
        self._receiver: RTCSctpTransport | None = None
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.opened: list[DataChannel] = []
        self.echo: Callable[[DataChannel, int, bytes], object] | None = None
        self.received: list[tuple[int, bytes]] = []
        self.ours = Association(
            self, is_dtls_client=role == "server", rng=random.Random(2)
        )
        self._tasks = [asyncio.create_task(self._deliver())]
        self._tasks.append(asyncio.create_task(self._drive()))

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    # Of aiortc

    def _register_data_receiver(self, receiver: RTCSctpTransport) -> None:
        self._receiver = receiver

    def _unregister_data_receiver(self, receiver: RTCSctpTransport) -> None:
        self._receiver = None

    async def _send_data(self, packet: bytes) -> None:
        self.ours.receive(packet, self._loop.time())
        self._loop.call_soon(self.flush)

    async def _deliver(self) -> None:
        while True:
            packet = await self._queue.get()
            if self._receiver is not None:
                await self._receiver._handle_data(packet)

    # Of ours

    async def _drive(self) -> None:
        while True:
            await asyncio.sleep(0.005)
            if self.ours.deadline <= self._loop.time():
                self.ours.handle_timeout(self._loop.time())

    def flush(self) -> None:
        self.ours.flush(self._loop.time())

    def send_packet(self, packet: bytes) -> None:
        self._queue.put_nowait(packet)

    def message_received(
        self, channel: DataChannel, protocol: int, data: bytes
    ) -> None:
        self.received.append((protocol, data))
        if self.echo is not None:
            self.echo(channel, protocol, data)

    def channel_opened(self, channel: DataChannel) -> None:
        self.opened.append(channel)

    def channel_changed(self, channel: DataChannel) -> None: ...

    def buffered_amount_changed(self, channel: DataChannel, delta: int) -> None: ...

    def association_closed(self, reason: str) -> None:
        self.received.append((0, reason.encode()))


@pytest.mark.parametrize("role", ["client", "server"])
async def test_it_works_with_aiortc(role: str) -> None:
    wire = Wire(role)
    theirs = RTCSctpTransport(wire)  # type: ignore[arg-type]
    announced: list[RTCDataChannel] = []
    theirs.on("datachannel", announced.append)
    wire.ours.start(asyncio.get_running_loop().time())
    await theirs.start(RTCSctpCapabilities(maxMessageSize=262144), 5000)
    channel = RTCDataChannel(theirs, RTCDataChannelParameters(label="theirs"))
    await until(lambda: channel.readyState == "open")
    assert wire.opened[0].label == "theirs"

    wire.echo = wire.ours.send
    received: list[bytes | str] = []
    channel.on("message", received.append)
    sent: list[bytes | str] = [b"x" * n for n in (1, 1160, 1161, 16384, 100_000)]
    sent += ["text", b"y" * 5000]
    for message in sent:
        channel.send(message)
    await until(lambda: len(received) == len(sent))
    assert received == sent

    ours = wire.ours.open_channel(ChannelOptions(label="ours", ordered=False))
    wire.flush()
    await until(lambda: ours.state is ChannelState.OPEN)
    assert announced[0].label == "ours"
    assert wire.ours.send(ours, 51, b"hello")
    wire.flush()

    channel.close()
    wire.ours.close_channel(ours)
    wire.flush()
    await until(lambda: channel.readyState == "closed")
    await until(lambda: announced[0].readyState == "closed")
    await until(lambda: not wire.ours.channels)
    await theirs.stop()
    await until(lambda: wire.received[-1][0] == 0)
    assert wire.ours.malformed == 0
    wire.stop()
