"""Packets that come: they are checked, and their chunks handed to their parts."""

from collections.abc import Callable, Iterable
from itertools import islice

from ..budget import Budget
from .chunks import (
    ABORT,
    CHUNK_HEADER,
    COMMON_HEADER_SIZE,
    COOKIE_ACK,
    COOKIE_ECHO,
    DATA,
    ERROR,
    FORWARD_TSN,
    HEARTBEAT,
    HEARTBEAT_ACK,
    INIT,
    INIT_ACK,
    RE_CONFIG,
    SACK,
    SACK_HEADER,
    SHUTDOWN,
    SHUTDOWN_ACK,
    SHUTDOWN_COMPLETE,
    STALE_COOKIE,
    TAG_REFLECTED,
    UNRECOGNIZED_CHUNK,
    USER_DATA_SIZE,
    SctpError,
    read_gaps,
    read_init,
    read_parameters,
    read_word,
    write_chunk,
    write_parameter,
)
from .handshake import TRANSFER, AssociationState, Outcome
from .packets import checksum_of
from .parts import Parts
from .reconfig import MAX_PARAMETERS, OUTGOING_RESET, RESPONSE

# Requests of a peer to reset or to add streams that are handled in a second.
MAX_REQUESTS = 500

_COOKIE_ECHOED = AssociationState.COOKIE_ECHOED
_ESTABLISHED = AssociationState.ESTABLISHED


class Receiver:
    """Handles packets.

    Args:
        parts: the parts of the association.
        end: called with a reason when the association is over.

    Attributes:
        is_over: the association is over: what is left of a packet is dropped.
        requests_refused: the peer's requests to reset streams that were too many.
    """

    __slots__ = (
        "_end",
        "_handshake",
        "_has_reset",
        "_inbound",
        "_parts",
        "_recovery",
        "_requests",
        "is_over",
        "requests_refused",
    )

    def __init__(self, parts: Parts, end: Callable[[str], None]) -> None:
        self._parts = parts
        self._end = end
        self._handshake = parts.handshake
        self._recovery = parts.recovery
        self._inbound = parts.inbound
        self.is_over = False
        self._has_reset = False
        self.requests_refused = 0
        self._requests = Budget(MAX_REQUESTS, MAX_REQUESTS)

    def receive(self, packet: bytes, now: float) -> None:
        """Handle the chunks of a packet.

        Raises:
            SctpError: at the first that is not sound.
        """
        self._check(packet)
        has_sack = False
        self._has_reset = False
        position, end = COMMON_HEADER_SIZE, len(packet)
        while position + CHUNK_HEADER.size <= end and not self.is_over:
            kind, flags, length = CHUNK_HEADER.unpack_from(packet, position)
            if length < CHUNK_HEADER.size or position + length > end:
                raise SctpError("a chunk with a wrong length")
            if kind == DATA:
                if self._handshake.state is _ESTABLISHED or self._takes_data():
                    self._inbound.receive_data(packet, position, flags, length)
            elif kind == SACK:
                # One is enough: going through gaps takes time.
                if self._handshake.state is _ESTABLISHED or self._takes_data():
                    if not has_sack:
                        self._receive_sack(packet, position, length, now)
                    has_sack = True
            elif kind == COOKIE_ECHO:
                self._receive_cookie_echo(packet, position, length, now)
            else:
                body = packet[position + CHUNK_HEADER.size : position + length]
                handler = _HANDLERS.get(kind)
                if handler is not None:
                    handler(self, body, now)
                else:
                    self._receive_unknown(kind, body)
            position += (length + 3) & ~3

    def perform_reset(self) -> None:
        """Reset streams of the peer, as soon as all data before is here."""
        parts = self._parts
        request = parts.resets.take_due(self._inbound.acknowledger.cumulative)
        if request is not None:
            streams: Iterable[int] = {*parts.table.channels, *self._inbound.streams}
            if request.streams:
                streams = request.streams.intersection(streams)
            self._inbound.reset(streams)
            parts.table.reset_by_peer(streams)
            self._inbound.release()

    def _check(self, packet: bytes) -> None:
        """Check the checksum and the verification tag (RFC 9260 section 8.5)."""
        if len(packet) < COMMON_HEADER_SIZE + CHUNK_HEADER.size:
            raise SctpError("a packet that is too short")
        if packet[8:12] != checksum_of(packet):
            raise SctpError("a wrong checksum")
        tag = int.from_bytes(packet[4:8], "big")
        handshake = self._handshake
        if tag == handshake.local_tag and packet[COMMON_HEADER_SIZE] != INIT:
            return
        kind, flags, length = CHUNK_HEADER.unpack_from(packet, COMMON_HEADER_SIZE)
        if kind == INIT:
            # It comes alone (RFC 9260 section 3.3.2).
            size = len(packet) - COMMON_HEADER_SIZE
            is_right = tag == 0 and (length + 3) & ~3 >= size
        elif kind in (ABORT, SHUTDOWN_COMPLETE) and flags & TAG_REFLECTED:
            is_right = handshake.peer is not None and tag == handshake.peer.tag
        else:
            # That of a cookie is checked with the cookie.
            is_right = kind == COOKIE_ECHO
        if not is_right:
            raise SctpError("a wrong verification tag")

    def _takes_data(self) -> bool:
        """Whether data and acknowledgements are handled in this state."""
        if self._handshake.state is _COOKIE_ECHOED:
            # The peer has taken the cookie, even if its answer is lost or late.
            self._take(self._handshake.receive_cookie_ack())
        return self._handshake.state in TRANSFER

    def _take(self, outcome: Outcome) -> None:
        """Do what the handshake asks for."""
        parts, handshake = self._parts, self._handshake
        if outcome is Outcome.CLOSED:
            self._end("the peer has shut the association down")
            return
        if outcome is Outcome.RESTARTED:
            parts.forget()
        if outcome in (Outcome.PEER_KNOWN, Outcome.RESTARTED):
            parts.begin()
        peer = handshake.peer
        if handshake.state is _ESTABLISHED and not parts.table.is_established and peer:
            parts.table.established(peer.inbound)

    # The chunks

    def _receive_sack(
        self, packet: bytes, position: int, length: int, now: float
    ) -> None:
        """Handle a SACK chunk (RFC 9260 section 3.3.4)."""
        if length < SACK_HEADER.size:
            raise SctpError("a SACK that is too short")
        _, _, _, cumulative, window, gaps, _ = SACK_HEADER.unpack_from(packet, position)
        if not gaps:
            self._recovery.receive_sack(cumulative, window, now)
        elif length < SACK_HEADER.size + 4 * gaps:
            raise SctpError("a SACK without all its gaps")
        else:
            blocks = read_gaps(packet, position, gaps)
            self._recovery.receive_gaps(cumulative, window, blocks, now)

    def _receive_cookie_echo(
        self, packet: bytes, position: int, length: int, now: float
    ) -> None:
        tag = int.from_bytes(packet[4:8], "big")
        body = packet[position + CHUNK_HEADER.size : position + length]
        self._take(self._handshake.receive_cookie_echo(body, tag, now))
        if tag != self._handshake.local_tag:
            raise SctpError("a cookie of another association")

    def _receive_unknown(self, kind: int, body: bytes) -> None:
        """Do what the two highest bits of the type say (RFC 9260 section 3.2)."""
        if kind & 0x40 and len(body) < USER_DATA_SIZE:
            cause = write_parameter(UNRECOGNIZED_CHUNK, write_chunk(kind, body))
            self._parts.packets.add_control(write_chunk(ERROR, cause))
        if not kind & 0x80:
            raise SctpError("an unknown chunk")

    def _receive_init(self, body: bytes, now: float) -> None:
        self._handshake.receive_init(read_init(body), now)

    def _receive_init_ack(self, body: bytes, now: float) -> None:
        self._take(self._handshake.receive_init_ack(read_init(body), now))

    def _receive_cookie_ack(self, body: bytes, now: float) -> None:
        self._take(self._handshake.receive_cookie_ack())

    def _receive_heartbeat(self, body: bytes, now: float) -> None:
        """Answer a HEARTBEAT (RFC 9260 section 8.3)."""
        if len(body) <= USER_DATA_SIZE:
            self._parts.packets.add_control(write_chunk(HEARTBEAT_ACK, body))

    def _receive_abort(self, body: bytes, now: float) -> None:
        """Handle an ABORT, whose causes only explain it (RFC 9260 section 9.1)."""
        cause = f" (cause {int.from_bytes(body[:2], 'big')})" if len(body) >= 4 else ""
        self._end(f"the peer aborted the association{cause}")

    def _receive_error(self, body: bytes, now: float) -> None:
        """Handle an ERROR: only that about a cookie asks for anything."""
        if any(kind == STALE_COOKIE for kind, _ in read_parameters(body)):
            self._handshake.receive_stale_cookie(now)

    def _receive_shutdown(self, body: bytes, now: float) -> None:
        """Handle a SHUTDOWN, which acknowledges too (RFC 9260 section 9.2)."""
        cumulative = read_word(body)
        if self._handshake.state in TRANSFER:
            recovery = self._recovery
            recovery.receive_sack(cumulative, recovery.peer_window, now)
        self._handshake.receive_shutdown()

    def _receive_shutdown_ack(self, body: bytes, now: float) -> None:
        self._take(self._handshake.receive_shutdown_ack())

    def _receive_shutdown_complete(self, body: bytes, now: float) -> None:
        self._take(self._handshake.receive_shutdown_complete())

    def _receive_forward_tsn(self, body: bytes, now: float) -> None:
        if self._takes_data():
            self._inbound.receive_forward_tsn(body)

    def _receive_re_config(self, body: bytes, now: float) -> None:
        """Handle a RE-CONFIG chunk (RFC 6525 section 5.2)."""
        if not self._takes_data():
            return
        parts, recovery = self._parts, self._recovery
        resets = parts.resets
        rto = recovery.round_trip.timeout
        for kind, value in islice(read_parameters(body), MAX_PARAMETERS):
            if kind == RESPONSE:
                acknowledged = recovery.board.acknowledged
                done = resets.receive_response(value, acknowledged, now, rto)
                parts.sender.reset_streams({c.id for c in done if c.outbound_reset})
                parts.table.reset_performed(done)
            elif self._has_reset or not self._requests.take(now):
                # A sound peer has one request at a time (RFC 6525 section 5.1.1), and
                # repeats one that has no answer.
                self.requests_refused += 1
                return
            elif kind == OUTGOING_RESET:
                self._has_reset = True
                resets.receive_request(value, self._inbound.acknowledger.cumulative)
                self.perform_reset()
            else:
                self._has_reset = True
                resets.receive_other_request(kind, value)

    def _ignore(self, body: bytes, now: float) -> None:
        """Take what asks for nothing."""


# What is seldom: the rest of the chunks of an association.
_HANDLERS: dict[int, Callable[[Receiver, bytes, float], None]] = {
    INIT: Receiver._receive_init,
    INIT_ACK: Receiver._receive_init_ack,
    HEARTBEAT: Receiver._receive_heartbeat,
    HEARTBEAT_ACK: Receiver._ignore,
    ABORT: Receiver._receive_abort,
    SHUTDOWN: Receiver._receive_shutdown,
    SHUTDOWN_ACK: Receiver._receive_shutdown_ack,
    ERROR: Receiver._receive_error,
    COOKIE_ACK: Receiver._receive_cookie_ack,
    SHUTDOWN_COMPLETE: Receiver._receive_shutdown_complete,
    RE_CONFIG: Receiver._receive_re_config,
    FORWARD_TSN: Receiver._receive_forward_tsn,
}
