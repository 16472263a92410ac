"""The transport of media, as this folder needs it."""

from collections.abc import Callable
from typing import Protocol

from ..transport.packet_buffer import PacketBuffer


class MediaTransport(Protocol):
    """Sends and receives the RTP and RTCP packets of one peer.

    The methods that send raise ConnectionError when there is no connection.
    """

    @property
    def rtp_routes(self) -> dict[int, Callable[[bytes], None]]:
        """Payload type -> function that takes its RTP packets, decrypted."""

    @property
    def is_congested(self) -> bool:
        """Whether much waits for the peer that the network has not taken yet."""

    @property
    def round_trip(self) -> float | None:
        """Seconds of the newest answered connectivity check; None before one."""

    def route_rtcp(self, take: Callable[[bytes], None]) -> None:
        """Hand RTCP packets, decrypted, to a function."""

    @property
    def send_rtp(self) -> Callable[[bytes], None]:
        """Encrypts and sends an RTP packet."""

    @property
    def send_rtcp(self) -> Callable[[bytes], None]:
        """Encrypts and sends an RTCP packet, compound or not."""

    @property
    def send_rtp_batch(self) -> Callable[[PacketBuffer], None]:
        """Encrypts and sends the RTP packets of a buffer."""
