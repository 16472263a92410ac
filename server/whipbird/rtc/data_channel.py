"""A data channel as aiortc has it, on one of the SCTP association's."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiortc import RTCDataChannel
from aiortc.exceptions import InvalidStateError

from ..transport import sctp
from .events import Listened, emit, release_listeners

if TYPE_CHECKING:
    from .transports import SctpTransport

# RFC 8831 section 8; SCTP cannot carry an empty message, so one octet stands for it.
# Of messages without octets, which SCTP cannot carry: they have one that is ignored.
EMPTY = frozenset({sctp.PPID_STRING_EMPTY, sctp.PPID_BINARY_EMPTY})
_TEXT = frozenset({sctp.PPID_STRING, sctp.PPID_STRING_EMPTY})
_PLACEHOLDER = b"\0"

_MAX_THRESHOLD = 0xFFFFFFFF


class DataChannel(Listened, RTCDataChannel):
    """A data channel.

    It has no state of aiortc's: the association's channel has the state.

    Args:
        transport: the SCTP transport that it belongs to.
        about: the association's channel; or the options of a channel that waits for an
            association.
    """

    def __init__(
        self,
        transport: "SctpTransport",
        about: sctp.DataChannel | sctp.ChannelOptions,
    ) -> None:
        # Not aiortc's, which would open the channel on an association of its own.
        Listened.__init__(self)
        self._sctp = transport
        self._about = about
        self._channel = about if isinstance(about, sctp.DataChannel) else None
        self._is_given_up = False
        self._threshold = 0

    @property
    def log_fields(self) -> Mapping[str, str]:
        """Which session it belongs to, for the log."""
        return self._sctp.log_fields

    @property
    def bufferedAmount(self) -> int:  # noqa: N802
        """Octets that are queued and not yet sent."""
        return 0 if self._channel is None else self._channel.buffered_amount

    @property
    def bufferedAmountLowThreshold(self) -> int:  # noqa: N802
        """The amount at or below which ``bufferedamountlow`` is emitted."""
        return self._threshold

    @bufferedAmountLowThreshold.setter
    def bufferedAmountLowThreshold(self, value: int) -> None:  # noqa: N802
        if not 0 <= value <= _MAX_THRESHOLD:
            raise ValueError("bufferedAmountLowThreshold must be in range 0-4294967295")
        self._threshold = value

    @property
    def negotiated(self) -> bool:
        """Whether it was negotiated out of band."""
        return self._about.negotiated

    @property
    def id(self) -> int | None:
        """The SCTP stream; None until it is assigned."""
        return self._about.id

    @property
    def label(self) -> str:
        """Its name; several channels may have the same."""
        return self._about.label

    @property
    def ordered(self) -> bool:
        """Whether messages are delivered in the order in which they were sent."""
        return self._about.ordered

    @property
    def maxPacketLifeTime(self) -> int | None:  # noqa: N802
        """Milliseconds for which a message is transmitted; None for any time."""
        return self._about.max_packet_life_time

    @property
    def maxRetransmits(self) -> int | None:  # noqa: N802
        """How often a message is retransmitted; None for any number."""
        return self._about.max_retransmits

    @property
    def protocol(self) -> str:
        """The name of the subprotocol."""
        return self._about.protocol

    @property
    def readyState(self) -> str:  # noqa: N802
        """``connecting``, ``open``, ``closing`` or ``closed``."""
        if self._channel is not None:
            return self._channel.state.value
        return "closed" if self._is_given_up else "connecting"

    @property
    def transport(self) -> "SctpTransport":
        """The SCTP transport that it belongs to."""
        return self._sctp

    def close(self) -> None:
        """Close the channel, after the messages that are queued."""
        if self._channel is not None:
            self._sctp.close_channel(self._channel)
        elif not self._is_given_up:
            self.give_up()

    def send(self, data: bytes | str) -> None:
        """Queue a message.

        Raises:
            InvalidStateError: when the channel is not open.
            ValueError: when the data is neither ``bytes`` nor ``str``, or larger than
                the peer takes.
        """
        if self.readyState != "open":
            raise InvalidStateError
        if not isinstance(data, str | bytes):
            raise ValueError(f"Cannot send unsupported data type: {type(data)}")
        protocol, octets = write_message(data)
        if not self._sctp.send_message(self.inner, protocol, octets):
            raise ValueError(
                f"Cannot send a message of {len(octets)} octets: the peer takes at "
                f"most {self._sctp.max_message_size}"
            )

    # Events of the association

    @property
    def inner(self) -> sctp.DataChannel:
        """The association's channel; there is one once both sides have negotiated."""
        assert self._channel is not None
        return self._channel

    @property
    def options(self) -> sctp.ChannelOptions:
        """Its options, while there is no association."""
        assert isinstance(self._about, sctp.ChannelOptions)
        return self._about

    def attach(self, channel: sctp.DataChannel) -> None:
        """Be the face of the association's channel from now on."""
        self._about = self._channel = channel
        channel.face = self

    @property
    def is_given_up(self) -> bool:
        """Whether it was closed before there was an association."""
        return self._is_given_up

    def give_up(self) -> None:
        """Close before there is an association."""
        self._is_given_up = True
        self._emit_close()

    def state_changed(self) -> None:
        """Emit the event of a new state."""
        match self.inner.state:
            case sctp.ChannelState.OPEN:
                emit(self, "open")
            case sctp.ChannelState.CLOSED:
                self._emit_close()

    def _emit_close(self) -> None:
        emit(self, "close")
        release_listeners(self)

    def buffered_amount_changed(self, delta: int) -> None:
        """Emit ``bufferedamountlow`` when the threshold was crossed."""
        now = self.bufferedAmount
        if now <= self._threshold < now - delta:
            emit(self, "bufferedamountlow")

    def emit_message(self, protocol: int, data: bytes) -> None:
        """Emit a message as the W3C API has it, if anybody listens."""
        if self.listeners("message"):
            self.emit("message", read_message(protocol, data))


def read_message(protocol: int, data: bytes) -> str | bytes:
    """A message as the W3C API has it: text or octets.

    Args:
        protocol: its payload protocol id (RFC 8831 section 8).
        data: its octets, as they came.
    """
    octets = b"" if protocol in EMPTY else data
    return octets.decode(errors="replace") if protocol in _TEXT else octets


def write_message(data: str | bytes) -> tuple[int, bytes]:
    """The payload protocol id of a message, and its octets as they are sent."""
    if isinstance(data, str):
        protocol = sctp.PPID_STRING if data else sctp.PPID_STRING_EMPTY
        return protocol, data.encode() or _PLACEHOLDER
    return (sctp.PPID_BINARY if data else sctp.PPID_BINARY_EMPTY), data or _PLACEHOLDER
