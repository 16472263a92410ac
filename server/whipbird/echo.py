"""The data-channel echo: sends every message back on its channel."""

import logging

from .rtc import DataChannel, MessageHandler, Peer
from .rtc.data_channel import EMPTY

logger = logging.getLogger(__name__)


class Echo:
    """Echoes a peer's messages.

    Text is echoed as text, binary as binary, empty messages too, with the channel's
    own ordering and reliability. Not echoed are messages on a channel that is closing,
    and messages larger than the peer accepts.

    Attributes:
        on_message: called with every message, its channel and its payload protocol
            identifier, before it is echoed.
        messages: messages echoed so far.
        octets: octets of these messages.
        refused: messages not echoed.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.on_message: MessageHandler | None = None
        self.messages = 0
        self.octets = 0
        self.refused = 0
        peer.on_message = self._echo

    def _echo(self, channel: DataChannel, protocol: int, data: bytes) -> None:
        if self.on_message is not None:
            self.on_message(channel, protocol, data)
        if self._peer.send_message(channel, protocol, data):
            self.messages += 1
            if protocol not in EMPTY:
                self.octets += len(data)
        else:
            self.refused += 1
