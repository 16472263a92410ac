"""A peer: aiortc's ``RTCPeerConnection`` on this room's transports."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from aioice import Candidate as IceCandidate
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidStateError

from ..sdp.answer import LocalSource, LocalTransport, write_answer
from ..sdp.candidate import Candidate
from ..sdp.offer import Offer
from ..sdp.plain import plain_offer
from ..sdp.role import VIEWER
from ..sdp.transport import Fingerprint, IceCredentials
from .addresses import HostAddresses
from .certificate import Certificate
from .dtls import DtlsTransport
from .egress import Egress
from .feedback import Feedback
from .ice import IceTransport
from .receiver import Receiver
from .sctp import MAX_MESSAGE_SIZE, MessageHandler, SctpTransport
from .sender import Sender

logger = logging.getLogger(__name__)

DataChannel = RTCDataChannel

__all__ = ["DataChannel", "LocalIce", "MessageHandler", "Peer", "PeerOptions"]


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """What the peers of a process have in common.

    Attributes:
        certificate: their DTLS certificate.
        addresses: where they find this machine's addresses.
        limit: octets that may be held for one peer (see ``SctpTransport``).
    """

    certificate: Certificate
    addresses: HostAddresses = field(default_factory=HostAddresses)
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class LocalIce:
    """This side of an ICE session: what the peer has to know of it."""

    ice: IceCredentials
    candidates: tuple[Candidate, ...]


class Peer(RTCPeerConnection):
    """One end of a WebRTC connection.

    All that aiortc documents of ``RTCPeerConnection`` works on it. It has one
    transport for everything (max-bundle), asks no outside server for candidates, and
    receives media without decoding.

    Attributes:
        egress: what is sent to a viewer; None for whoever is none.
        on_message: takes every data-channel message, before the listeners of its
            channel's ``message`` event, without the cost of an event.
    """

    # aiortc's private state that this class reads or fills.
    _RTCPeerConnection__certificates: list[Any]
    _RTCPeerConnection__dtlsTransports: set[Any]
    _RTCPeerConnection__iceTransports: set[Any]
    _RTCPeerConnection__sctp: SctpTransport | None
    _RTCPeerConnection__stream_id: str
    _RTCPeerConnection__transceivers: list[RTCRtpTransceiver]

    def __init__(self, options: PeerOptions) -> None:
        super().__init__(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._RTCPeerConnection__certificates = [options.certificate]
        self._options = options
        self._connecting: set[asyncio.Task[None]] = set()
        self._dtls: DtlsTransport | None = None
        self.egress: Egress | None = None
        self.on_message: MessageHandler | None = None
        self.on_channels_closed: Callable[[], None] | None = None

    # The server's side

    async def answer(self, offer: Offer, stream: str = "-") -> str:
        """Accept an offer of a publisher or a viewer, and begin to connect.

        Args:
            stream: the name of the MediaStream that a viewer gets.

        Returns:
            The SDP answer, with all of this side's candidates.

        Raises:
            ConnectionError: when no socket can be opened.
        """
        await self.setRemoteDescription(
            RTCSessionDescription(sdp=plain_offer(offer), type="offer")
        )
        transport = self.transport
        sections = [media for media in offer.media if media.kind != "application"]
        sources: dict[str, LocalSource] = {}
        if sections and offer.role is VIEWER:
            self.egress = Egress(transport, stream)
            sources = {media.kind: self.egress.add(media) for media in sections}
            for transceiver in self.getTransceivers():
                transceiver.direction = "sendonly"
                cast(Sender, transceiver.sender).is_idle = True
        elif sections:
            feedback = Feedback(transport)
            transport.rtcp_route = feedback.rtcp_received
            for receiver, media in zip(self.receivers, sections, strict=True):
                receiver.configure(media, feedback)
        if offer.setup == "actpass":
            # aiortc would take the active part.
            transport._set_role("server")
        self.add_candidates(offer.candidates)
        await self.setLocalDescription(await self.createAnswer())
        local = LocalTransport(
            ice=self.local_ice.ice,
            # One is enough.
            fingerprints=tuple(
                Fingerprint(f.algorithm, f.value)
                for f in transport.getLocalParameters().fingerprints
                if f.algorithm == "sha-256"
            ),
            candidates=self.local_ice.candidates,
            sctp_port=self.sctp.port if self.sctp else 0,
            max_message_size=MAX_MESSAGE_SIZE,
        )
        return write_answer(offer, local, secrets.randbits(62), sources)

    def add_candidates(self, candidates: Iterable[Candidate]) -> None:
        """Add the other side's candidates; those that cannot be used are discarded."""
        agent = self.transport.connection.agent
        for candidate in candidates:
            if candidate.is_usable:
                agent.add_remote(
                    IceCandidate(
                        foundation=candidate.foundation,
                        component=candidate.component,
                        transport=candidate.transport,
                        priority=candidate.priority,
                        host=candidate.address,
                        port=candidate.port,
                        type=candidate.type,
                    )
                )

    # ICE restart (RFC 8445 section 9)

    @property
    def local_ice(self) -> LocalIce:
        """This side of the newest ICE session."""
        agent = self.transport.connection.agent
        return LocalIce(
            ice=IceCredentials(agent.local_username, agent.local_password),
            candidates=tuple(
                Candidate(
                    c.foundation,
                    c.component,
                    c.transport,
                    c.priority,
                    c.host,
                    c.port,
                    c.type,
                )
                for c in agent.local_candidates
            ),
        )

    async def restart_ice(self) -> LocalIce:
        """Begin a new ICE session; the connection goes on over the old one meanwhile.

        Returns:
            This side of it, for the peer.

        Raises:
            ConnectionError: when the connection is closed, or no socket can be opened.
        """
        await self.transport.connection.restart()
        return self.local_ice

    def accept_restart(
        self, remote: IceCredentials, candidates: Iterable[Candidate]
    ) -> None:
        """Take the peer's side of the new ICE session, and begin to check its pairs.

        Raises:
            ConnectionError: when no restart has begun.
        """
        self.transport.connection.accept_restart(remote.ufrag, remote.pwd)
        self.add_candidates(candidates)

    async def restarted(self) -> None:
        """Wait until the connection goes over the new ICE session.

        Raises:
            ConnectionError: when the restart was given up.
        """
        await self.transport.connection.restarted()

    def abandon_restart(self) -> None:
        """Give up a restart that has not succeeded; the old ICE session stays."""
        self.transport.connection.abandon_restart()

    # Data channels

    def send_message(self, channel: DataChannel, protocol: int, data: bytes) -> bool:
        """Send octets on a channel as they are (see ``SctpTransport``)."""
        sctp = self.sctp
        assert isinstance(sctp, SctpTransport)
        return sctp.send_message(channel, protocol, data)

    @property
    def max_message_size(self) -> int:
        """Octets that the other side takes in one message; 0 for any number."""
        sctp = self.sctp
        assert isinstance(sctp, SctpTransport)
        return sctp._remote_max_message_size

    # What is going on

    @property
    def transport(self) -> DtlsTransport:
        """The one DTLS transport; there is one as soon as anything is negotiated."""
        assert self._dtls is not None
        return self._dtls

    @property
    def receivers(self) -> list[Receiver]:
        """What receives audio and video, in the order of the m-sections."""
        return [cast(Receiver, receiver) for receiver in self.getReceivers()]

    @property
    def peer_address(self) -> tuple[str, int] | None:
        """The address and port of the other side; None until ICE has found it."""
        if self._dtls is None:
            return None
        pair = self._dtls.connection.selected_pair
        return pair.remote_addr if pair else None

    @property
    def closed_by_peer(self) -> bool:
        """Whether the other side has ended the connection in due form (DTLS)."""
        return self._dtls is not None and self._dtls.closed_by_peer

    async def close(self) -> None:
        """End the connection, and wait until nothing of it is left."""
        if self.egress is not None:
            self.egress.stop()
        await super().close()
        for task in self._connecting:
            task.cancel()
        if self._connecting:
            await asyncio.wait(self._connecting)

    # Overrides of aiortc

    async def _RTCPeerConnection__connect(self) -> None:  # noqa: N802
        task = asyncio.current_task()
        assert task is not None
        self._connecting.add(task)
        try:
            await cast(Any, super())._RTCPeerConnection__connect()
        except (ConnectionError, InvalidStateError) as error:
            # Closed meanwhile.
            logger.debug("Connecting ended: %s", error)
        finally:
            self._connecting.discard(task)

    def _RTCPeerConnection__createDtlsTransport(self) -> DtlsTransport:  # noqa: N802
        ice = IceTransport(self._options.addresses)
        dtls = DtlsTransport(ice, self._RTCPeerConnection__certificates)
        base = cast(Any, self)
        update_connection = base._RTCPeerConnection__updateConnectionState
        ice.iceGatherer.on(
            "statechange", base._RTCPeerConnection__updateIceGatheringState
        )
        ice.on("statechange", base._RTCPeerConnection__updateIceConnectionState)
        ice.on("statechange", update_connection)
        dtls.on("statechange", update_connection)
        self._RTCPeerConnection__iceTransports.add(ice)
        self._RTCPeerConnection__dtlsTransports.add(dtls)
        self._dtls = dtls
        return dtls

    def _shared_transport(self) -> DtlsTransport:
        return self._dtls or self._RTCPeerConnection__createDtlsTransport()

    def _RTCPeerConnection__createSctpTransport(self) -> None:  # noqa: N802
        bundled = self._dtls is not None
        sctp = SctpTransport(self._shared_transport(), self._options.limit)
        sctp._bundled = bundled
        sctp.on_message = self._on_message
        sctp.on_closed = self._on_channels_closed
        sctp.on("datachannel", self._on_channel)
        self._RTCPeerConnection__sctp = sctp

    def _on_channel(self, channel: DataChannel) -> None:
        self.emit("datachannel", channel)

    def _on_message(self, channel: DataChannel, protocol: int, data: bytes) -> None:
        if self.on_message is not None:
            self.on_message(channel, protocol, data)

    def _on_channels_closed(self) -> None:
        if self.on_channels_closed is not None:
            self.on_channels_closed()

    def _RTCPeerConnection__createTransceiver(  # noqa: N802
        self,
        direction: str,
        kind: str,
        sender_track: MediaStreamTrack | None = None,
    ) -> RTCRtpTransceiver:
        sctp = self._RTCPeerConnection__sctp
        if sctp is not None and sctp.mid is None:
            # aiortc will offer media before data channels: these are not the first.
            bundled, sctp._bundled = sctp._bundled, True
        else:
            bundled = self._dtls is not None
        transport = self._shared_transport()
        transport.carries_media = True
        transceiver = RTCRtpTransceiver(
            direction=direction,
            kind=kind,
            sender=Sender(sender_track or kind, transport),
            receiver=Receiver(kind, transport),
        )
        transceiver.receiver._set_rtcp_ssrc(transceiver.sender._ssrc)
        transceiver.sender._stream_id = self._RTCPeerConnection__stream_id
        transceiver._bundled = bundled
        self._RTCPeerConnection__transceivers.append(transceiver)
        return transceiver
