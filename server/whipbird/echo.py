"""The data-channel echo: sends every message back on its channel."""

import logging
from collections.abc import Callable

from . import throughput
from .rtc import DataChannel, MessageHandler, Peer
from .rtc.data_channel import EMPTY

logger = logging.getLogger(__name__)


class Echo:
    """Echoes a peer's messages.

    Text is echoed as text, binary as binary, empty messages too, with the channel's
    own ordering and reliability. Not echoed are messages on a channel that is closing,
    and messages larger than the peer accepts. A channel with the protocol
    ``throughput.PROTOCOL`` gets answers of the sizes that its messages ask for.

    Attributes:
        take: called with every message, its channel and its payload protocol
            identifier; returns whether it takes the message, which is not echoed then.
        on_message: called in the same way with every other message, before it is
            echoed.
        messages: messages echoed or answered so far.
        octets: octets of what was sent back.
        refused: messages not echoed, and not answered.
    """

    __slots__ = ("_peer", "messages", "octets", "on_message", "refused", "take")

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.take: Callable[[DataChannel, int, bytes], bool] | None = None
        self.on_message: MessageHandler | None = None
        self.messages = 0
        self.octets = 0
        self.refused = 0
        peer.on_message = self._echo

    def _echo(self, channel: DataChannel, protocol: int, data: bytes) -> None:
        if self.take is not None and self.take(channel, protocol, data):
            return
        if self.on_message is not None:
            self.on_message(channel, protocol, data)
        if channel.protocol == throughput.PROTOCOL:
            answer = throughput.answer_to(data, self._peer.room)
            if answer is None:
                self.refused += 1
                return
            data = answer
        if self._peer.send_message(channel, protocol, data):
            self.messages += 1
            if protocol not in EMPTY:
                self.octets += len(data)
        else:
            self.refused += 1
