"""Stream resets, by which data channels are closed (RFC 6525, RFC 8831 section 6.7).

TSNs are numbers without a wrap (see ``chunks.unwrap``); request numbers are 32 bits.
"""

import math
from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from .channel import DataChannel
from .chunks import RE_CONFIG, TSN_MASK, SctpError, unwrap, write_chunk, write_parameter
from .congestion import MAX_RETRANSMISSIONS, back_off
from .reassembly import MAX_STREAMS

# Parameters (RFC 6525 section 4).
OUTGOING_RESET = 13
INCOMING_RESET = 14
TSN_RESET = 15
RESPONSE = 16
ADD_OUTGOING = 17
ADD_INCOMING = 18

# Results (RFC 6525 section 4.4).
NOTHING_TO_DO = 0
PERFORMED = 1
DENIED = 2
REQUEST_IN_PROGRESS = 4
BAD_SEQUENCE = 5
IN_PROGRESS = 6

MAX_RESET_STREAMS = 256
"""Streams that one request resets at most; it fits a packet."""

MAX_PARAMETERS = 2
"""Parameters that a RE-CONFIG chunk has at most (RFC 6525 section 3.1)."""

MAX_RESETS = 2 * MAX_STREAMS
"""Resets that may wait for the peer, which has to answer one after the other."""

_REQUEST = Struct("!LLL")
_RESPONSE = Struct("!LL")
_SINGLE = Struct("!H")


class ResetRequest(NamedTuple):
    """The peer asks to reset streams of its own (RFC 6525 section 4.1).

    Attributes:
        number: that of the request.
        last_tsn: the last TSN that the peer used before it.
        streams: the streams; all, when there are none.
    """

    number: int
    last_tsn: int
    streams: frozenset[int]

    def covers(self, tsn: int, stream_id: int) -> bool:
        """Whether a chunk was sent on one of the streams, after their reset."""
        return tsn > self.last_tsn and (not self.streams or stream_id in self.streams)


class StreamResets:
    """Resets of streams, of this side's and of the peer's.

    Args:
        send: puts a chunk into one of the next packets.
        first: the number of the first request of this side: its first TSN.

    Attributes:
        deferred: the peer's request that waits for data sent before it.
        deadline: when the request of this side is to be retransmitted.
        failures: retransmissions in a row that were not answered.
        is_supported: the peer knows RE-CONFIG.
    """

    __slots__ = (
        "_answers_in_progress",
        "_expected",
        "_in_progress",
        "_last_result",
        "_last_tsn",
        "_next_number",
        "_request",
        "_requested",
        "_send",
        "_waiting",
        "deadline",
        "deferred",
        "failures",
        "is_supported",
    )

    def __init__(self, send: Callable[[bytes], None], first: int) -> None:
        self._send = send
        self.start(first, first, True)

    def start(self, first: int, peer_first: int, is_supported: bool) -> None:
        """Begin an association.

        Args:
            first: the first TSN of this side, 32 bits.
            peer_first: the first TSN of the peer, 32 bits.
            is_supported: the peer knows RE-CONFIG.
        """
        self.deferred: ResetRequest | None = None
        self.deadline = math.inf
        self.failures = 0
        self.is_supported = is_supported
        self._next_number = first
        self._expected = peer_first
        self._last_result = NOTHING_TO_DO
        self._waiting: list[DataChannel] = []
        # The request that is not answered yet: its channels, chunk and last TSN.
        self._requested: list[DataChannel] = []
        self._request = b""
        self._last_tsn = 0
        self._answers_in_progress = 0
        self._in_progress = False

    # Of this side

    @property
    def pending(self) -> int:
        """How many resets are not done."""
        return len(self._waiting) + len(self._requested)

    def queue(self, channel: DataChannel) -> None:
        """Reset the outgoing stream of a channel, after its messages."""
        self._waiting.append(channel)

    def request(self, next_tsn: int, now: float, rto: float) -> None:
        """Request the resets that wait, when none is requested (RFC 6525, 5.1.2).

        Args:
            next_tsn: the TSN of the next new chunk.
            rto: seconds after which the request is retransmitted.
        """
        if self._requested or not self._waiting:
            return
        # Messages sent before the channel was closed come first.
        ready = [c for c in self._waiting if not c.queued and c.held is None]
        del ready[MAX_RESET_STREAMS:]
        if not ready:
            return
        chosen = set(ready)
        self._waiting = [c for c in self._waiting if c not in chosen]
        self._requested = ready
        self._last_tsn = next_tsn - 1
        head = _REQUEST.pack(
            self._next_number,
            (self._expected - 1) & TSN_MASK,
            self._last_tsn & TSN_MASK,
        )
        streams = b"".join([_SINGLE.pack(channel.id) for channel in ready])
        parameter = write_parameter(OUTGOING_RESET, head + streams)
        # A padding at the end is not counted into the length of the chunk.
        length = 4 + len(head) + len(streams)
        self._request = write_chunk(RE_CONFIG, parameter[:length])
        self._next_number = (self._next_number + 1) & TSN_MASK
        self.failures = self._answers_in_progress = 0
        self._in_progress = False
        self._transmit(now, rto)

    def _transmit(self, now: float, rto: float) -> None:
        self._send(self._request)
        self.deadline = now + back_off(rto, self.failures)

    def acknowledged(self, cumulative: int, now: float, rto: float) -> None:
        """Note what the peer has received.

        A peer that answered "in progress" waited for that, so it is asked at once.
        """
        if self._in_progress and cumulative >= self._last_tsn:
            self._in_progress = False
            self._transmit(now, rto)

    def handle_timeout(self, now: float, rto: float) -> None:
        """Retransmit the request (RFC 6525 section 5.1.1)."""
        if now < self.deadline:
            return
        self.failures += 1
        self._transmit(now, rto)

    def receive_response(
        self, value: bytes, cumulative: int, now: float, rto: float
    ) -> list[DataChannel]:
        """Take the answer to a request (RFC 6525 section 5.2.7).

        Args:
            value: the value of the parameter.
            cumulative: the TSN up to which the peer has everything.

        Returns:
            The channels of which the outgoing stream is reset now. Of those whose reset
            the peer has refused ``outbound_reset`` stays false.

        Raises:
            SctpError: when it is too short.
        """
        if len(value) < _RESPONSE.size:
            raise SctpError("a response that is too short")
        number, result = _RESPONSE.unpack_from(value)
        if not self._requested or number != (self._next_number - 1) & TSN_MASK:
            return []
        if result == IN_PROGRESS:
            self.failures = 0
            if cumulative >= self._last_tsn:
                self._answers_in_progress += 1
            if self._answers_in_progress <= MAX_RETRANSMISSIONS:
                # The peer waits for data; the request is retransmitted later.
                self._in_progress = cumulative < self._last_tsn
                self.deadline = now + rto
                return []
        channels, self._requested = self._requested, []
        self.deadline = math.inf
        self.failures = 0
        self._in_progress = False
        for channel in channels:
            channel.outbound_reset = result in (NOTHING_TO_DO, PERFORMED, IN_PROGRESS)
        return channels

    # Of the peer

    def receive_request(self, value: bytes, cumulative: int) -> None:
        """Take a request to reset streams of the peer (RFC 6525 section 5.2.2).

        It is left in ``deferred``, to be performed when all data before it is here.

        Args:
            value: the value of the parameter.
            cumulative: the TSN up to which everything was received.

        Raises:
            SctpError: when it is not sound.
        """
        if len(value) < _REQUEST.size or len(value) % 2:
            raise SctpError("a reset request with a wrong length")
        number, _, last_tsn = _REQUEST.unpack_from(value)
        if not self._is_next(number):
            return
        streams = frozenset(
            stream_id for (stream_id,) in _SINGLE.iter_unpack(value[_REQUEST.size :])
        )
        self.deferred = ResetRequest(number, unwrap(last_tsn, cumulative), streams)
        if self.deferred.last_tsn > cumulative:
            self._answer(number, IN_PROGRESS)

    def receive_other_request(self, kind: int, value: bytes) -> None:
        """Take a request of another kind: more streams are allowed, others denied.

        Raises:
            SctpError: when it is too short.
        """
        if len(value) < 8:
            raise SctpError("a request that is too short")
        number = int.from_bytes(value[:4], "big")
        if self._is_next(number):
            self._answer(number, PERFORMED if kind == ADD_OUTGOING else DENIED)

    def take_due(self, cumulative: int) -> ResetRequest | None:
        """Return the peer's request if it is to be performed now.

        Args:
            cumulative: the TSN up to which everything was received.
        """
        request = self.deferred
        if request is None or request.last_tsn > cumulative:
            return None
        self.deferred = None
        self._answer(request.number, PERFORMED)
        return request

    def _is_next(self, number: int) -> bool:
        """Whether a request is new; others are answered (RFC 6525 section 5.2.1)."""
        if number == (self._expected - 1) & TSN_MASK:
            self._respond(number, self._last_result)
        elif number != self._expected:
            self._respond(number, BAD_SEQUENCE)
        elif self.deferred is not None:
            self._respond(number, REQUEST_IN_PROGRESS)
        else:
            self._expected = (number + 1) & TSN_MASK
            return True
        return False

    def _answer(self, number: int, result: int) -> None:
        self._last_result = result
        self._respond(number, result)

    def _respond(self, number: int, result: int) -> None:
        body = write_parameter(RESPONSE, _RESPONSE.pack(number, result))
        self._send(write_chunk(RE_CONFIG, body))
