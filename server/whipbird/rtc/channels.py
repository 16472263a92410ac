"""The data channels of a peer: the association's, as aiortc has them."""

import logging
from collections.abc import Callable

from ..transport import sctp
from .data_channel import DataChannel
from .transports import SctpTransport

logger = logging.getLogger(__name__)

MAX_MESSAGE_SIZE = sctp.MAX_MESSAGE_SIZE

MessageHandler = Callable[[DataChannel, int, bytes], None]
"""Takes a message: its channel, its payload protocol id (RFC 8831 section 8) and the
octets as they came."""


class Channels:
    """Keeps a ``DataChannel`` for every channel of an association.

    Args:
        transport: the association as aiortc has it.
        association: the association itself.
        opened: called with each channel that the peer has opened.

    Attributes:
        transport: see above.
        on_message: takes every message, before the listeners of its channel.
    """

    def __init__(
        self,
        transport: SctpTransport,
        association: sctp.Association,
        opened: Callable[[DataChannel], None],
    ) -> None:
        self.transport = transport
        self.on_message: MessageHandler | None = None
        self._association = association
        self._opened = opened

    def create(self, options: sctp.ChannelOptions) -> DataChannel:
        """Open a channel.

        Raises:
            ValueError: when its id is out of range or in use.
        """
        inner = self._association.open_channel(options)
        channel = DataChannel(self.transport, inner)
        inner.face = channel
        self.transport.flush_soon()
        return channel

    # What the association tells

    def message_received(
        self, channel: sctp.DataChannel, protocol: int, data: bytes
    ) -> None:
        """Hand on a message. A handler that fails is its application's fault."""
        face = channel.face
        assert isinstance(face, DataChannel)
        try:
            if self.on_message is not None:
                self.on_message(face, protocol, data)
            face.emit_message(protocol, data)
        except Exception:
            logger.exception("A handler of messages has failed")

    def channel_opened(self, channel: sctp.DataChannel) -> None:
        """Make known what the peer has opened."""
        face = DataChannel(self.transport, channel)
        channel.face = face
        self._opened(face)

    def channel_changed(self, channel: sctp.DataChannel) -> None:
        """Make known that a channel has opened or closed."""
        if isinstance(face := channel.face, DataChannel):
            face.state_changed()

    def buffered_amount_changed(self, channel: sctp.DataChannel, delta: int) -> None:
        """Make known that octets have left a channel's queue."""
        if isinstance(face := channel.face, DataChannel):
            face.buffered_amount_changed(delta)
