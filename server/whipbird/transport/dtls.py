"""DTLS (RFC 6347) on pyOpenSSL, without I/O: datagrams in, datagrams out."""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from OpenSSL import SSL, crypto

from ..native import Native
from ..sdp.transport import Fingerprint
from .certificate import HASHES, Certificate, digest
from .dtls_records import (
    ALERT,
    APPLICATION_DATA,
    RECORD_HEADER,
    datagrams,
    is_client_hello,
)
from .srtp import PROFILES, SrtpTransport

# Octets to read at a time: more than OpenSSL ever returns.
_READ_SIZE = 65536

# Octets by which a record is longer than its data, at most (RFC 6347 section 4.1.1).
_OVERHEAD = 256

# Octets of a datagram with handshake records: fits the minimum IPv6 MTU.
MTU = 1200

# Seconds before a flight is retransmitted when the round trip is not known, and the
# bounds of that time. RFC 6347 section 4.2.4.1 has one second, because it knows no
# round trip; ICE has usually measured one.
INITIAL_INTERVAL = 0.4
MIN_INTERVAL = 0.1
MAX_INTERVAL = 1.0
MAX_RETRANSMISSIONS = 30

# Retransmissions of the last flight, which the peer does not acknowledge.
MAX_FINAL_RETRANSMISSIONS = 12

# Datagrams of the handshake that are remembered, to recognize repeated ones.
MAX_SEEN = 32

# Datagrams kept until the peer's fingerprint is known: a ClientHello may come early.
MAX_EARLY_DATAGRAMS = 16

_EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"  # RFC 5764 section 4.2


class DtlsState(StrEnum):
    """The states of W3C webrtc-pc's RTCDtlsTransportState."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"
    FAILED = "failed"


# Looking it up in the class costs more than comparing it.
_CONNECTED = DtlsState.CONNECTED


class DtlsSinks(Protocol):
    """What a DTLS transport calls."""

    def send_record(self, datagram: bytes) -> None:
        """Send a datagram."""

    def dtls_connected(self) -> None:
        """The handshake is complete, and the peer's fingerprint is right."""

    def dtls_data(self, data: bytes, now: float) -> None:
        """Take the content of an application data record."""

    def dtls_closed(self) -> None:
        """The peer has closed the connection (close_notify)."""

    def dtls_failed(self, reason: str) -> None:
        """The handshake has failed, or the connection is broken."""


class DtlsTransport:
    """One DTLS association.

    Retransmission follows the clock that is passed in, not OpenSSL's: a lost flight
    goes out again, octet for octet, after as long as ICE's round trip suggests. When
    OpenSSL's own timer has run out as well, the flight that it writes anew is sent
    instead.

    Args:
        sinks: what is called.
        certificate: this side's.

    Attributes:
        state: the state of the association.
        is_client: this side's role; valid after ``configure``.
        deadline: when ``handle_timeout`` is due.
        malformed: dropped datagrams: too short for DTLS, too many before ``start``, or
            not what begins a handshake.
    """

    __slots__ = (
        "_certificate",
        "_early",
        "_fingerprints",
        "_flight",
        "_interval",
        "_retransmissions",
        "_seen",
        "_sinks",
        "_ssl",
        "deadline",
        "is_client",
        "malformed",
        "state",
    )

    def __init__(self, sinks: DtlsSinks, certificate: Certificate) -> None:
        self.state = DtlsState.NEW
        self.is_client = False
        self.deadline = math.inf
        self.malformed = 0
        self._sinks = sinks
        self._certificate = certificate
        self._fingerprints: Sequence[Fingerprint] = ()
        self._ssl: SSL.Connection | None = None
        self._early: list[bytes] = []
        self._flight: list[bytes] = []
        # Hashes of the handshake's datagrams, to recognize repeated ones. There are few
        # of them, and a set has room for eight.
        self._seen: list[int] = []
        self._interval = INITIAL_INTERVAL
        self._retransmissions = 0

    def configure(
        self, *, is_client: bool, fingerprints: Sequence[Fingerprint]
    ) -> None:
        """Set what the SDP says, before ``start``.

        Args:
            fingerprints: the peer's, of hash functions in ``HASHES``; at least one.
        """
        self.is_client = is_client
        self._fingerprints = fingerprints

    def start(self, now: float, rtt: float | None = None) -> None:
        """Begin the handshake: a client sends its ClientHello, a server waits.

        Args:
            rtt: the round trip that ICE has measured, in seconds.
        """
        if self.state is not DtlsState.NEW:
            return
        self.state = DtlsState.CONNECTING
        if rtt is not None:
            # The peer needs time to compute a flight, and a busy peer needs more.
            self._interval = min(max(MIN_INTERVAL, 4 * rtt), INITIAL_INTERVAL)
        ssl = self._ssl = SSL.Connection(self._certificate.context)
        ssl.set_ciphertext_mtu(MTU)
        if self.is_client:
            ssl.set_connect_state()
            self._shake_hands(now)
        else:
            ssl.set_accept_state()
        self._receive_early(now)

    def _receive_early(self, now: float) -> None:
        early, self._early = self._early, []
        for datagram in early:
            self.receive(datagram, now)

    def receive(self, datagram: bytes, now: float) -> bool:
        """Take a datagram whose first octet is between 20 and 63 (RFC 7983).

        Returns:
            Whether it may be this association's: False for a record that cannot be
            decrypted.
        """
        if self.state is _CONNECTED:
            return self._receive_connected(datagram, now)
        if len(datagram) < RECORD_HEADER:
            self.malformed += 1
            return False
        if self.state is DtlsState.NEW:
            if self.is_client:
                # Nobody can answer what was not asked: it is another session's.
                return False
            if len(self._early) == MAX_EARLY_DATAGRAMS:
                self.malformed += 1
                return False
            self._early.append(datagram)
            return True
        if self.state is not DtlsState.CONNECTING:
            return False
        assert self._ssl is not None
        if datagram[0] == APPLICATION_DATA:
            # It overtook the last message of the handshake, or is another session's.
            if len(self._early) < MAX_EARLY_DATAGRAMS:
                self._early.append(datagram)
            return False
        if not (self.is_client or self._flight or is_client_hello(datagram)):
            # It can be anybody's, and OpenSSL would end the handshake.
            self.malformed += 1
            return False
        self._ssl.bio_write(datagram)
        seen = hash(datagram)
        if len(self._seen) < MAX_SEEN and seen not in self._seen:
            self._seen.append(seen)
        if self._shake_hands(now):
            # Application data may have come behind the last message, or before it.
            self._read_all(now)
            self._receive_early(now)
        return True

    def send(self, data: bytes) -> bytes:
        """Encrypt data into one record, which the caller sends.

        Raises:
            ConnectionError: when there is no connection.
        """
        ssl = self._ssl
        if self.state is not _CONNECTED or ssl is None:
            raise ConnectionError("DTLS is not connected")
        try:
            ssl.send(data)
            return ssl.bio_read(len(data) + _OVERHEAD)
        except SSL.Error as error:
            self._fail(f"DTLS cannot send: {_reason(error)}")
            raise ConnectionError("DTLS is broken") from None

    def handle_timeout(self, now: float) -> None:
        """Retransmit the last flight when no answer has come."""
        if now < self.deadline:
            return
        ssl = self._ssl
        if self.state is not DtlsState.CONNECTING or ssl is None:
            self.deadline = math.inf
            return
        if self._retransmissions == MAX_RETRANSMISSIONS:
            self._fail("the DTLS handshake was not answered")
            return
        self._retransmissions += 1
        self._interval = min(2 * self._interval, MAX_INTERVAL)
        self.deadline = now + self._interval
        try:
            ssl.DTLSv1_handle_timeout()
        except SSL.Error as error:
            self._fail(f"the DTLS handshake failed: {_reason(error)}")
            return
        if renewed := self._written():
            self._flight = renewed
        for datagram in self._flight:
            self._sinks.send_record(datagram)

    def srtp(self, native: Native | None = None) -> SrtpTransport | None:
        """The SRTP contexts; None when the peer has not negotiated any.

        To be called once connected.

        Args:
            native: see ``SrtpTransport``.
        """
        ssl = self._ssl
        assert ssl is not None
        name = ssl.get_selected_srtp_profile()
        for profile in PROFILES:
            if profile.name == name:
                keys = ssl.export_keying_material(
                    _EXPORTER_LABEL, profile.keying_length
                )
                return SrtpTransport(
                    profile, keys, is_client=self.is_client, native=native
                )
        return None

    def close(self) -> None:
        """Send close_notify, and receive nothing more."""
        ssl, self._ssl = self._ssl, None
        connected = self.state is _CONNECTED
        self._end(DtlsState.CLOSED)
        if ssl is None or not connected:
            return
        try:
            ssl.shutdown()
            self._sinks.send_record(ssl.bio_read(_READ_SIZE))
        except SSL.Error:
            # The connection is broken already; there is nothing left to close.
            return

    # The handshake

    def _shake_hands(self, now: float) -> bool:
        """Continue the handshake. Return whether it is complete."""
        ssl = self._ssl
        assert ssl is not None
        try:
            ssl.do_handshake()
        except SSL.WantReadError:
            self._send_flight(now)
            return False
        except SSL.Error as error:
            for datagram in self._written():  # an alert, which says why
                self._sinks.send_record(datagram)
            self._fail(f"the DTLS handshake failed: {_reason(error)}")
            return False
        if not self._is_peer_known():
            self._fail("the DTLS certificate does not match its fingerprint")
            return False
        self._send_flight(now)
        self.deadline = math.inf
        self._retransmissions = 0
        self.state = DtlsState.CONNECTED
        self._sinks.dtls_connected()
        return True

    def _send_flight(self, now: float) -> None:
        """Send what OpenSSL has written, and wait for the answer."""
        flight = self._written()
        if not flight:
            return
        self._flight = flight
        self.deadline = now + self._interval
        for datagram in flight:
            self._sinks.send_record(datagram)

    def _written(self) -> list[bytes]:
        """The datagrams that OpenSSL has written."""
        assert self._ssl is not None
        try:
            return list(datagrams(self._ssl.bio_read(_READ_SIZE), MTU))
        except SSL.WantReadError:
            return []

    def _is_peer_known(self) -> bool:
        """Whether the peer's certificate has all the fingerprints (RFC 8122)."""
        assert self._ssl is not None
        certificate = self._ssl.get_peer_certificate()
        if certificate is None:
            return False
        # Its octets: what is in them is nobody's concern here, and may be anything.
        octets = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        checkable = [f for f in self._fingerprints if f.algorithm in HASHES]
        return bool(checkable) and all(
            f.value.upper() == digest(octets, f.algorithm) for f in checkable
        )

    # The connection

    def _receive_connected(self, datagram: bytes, now: float) -> bool:
        ssl = self._ssl
        assert ssl is not None
        ssl.bio_write(datagram)
        # One whole record needs one read; a second one would raise an exception.
        if datagram[0] == APPLICATION_DATA and (
            len(datagram) >= RECORD_HEADER
            and len(datagram) == RECORD_HEADER + (datagram[11] << 8 | datagram[12])
        ):
            try:
                data = ssl.recv(len(datagram))
            except SSL.WantReadError:
                return self._answer(datagram)
            except SSL.Error as error:
                return self._receive_end(error)
            self._sinks.dtls_data(data, now)
            return True
        return self._read_all(now) or self._answer(datagram)

    def _read_all(self, now: float) -> bool:
        """Pass on all application data that can be decrypted.

        Returns:
            Whether there was anything.
        """
        found = False
        while (ssl := self._ssl) is not None and self.state is _CONNECTED:
            try:
                data = ssl.recv(_READ_SIZE)
            except SSL.WantReadError:
                return found
            except SSL.Error as error:
                return self._receive_end(error)
            found = True
            self._sinks.dtls_data(data, now)
        return found

    def _receive_end(self, error: SSL.Error) -> bool:
        """The peer has closed the connection, or it is broken."""
        if isinstance(error, SSL.ZeroReturnError):
            self._end(DtlsState.CLOSED)
            self._sinks.dtls_closed()
        else:
            for datagram in self._written():
                self._sinks.send_record(datagram)
            self._fail(f"the DTLS connection is broken: {_reason(error)}")
        return True

    def _answer(self, datagram: bytes) -> bool:
        """Send OpenSSL's answer to a datagram without application data.

        Returns:
            Whether the datagram was authentic, as far as can be told.
        """
        written = self._written()
        for answer in written:
            self._sinks.send_record(answer)
        if any(answer[0] == ALERT for answer in written):
            # OpenSSL does not answer records that are not authentic. It refuses a new
            # handshake here; WebRTC never needs one.
            self._fail("the peer began a DTLS renegotiation")
            return True
        if written:
            return True
        if hash(datagram) not in self._seen:
            return False
        # The peer has repeated a flight, octet for octet: it has not received the
        # last one. OpenSSL answers by itself to one that is written anew.
        if not self.is_client and self._retransmissions < MAX_FINAL_RETRANSMISSIONS:
            self._retransmissions += 1
            for answer in self._flight:
                self._sinks.send_record(answer)
        return True

    def _fail(self, reason: str) -> None:
        self._end(DtlsState.FAILED)
        self._sinks.dtls_failed(reason)

    def _end(self, state: DtlsState) -> None:
        self.state = state
        self.deadline = math.inf
        self._ssl = None
        self._flight.clear()
        self._early.clear()


def _reason(error: SSL.Error) -> str:
    """OpenSSL's description of an error."""
    try:
        return str(error.args[0][0][2]) or "unknown"
    except (IndexError, TypeError):
        return type(error).__name__
