"""SCTP (RFC 9260), the fate of what was sent: acknowledged, or lost and sent again.

aiortc's recovery is kept for loss, gaps and abandoned messages. Replaced is what
happens with every packet while nothing is lost: its acknowledgement, and the T3 timer.
"""

import asyncio
import time
from struct import Struct

from aiortc import RTCSctpTransport
from aiortc.rtcsctptransport import USERDATA_MAX_LENGTH, SackChunk

from .completion import run_to_completion
from .dtls import DtlsTransport

TSN_MODULO = 1 << 32
_HALF = TSN_MODULO // 2

_SACK = Struct("!BBHLLHH")


class SctpRecovery(RTCSctpTransport):
    """Keeps account of the chunks in ``_sent_queue``.

    Args:
        transport: the DTLS transport below.
    """

    def __init__(self, transport: DtlsTransport) -> None:
        super().__init__(transport)
        self._peer_window = 1 << 17  # until the peer says
        self._has_lost = False
        self._t3_deadline: float | None = None

    @property
    def _may_have_lost(self) -> bool:
        """Whether a sent chunk may be marked to be sent again."""
        return self._has_lost or self._fast_recovery_exit is not None

    def _receive_sack(self, packet: bytes, position: int, length: int) -> bool:
        """Handle a SACK chunk (RFC 9260 section 6.2.1).

        Returns:
            Whether it is plausible: going through gaps takes time, and what was never
            sent cannot be acknowledged.
        """
        if length < _SACK.size:
            return False
        _, _, _, cumulative, window, gaps, _ = _SACK.unpack_from(packet, position)
        last_sent = self._local_tsn - 1 - len(self._outbound_queue)
        outstanding = (last_sent - cumulative) % TSN_MODULO
        if outstanding >= _HALF:
            return False
        if (self._last_sacked_tsn - cumulative - 1) % TSN_MODULO < _HALF:
            return True  # older than what is known
        if gaps == 0 and self._acknowledge_in_order(cumulative):
            self._peer_window = window
            return True
        if length < _SACK.size + 4 * gaps:
            return False
        sack = SackChunk(body=packet[position + 4 : position + length])
        reported = 1
        for first, last in sack.gaps:
            # The next TSN is missing; blocks ascend and do not touch.
            if not reported < first <= last <= outstanding:
                return False
            reported = last + 1
        self._peer_window = window
        run_to_completion(self._receive_sack_chunk(sack))
        return True

    def _acknowledge_in_order(self, cumulative: int) -> bool:
        """Take an acknowledgement without gaps while nothing is lost or abandoned.

        Does what aiortc does with it, without going through the queues.

        Returns:
            Whether it was one.
        """
        last = self._last_sacked_tsn
        if self._may_have_lost or self._advanced_peer_ack_tsn != last:
            return False
        count = (cumulative - last) % TSN_MODULO
        sent = self._sent_queue
        if count > len(sent):
            return False
        self._last_sacked_tsn = self._advanced_peer_ack_tsn = cumulative
        if count == 0:
            return True
        was_full = self._flight_size >= self._cwnd
        first_sent = sent[0]._sent_time
        if sent[0]._sent_count == 1 and first_sent is not None:
            self._update_rto(time.time() - first_sent)
        octets = 0
        for _ in range(count):
            chunk = sent.popleft()
            if not chunk._acked:
                octets += chunk._book_size
            if chunk._in_flight:
                self._flight_size -= chunk._book_size
        if was_full:
            self._open_congestion_window(octets)
        if sent:
            self._t3_restart()
        else:
            self._t3_cancel()
        return True

    def _open_congestion_window(self, octets: int) -> None:
        """Slow start and congestion avoidance (RFC 9260 sections 7.2.1 and 7.2.2)."""
        if self._cwnd <= self._ssthresh:
            self._cwnd += min(octets, USERDATA_MAX_LENGTH)
            return
        self._partial_bytes_acked += octets
        if self._partial_bytes_acked >= self._cwnd:
            self._partial_bytes_acked -= self._cwnd
            self._cwnd += USERDATA_MAX_LENGTH

    # Overrides of aiortc: T3 is set anew with almost every packet, so it is a deadline,
    # and a timer that looks at the deadline when it is due.

    def _t3_start(self) -> None:
        self._t3_restart()

    def _t3_restart(self) -> None:
        loop = asyncio.get_running_loop()
        self._t3_deadline = loop.time() + self._rto
        if self._t3_handle is not None:
            if self._t3_handle.when() <= self._t3_deadline:
                return
            # The timeout has become shorter than the timer that runs.
            self._t3_handle.cancel()
        self._t3_handle = loop.call_at(self._t3_deadline, self._t3_is_due)

    def _t3_cancel(self) -> None:
        self._t3_deadline = None

    def _ensure_t3(self) -> None:
        if self._t3_deadline is None:
            self._t3_restart()

    def _t3_is_due(self) -> None:
        self._t3_handle = None
        if self._t3_deadline is None:
            return
        loop = asyncio.get_running_loop()
        if self._t3_deadline > loop.time():
            self._t3_handle = loop.call_at(self._t3_deadline, self._t3_is_due)
        else:
            self._t3_deadline = None
            self._t3_expired()

    def _t3_expired(self) -> None:
        self._has_lost = True
        super()._t3_expired()

    def _stop_recovery(self) -> None:
        """Forget the timer; called at the end."""
        self._t3_deadline = None
        if self._t3_handle is not None:
            self._t3_handle.cancel()
            self._t3_handle = None
