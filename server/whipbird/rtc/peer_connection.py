"""aiortc's ``RTCPeerConnection`` on a transport of our own.

Every public member is our own; of aiortc's implementation nothing runs. Its parts are
``connection`` (datagrams), ``negotiator`` (offer and answer), ``media``, ``channels``.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from aiortc import (
    MediaStreamTrack,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError
from aiortc.stats import RTCStatsReport, RTCTransportStats

from ..net.reach import Reach
from ..sdp.answer import LocalTransport
from ..sdp.candidate import Candidate
from ..sdp.offer import Offer
from ..sdp.remote_description import RemoteDescription
from ..sdp.remote_media import DIRECTIONS
from ..sdp.transport import IceCredentials
from ..transport import sctp
from ..transport.certificate import Certificate
from ..transport.ice import MAX_REMOTE_CANDIDATES, LocalCandidate
from ..transport.path import Path
from ..transport.peer_sinks import EndCause, TransportState
from .channels import MAX_MESSAGE_SIZE, Channels
from .connection import Connection, Port
from .data_channel import DataChannel
from .events import Listened, emit, release_listeners
from .media import Media
from .negotiator import Negotiator
from .transceiver import Transceiver
from .transports import SCTP_PORT, DtlsTransport, SctpTransport

ENDED = (TransportState.CLOSED, TransportState.FAILED)


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """What the peers of a process share.

    Attributes:
        certificate: their DTLS certificate.
        port: the UDP port that they share; open before they negotiate.
        limit: octets that the data channels of one peer may hold.
        ice_lite: whether they only answer connectivity checks.
        reach: the addresses that they check by themselves.
    """

    certificate: Certificate
    port: Port
    limit: int | None = None
    ice_lite: bool = False
    reach: Reach = field(default_factory=Reach)


@dataclass(frozen=True, slots=True)
class LocalIce:
    """This side of an ICE session, as the peer is told."""

    ice: IceCredentials
    candidates: tuple[Candidate, ...]
    lite: bool


class PeerConnection(Listened, RTCPeerConnection):
    """One end of a WebRTC connection.

    All that aiortc documents of ``RTCPeerConnection`` works on it, except a second
    negotiation. It has one transport for everything (max-bundle), asks no outside
    server for candidates, and receives media without decoding.

    Attributes:
        certificate: its DTLS certificate.
        connection: its transport, attached to the UDP port.
        remote_candidates: the other side's usable candidates in the newest ICE session.
    """

    def __init__(self, options: PeerOptions) -> None:
        # Not aiortc's, which makes a certificate and state for transports of its own.
        Listened.__init__(self)
        self.certificate = options.certificate
        self.connection = Connection(
            options.port,
            options.certificate,
            self,
            controlling=False,
            ice_lite=options.ice_lite,
            limit=options.limit,
        )
        self.remote_candidates: list[Candidate] = []
        self._port = options.port
        self._reach = options.reach
        self._dtls: DtlsTransport | None = None
        self._channels: Channels | None = None
        self._media = Media(self.connection, self._spawn)
        # The transceivers whose ``track`` event was emitted.
        self._told: list[Transceiver] = []
        self._connection_state = "new"
        self._ice_state = "new"
        self._closed: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @cached_property
    def _negotiator(self) -> Negotiator:
        """Offer and answer; a peer that answers a parsed offer does without it."""
        return Negotiator(self._media, self._add_transceiver, self._local_transport)

    @property
    def log_fields(self) -> Mapping[str, str]:
        """Which session it belongs to, for the log."""
        return self.connection.log_fields

    # The transport

    @property
    def dtls_transport(self) -> DtlsTransport:
        """The one transport, as aiortc has it."""
        if self._dtls is None:
            self._dtls = DtlsTransport(self)
        return self._dtls

    @property
    def local_ice(self) -> LocalIce:
        """This side of the newest ICE session."""
        ice = self.connection.transport.ice
        return LocalIce(
            ice=ice.local,
            candidates=tuple(c.candidate for c in ice.local_candidates),
            lite=ice.lite,
        )

    def add_candidates(self, candidates: Iterable[Candidate]) -> None:
        """Add the other side's candidates; those that cannot be used are discarded."""
        ice, known = self.connection.transport.ice, self.remote_candidates
        for candidate in candidates:
            if not candidate.is_usable or candidate in known:
                continue
            if not self._reach.includes(candidate.address):
                continue
            ice.add_remote_candidate(candidate, self._port.now)
            if len(known) < MAX_REMOTE_CANDIDATES:
                known.append(candidate)
        self.connection.changed()

    def add_local_candidate(self, candidate: LocalCandidate) -> None:
        """Add a candidate of this side's that the other side is not told of."""
        ice = self.connection.transport.ice
        ice.add_local_candidate(candidate, self._port.now)
        self.connection.changed()

    @property
    def end(self) -> EndCause | None:
        """Why the connection has ended, unless by ``close``; None while it has not."""
        return self.connection.transport.end

    @property
    def end_detail(self) -> str:
        """Details of ``end``, in words; may be empty."""
        return self.connection.transport.end_detail

    @property
    def closed_by_peer(self) -> bool:
        """Whether the other side has closed the connection (DTLS close_notify)."""
        return self.end is EndCause.CLOSED_BY_PEER

    # What aiortc documents: states

    @property
    def connectionState(self) -> str:  # noqa: N802
        """``new``, ``connecting``, ``connected``, ``failed`` or ``closed``."""
        return self._connection_state

    @property
    def iceConnectionState(self) -> str:  # noqa: N802
        """``new``, ``checking``, ``completed``, ``failed`` or ``closed``."""
        return self._ice_state

    @property
    def iceGatheringState(self) -> str:  # noqa: N802
        """``new`` or ``complete``: the candidates are known at once."""
        known = self.connection.transport.ice.local_candidates
        return "complete" if known else "new"

    @property
    def signalingState(self) -> str:  # noqa: N802
        """``stable``, ``have-local-offer``, ``have-remote-offer`` or ``closed``."""
        return "closed" if self._closed is not None else self._negotiator.state

    @property
    def localDescription(self) -> RTCSessionDescription:  # noqa: N802
        """This side's description; None before there is one."""
        return self._negotiator.local  # type: ignore[return-value]

    @property
    def remoteDescription(self) -> RTCSessionDescription:  # noqa: N802
        """The other side's description; None before there is one."""
        return self._negotiator.remote  # type: ignore[return-value]

    @property
    def sctp(self) -> SctpTransport | None:
        """The SCTP transport; None where there are no data channels."""
        return None if self._channels is None else self._channels.transport

    def getReceivers(self) -> list[RTCRtpReceiver]:  # noqa: N802
        """The receivers, in the order of the m-sections."""
        return [transceiver.receiver for transceiver in self._media.transceivers]

    def getSenders(self) -> list[RTCRtpSender]:  # noqa: N802
        """The senders, in the order of the m-sections."""
        return [transceiver.sender for transceiver in self._media.transceivers]

    def getTransceivers(self) -> list[RTCRtpTransceiver]:  # noqa: N802
        """All transceivers, in the order of the m-sections."""
        return list(self._media.transceivers)

    async def getStats(self) -> RTCStatsReport:  # noqa: N802
        """Statistics of the transport, and of the media sent and received."""
        transport = self.connection.transport
        report = RTCStatsReport()
        report.add(
            RTCTransportStats(
                timestamp=datetime.now(UTC),
                type="transport",
                id=f"transport_{id(self.dtls_transport)}",
                packetsSent=transport.packets_sent,
                packetsReceived=transport.packets_received,
                bytesSent=transport.bytes_sent,
                bytesReceived=transport.bytes_received,
                iceRole=self.dtls_transport.transport.role,
                dtlsState=self.dtls_transport.state,
            )
        )
        await self._media.add_stats(report)
        return report

    # What aiortc documents: tracks and channels

    def addTrack(self, track: MediaStreamTrack) -> RTCRtpSender:  # noqa: N802
        """Send a track, on a transceiver that has none or on a new one.

        Raises:
            InternalError: when it is neither audio nor video.
            InvalidAccessError: when it is sent already.
            InvalidStateError: when the peer is closed.
        """
        self._check_track(track)
        for transceiver in self._media.transceivers:
            if transceiver.kind == track.kind and transceiver.sender.track is None:
                transceiver.sender.replaceTrack(track)
                receives = transceiver.direction in ("recvonly", "sendrecv")
                transceiver.direction = "sendrecv" if receives else "sendonly"
                return transceiver.sender
        return self._add_transceiver(track, "sendrecv").sender

    def addTransceiver(  # noqa: N802
        self,
        trackOrKind: str | MediaStreamTrack,  # noqa: N803
        direction: str = "sendrecv",
    ) -> Transceiver:
        """Add a transceiver.

        Raises:
            InternalError: when the kind or the direction is unknown.
            InvalidAccessError: when the track is sent already.
            InvalidStateError: when the peer is closed.
        """
        self._check_track(trackOrKind)
        if direction not in DIRECTIONS:
            raise InternalError(f'Invalid direction "{direction}"')
        return self._add_transceiver(trackOrKind, direction)

    def createDataChannel(  # noqa: N802
        self,
        label: str,
        maxPacketLifeTime: int | None = None,  # noqa: N803
        maxRetransmits: int | None = None,  # noqa: N803
        ordered: bool = True,
        protocol: str = "",
        negotiated: bool = False,
        id: int | None = None,
    ) -> DataChannel:
        """Open a data channel.

        Raises:
            InvalidStateError: when the peer is closed.
            ValueError: when both limits are given, or the id is out of range or in use.
        """
        self._check_open()
        if maxPacketLifeTime is not None and maxRetransmits is not None:
            raise ValueError("Cannot specify both maxPacketLifeTime and maxRetransmits")
        self._negotiator.has_channels = True
        return self._add_channels().create(
            sctp.ChannelOptions(
                label=label,
                protocol=protocol,
                ordered=ordered,
                max_retransmits=maxRetransmits,
                max_packet_life_time=maxPacketLifeTime,
                negotiated=negotiated,
                id=id,
            )
        )

    # What aiortc documents: negotiation

    async def createOffer(self) -> RTCSessionDescription:  # noqa: N802
        """Describe this side, with all of its candidates.

        Raises:
            ConnectionError: when there is no address to be reached at.
            InternalError: when there is nothing to offer.
            InvalidStateError: when the peer is closed, or has negotiated already.
        """
        self._gather()
        self.connection.transport.ice.controlling = True
        return self._negotiator.create_offer()

    async def createAnswer(self) -> RTCSessionDescription:  # noqa: N802
        """Describe this side as the other side's offer allows.

        Raises:
            ConnectionError: when there is no address to be reached at.
            InvalidStateError: when there is no offer.
            UnacceptableSdp: when there is no codec in common.
        """
        self._gather()
        return self._negotiator.create_answer()

    async def setLocalDescription(  # noqa: N802
        self,
        sessionDescription: RTCSessionDescription | None = None,  # noqa: N803
    ) -> None:
        """Use the description of ``createOffer`` or ``createAnswer``.

        Changes of its text have no effect.

        Args:
            sessionDescription: None to create the one that is due.

        Raises:
            InvalidStateError: when none of its type is due.
        """
        self._check_open()
        description = sessionDescription
        if description is None:
            answering = self._negotiator.state == "have-remote-offer"
            description = await (
                self.createAnswer() if answering else self.createOffer()
            )
        self._negotiator.set_local(description)
        self._follow_negotiation()

    async def setRemoteDescription(  # noqa: N802
        self,
        sessionDescription: RTCSessionDescription,  # noqa: N803
    ) -> None:
        """Take the other side's offer or answer; an answer begins to connect.

        Raises:
            InvalidStateError: when none of its type is due.
            SdpError: when it cannot be read, or not be accepted.
        """
        self._check_open()
        self._negotiator.set_remote(sessionDescription)
        self._follow_negotiation()
        self._emit_tracks(self._negotiator.incoming)

    async def addIceCandidate(  # noqa: N802
        self, candidate: RTCIceCandidate | None
    ) -> None:
        """Add a candidate of the other side; None, for their end, changes nothing.

        Raises:
            ValueError: when it does not say which section it is for.
        """
        if candidate is None:
            return
        if candidate.sdpMid is None and candidate.sdpMLineIndex is None:
            raise ValueError("Candidate must have either sdpMid or sdpMLineIndex")
        await self.dtls_transport.transport.addRemoteCandidate(candidate)

    @property
    def closes_at_once(self) -> bool:
        """Whether ``close`` waits for nothing: there are no transceivers to stop."""
        return not (self._media.transceivers or self._tasks or self._closed)

    async def close(self) -> None:
        """End the connection, and wait until nothing of it is left."""
        if self._closed is not None:
            await asyncio.shield(self._closed)
            return
        self._closed = asyncio.get_running_loop().create_future()
        try:
            emit(self, "signalingstatechange")
            try:
                await self._media.stop()
            finally:
                self.connection.close()
            self._set_states("closed", "closed")
            current = asyncio.current_task()
            tasks = [task for task in self._tasks if task is not current]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
        finally:
            release_listeners(self)
            self._closed.set_result(None)

    # What the connection tells (ConnectionEvents)

    def state_changed(self, state: TransportState) -> None:
        match state:
            case TransportState.CONNECTING:
                self._set_states("connecting", "checking")
            case TransportState.CONNECTED:
                self._media.start()
                self._set_states("connected", "completed")
            case _:
                self._media.disconnected()
                if self._channels is not None:
                    self._channels.give_up()
                self._set_states(str(state), str(state))
                if self.closed_by_peer and self._closed is None:
                    self._spawn(self.close())

    def path_selected(self, path: Path) -> None:
        if self._ice_state == "checking":
            self._set_states(self._connection_state, "completed")

    def restart_ended(self, succeeded: bool) -> None:
        """Nothing waits for it here."""

    def channels_closed(self) -> None:
        """The connection stays."""

    # Private

    def _gather(self) -> None:
        """Gather the candidates of the first ICE session."""
        self._check_open()
        before = self.iceGatheringState
        self.connection.transport.ice.gather(self._port.candidates())
        if self.iceGatheringState != before:
            emit(self, "icegatheringstatechange")

    def _connect(
        self,
        *,
        is_dtls_client: bool,
        remote: Offer | RemoteDescription,
        remote_lite: bool,
        sctp_port: int,
        max_message_size: int,
    ) -> None:
        """Begin to connect to what the other side has described."""
        transport = self.connection.transport
        transport.configure(
            is_dtls_client=is_dtls_client,
            fingerprints=remote.fingerprints,
            carries_media=any(m.kind != "application" for m in remote.media),
        )
        if self._channels is not None and not sctp_port:
            self._channels.give_up()
        elif self._channels is not None:
            association = transport.associate(
                local_port=SCTP_PORT,
                remote_port=sctp_port,
                max_message_size=max_message_size,
            )
            self._channels.associate(association)
        transport.connect(remote.ice, self._port.now, remote_lite=remote_lite)
        self.add_candidates(remote.candidates)

    def _local_transport(self) -> LocalTransport:
        local = self.local_ice
        return LocalTransport(
            ice=local.ice,
            fingerprints=(self.certificate.fingerprint,),
            candidates=local.candidates,
            sctp_port=SCTP_PORT,
            max_message_size=MAX_MESSAGE_SIZE,
            ice_lite=local.lite,
        )

    def _follow_negotiation(self) -> None:
        """Apply a new description; when both are there, begin to connect."""
        emit(self, "signalingstatechange")
        if self._negotiator.has_channels:
            self._add_channels().transport.mid = self._negotiator.channels_mid
        agreed = self._negotiator.agreement
        if agreed is None:
            return
        remote, channels = agreed.remote, agreed.remote.channels
        self._connect(
            is_dtls_client=agreed.is_dtls_client,
            remote=remote,
            remote_lite=remote.ice_lite,
            sctp_port=channels.sctp_port if channels else 0,
            max_message_size=channels.max_message_size if channels else 0,
        )

    def _add_transceiver(
        self, track: str | MediaStreamTrack, direction: str
    ) -> Transceiver:
        transport = self.dtls_transport
        return self._media.add(track, direction, transport, transport)

    def _add_channels(self) -> Channels:
        if self._channels is None:
            self._channels = Channels(SctpTransport(self), self._channel_opened)
            self.connection.route_channels(self._channels)
        return self._channels

    def _channel_opened(self, channel: DataChannel) -> None:
        emit(self, "datachannel", channel)

    def _emit_tracks(self, incoming: Iterable[Transceiver]) -> None:
        """Emit ``track`` for each incoming track, once."""
        if not (self.has_listeners and self.listeners("track")):
            return
        for transceiver in incoming:
            if transceiver not in self._told:
                self._told.append(transceiver)
                emit(self, "track", transceiver.receiver.track)

    def _set_states(self, connection: str, ice: str) -> None:
        if ice != self._ice_state:
            self._ice_state = ice
            emit(self, "iceconnectionstatechange")
        if connection != self._connection_state:
            self._connection_state = connection
            emit(self, "connectionstatechange")

    def _check_open(self) -> None:
        if self._closed is not None or self.connection.state in ENDED:
            raise InvalidStateError("RTCPeerConnection is closed")

    def _check_track(self, track: str | MediaStreamTrack) -> None:
        self._check_open()
        kind = track if isinstance(track, str) else track.kind
        if kind not in ("audio", "video"):
            raise InternalError(f'Invalid track kind "{kind}"')
        if any(sender.track is track for sender in self.getSenders()):
            raise InvalidAccessError("Track already has a sender")

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)
