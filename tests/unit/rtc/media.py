"""Packets as a publisher sends them, and receivers that need no network."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from aiortc import RTCDtlsTransport
from aiortc.rtp import RtcpPacket

from tests.rtp_packets import write_rtp
from whipbird.media.feedback import Feedback
from whipbird.media.track import Track
from whipbird.rtc.connection import Connection
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
class Inlet:
    """A publisher's connection, over which nothing comes but what a test pushes.

    Attributes:
        rtp_routes: payload type -> what takes its packets.
        rtcp: what was sent.
        round_trip: the round trip as ICE has measured it.
    """

    rtp_routes: dict[int, Callable[[bytes], None]] = field(default_factory=dict)
    rtcp: list[bytes] = field(default_factory=list)
    round_trip: float | None = 0.02

    def send_rtcp(self, packet: bytes) -> None:
        self.rtcp.append(packet)


@dataclass
class Rig:
    """The receivers of an offer, and the RTCP that they send."""

    connection: Inlet
    feedback: Feedback
    receivers: list[Receiver]

    @property
    def tracks(self) -> list[Track]:
        """The tracks of the receivers."""
        return [receiver.media for receiver in self.receivers]

    @property
    def rtcp(self) -> list[bytes]:
        """The RTCP that was sent so far."""
        return self.connection.rtcp

    def push(self, data: bytes) -> None:
        """A packet comes."""
        self.connection.rtp_routes[data[1] & 0x7F](data)

    def sent(self) -> Iterator[object]:
        """The RTCP packets that were sent so far."""
        for data in self.rtcp:
            yield from RtcpPacket.parse(data)

    async def stop(self) -> None:
        for receiver in self.receivers:
            await receiver.stop()


Rigged = Callable[[str], Rig]
"""Makes the receivers of an offer for a test."""


def rig(offer: Offer) -> Rig:
    """Make receivers for all the media sections of an offer."""
    inlet = Inlet()
    connection = cast(Connection, inlet)
    feedback = Feedback(connection)
    receivers = []
    for media in offer.media:
        receiver = Receiver(media.kind, connection, cast(RTCDtlsTransport, inlet))
        receiver.configure(media, feedback)
        receivers.append(receiver)
    return Rig(inlet, feedback, receivers)
