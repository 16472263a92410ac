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
    """Keeps a ``DataChannel`` for every channel of a peer.

    Args:
        transport: the association as aiortc has it.
        opened: called with each channel that the peer opens.

    Attributes:
        transport: see above.
        on_message: called with every message, before the listeners of its channel.
    """

    __slots__ = (
        "_association",
        "_is_given_up",
        "_opened",
        "_pending",
        "on_message",
        "transport",
    )

    def __init__(
        self, transport: SctpTransport, opened: Callable[[DataChannel], None]
    ) -> None:
        self.transport = transport
        self.on_message: MessageHandler | None = None
        self._association: sctp.Association | None = None
        self._opened = opened
        # They wait for an association, which needs to know the DTLS role.
        self._pending: list[DataChannel] = []
        self._is_given_up = False

    def create(self, options: sctp.ChannelOptions) -> DataChannel:
        """Open a channel, now or as soon as there is an association.

        Raises:
            ValueError: when its id is missing, out of range or in use.
        """
        association = self._association
        if association is not None:
            inner = association.open_channel(options)
            channel = DataChannel(self.transport, inner)
            inner.face = channel
            self.transport.flush_soon()
            return channel
        number = options.id
        if (options.negotiated and number is None) or (
            number is not None and not 0 <= number < sctp.MAX_STREAMS
        ):
            raise ValueError(f"ID must be in range 0-{sctp.MAX_STREAMS - 1}")
        if number is not None and any(c.id == number for c in self._pending):
            raise ValueError(f"ID {number} is in use")
        channel = DataChannel(self.transport, options)
        if self._is_given_up:
            channel.give_up()
        else:
            self._pending.append(channel)
        return channel

    def associate(self, association: sctp.Association) -> None:
        """Open the channels on an association that is about to begin."""
        self._association = association
        self.transport.associate(association)
        pending, self._pending = self._pending, []
        # Channels with an id first: the others take the ids that are left.
        for channel in sorted(pending, key=lambda c: c.id is None):
            if not channel.is_given_up:
                channel.attach(association.open_channel(channel.options))

    def give_up(self) -> None:
        """Close the channels that were never opened: there will be no association."""
        self._is_given_up = True
        pending, self._pending = self._pending, []
        for channel in pending:
            if not channel.is_given_up:
                channel.give_up()

    # Events of the association

    def message_received(
        self, channel: sctp.DataChannel, protocol: int, data: bytes
    ) -> None:
        """Pass on a message. A handler that fails is its application's fault."""
        face = channel.face
        assert isinstance(face, DataChannel)
        try:
            if self.on_message is not None:
                self.on_message(face, protocol, data)
            if face.has_listeners:
                face.emit_message(protocol, data)
        except Exception:
            logger.exception(
                "A handler of messages has failed", extra=self.transport.log_fields
            )

    def channel_opened(self, channel: sctp.DataChannel) -> None:
        """Announce a channel that the peer has opened."""
        face = DataChannel(self.transport, channel)
        channel.face = face
        self._opened(face)

    def channel_changed(self, channel: sctp.DataChannel) -> None:
        """Pass on that a channel has opened or closed."""
        if isinstance(face := channel.face, DataChannel):
            face.state_changed()

    def buffered_amount_changed(self, channel: sctp.DataChannel, delta: int) -> None:
        """Pass on that octets have left a channel's queue."""
        face = channel.face
        if isinstance(face, DataChannel) and face.has_listeners:
            face.buffered_amount_changed(delta)
