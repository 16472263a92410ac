"""The seat of a session in the chat of its stream: the data channel that it opens."""

from ...rtc import DataChannel, Peer
from ...transport import sctp
from ..viewer import BROADCAST, MAX_WAITING
from .chats import Chats
from .room import Member

# The subprotocol of the data channels that are a chat's, beside their label.
PROTOCOL = "whipbird.chat"


class Seat:
    """Joins a session to the chat of its stream when it opens the channel for it.

    A session has one seat: further channels are closed.

    Args:
        peer: our end of its connection.
        chats: the chats of the server.
        stream: the name of its stream.
        is_publisher: whether it publishes the stream.

    Attributes:
        member: what it has said.
        dropped: messages dropped because its queue was full.
    """

    def __init__(
        self, peer: Peer, chats: Chats, stream: str, *, is_publisher: bool
    ) -> None:
        self.member = Member(self._send, is_publisher=is_publisher)
        self.dropped = 0
        self._peer = peer
        self._chats = chats
        self._stream = stream
        self._channel: DataChannel | None = None
        self._has_joined = False
        peer.on("datachannel", self._opened)

    def take(self, channel: DataChannel, protocol: int, data: bytes) -> bool:
        """Take a message if its channel is a chat's.

        Args:
            protocol: the SCTP payload protocol identifier: text or binary.

        Returns:
            Whether it was taken.
        """
        if not _is_chat(channel):
            return False
        if channel is self._channel:
            is_text = protocol in (sctp.PPID_STRING, sctp.PPID_STRING_EMPTY)
            self._chats.receive(self._stream, self.member, data, is_text=is_text)
        return True

    def leave(self) -> None:
        """Leave the chat: the channel or the session has ended."""
        if self._has_joined:
            self._has_joined = False
            self._chats.leave(self._stream, self.member)

    def _opened(self, channel: DataChannel) -> None:
        if not _is_chat(channel):
            return
        if self._channel is not None:
            channel.close()
            return
        self._channel = channel
        channel.on("close", self.leave)
        self._has_joined = self._chats.join(self._stream, self.member)

    def _send(self, text: str) -> None:
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return
        if channel.bufferedAmount > MAX_WAITING:
            self.dropped += 1
        else:
            self._peer.send_message(channel, sctp.PPID_STRING, text.encode())


def _is_chat(channel: DataChannel) -> bool:
    return channel.protocol == PROTOCOL and channel.label == BROADCAST
