"""SCTP (RFC 9260), the packets that come in, and their acknowledgement.

Replaced of aiortc is the way of a packet in: it is handled within the callback of its
socket, acknowledgements ride on data or are sent for every second packet, and the
window that the peer is told closes by as much as is still to be sent to it.
"""

import asyncio
import logging
from struct import Struct, pack

from aiortc.rtcsctptransport import (
    CHUNK_TYPES,
    SCTP_CAUSE_INVALID_STREAM,
    SCTP_COMMON_HEADER_LENGTH,
    SCTP_DATA_CHUNK_HEADER_LENGTH,
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    SCTP_DATA_UNORDERED,
    AbortChunk,
    DataChunk,
    ErrorChunk,
    HeartbeatAckChunk,
    HeartbeatChunk,
    InitAckChunk,
    InitChunk,
    ReconfigChunk,
    SackChunk,
)
from aiortc.utils import uint16_gt
from google_crc32c import value as crc32c

from .completion import run_to_completion
from .dtls import DtlsTransport
from .sctp_reassembly import SctpReassembly
from .sctp_recovery import TSN_MODULO
from .sctp_sender import CHECKSUM, DATA_HEADER

logger = logging.getLogger(__name__)

# RFC 9260 section 6.2: an acknowledgement may wait this long for company (seconds).
SACK_DELAY = 0.04
# ... but not for more packets than this.
PACKETS_PER_SACK = 2

# How far ahead a chunk may be: a SACK cannot report more.
MAX_GAP = 0xFFFF

# Gaps, and duplicates, that one SACK reports; both fit a packet.
MAX_SACK_BLOCKS = 128

_DATA = DataChunk.type
_SACK = SackChunk.type
_INIT = InitChunk.type
_PLAIN_SACK = 16
# Where the parameters of those chunks begin that have any, after the chunk's header.
_PARAMETERS_AT = {
    **dict.fromkeys((AbortChunk.type, ErrorChunk.type, ReconfigChunk.type), 0),
    **dict.fromkeys((HeartbeatChunk.type, HeartbeatAckChunk.type), 0),
    **dict.fromkeys((InitChunk.type, InitAckChunk.type), 16),
}
_WHOLE = SCTP_DATA_FIRST_FRAG | SCTP_DATA_LAST_FRAG
_IMMEDIATE = 0x08  # RFC 7053: the I bit asks for an acknowledgement at once

_COMMON_HEADER = Struct("!HHLL")
_CHUNK_HEADER = Struct("!BBH")


class SctpReceiver(SctpReassembly):
    """Takes the packets of the peer, and acknowledges them.

    Args:
        transport: the DTLS transport below.
        limit: octets that may be held for this peer (see ``SctpReassembly``).
    """

    def __init__(self, transport: DtlsTransport, limit: int | None) -> None:
        super().__init__(transport, limit)
        self._announced_window = self._window
        self._corked = False
        self._packets_unacknowledged = 0
        self._sack_at_once = False
        self._sack_timer: asyncio.TimerHandle | None = None

    def _pump(self) -> None:
        """Send all that may be sent now."""
        raise NotImplementedError

    def receive_packet(self, packet: bytes) -> None:
        """Handle one SCTP packet, decrypted.

        What breaks the protocol is dropped; nothing is raised.
        """
        if (
            len(packet) < SCTP_COMMON_HEADER_LENGTH + _CHUNK_HEADER.size
            or self._association_state == self.State.CLOSED
        ):
            return
        _, _, tag, _ = _COMMON_HEADER.unpack_from(packet)
        (checksum,) = CHECKSUM.unpack_from(packet, 8)
        if checksum != crc32c(packet[:8] + b"\0\0\0\0" + packet[12:]):
            return
        # An INIT comes alone and with tag 0 (RFC 9260 section 8.5.1).
        if tag != (0 if packet[12] == _INIT else self._local_verification_tag):
            return
        self._corked = True
        try:
            self._receive_chunks(packet)
            self._pop_messages()
            if self._reconfig_deferred is not None:
                run_to_completion(self._reset_deferred_streams())
        except ConnectionError:
            return
        except Exception:
            logger.debug("Dropped a malformed SCTP packet", exc_info=True)
        finally:
            self._corked = False
        if self._sack_needed:
            self._packets_unacknowledged += 1
        self._pump()

    def _receive_chunks(self, packet: bytes) -> None:
        position, end = SCTP_COMMON_HEADER_LENGTH, len(packet)
        while position + _CHUNK_HEADER.size <= end:
            kind, flags, length = _CHUNK_HEADER.unpack_from(packet, position)
            if length < _CHUNK_HEADER.size or position + length > end:
                return
            if kind == _DATA:
                if length <= SCTP_DATA_CHUNK_HEADER_LENGTH:
                    return
                self._receive_data(packet, position, flags, length)
            elif kind == _SACK:
                if not self._receive_sack(packet, position, length):
                    return
            elif chunk_class := CHUNK_TYPES.get(kind):
                body = packet[position + 4 : position + length]
                if not _has_sound_parameters(kind, body):
                    return
                # It may skip or reset streams, for which the messages before count.
                self._pop_messages()
                chunk = chunk_class(flags=flags, body=body)
                run_to_completion(self._receive_chunk(chunk))
                self._fragments = sum(
                    len(stream.reassembly) for stream in self._inbound_streams.values()
                )
            position += length + (-length & 3)

    def _receive_data(
        self, packet: bytes, position: int, flags: int, length: int
    ) -> None:
        """Handle a DATA chunk (RFC 9260 section 6.2)."""
        if self._last_received_tsn is None:
            return
        _, _, _, tsn, stream_id, stream_seq, protocol = DATA_HEADER.unpack_from(
            packet, position
        )
        data = packet[position + SCTP_DATA_CHUNK_HEADER_LENGTH : position + length]
        self._sack_needed = True
        if flags & _IMMEDIATE:
            self._sack_at_once = True
        ahead = (tsn - self._last_received_tsn) % TSN_MODULO
        in_order = ahead == 1
        # A SACK cannot report what is further ahead (RFC 9260 section 3.3.4).
        if MAX_GAP < ahead < TSN_MODULO // 2 or not self._has_room(len(data), in_order):
            self._sack_at_once = True
            return
        if in_order and not self._sack_misordered:
            self._last_received_tsn = tsn
        elif self._mark_received(tsn):
            self._sack_at_once = True
            return
        else:
            self._sack_at_once = True

        if stream_id >= self._inbound_streams_max:
            self._refuse_stream(stream_id)
            return
        stream = self._get_inbound_stream(stream_id)
        if (
            flags & _WHOLE == _WHOLE
            and not stream.reassembly
            and (
                flags & SCTP_DATA_UNORDERED
                or not uint16_gt(stream_seq, stream.sequence_number)
            )
        ):
            if not flags & SCTP_DATA_UNORDERED and stream_seq == stream.sequence_number:
                stream.sequence_number = (stream_seq + 1) & 0xFFFF
            self._deliver(stream_id, protocol, data, flags)
        else:
            self._reassemble(
                stream, flags, (tsn, stream_id, stream_seq, protocol), data
            )

    def _refuse_stream(self, stream_id: int) -> None:
        """Answer data on a stream that was not agreed upon (RFC 9260 section 6.5)."""
        error = ErrorChunk()
        error.params.append((SCTP_CAUSE_INVALID_STREAM, pack("!HH", stream_id, 0)))
        self._send_body(bytes(error))

    def _acknowledge(self) -> None:
        """Send what was received, now or a little later (RFC 9260 section 6.2)."""
        if (
            self._announced_window < self._window // 4
            and self._open_window > self._window // 2
        ):
            # The peer waits for the window to open.
            self._sack_needed = self._sack_at_once = True
        if not self._sack_needed:
            return
        if self._sack_at_once or self._packets_unacknowledged >= PACKETS_PER_SACK:
            self._add_to_bundle(self._write_sack())
        elif self._sack_timer is None:
            self._sack_timer = asyncio.get_running_loop().call_later(
                SACK_DELAY, self._sack_is_due
            )

    def _sack_is_due(self) -> None:
        self._sack_timer = None
        # Meanwhile all may have been acknowledged: the timer is left to run, for
        # setting it anew with every packet costs more.
        if self._sack_needed:
            self._sack_at_once = True
            self._pump()

    @property
    def _open_window(self) -> int:
        """Octets that the peer may send: what is held here is not free."""
        return max(0, self._free_window)

    def _write_sack(self) -> bytes:
        """Make the SACK chunk, after which nothing is left to acknowledge."""
        assert self._last_received_tsn is not None
        sack = SackChunk()
        sack.cumulative_tsn = self._last_received_tsn
        sack.advertised_rwnd = self._announced_window = self._open_window
        if self._sack_misordered:
            sack.gaps = self._gaps(self._last_received_tsn)
        sack.duplicates = self._sack_duplicates[:MAX_SACK_BLOCKS]
        self._sack_duplicates.clear()
        self._sack_needed = self._sack_at_once = False
        self._packets_unacknowledged = 0
        return bytes(sack)

    def _gaps(self, cumulative: int) -> list[tuple[int, int]]:
        """The runs of TSNs received beyond a gap, as offsets (RFC 9260 3.3.4)."""
        gaps: list[tuple[int, int]] = []
        for offset in sorted(
            (tsn - cumulative) % TSN_MODULO for tsn in self._sack_misordered
        ):
            if gaps and gaps[-1][1] == offset - 1:
                gaps[-1] = (gaps[-1][0], offset)
            elif len(gaps) == MAX_SACK_BLOCKS:
                break
            else:
                gaps.append((offset, offset))
        return gaps

    def _company(self, room: int) -> bytes:
        if (
            not self._sack_needed
            or room < _PLAIN_SACK
            or self._sack_misordered
            or self._sack_duplicates
        ):
            return b""
        return self._write_sack()

    def _stop_acknowledging(self) -> None:
        """Forget the timer; called at the end."""
        if self._sack_timer is not None:
            self._sack_timer.cancel()
            self._sack_timer = None


def _has_sound_parameters(kind: int, body: bytes) -> bool:
    """Whether the parameters of a chunk can be gone through: none without a head.

    aiortc goes through them without end when one claims to have no length.
    """
    start = _PARAMETERS_AT.get(kind)
    if start is None:
        return True
    while start + 4 <= len(body):
        length = int.from_bytes(body[start + 2 : start + 4], "big")
        if length < 4:
            return False
        start += length + (-length & 3)
    return True
