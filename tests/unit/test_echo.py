"""The echo: back on the same channel, as it came."""

from typing import Any, cast

from whipbird.echo import Echo
from whipbird.rtc import DataChannel, Peer


class FakeChannel:
    def __init__(self, protocol: str = "") -> None:
        self.protocol = protocol


class FakePeer:
    """Notes what is sent; takes messages of up to ten octets."""

    room = 9

    def __init__(self) -> None:
        self.on_message: Any = None
        self.sent: list[tuple[object, int, bytes]] = []

    def send_message(self, channel: object, protocol: int, data: bytes) -> bool:
        if len(data) > 10:
            return False
        self.sent.append((channel, protocol, data))
        return True


def test_everything_comes_back_as_it_came() -> None:
    peer = FakePeer()
    echo = Echo(cast(Peer, peer))
    messages = [
        (cast(DataChannel, FakeChannel()), protocol, data)
        for protocol, data in ((51, b"text"), (53, b"\xff\0"), (56, b"\0"), (57, b"\0"))
    ]
    for message in messages:
        peer.on_message(*message)
    assert peer.sent == messages
    assert (echo.messages, echo.refused) == (4, 0)


def test_others_hear_of_every_message() -> None:
    peer = FakePeer()
    echo = Echo(cast(Peer, peer))
    heard: list[tuple[object, int, bytes]] = []
    echo.on_message = lambda *message: heard.append(message)
    messages = [(FakeChannel(), 51, b"text"), (FakeChannel(), 53, bytes(11))]
    for message in messages:
        peer.on_message(*message)
    assert heard == messages
    assert [data for _, _, data in peer.sent] == [b"text"]


def test_what_cannot_be_sent_back_is_counted() -> None:
    peer = FakePeer()
    echo = Echo(cast(Peer, peer))
    peer.on_message(FakeChannel(), 53, bytes(11))
    assert peer.sent == []
    assert (echo.messages, echo.refused) == (0, 1)


def test_a_throughput_channel_gets_what_it_asks_for() -> None:
    peer = FakePeer()
    echo = Echo(cast(Peer, peer))
    channel = FakeChannel("throughput")
    small, large = (bytes([0, 0, 0, size]) + b"1234" for size in (9, 10))
    peer.on_message(channel, 53, small)
    peer.on_message(channel, 53, large)
    peer.on_message(channel, 51, b"text")
    assert peer.sent == [(channel, 53, small + b"\0")]
    assert (echo.messages, echo.octets, echo.refused) == (1, 9, 2)
