"""aiortc's transport objects, as views of the one transport of a peer.

They show states, candidates and parameters to applications that know aiortc. None of
aiortc's own code runs in them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiortc import (
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceTransport,
    RTCSctpTransport,
)
from aiortc.exceptions import InvalidStateError

from ..sdp.candidate import Candidate
from ..transport import sctp
from ..transport.peer_sinks import TransportState
from .events import Listened

if TYPE_CHECKING:
    from .peer_connection import PeerConnection

SCTP_PORT = 5000


class IceGatherer(Listened, RTCIceGatherer):
    """The host candidates of a peer: they are known at once."""

    def __init__(self, peer: "PeerConnection") -> None:
        Listened.__init__(self)
        self._peer = peer

    @property
    def state(self) -> str:
        """``new`` or ``completed``."""
        return "completed" if self._peer.local_ice.candidates else "new"

    async def gather(self) -> None:
        """Nothing more to do."""

    def getLocalCandidates(self) -> list[RTCIceCandidate]:  # noqa: N802
        """The candidates of the newest ICE session."""
        return [_to_aiortc(c) for c in self._peer.local_ice.candidates]

    def getLocalParameters(self) -> RTCIceParameters:  # noqa: N802
        """The credentials of the newest ICE session."""
        ice = self._peer.local_ice.ice
        return RTCIceParameters(usernameFragment=ice.ufrag, password=ice.pwd)


class IceTransport(Listened, RTCIceTransport):
    """The ICE transport of a peer."""

    def __init__(self, peer: "PeerConnection") -> None:
        Listened.__init__(self)
        self._peer = peer
        self._gatherer = IceGatherer(peer)

    @property
    def iceGatherer(self) -> RTCIceGatherer:  # noqa: N802
        """The local side."""
        return self._gatherer

    @property
    def role(self) -> str:
        """``controlling`` or ``controlled``."""
        controlling = self._peer.connection.transport.ice.controlling
        return "controlling" if controlling else "controlled"

    @property
    def state(self) -> str:
        """As ``RTCPeerConnection.iceConnectionState``."""
        return self._peer.iceConnectionState

    async def addRemoteCandidate(  # noqa: N802
        self, candidate: RTCIceCandidate | None
    ) -> None:
        """Add a candidate of the peer; None, for the end of them, changes nothing."""
        if candidate is not None:
            self._peer.add_candidates((from_aiortc(candidate),))

    def getRemoteCandidates(self) -> list[RTCIceCandidate]:  # noqa: N802
        """The peer's candidates that are known."""
        return [_to_aiortc(c) for c in self._peer.remote_candidates]

    async def start(self, remoteParameters: RTCIceParameters) -> None:  # noqa: N803
        """Not to be called: the peer connection does it.

        Raises:
            InvalidStateError: always.
        """
        raise InvalidStateError("the peer connection starts its transports")

    async def stop(self) -> None:
        """End the connection."""
        await self._peer.close()


class DtlsTransport(Listened, RTCDtlsTransport):
    """The DTLS transport of a peer."""

    def __init__(self, peer: "PeerConnection") -> None:
        Listened.__init__(self)
        self._peer = peer
        self._ice = IceTransport(peer)

    @property
    def state(self) -> str:
        """``new``, ``connecting``, ``connected``, ``closed`` or ``failed``."""
        return str(self._peer.connection.transport.dtls.state)

    @property
    def transport(self) -> RTCIceTransport:
        """The ICE transport below."""
        return self._ice

    def getLocalParameters(self) -> RTCDtlsParameters:  # noqa: N802
        """The fingerprint of this side's certificate, and its role."""
        fingerprint = self._peer.certificate.fingerprint
        return RTCDtlsParameters(
            fingerprints=[RTCDtlsFingerprint(fingerprint.algorithm, fingerprint.value)],
            role="client"
            if self._peer.connection.transport.dtls.is_client
            else "server",
        )

    async def start(self, remoteParameters: RTCDtlsParameters) -> None:  # noqa: N803
        """Not to be called: the peer connection does it.

        Raises:
            InvalidStateError: always.
        """
        raise InvalidStateError("the peer connection starts its transports")

    async def stop(self) -> None:
        """End the connection."""
        await self._peer.close()

    @property
    def log_fields(self) -> Mapping[str, str]:
        """Which session it belongs to, for the log."""
        return self._peer.log_fields

    def send_rtp(self, data: bytes) -> None:
        """Encrypt and send an RTP packet.

        Raises:
            ConnectionError: when there is no connection.
        """
        self._peer.connection.send_rtp(data)

    def send_rtcp(self, data: bytes) -> None:
        """Encrypt and send an RTCP packet.

        Raises:
            ConnectionError: when there is no connection.
        """
        self._peer.connection.send_rtcp(data)


class SctpTransport(Listened, RTCSctpTransport):
    """The SCTP transport of a peer, and its data channels."""

    def __init__(self, peer: "PeerConnection") -> None:
        Listened.__init__(self)
        self._peer = peer
        self._association: sctp.Association | None = None
        self.mid: str | None = None
        # Sends what is queued: at once, or when this turn of the event loop ends.
        self.flush_soon = peer.connection.flush_soon

    @property
    def log_fields(self) -> Mapping[str, str]:
        """Which session it belongs to, for the log."""
        return self._peer.log_fields

    def associate(self, association: sctp.Association) -> None:
        """Show an association from now on."""
        self._association = association

    @property
    def is_server(self) -> bool:
        """Whether this side has the odd streams (RFC 8832 section 6)."""
        return not self._peer.connection.transport.dtls.is_client

    @property
    def maxChannels(self) -> int | None:  # noqa: N802
        """How many channels there can be."""
        return sctp.MAX_STREAMS

    @property
    def port(self) -> int:
        """The local SCTP port."""
        return SCTP_PORT

    @property
    def state(self) -> str:
        """``new``, ``connecting``, ``connected`` or ``closed``."""
        association = self._association
        if association is None:
            return "new"
        match association.state:
            case sctp.AssociationState.ESTABLISHED:
                return "connected"
            case sctp.AssociationState.CLOSED:
                connecting = self._peer.connection.state is TransportState.CONNECTING
                return "new" if connecting else "closed"
            case _:
                return "connecting"

    @property
    def transport(self) -> RTCDtlsTransport:
        """The DTLS transport below."""
        return self._peer.dtls_transport

    @property
    def max_message_size(self) -> int:
        """Octets that the peer takes in one message; 0 for any number."""
        association = self._association
        return 0 if association is None else association.max_message_size

    @property
    def room(self) -> int:
        """Octets that may still be held for the peer, see the association."""
        association = self._association
        return 0 if association is None else association.room

    def setTransport(self, transport: RTCDtlsTransport) -> None:  # noqa: N802
        """Not to be called: there is one transport.

        Raises:
            InvalidStateError: always.
        """
        raise InvalidStateError("all that is negotiated shares one transport")

    async def start(self, remoteCaps: object, remotePort: int) -> None:  # noqa: N803
        """Not to be called: the peer connection does it.

        Raises:
            InvalidStateError: always.
        """
        raise InvalidStateError("the peer connection starts its transports")

    async def stop(self) -> None:
        """End the association; the channels are closed."""
        self._peer.connection.end_channels()

    # For data channels

    def send_message(
        self, channel: sctp.DataChannel, protocol: int, data: bytes
    ) -> bool:
        """Queue a message, and send it as soon as the network and the peer allow.

        Returns:
            Whether it was queued: not when the channel is no longer open, nor when it
            is larger than the peer takes.
        """
        association = self._association
        assert association is not None
        if association.send(channel, protocol, data):
            self.flush_soon()
            return True
        return False

    def close_channel(self, channel: sctp.DataChannel) -> None:
        """Close a channel, after its messages."""
        association = self._association
        assert association is not None
        association.close_channel(channel)
        self.flush_soon()


def _to_aiortc(candidate: Candidate) -> RTCIceCandidate:
    return RTCIceCandidate(
        component=candidate.component,
        foundation=candidate.foundation,
        ip=candidate.address,
        port=candidate.port,
        priority=candidate.priority,
        protocol=candidate.transport,
        type=candidate.type,
        tcpType=candidate.tcp_type,
    )


def from_aiortc(candidate: RTCIceCandidate) -> Candidate:
    """Convert a candidate of aiortc's."""
    return Candidate(
        foundation=candidate.foundation,
        component=candidate.component,
        transport=candidate.protocol.lower(),
        priority=candidate.priority,
        address=candidate.ip,
        port=candidate.port,
        type=candidate.type,
        tcp_type=candidate.tcpType,
    )
