"""SCTP (RFC 9260), the sending half: messages to chunks, and chunks to packets.

aiortc's timers, loss recovery and partial reliability are kept. Replaced is the way of
a message out: chunks are bundled up to the size of a packet, no task is made, and the
peer's window is respected.
"""

import time
from struct import Struct
from typing import cast

from aiortc import RTCDataChannel
from aiortc.rtcsctptransport import (
    SCTP_COMMON_HEADER_LENGTH,
    SCTP_DATA_CHUNK_HEADER_LENGTH,
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    SCTP_DATA_UNORDERED,
    SCTP_MAX_PACKET_LENGTH,
    USERDATA_MAX_LENGTH,
    WEBRTC_DCEP,
    Chunk,
    DataChunk,
)
from google_crc32c import value as crc32c

from .dtls import DtlsTransport
from .sctp_recovery import TSN_MODULO, SctpRecovery

# What a message costs in memory beside its octets, about; small ones count too.
MESSAGE_COST = 256

# Chunks sent and not acknowledged. The congestion window counts octets, of which tiny
# messages have few; an acknowledgement with gaps goes through all chunks.
MAX_SENT_CHUNKS = 2048

# Octets of user data made into chunks ahead of the congestion window.
CHUNKS_AHEAD = 16 * USERDATA_MAX_LENGTH

_PORTS_AND_TAG = Struct("!HHL")
DATA_HEADER = Struct("!BBHLHHL")
CHECKSUM = Struct("<L")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


class OutboundChunk(DataChunk):
    """A DATA chunk to be sent, with what aiortc's loss recovery notes about it."""

    def __init__(
        self,
        header: tuple[int, int, int, int, int],
        user_data: bytes,
        expiry: float | None,
        max_retransmits: int | None,
    ) -> None:
        self.flags, self.tsn, self.stream_id, self.stream_seq, self.protocol = header
        self.user_data = user_data
        self._abandoned = False
        self._acked = False
        self._book_size = len(user_data)
        self._expiry = expiry
        self._in_flight = False
        self._max_retransmits = max_retransmits
        self._misses = 0
        self._retransmit = False
        self._sent_count = 0
        self._sent_time: float | None = None

    def __bytes__(self) -> bytes:
        length = SCTP_DATA_CHUNK_HEADER_LENGTH + len(self.user_data)
        return (
            DATA_HEADER.pack(
                DataChunk.type,
                self.flags,
                length,
                self.tsn,
                self.stream_id,
                self.stream_seq,
                self.protocol,
            )
            + self.user_data
            + _PADDING[length & 3]
        )


class SctpSender(SctpRecovery):
    """Sends the messages in ``_data_channel_queue``.

    Args:
        transport: the DTLS transport below.
    """

    def __init__(self, transport: DtlsTransport) -> None:
        super().__init__(transport)
        self._queued = 0  # octets of messages in _data_channel_queue
        self._bundle: list[bytes] = []
        self._bundle_length = SCTP_COMMON_HEADER_LENGTH

    @property
    def _held(self) -> int:
        """Octets of memory, about, that wait for the peer to take them."""
        messages = len(self._data_channel_queue)
        chunks = len(self._outbound_queue) + len(self._sent_queue)
        return (
            self._queued
            + self._flight_size
            + len(self._outbound_queue) * USERDATA_MAX_LENGTH
            + (messages + chunks) * MESSAGE_COST
        )

    def _make_chunks(self) -> bool:
        """Turn messages into chunks, a little more than the next packets need.

        Returns:
            Whether any chunk was made.
        """
        queue = self._data_channel_queue
        if not queue or self._flight_size >= self._cwnd:
            return False
        room = CHUNKS_AHEAD - len(self._outbound_queue) * USERDATA_MAX_LENGTH
        if room <= 0:
            return False
        while queue and room > 0:
            channel, protocol, data = queue.popleft()
            room -= len(data) + SCTP_DATA_CHUNK_HEADER_LENGTH
            stream_id = channel.id
            if stream_id is None:
                stream_id = self._assign_stream_id(channel)
            if protocol == WEBRTC_DCEP:
                self._fragment(stream_id, protocol, data, True, None, None)
                continue
            self._queued -= len(data)
            lifetime = channel.maxPacketLifeTime
            self._fragment(
                stream_id,
                protocol,
                data,
                channel.ordered,
                time.time() + lifetime / 1000 if lifetime else None,
                channel.maxRetransmits,
            )
            channel._addBufferedAmount(-len(data))
        return True

    def _assign_stream_id(self, channel: RTCDataChannel) -> int:
        stream_id = self._data_channel_id
        assert stream_id is not None
        while stream_id in self._data_channels:
            stream_id += 2
        self._data_channels[stream_id] = channel
        channel._setId(stream_id)
        return stream_id

    def _fragment(
        self,
        stream_id: int,
        protocol: int,
        data: bytes,
        ordered: bool,
        expiry: float | None,
        max_retransmits: int | None,
    ) -> None:
        """Cut a message into chunks (RFC 9260 section 6.9)."""
        sequence = self._outbound_stream_seq.get(stream_id, 0) if ordered else 0
        base = 0 if ordered else SCTP_DATA_UNORDERED
        tsn, size = self._local_tsn, len(data)
        for start in range(0, size, USERDATA_MAX_LENGTH):
            flags = base
            if start == 0:
                flags |= SCTP_DATA_FIRST_FRAG
            if start + USERDATA_MAX_LENGTH >= size:
                flags |= SCTP_DATA_LAST_FRAG
            self._outbound_queue.append(
                OutboundChunk(
                    (flags, tsn, stream_id, sequence, protocol),
                    data[start : start + USERDATA_MAX_LENGTH],
                    expiry,
                    max_retransmits,
                )
            )
            tsn = (tsn + 1) % TSN_MODULO
        self._local_tsn = tsn
        if ordered:
            self._outbound_stream_seq[stream_id] = (sequence + 1) & 0xFFFF

    def _send_data_chunks(self) -> None:
        """Send what the congestion window and the peer's allow (RFC 9260, 6.1)."""
        if self._forward_tsn_chunk is not None:
            self._add_to_bundle(bytes(self._forward_tsn_chunk))
            self._forward_tsn_chunk = None
            self._ensure_t3()
        if not self._outbound_queue and not self._may_have_lost:
            return
        burst = 2 if self._fast_recovery_exit is not None else 4
        # A closed window is probed with one chunk (RFC 9260 section 6.1, rule A).
        allowed = min(
            self._flight_size + burst * USERDATA_MAX_LENGTH,
            self._cwnd,
            max(self._peer_window, 1),
        )
        if not self._retransmit_lost(allowed):
            return
        queue, now = self._outbound_queue, time.time()
        sent = self._sent_queue
        while queue and self._flight_size < allowed and len(sent) < MAX_SENT_CHUNKS:
            chunk = queue.popleft()
            sent.append(chunk)
            self._flight_size_increase(chunk)
            chunk._sent_count += 1
            chunk._sent_time = now
            self._add_to_bundle(bytes(chunk))
            self._ensure_t3()

    def _retransmit_lost(self, allowed: int) -> bool:
        """Send lost chunks again. Whether there is room left for new ones."""
        if not self._may_have_lost:
            return True
        earliest = True
        for chunk in self._sent_queue:
            if chunk._retransmit:
                if self._fast_recovery_transmit:
                    self._fast_recovery_transmit = False
                elif self._flight_size >= allowed:
                    return False
                self._flight_size_increase(chunk)
                chunk._misses = 0
                chunk._retransmit = False
                chunk._sent_count += 1
                self._add_to_bundle(bytes(chunk))
                if earliest:
                    self._t3_restart()
            earliest = False
        self._has_lost = False
        return True

    def _add_to_bundle(self, chunk: bytes) -> None:
        """Put a chunk into the packet being made, after sending it when it is full."""
        length = self._bundle_length + len(chunk)
        if length > SCTP_MAX_PACKET_LENGTH:
            self._send_bundle()
            length = self._bundle_length + len(chunk)
        if not self._bundle:
            # Control chunks come first (RFC 9260 section 6.10).
            company = self._company(SCTP_MAX_PACKET_LENGTH - length)
            if company:
                self._bundle.append(company)
                length += len(company)
        self._bundle.append(chunk)
        self._bundle_length = length

    def _send_bundle(self) -> None:
        if self._bundle:
            body = b"".join(self._bundle)
            self._drop_bundle()
            self._send_body(body)

    def _drop_bundle(self) -> None:
        self._bundle.clear()
        self._bundle_length = SCTP_COMMON_HEADER_LENGTH

    def _send_body(self, body: bytes) -> None:
        """Send a packet of these chunks."""
        header = _PORTS_AND_TAG.pack(
            self._local_port, self._remote_port, self._remote_verification_tag
        )
        checksum = CHECKSUM.pack(crc32c(header + b"\0\0\0\0" + body))
        cast(DtlsTransport, self.transport).send_packet(header + checksum + body)

    def _company(self, room: int) -> bytes:
        """A control chunk of at most that length that shall go with data, if any."""
        raise NotImplementedError

    # Overrides of aiortc

    async def _send_chunk(self, chunk: Chunk) -> None:
        self._send_body(bytes(chunk))
