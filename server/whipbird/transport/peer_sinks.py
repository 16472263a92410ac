"""What a peer's transport tells: its states, its events, its datagrams."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from ..native import Socket
from .path import Path
from .sctp import DataChannel


class TransportState(StrEnum):
    """The states of W3C webrtc-pc's RTCPeerConnectionState, without disconnected."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"
    FAILED = "failed"


class EndCause(StrEnum):
    """Why a transport has ended, other than by ``close``."""

    CLOSED_BY_PEER = "closed by the peer"
    CONSENT_EXPIRED = "connection lost"
    ICE_FAILED = "no connection could be made"
    DTLS_FAILED = "DTLS failed"
    INTERNAL_ERROR = "internal error"


class ConnectionEvents(Protocol):
    """The events of a connection."""

    def state_changed(self, state: TransportState) -> None:
        """The connection is made, or has ended."""

    def path_selected(self, path: Path) -> None:
        """Data is sent on this path from now on."""

    def restart_ended(self, succeeded: bool) -> None:
        """An ICE restart has succeeded, or was given up."""

    def channels_closed(self) -> None:
        """The peer has ended the SCTP association; the connection is still there."""


class ChannelEvents(Protocol):
    """The events of a connection's data channels."""

    def message_received(
        self, channel: DataChannel, protocol: int, data: bytes
    ) -> None:
        """Take a message: its payload protocol id (RFC 8831 section 8), its octets."""

    def channel_opened(self, channel: DataChannel) -> None:
        """The peer has opened a data channel."""

    def channel_changed(self, channel: DataChannel) -> None:
        """A data channel has another state."""

    def buffered_amount_changed(self, channel: DataChannel, delta: int) -> None:
        """Octets have left a channel's queue (``delta`` is below zero)."""


class PeerSinks(ConnectionEvents, ChannelEvents, Protocol):
    """All that a peer's transport calls.

    All but ``send`` and ``send_batch`` may be called within any method that is given
    the time.
    """

    def send(self, datagram: bytes, path: Path) -> None:
        """Send a datagram."""

    def send_batch(self, datagrams: Sequence[bytes | memoryview], path: Path) -> None:
        """Send datagrams; their memory is reused after the call."""

    def compiled_socket(self, path: Path) -> Socket | None:
        """The socket of a path, for the compiled packet path; None if it has none."""

    def path_verified(self, path: Path) -> None:
        """Datagrams on this path may be this peer's from now on (see ``IceSinks``)."""

    def path_forgotten(self, path: Path) -> None:
        """Datagrams on this path are no longer this peer's."""

    def ufrags_changed(self, ufrags: tuple[str, ...]) -> None:
        """STUN requests to these ufrags are this peer's."""

    def failed(self, error: Exception) -> None:
        """A fault of ours has ended the session; ``state_changed`` follows."""
