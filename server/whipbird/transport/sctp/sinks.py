"""What an association tells the layer above."""

from typing import Protocol

from .channel import DataChannel


class AssociationSinks(Protocol):
    """Takes what comes out of an association. Called within calls into it."""

    def send_packet(self, packet: bytes) -> None:
        """Send one SCTP packet, whole, over DTLS.

        Called only from within ``flush``, ``handle_timeout``, ``start`` and ``abort``.
        """

    def message_received(
        self, channel: DataChannel, protocol: int, data: bytes
    ) -> None:
        """Take a message.

        Args:
            channel: the channel on which it came.
            protocol: its payload protocol id (RFC 8831 section 8).
            data: its octets, as they came.
        """

    def channel_opened(self, channel: DataChannel) -> None:
        """Take a channel that the peer has opened.

        It did so by DATA_CHANNEL_OPEN (RFC 8832), or by a message on a stream that was
        not announced: then the peer has negotiated the channel out of band.
        """

    def channel_changed(self, channel: DataChannel) -> None:
        """Learn that the state of a channel has changed, from whichever side."""

    def buffered_amount_changed(self, channel: DataChannel, delta: int) -> None:
        """Learn that octets have left the queue of a channel.

        Args:
            delta: below zero.
        """

    def association_closed(self, reason: str) -> None:
        """Learn that the association is over. Not called for ``abort``."""
