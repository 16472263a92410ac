"""The SCTP association of a peer and its data channels (RFC 8831, RFC 8832).

aiortc's association is kept for its states, timers, loss recovery and stream resets;
the way of a message through it is our own: see ``sctp_receiver`` and ``sctp_sender``.
"""

import logging
from collections.abc import Callable
from struct import Struct

from aiortc import RTCDataChannel, RTCSctpTransport
from aiortc.rtcdatachannel import RTCDataChannelParameters
from aiortc.rtcsctptransport import (
    DATA_CHANNEL_ACK,
    DATA_CHANNEL_OPEN,
    SCTP_DATA_UNORDERED,
    WEBRTC_BINARY,
    WEBRTC_BINARY_EMPTY,
    WEBRTC_DCEP,
    WEBRTC_STRING,
    WEBRTC_STRING_EMPTY,
)

from .completion import run_to_completion
from .dtls import DtlsTransport
from .sctp_reassembly import MAX_MESSAGE_SIZE
from .sctp_receiver import SctpReceiver

logger = logging.getLogger(__name__)

__all__ = ["MAX_MESSAGE_SIZE", "MessageHandler", "SctpTransport"]

# Octets of labels and protocols that the channels of one peer may have in all.
MAX_NAMES = 256 * 1024

# Of the label and the protocol in DATA_CHANNEL_OPEN (RFC 8832 section 5.1).
_LENGTHS = Struct("!HH")

_USER_DATA = frozenset(
    {WEBRTC_STRING, WEBRTC_STRING_EMPTY, WEBRTC_BINARY, WEBRTC_BINARY_EMPTY}
)
_EMPTY = frozenset({WEBRTC_STRING_EMPTY, WEBRTC_BINARY_EMPTY})
_TEXT = frozenset({WEBRTC_STRING, WEBRTC_STRING_EMPTY})

MessageHandler = Callable[[RTCDataChannel, int, bytes], None]
"""Takes a message: its channel, its payload protocol id (RFC 8831 section 8) and the
octets as they came."""


class SctpTransport(SctpReceiver):
    """The SCTP association of a peer, and its data channels.

    Args:
        transport: the DTLS transport below.
        limit: octets that may be held for this peer: incomplete messages, and
            messages to be sent that it has not acknowledged. A peer that sends faster
            than it reads meets a closing window, and has to wait. With None, what is
            sent does not count.

    Attributes:
        on_message: takes every message, on whatever channel it comes. Listeners of a
            channel's ``message`` event get it too.
        on_closed: called once when the association is over, but not by ``stop``.
    """

    def __init__(self, transport: DtlsTransport, limit: int | None) -> None:
        super().__init__(transport, limit)
        self.on_message: MessageHandler | None = None
        self.on_closed: Callable[[], None] | None = None

    def send_message(self, channel: RTCDataChannel, protocol: int, data: bytes) -> bool:
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

    def _deliver(self, stream_id: int, protocol: int, data: bytes, flags: int) -> None:
        if protocol == WEBRTC_DCEP:
            self._receive_establishment(stream_id, data)
            return
        if protocol not in _USER_DATA:
            return
        channel = self._data_channels.get(stream_id)
        if channel is None:
            channel = self._open_negotiated(stream_id, flags)
        try:
            if self.on_message is not None:
                self.on_message(channel, protocol, data)
            if channel.listeners("message"):
                channel.emit("message", _message(protocol, data))
        except Exception:
            logger.exception("A handler of messages has failed")

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
            return
        too_long = False
        if data[0] == DATA_CHANNEL_OPEN:
            too_long = self._names_length + len(data) > MAX_NAMES
            if too_long:
                # Opened without its names, and closed at once.
                data = data[:8] + _LENGTHS.pack(0, 0)
        elif data[0] != DATA_CHANNEL_ACK or not known:
            return
        run_to_completion(self._data_channel_receive(stream_id, WEBRTC_DCEP, data))
        if too_long:
            self._data_channel_close(self._data_channels[stream_id])

    @property
    def _names_length(self) -> int:
        """Characters of the labels and protocols of all channels."""
        channels = self._data_channels.values()
        return sum(len(channel.label) + len(channel.protocol) for channel in channels)

    # Overrides of aiortc

    async def stop(self) -> None:
        self.on_closed = None
        await super().stop()

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

    def _data_channel_open(self, channel: RTCDataChannel) -> None:
        super()._data_channel_open(channel)
        # aiortc gives the lengths of label and protocol in characters.
        _, protocol, message = self._data_channel_queue.pop()
        lengths = len(channel.label.encode()), len(channel.protocol.encode())
        message = message[:8] + _LENGTHS.pack(*lengths) + message[12:]
        self._data_channel_queue.append((channel, protocol, message))

    def _data_channel_close(self, channel: RTCDataChannel) -> None:
        queue = self._data_channel_queue
        super()._data_channel_close(channel)
        if self._data_channel_queue is queue:
            return
        # The messages of the channel were removed.
        self._queued = sum(
            len(data)
            for _, protocol, data in self._data_channel_queue
            if protocol != WEBRTC_DCEP
        )

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        was_closed = self._association_state == self.State.CLOSED
        super()._set_state(state)
        if state != self.State.CLOSED:
            return
        self._stop_acknowledging()
        self._stop_recovery()
        for held in (self._data_channel_queue, self._outbound_queue, self._sent_queue):
            held.clear()
        self._inbound_streams.clear()
        self._queued = self._flight_size = 0
        if not was_closed and self.on_closed is not None:
            self.on_closed()


def _message(protocol: int, data: bytes) -> str | bytes:
    """A message as the W3C API has it."""
    octets = b"" if protocol in _EMPTY else data
    return octets.decode(errors="replace") if protocol in _TEXT else octets
