"""The transport of media, as this folder needs it."""

from collections.abc import Callable, Sequence
from typing import Protocol

from ..rtp.forward_template import ForwardedPacket
from ..rtp.rewriter import Rewriting
from ..transport.packet_buffer import PacketBuffer

FanOut = Callable[
    [Sequence[ForwardedPacket], Sequence[Rewriting | None], float], Sequence[int]
]
"""``Native.fan_out``."""


class SourceTransport(Protocol):
    """Receives the RTP packets of one sender of media, and sends RTCP back to it.

    The methods that send raise ConnectionError when there is no connection.
    """

    @property
    def rtp_routes(self) -> dict[int, Callable[[bytes], None]]:
        """Payload type -> function that takes its RTP packets, decrypted."""

    @property
    def round_trip(self) -> float | None:
        """Seconds of the newest answered connectivity check; None before one."""

    @property
    def send_rtcp(self) -> Callable[[bytes], None]:
        """Encrypts and sends an RTCP packet, compound or not."""


class MediaTransport(SourceTransport, Protocol):
    """Sends and receives the RTP and RTCP packets of one peer."""

    @property
    def fan_out(self) -> FanOut | None:
        """Sends streams of ``make_rewriter``; None without the compiled packet path."""

    def make_rewriter(self, ssrc: int, *, sequence: int, timestamp: int) -> Rewriting:
        """Make what writes one RTP stream to the peer (see ``Rewriting``)."""

    @property
    def is_congested(self) -> bool:
        """Whether much waits for the peer that the network has not taken yet."""

    def route_rtcp(self, take: Callable[[bytes], None]) -> None:
        """Hand RTCP packets, decrypted, to a function."""

    @property
    def send_rtp(self) -> Callable[[bytes], None]:
        """Encrypts and sends an RTP packet."""

    @property
    def send_rtp_batch(self) -> Callable[[PacketBuffer], None]:
        """Encrypts and sends the RTP packets of a buffer."""
