"""SCTP (RFC 9260), the messages that come in: chunks kept until a message is whole.

aiortc's streams are kept. Replaced is the account of what is kept, which bounds the
memory that a peer can take, and the skipping of what the peer has abandoned.
"""

import logging

from aiortc.rtcsctptransport import (
    LOCAL_MAX_MESSAGE_SIZE,
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    DataChunk,
    ForwardTsnChunk,
    InboundStream,
)
from aiortc.utils import uint16_gt

from .completion import run_to_completion
from .dtls import DtlsTransport
from .sctp_recovery import TSN_MODULO
from .sctp_sender import MESSAGE_COST, SctpSender

logger = logging.getLogger(__name__)

MAX_MESSAGE_SIZE = LOCAL_MAX_MESSAGE_SIZE
DEFAULT_WINDOW = 1024 * 1024

# Streams that a peer may use, each of which can be a data channel.
MAX_STREAMS = 1024

# How many chunks may be kept beyond a gap.
MAX_MISORDERED = 2048

_HALF = TSN_MODULO // 2


class SctpReassembly(SctpSender):
    """Hands every whole message to ``_deliver``.

    Args:
        transport: the DTLS transport below.
        limit: octets that may be held for this peer: incomplete messages, and
            messages to be sent that it has not acknowledged. With None, only
            incomplete messages count, up to ``DEFAULT_WINDOW``.
    """

    def __init__(self, transport: DtlsTransport, limit: int | None) -> None:
        super().__init__(transport)
        self._window = DEFAULT_WINDOW if limit is None else limit
        self._advertised_rwnd = self._window
        self._counts_outgoing = limit is not None
        self._inbound_streams_max = MAX_STREAMS
        self._fragments = 0  # chunks kept in all streams
        # Streams in which a message may be whole, and the flags of its last chunk.
        self._ready: dict[int, tuple[InboundStream, int]] = {}

    def _deliver(self, stream_id: int, protocol: int, data: bytes, flags: int) -> None:
        """Take a message."""
        raise NotImplementedError

    def _reassemble(
        self,
        stream: InboundStream,
        flags: int,
        header: tuple[int, int, int, int],
        data: bytes,
    ) -> None:
        chunk = DataChunk(flags=flags)
        chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol = header
        chunk.user_data = data
        stream.add_chunk(chunk)
        self._advertised_rwnd -= len(data)
        self._fragments += 1
        # A fragment at the end that is not the last of its message completes none.
        if flags & SCTP_DATA_LAST_FRAG or stream.reassembly[-1] is not chunk:
            self._ready[chunk.stream_id] = stream, flags

    def _pop_messages(self) -> None:
        """Deliver what has become whole. Once per packet, for it takes a search."""
        while self._ready:
            _, (stream, flags) = self._ready.popitem()
            kept = len(stream.reassembly)
            for stream_id, protocol, message in stream.pop_messages():
                self._advertised_rwnd += len(message)
                self._deliver(stream_id, protocol, message, flags)
            self._fragments -= kept - len(stream.reassembly)

    def _has_room(self, length: int, in_order: bool) -> bool:
        """Whether a chunk may be kept.

        A peer that respects the window it was told never meets the end of this room,
        twice the window. For one that does not, chunks are dropped, which it will
        send again.
        """
        room = self._window + self._free_window
        if room >= length:
            return in_order or len(self._sack_misordered) < MAX_MISORDERED
        # With nothing to send back, only completing a message can make room.
        if in_order and self._held_back == 0:
            if room > -MAX_MESSAGE_SIZE:
                return True
            logger.debug("A message larger than the negotiated maximum; aborting")
            run_to_completion(self._abort())
            self._set_state(self.State.CLOSED)
        return False

    @property
    def _free_window(self) -> int:
        """Octets of the window that are free; below zero when too much is held."""
        kept = self._fragments * MESSAGE_COST
        return self._advertised_rwnd - kept - self._held_back

    @property
    def _held_back(self) -> int:
        """Octets of the window that what is still to be sent takes."""
        return self._held if self._counts_outgoing else 0

    def _close_gap(self, cumulative: int) -> None:
        """Move the cumulative TSN on over what was received beyond it."""
        while (expected := (cumulative + 1) % TSN_MODULO) in self._sack_misordered:
            self._sack_misordered.remove(expected)
            cumulative = expected
        self._last_received_tsn = cumulative

    def _drop_abandoned(self, stream: InboundStream, cumulative: int) -> bool:
        """Drop the part of a message at the head of a stream that will not be whole.

        Returns:
            Whether there was one.
        """
        chunks = stream.reassembly
        if not chunks or (cumulative - chunks[0].tsn) % TSN_MODULO >= _HALF:
            return False
        # The chunks of one message, without a gap.
        end = 1
        while (
            end < len(chunks)
            and not chunks[end].flags & SCTP_DATA_FIRST_FRAG
            and chunks[end].tsn == (chunks[end - 1].tsn + 1) % TSN_MODULO
        ):
            end += 1
        missing = (cumulative - chunks[end - 1].tsn) % TSN_MODULO
        if chunks[0].flags & SCTP_DATA_FIRST_FRAG and not 0 < missing < _HALF:
            return False  # complete so far; the rest may still come
        self._advertised_rwnd += sum(len(chunk.user_data) for chunk in chunks[:end])
        self._fragments -= end
        del chunks[:end]
        return True

    # Overrides of aiortc

    def _mark_received(self, tsn: int) -> bool:
        assert self._last_received_tsn is not None
        offset = (tsn - self._last_received_tsn) % TSN_MODULO
        if offset == 0 or offset >= _HALF or tsn in self._sack_misordered:
            self._sack_duplicates.append(tsn)
            return True
        self._sack_misordered.add(tsn)
        self._close_gap(self._last_received_tsn)
        return False

    async def _receive_forward_tsn_chunk(self, chunk: ForwardTsnChunk) -> None:
        # RFC 3758 section 3.6. aiortc's also drops whole messages that stand behind a
        # part of an abandoned one, and never gets past them.
        assert self._last_received_tsn is not None
        self._sack_needed = True
        cumulative = chunk.cumulative_tsn
        if not 0 < (cumulative - self._last_received_tsn) % TSN_MODULO < _HALF:
            return
        self._sack_misordered = {
            tsn
            for tsn in self._sack_misordered
            if 0 < (tsn - cumulative) % TSN_MODULO < _HALF
        }
        self._close_gap(cumulative)
        for stream_id, stream_seq in chunk.streams:
            if stream_id >= self._inbound_streams_max:
                continue
            stream = self._get_inbound_stream(stream_id)
            next_seq = (stream_seq + 1) & 0xFFFF
            if uint16_gt(next_seq, stream.sequence_number):
                stream.sequence_number = next_seq
        for stream_id, stream in self._inbound_streams.items():
            while stream.reassembly:
                self._ready[stream_id] = stream, 0
                self._pop_messages()
                if not self._drop_abandoned(stream, cumulative):
                    break
        await self._reset_deferred_streams()
