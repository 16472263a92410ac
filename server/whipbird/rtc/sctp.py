"""SCTP (RFC 9260) and data channels (RFC 8831): aiortc's association, made fast.

aiortc's association is kept for its states, timers, loss recovery and stream resets.
Its way of a message is replaced:

- a packet is handled within the callback of its socket, without a task;
- acknowledgements ride on data, or are sent for every second packet, not for each;
- messages are packed together up to the size of a packet;
- the receive window closes by as much as is still to be sent back, so a peer that
  sends faster than it reads has to wait, and no memory grows without bound.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from struct import Struct
from typing import Any, cast

from aiortc import RTCDataChannel, RTCSctpTransport
from aiortc.rtcdatachannel import RTCDataChannelParameters
from aiortc.rtcsctptransport import (
    CHUNK_TYPES,
    DATA_CHANNEL_ACK,
    DATA_CHANNEL_OPEN,
    LOCAL_MAX_MESSAGE_SIZE,
    SCTP_COMMON_HEADER_LENGTH,
    SCTP_DATA_CHUNK_HEADER_LENGTH,
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    SCTP_DATA_UNORDERED,
    SCTP_MAX_PACKET_LENGTH,
    USERDATA_MAX_LENGTH,
    WEBRTC_BINARY,
    WEBRTC_BINARY_EMPTY,
    WEBRTC_DCEP,
    WEBRTC_STRING,
    WEBRTC_STRING_EMPTY,
    Chunk,
    DataChunk,
    InboundStream,
    InitChunk,
    SackChunk,
)
from aiortc.utils import uint16_gt
from google_crc32c import value as crc32c

from .dtls import DtlsTransport

logger = logging.getLogger(__name__)

MAX_MESSAGE_SIZE = LOCAL_MAX_MESSAGE_SIZE

# RFC 9260 section 6.2: an acknowledgement may wait this long for company (seconds).
SACK_DELAY = 0.04
# ... but not for more packets than this.
PACKETS_PER_SACK = 2

# What a message costs in memory beside its octets, about; small ones count too.
MESSAGE_COST = 256

# Octets of user data made into chunks ahead of the congestion window.
CHUNKS_AHEAD = 16 * USERDATA_MAX_LENGTH

# Gaps, and duplicates, that one SACK reports; both fit a packet.
MAX_SACK_BLOCKS = 128
_PLAIN_SACK = 16

_MODULO = 1 << 32
_DATA = DataChunk.type
_SACK = SackChunk.type
_INIT = InitChunk.type
_WHOLE = SCTP_DATA_FIRST_FRAG | SCTP_DATA_LAST_FRAG
_IMMEDIATE = 0x08  # RFC 7053: the I bit asks for an acknowledgement at once

_COMMON_HEADER = Struct("!HHLL")
_PORTS_AND_TAG = Struct("!HHL")
_CHUNK_HEADER = Struct("!BBH")
_DATA_HEADER = Struct("!BBHLHHL")
_CHECKSUM = Struct("<L")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")

_USER_DATA = frozenset(
    {WEBRTC_STRING, WEBRTC_STRING_EMPTY, WEBRTC_BINARY, WEBRTC_BINARY_EMPTY}
)
_EMPTY = frozenset({WEBRTC_STRING_EMPTY, WEBRTC_BINARY_EMPTY})
_TEXT = frozenset({WEBRTC_STRING, WEBRTC_STRING_EMPTY})

MessageHandler = Callable[[RTCDataChannel, int, bytes], None]
"""Takes a message: its channel, its payload protocol id (RFC 8831 section 8) and the
octets as they came."""


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
            _DATA_HEADER.pack(
                _DATA,
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


class SctpTransport(RTCSctpTransport):
    """The SCTP association of a peer, and its data channels.

    Args:
        transport: the DTLS transport below.
        window: octets that may be held for this peer: incomplete messages, and
            messages to be sent that it has not acknowledged.

    Attributes:
        on_message: takes every message, on whatever channel it comes. Listeners of a
            channel's ``message`` event get it too.
        on_closed: called once when the association is over.
    """

    def __init__(self, transport: DtlsTransport, window: int) -> None:
        super().__init__(transport)
        self.on_message: MessageHandler | None = None
        self.on_closed: Callable[[], None] | None = None
        self._window = self._advertised_rwnd = window
        self._peer_window = window
        self._queued = 0  # octets in _data_channel_queue
        self._announced_window = window
        self._corked = False
        self._packets_unacknowledged = 0
        self._sack_at_once = False
        self._sack_timer: asyncio.TimerHandle | None = None
        self._has_lost = False
        self._bundle: list[bytes] = []
        self._bundle_length = SCTP_COMMON_HEADER_LENGTH

    # Messages out

    def send_message(
        self, channel: RTCDataChannel, protocol: int, data: bytes
    ) -> bool:
        """Send octets on a channel as they are.

        Args:
            protocol: the payload protocol id, which tells text from binary.

        Returns:
            Whether it was sent: not when the channel is no longer open, nor when the
            message is larger than the peer takes.
        """
        largest = self._remote_max_message_size
        if channel.readyState != "open" or (largest and len(data) > largest):
            return False
        channel._addBufferedAmount(len(data))
        self._enqueue(channel, protocol, data)
        return True

    def _enqueue(self, channel: RTCDataChannel, protocol: int, data: bytes) -> None:
        self._data_channel_queue.append((channel, protocol, data))
        self._queued += len(data)
        if not self._corked:
            self._pump()

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

    # Packets in

    def receive_packet(self, packet: bytes) -> None:
        """Handle one SCTP packet, decrypted.

        What breaks the protocol is dropped; nothing is raised.
        """
        if len(packet) < SCTP_COMMON_HEADER_LENGTH + _CHUNK_HEADER.size:
            return
        _, _, tag, _ = _COMMON_HEADER.unpack_from(packet)
        (checksum,) = _CHECKSUM.unpack_from(packet, 8)
        if checksum != crc32c(packet[:8] + b"\0\0\0\0" + packet[12:]):
            return
        # An INIT comes alone and with tag 0 (RFC 9260 section 8.5.1).
        if tag != (0 if packet[12] == _INIT else self._local_verification_tag):
            return
        self._corked = True
        try:
            self._receive_chunks(packet)
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
            elif chunk_class := CHUNK_TYPES.get(kind):
                body = packet[position + 4 : position + length]
                chunk = chunk_class(flags=flags, body=body)
                if kind == _SACK and not self._is_plausible(cast(SackChunk, chunk)):
                    return
                run_to_completion(self._receive_chunk(chunk))
            position += length + (-length & 3)

    def _is_plausible(self, sack: SackChunk) -> bool:
        """Whether a SACK speaks of what was sent; going through gaps costs time."""
        outstanding = (self._local_tsn - sack.cumulative_tsn) % _MODULO
        if any(first > last or last > outstanding for first, last in sack.gaps):
            return False
        self._peer_window = sack.advertised_rwnd
        return True

    def _receive_data(
        self, packet: bytes, position: int, flags: int, length: int
    ) -> None:
        """Handle a DATA chunk (RFC 9260 section 6.2)."""
        if self._last_received_tsn is None:
            return
        _, _, _, tsn, stream_id, stream_seq, protocol = _DATA_HEADER.unpack_from(
            packet, position
        )
        data = packet[position + SCTP_DATA_CHUNK_HEADER_LENGTH : position + length]
        self._sack_needed = True
        if flags & _IMMEDIATE:
            self._sack_at_once = True
        in_order = tsn == (self._last_received_tsn + 1) % _MODULO
        if not self._has_room(len(data), in_order):
            self._sack_at_once = True
            return
        if in_order and not self._sack_misordered:
            self._last_received_tsn = tsn
        elif self._mark_received(tsn):
            self._sack_at_once = True
            return
        else:
            self._sack_at_once = True

        stream = self._inbound_streams.get(stream_id)
        if stream is None:
            stream = self._inbound_streams[stream_id] = InboundStream()
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
            self._reassemble(stream, flags, (tsn, stream_id, stream_seq, protocol), data)
        if self._reconfig_deferred is not None:
            run_to_completion(self._reset_deferred_streams())

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
        # A fragment at the end that is not the last of its message completes none.
        if not flags & SCTP_DATA_LAST_FRAG and stream.reassembly[-1] is chunk:
            return
        for stream_id, protocol, message in stream.pop_messages():
            self._advertised_rwnd += len(message)
            self._deliver(stream_id, protocol, message, flags)

    def _has_room(self, length: int, in_order: bool) -> bool:
        """Whether a chunk may be kept.

        A peer that respects the window it was told never meets the end of this room,
        twice the window. For one that does not, chunks are dropped, which it will
        send again.
        """
        room = self._window + self._advertised_rwnd - self._held
        if room >= length:
            return True
        # With nothing to send back, only completing a message can make room.
        if in_order and not self._data_channel_queue and not self._outbound_queue:
            if self._advertised_rwnd > -self._window - MAX_MESSAGE_SIZE:
                return True
            logger.debug("A message larger than the negotiated maximum; aborting")
            run_to_completion(self.stop())
        return False

    # Messages in

    def _deliver(self, stream_id: int, protocol: int, data: bytes, flags: int) -> None:
        if protocol == WEBRTC_DCEP:
            self._receive_establishment(stream_id, data)
            return
        if protocol not in _USER_DATA:
            return
        channel = self._data_channels.get(stream_id)
        if channel is None:
            channel = self._open_negotiated(stream_id, flags)
        if self.on_message is not None:
            self.on_message(channel, protocol, data)
        if channel.listeners("message"):
            channel.emit("message", _message(protocol, data))

    def _open_negotiated(self, stream_id: int, flags: int) -> RTCDataChannel:
        """Open a channel that was not announced: the peer negotiated it out of band.

        On an announced channel nothing comes before the announcement (RFC 8832
        section 6).
        """
        parameters = RTCDataChannelParameters(
            id=stream_id, negotiated=True, ordered=not flags & SCTP_DATA_UNORDERED
        )
        channel = RTCDataChannel(self, parameters, False)
        channel._setReadyState("open")
        self.emit("datachannel", channel)
        return channel

    def _receive_establishment(self, stream_id: int, data: bytes) -> None:
        """Handle a message of the establishment protocol (RFC 8832 section 5)."""
        known = stream_id in self._data_channels
        if not data:
            return
        if data[0] == DATA_CHANNEL_OPEN and known:
            # RFC 8832 section 6: a stream in use cannot be opened again.
            self._data_channel_close(self._data_channels[stream_id])
        elif data[0] == DATA_CHANNEL_OPEN or (data[0] == DATA_CHANNEL_ACK and known):
            run_to_completion(
                self._data_channel_receive(stream_id, WEBRTC_DCEP, data)
            )

    # Packets out

    def _pump(self) -> None:
        """Send all that may be sent now: an acknowledgement, and data."""
        state = self._association_state
        if state not in (self.State.ESTABLISHED, self.State.COOKIE_ECHOED):
            return
        try:
            if state == self.State.ESTABLISHED:
                self._make_chunks()
                self._send_data_chunks()
                while self._make_chunks():
                    self._send_data_chunks()
                if self._reconfig_queue and self._reconfig_request is None:
                    # A stream reset waits for the messages before it.
                    run_to_completion(self._transmit_reconfig())
            self._acknowledge()
            self._send_bundle()
        except ConnectionError:
            self._drop_bundle()

    def _make_chunks(self) -> bool:
        """Turn messages into chunks, a little more than the next packets need.

        Returns:
            Whether any chunk was made.
        """
        queue = self._data_channel_queue
        room = CHUNKS_AHEAD - len(self._outbound_queue) * USERDATA_MAX_LENGTH
        if not queue or room <= 0 or self._flight_size >= self._cwnd:
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
            tsn = (tsn + 1) % _MODULO
        self._local_tsn = tsn
        if ordered:
            self._outbound_stream_seq[stream_id] = (sequence + 1) & 0xFFFF

    def _send_data_chunks(self) -> None:
        """Send what the congestion window and the peer's allow (RFC 9260 section 6.1)."""
        if self._forward_tsn_chunk is not None:
            self._add_to_bundle(bytes(self._forward_tsn_chunk))
            self._forward_tsn_chunk = None
            self._ensure_t3()
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
        while queue and self._flight_size < allowed:
            chunk = queue.popleft()
            self._sent_queue.append(chunk)
            self._flight_size_increase(chunk)
            chunk._sent_count += 1
            chunk._sent_time = now
            self._add_to_bundle(bytes(chunk))
            self._ensure_t3()

    def _retransmit_lost(self, allowed: int) -> bool:
        """Send lost chunks again. Whether there is room left for new ones."""
        if not self._has_lost and self._fast_recovery_exit is None:
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

    def _ensure_t3(self) -> None:
        if self._t3_handle is None:
            self._t3_start()

    def _acknowledge(self) -> None:
        """Send what was received, now or a little later (RFC 9260 section 6.2)."""
        if self._sack_timer is not None and not self._sack_needed:
            self._sack_timer.cancel()
            self._sack_timer = None
        window = self._open_window
        if self._announced_window < self._window // 4 and window > self._window // 2:
            # The peer waits for the window to open.
            self._sack_needed = self._sack_at_once = True
        if not self._sack_needed:
            return
        if self._sack_at_once or self._packets_unacknowledged >= PACKETS_PER_SACK:
            self._add_to_bundle(self._write_sack())
        elif self._sack_timer is None:
            self._sack_timer = self._loop.call_later(SACK_DELAY, self._sack_is_due)

    def _sack_is_due(self) -> None:
        self._sack_timer = None
        self._sack_at_once = True
        self._pump()

    @property
    def _open_window(self) -> int:
        """Octets that the peer may send: what is held here is not free."""
        return max(0, self._advertised_rwnd - self._held)

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
        if self._sack_timer is not None:
            self._sack_timer.cancel()
            self._sack_timer = None
        return bytes(sack)

    def _gaps(self, cumulative: int) -> list[tuple[int, int]]:
        """The runs of TSNs received beyond a gap, as offsets (RFC 9260 3.3.4)."""
        gaps: list[tuple[int, int]] = []
        for offset in sorted((tsn - cumulative) % _MODULO for tsn in self._sack_misordered):
            if offset > 0xFFFF:
                break
            if gaps and gaps[-1][1] == offset - 1:
                gaps[-1] = (gaps[-1][0], offset)
            elif len(gaps) == MAX_SACK_BLOCKS:
                break
            else:
                gaps.append((offset, offset))
        return gaps

    def _add_to_bundle(self, chunk: bytes) -> None:
        """Put a chunk into the packet being made, after sending it when it is full."""
        length = self._bundle_length + len(chunk)
        if length > SCTP_MAX_PACKET_LENGTH:
            self._send_bundle()
            length = self._bundle_length + len(chunk)
        if (
            self._sack_needed
            and not self._bundle
            and length + _PLAIN_SACK <= SCTP_MAX_PACKET_LENGTH
            and not self._sack_misordered
            and not self._sack_duplicates
        ):
            # Control chunks come first (RFC 9260 section 6.10).
            self._bundle.append(self._write_sack())
            length += _PLAIN_SACK
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
        checksum = _CHECKSUM.pack(crc32c(header + b"\0\0\0\0" + body))
        cast(DtlsTransport, self.transport).send_packet(header + checksum + body)

    # Overrides of aiortc

    async def _send_chunk(self, chunk: Chunk) -> None:
        self._send_body(bytes(chunk))

    async def _transmit(self) -> None:
        if not self._corked:
            self._pump()

    async def _data_channel_flush(self) -> None:
        await self._transmit()

    def _data_channel_send(self, channel: RTCDataChannel, data: bytes | str) -> None:
        if isinstance(data, str):
            protocol = WEBRTC_STRING if data else WEBRTC_STRING_EMPTY
            octets = data.encode()
        else:
            protocol = WEBRTC_BINARY if data else WEBRTC_BINARY_EMPTY
            octets = data
        if not self.send_message(channel, protocol, octets or b"\0"):
            raise ValueError(
                f"Cannot send a message of {len(octets)} octets: the peer takes at "
                f"most {self._remote_max_message_size}"
            )

    def _data_channel_close(self, channel: RTCDataChannel) -> None:
        super()._data_channel_close(channel)
        self._queued = sum(
            len(data)
            for _, protocol, data in self._data_channel_queue
            if protocol != WEBRTC_DCEP
        )

    def _mark_received(self, tsn: int) -> bool:
        assert self._last_received_tsn is not None
        offset = (tsn - self._last_received_tsn) % _MODULO
        if offset == 0 or offset >= _MODULO // 2 or tsn in self._sack_misordered:
            self._sack_duplicates.append(tsn)
            return True
        self._sack_misordered.add(tsn)
        expected = (self._last_received_tsn + 1) % _MODULO
        while expected in self._sack_misordered:
            self._sack_misordered.remove(expected)
            self._last_received_tsn = expected
            expected = (expected + 1) % _MODULO
        return False

    def _t3_expired(self) -> None:
        self._has_lost = True
        super()._t3_expired()

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        was_closed = self._association_state == self.State.CLOSED
        super()._set_state(state)
        if state != self.State.CLOSED:
            return
        if self._sack_timer is not None:
            self._sack_timer.cancel()
            self._sack_timer = None
        for held in (self._data_channel_queue, self._outbound_queue, self._sent_queue):
            held.clear()
        self._inbound_streams.clear()
        self._queued = self._flight_size = 0
        if not was_closed and self.on_closed is not None:
            self.on_closed()


def run_to_completion(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine of aiortc's association at once.

    They are written as coroutines, but wait for nothing but the transport below,
    and ours does not wait.

    Raises:
        RuntimeError: when it did wait, which a new version of aiortc may do.
    """
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("aiortc's SCTP waits where it did not before")


def _message(protocol: int, data: bytes) -> str | bytes:
    """A message as the W3C API has it."""
    octets = b"" if protocol in _EMPTY else data
    return octets.decode(errors="replace") if protocol in _TEXT else octets
