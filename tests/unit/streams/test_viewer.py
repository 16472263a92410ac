"""One who watches: what the publisher says to it."""

from types import SimpleNamespace
from typing import cast

from whipbird.media.egress import Egress
from whipbird.rtc import Peer
from whipbird.streams import BROADCAST, Viewer
from whipbird.streams.viewer import MAX_WAITING


class FakePeer:
    """Notes what is sent on the channel that was opened."""

    def __init__(self, *, sctp: bool = True) -> None:
        self.egress = cast(Egress, object())
        self.sctp = object() if sctp else None
        self.channel = SimpleNamespace(readyState="connecting", bufferedAmount=0)
        self.labels: list[str] = []
        self.sent: list[tuple[int, bytes]] = []

    def createDataChannel(self, label: str) -> object:  # noqa: N802 - aiortc's name
        self.labels.append(label)
        return self.channel

    def send_message(self, channel: object, protocol: int, data: bytes) -> bool:
        assert channel is self.channel
        self.sent.append((protocol, data))
        return True


async def test_messages_of_the_publisher() -> None:
    peer = FakePeer()
    viewer = Viewer(cast(Peer, peer))
    assert peer.labels == [BROADCAST]
    viewer.send_message(51, b"too early")
    peer.channel.readyState = "open"
    viewer.send_message(51, b"text")
    viewer.send_message(53, b"\0")
    assert peer.sent == [(51, b"text"), (53, b"\0")]


async def test_no_channel_where_none_were_offered() -> None:
    peer = FakePeer(sctp=False)
    viewer = Viewer(cast(Peer, peer))
    viewer.send_message(51, b"text")
    assert (peer.labels, peer.sent) == ([], [])


async def test_who_is_too_slow_misses_messages() -> None:
    peer = FakePeer()
    viewer = Viewer(cast(Peer, peer))
    peer.channel.readyState = "open"
    peer.channel.bufferedAmount = MAX_WAITING + 1
    viewer.send_message(51, b"lost")
    assert viewer.messages_dropped == 1
    peer.channel.bufferedAmount = MAX_WAITING
    viewer.send_message(51, b"text")
    assert peer.sent == [(51, b"text")]
    assert viewer.messages_dropped == 1
