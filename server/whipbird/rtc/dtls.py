"""DTLS and SRTP: aiortc's handshake, then a data path without a task or a queue."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, cast

import pylibsrtp
from aiortc import RTCCertificate, RTCDtlsTransport
from aiortc.rtcdtlstransport import State
from aiortc.rtp import is_rtcp
from OpenSSL import SSL

from .completion import run_to_completion
from .ice import IceTransport
from .packet_buffer import PacketBuffer

logger = logging.getLogger(__name__)

# Larger than any SCTP packet over UDP.
_READ_SIZE = 2048

# The shorter of the headers of RTP and RTCP (RFC 3550 section 6.4).
_RTCP_HEADER = 8

# DTLS 1.2 record: content type, version, epoch, sequence number, then the length.
_RECORD_HEADER = 13
_APPLICATION_DATA = 23


class PacketReceiver(Protocol):
    """What takes the decrypted SCTP packets."""

    def receive_packet(self, packet: bytes) -> None:
        """Take one packet."""


class DtlsTransport(RTCDtlsTransport):
    """The DTLS transport of a peer.

    aiortc carries out the handshake and checks the peer's identity. From then on a
    datagram is decrypted and handed on within the callback of its socket.

    Attributes:
        rtp_routes: payload type -> what takes its RTP packets, decrypted. In a bundle
            payload types are unique (RFC 9143 section 9.1).
        rtcp_route: what takes the RTCP packets, decrypted, beside aiortc's senders.
        carries_media: whether audio or video may go over it; without, no SRTP session
            is made, and none is asked of the peer.
        closed_by_peer: whether the peer has said good-bye (close_notify).
        connection: the ICE agents and sockets below.
    """

    # aiortc's private counters that this class keeps.
    _RTCDtlsTransport__rx_bytes: int
    _RTCDtlsTransport__rx_packets: int
    _RTCDtlsTransport__tx_bytes: int
    _RTCDtlsTransport__tx_packets: int

    def __init__(
        self, transport: IceTransport, certificates: list[RTCCertificate]
    ) -> None:
        super().__init__(transport, certificates)
        self.rtp_routes: dict[int, Callable[[bytes], None]] = {}
        self.rtcp_route: Callable[[bytes], None] | None = None
        self.carries_media = False
        self.closed_by_peer = False
        self._handshake_timer: asyncio.TimerHandle | None = None
        self.connection = transport.connection

    def send_packet(self, packet: bytes) -> None:
        """Encrypt and send one SCTP packet.

        Raises:
            ConnectionError: when there is no connection.
        """
        if self._state != State.CONNECTED:
            raise ConnectionError("Cannot send encrypted data, not connected")
        assert self._ssl is not None
        self._ssl.send(packet)
        self._send_now(self._ssl.bio_read(_READ_SIZE))

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send an RTP packet.

        Raises:
            ConnectionError: when there is no connection, or it is not for media.
        """
        if self._state != State.CONNECTED or self._tx_srtp is None:
            raise ConnectionError("Cannot send encrypted RTP, not connected")
        self._send_now(self._tx_srtp.protect(packet))

    def send_rtp_batch(self, batch: PacketBuffer) -> None:
        """Encrypt and send the RTP packets of a buffer.

        Raises:
            ConnectionError: as above.
        """
        if self._state != State.CONNECTED or self._tx_srtp is None:
            raise ConnectionError("Cannot send encrypted RTP, not connected")
        batch.protect(self._tx_srtp)
        self.connection.send_batch(batch)
        self._RTCDtlsTransport__tx_bytes += sum(batch.lengths)
        self._RTCDtlsTransport__tx_packets += len(batch.lengths)

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send an RTCP packet, compound or not.

        Raises:
            ConnectionError: when there is no connection, or it is not for media.
        """
        if self._state != State.CONNECTED or self._tx_srtp is None:
            raise ConnectionError("Cannot send encrypted RTCP, not connected")
        self._send_now(self._tx_srtp.protect_rtcp(packet))

    def _send_now(self, data: bytes) -> None:
        self.connection.send_now(data)
        self._RTCDtlsTransport__tx_bytes += len(data)
        self._RTCDtlsTransport__tx_packets += 1

    # Overrides of aiortc

    def _setup_srtp(self) -> None:
        if self.carries_media:
            super()._setup_srtp()

    async def _send_data(self, data: bytes) -> None:
        self.send_packet(data)

    async def _send_rtp(self, data: bytes) -> None:
        if is_rtcp(data):
            self.send_rtcp(data)
        else:
            self.send_rtp(data)

    async def _RTCDtlsTransport__run(self) -> None:  # noqa: N802 - aiortc's name
        """Stay until the connection is lost. Datagrams do not pass through here."""
        self._drive_handshake_timer()
        try:
            self.connection.attach(self._receive_datagram)
            while True:
                # Only the end of the ICE connection still arrives this way.
                await self.transport._recv()
        except ConnectionError:
            for receiver in self._rtp_router.receivers:
                receiver._handle_disconnect()
        finally:
            self.connection.detach()
            if self._handshake_timer is not None:
                self._handshake_timer.cancel()
            self._set_state(State.CLOSED)

    def _drive_handshake_timer(self) -> None:
        """Let OpenSSL send the last flight again when it was lost (DTLS 1.3)."""
        assert self._ssl is not None
        if self._handshake_timer is not None:
            self._handshake_timer = None
            self._ssl.DTLSv1_handle_timeout()
            self._flush()
        timeout = self._ssl.DTLSv1_get_timeout()
        if timeout is not None:
            self._handshake_timer = asyncio.get_running_loop().call_later(
                timeout, self._drive_handshake_timer
            )

    def _receive_datagram(self, data: bytes) -> None:
        self._RTCDtlsTransport__rx_bytes += len(data)
        self._RTCDtlsTransport__rx_packets += 1
        first = data[0]
        if 19 < first < 64:
            self._receive_dtls(data)
        elif 127 < first < 192:
            self._receive_srtp(data)

    def _receive_dtls(self, data: bytes) -> None:
        ssl = self._ssl
        assert ssl is not None
        ssl.bio_write(data)
        try:
            while True:
                packet = ssl.recv(_READ_SIZE)
                receiver = cast("PacketReceiver | None", self._data_receiver)
                if receiver is not None:
                    receiver.receive_packet(packet)
                # Reading on costs an exception; one whole record needs no more.
                if data[0] == _APPLICATION_DATA and (
                    len(data) == _RECORD_HEADER + int.from_bytes(data[11:13], "big")
                ):
                    return
        except SSL.ZeroReturnError:
            self.closed_by_peer = True
            self._flush()
            # Ends the task, which waits for this only.
            self.connection.end()
        except SSL.Error:
            # Nothing more to read, or a record that is not authentic: dropped. A
            # handshake message may have left something to send.
            self._flush()

    def _receive_srtp(self, data: bytes) -> None:
        if self._rx_srtp is None or len(data) < _RTCP_HEADER:
            return
        try:
            if is_rtcp(data):
                packets = self._rx_srtp.unprotect_rtcp(data)
                if self.rtcp_route is not None:
                    self.rtcp_route(packets)
                if self._rtp_router.senders:
                    run_to_completion(self._handle_rtcp_data(packets))
            elif (take := self.rtp_routes.get(data[1] & 0x7F)) is not None:
                take(self._rx_srtp.unprotect(data))
        except pylibsrtp.Error as error:
            logger.debug("SRTP unprotect failed: %s", error)

    def _flush(self) -> None:
        """Send what OpenSSL has written by itself."""
        assert self._ssl is not None
        try:
            data = self._ssl.bio_read(_READ_SIZE)
            self.connection.send_now(data)
        except (SSL.Error, ConnectionError):
            return
