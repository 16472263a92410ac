"""The echo: back on the same channel, as it came."""

from typing import Any, cast

from whipbird.echo import Echo
from whipbird.rtc import DataChannel, Peer


class FakePeer:
    """Notes what is sent; takes messages of up to ten octets."""

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
        (cast(DataChannel, object()), protocol, data)
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
    messages = [(object(), 51, b"text"), (object(), 53, bytes(11))]
    for message in messages:
        peer.on_message(*message)
    assert heard == messages
    assert [data for _, _, data in peer.sent] == [b"text"]


def test_what_cannot_be_sent_back_is_counted() -> None:
    peer = FakePeer()
    echo = Echo(cast(Peer, peer))
    peer.on_message(object(), 53, bytes(11))
    assert peer.sent == []
    assert (echo.messages, echo.refused) == (0, 1)
