"""The data-channel echo: every message goes back where it came from, as it came."""

import logging

from .rtc import DataChannel, MessageHandler, Peer

logger = logging.getLogger(__name__)


class Echo:
    """Sends a peer's messages back on their own channels.

    Text comes back as text, binary as binary, empty messages too, by the channel's own
    ordering and reliability. What is not sent back: a message on a channel that is
    closing, and one larger than the peer says it takes.

    Attributes:
        on_message: is given every message, with its channel and its payload protocol
            id, before it is sent back.
        messages: how many were sent back.
        refused: how many were not.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.on_message: MessageHandler | None = None
        self.messages = 0
        self.refused = 0
        peer.on_message = self._send_back

    def _send_back(self, channel: DataChannel, protocol: int, data: bytes) -> None:
        if self.on_message is not None:
            self.on_message(channel, protocol, data)
        if self._peer.send_message(channel, protocol, data):
            self.messages += 1
        else:
            self.refused += 1
