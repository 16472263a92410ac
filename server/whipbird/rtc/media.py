"""The media of a peer: its transceivers and their RTCP."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aiortc import MediaStreamTrack, RTCDtlsTransport
from aiortc.stats import RTCStatsReport

from ..media.feedback import Feedback
from ..sdp.local_description import LocalMedia
from ..sdp.media import OfferedMedia
from ..sdp.remote_description import RemoteDescription
from . import negotiation
from .connection import Connection
from .receiver import Receiver
from .sender import RtpTransport, Sender
from .transceiver import Transceiver

Spawn = Callable[[Coroutine[Any, Any, None]], None]


class Media:
    """The media of a peer, except what an ``Egress`` sends.

    Args:
        connection: sends and receives the packets.
        spawn: runs a coroutine as a task of the peer's.

    Attributes:
        transceivers: in the order of the m-sections.
    """

    __slots__ = ("_agreed", "_connection", "_feedback", "_spawn", "transceivers")

    def __init__(self, connection: Connection, spawn: Spawn) -> None:
        self.transceivers: list[Transceiver] = []
        self._connection = connection
        self._spawn = spawn
        self._feedback: Feedback | None = None
        self._agreed: list[negotiation.Agreement] = []

    def add(
        self,
        track: str | MediaStreamTrack,
        direction: str,
        transport: RTCDtlsTransport,
        rtp: RtpTransport,
    ) -> Transceiver:
        """Add a transceiver.

        Args:
            track: the track to send, or its kind when there is none yet.
            transport: the transport, as aiortc has it.
            rtp: sends the packets.
        """
        kind = track if isinstance(track, str) else track.kind
        transceiver = Transceiver(
            kind,
            Receiver(kind, self._connection, transport),
            Sender(track, rtp),
            direction,
        )
        self.transceivers.append(transceiver)
        return transceiver

    def receive(self, transceiver: Transceiver, media: OfferedMedia) -> None:
        """Receive the media of a negotiated section."""
        if self._feedback is None:
            self._feedback = Feedback(self._connection)
            self._connection.route_rtcp(self._feedback.rtcp_received)
        transceiver.receiver.configure(media, self._feedback)

    @property
    def negotiable(self) -> list[Transceiver]:
        """The transceivers that have a section: those that are not stopped."""
        return [t for t in self.transceivers if not t.stopped]

    def agree(
        self, local: Sequence[LocalMedia], remote: RemoteDescription, cname: str
    ) -> None:
        """Apply what both sides agree on for each section, and start to receive.

        Raises:
            UnacceptableSdp: when there is no codec that both sides have.
        """
        rtp = [m for m in local if m.kind != "application"]
        self._agreed = negotiation.agreements(
            local, remote, self.negotiable[: len(rtp)], cname
        )
        for agreed in self._agreed:
            agreed.transceiver.mid = agreed.mid
            agreed.transceiver.currentDirection = agreed.direction
            if agreed.receives is not None:
                self.receive(agreed.transceiver, agreed.receives)

    def start(self) -> None:
        """Start to send; called when the connection is made."""
        for agreed in self._agreed:
            if agreed.sends is not None:
                self._spawn(agreed.transceiver.sender.send(agreed.sends))
        if self._agreed:
            self._connection.route_rtcp(self._rtcp_received)

    @property
    def received(self) -> list[Transceiver]:
        """The transceivers of the sections that receive."""
        return [t for t in self.transceivers if t.receiver.media.is_configured]

    def disconnected(self) -> None:
        """End the received tracks: the connection has ended."""
        for transceiver in self.transceivers:
            transceiver.receiver.disconnected()

    async def stop(self) -> None:
        """Stop sending and receiving."""
        for transceiver in self.transceivers:
            await transceiver.stop()

    async def add_stats(self, report: RTCStatsReport) -> None:
        """Add the statistics of all senders and receivers."""
        for transceiver in self.transceivers:
            report.update(await transceiver.sender.getStats())
            report.update(await transceiver.receiver.getStats())

    def _rtcp_received(self, data: bytes) -> None:
        now = asyncio.get_running_loop().time()
        for transceiver in self.transceivers:
            transceiver.sender.rtcp_received(data, now)
        if self._feedback is not None:
            self._feedback.rtcp_received(data)
