"""Packets as a publisher sends them, and receivers that need no network."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from aiortc.rtp import RtcpPacket

from tests.rtp_packets import write_rtp
from whipbird.rtc import Certificate, HostAddresses
from whipbird.rtc.dtls import DtlsTransport
from whipbird.rtc.feedback import Feedback
from whipbird.rtc.ice import IceTransport
from whipbird.rtc.receiver import Receiver
from whipbird.sdp.offer import Offer


def rtp(
    payload_type: int,
    sequence: int,
    timestamp: int = 0,
    ssrc: int = 1,
    payload: bytes = b"x",
    *,
    marker: bool = False,
    extensions: dict[int, bytes] | None = None,
) -> bytes:
    """One RTP packet, with header extensions in the one-byte form (RFC 8285)."""
    elements = b"".join(
        bytes([identifier << 4 | len(value) - 1]) + value
        for identifier, value in (extensions or {}).items()
    )
    elements += bytes(-len(elements) % 4)
    return write_rtp(
        sequence,
        timestamp & 0xFFFFFFFF,
        ssrc,
        payload,
        payload_type=payload_type,
        marker=marker,
        extension=(0xBEDE, elements) if elements else None,
    )


@dataclass
class Rig:
    """The receivers of an offer, and the RTCP that they send."""

    transport: DtlsTransport
    feedback: Feedback
    receivers: list[Receiver]
    rtcp: list[bytes] = field(default_factory=list)

    def push(self, data: bytes) -> None:
        """A packet comes."""
        self.transport.rtp_routes[data[1] & 0x7F](data)

    def sent(self) -> Iterator[object]:
        """The RTCP packets that were sent so far."""
        for data in self.rtcp:
            yield from RtcpPacket.parse(data)

    async def stop(self) -> None:
        for receiver in self.receivers:
            await receiver.stop()


def rig(offer: Offer, certificate: Certificate) -> Rig:
    """Make receivers for all the media sections of an offer."""
    transport = DtlsTransport(IceTransport(HostAddresses()), [certificate])
    feedback = Feedback(transport)
    receivers = []
    for media in offer.media:
        receiver = Receiver(media.kind, transport)
        receiver.configure(media, feedback)
        receivers.append(receiver)
    made = Rig(transport, feedback, receivers)
    transport.send_rtcp = made.rtcp.append  # type: ignore[method-assign, assignment]
    return made
