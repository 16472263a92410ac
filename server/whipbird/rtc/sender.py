"""RTP out (RFC 3550): aiortc's, for media that is encoded elsewhere."""

from collections.abc import Callable

from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtpSendParameters
from aiortc.rtp import RTP_HISTORY_SIZE, RtpPacket

from .dtls import DtlsTransport

# Packets that can be sent again: two seconds of 10 Mb/s, and any key frame.
HISTORY_SIZE = 2048


class _History(dict[int, RtpPacket]):
    """What aiortc keeps of the last 128 packets, and a longer one beside it."""

    def __init__(self) -> None:
        super().__init__()
        self._longer: dict[int, RtpPacket] = {}

    def __setitem__(self, slot: int, packet: RtpPacket) -> None:
        super().__setitem__(slot, packet)
        self._longer[packet.sequence_number % HISTORY_SIZE] = packet

    def recall(self, sequence: int) -> bool:
        """Put a packet where aiortc looks for it, if it is still known."""
        packet = self._longer.get(sequence % HISTORY_SIZE)
        if packet is None or packet.sequence_number != sequence:
            return False
        super().__setitem__(sequence % RTP_HISTORY_SIZE, packet)
        return True


class Sender(RTCRtpSender):
    """Sends the packets of one m-section.

    aiortc lets its own encoder make the key frames that the other side asks for (PLI,
    FIR). Here whoever encodes is asked. And aiortc can send only its last 128 packets
    again: a key frame may have more.

    Attributes:
        is_idle: whether it sends nothing itself, because an ``Egress`` does.
        on_key_frame_request: is called for each such request.
        retransmitted: packets that were sent again.
    """

    on_key_frame_request: Callable[[], None] | None = None

    def __init__(self, track: MediaStreamTrack | str, transport: DtlsTransport) -> None:
        super().__init__(track, transport)
        self.is_idle = False
        self.retransmitted = 0
        self._history = self._RTCRtpSender__rtp_history = _History()

    # Overrides of aiortc

    async def send(self, parameters: RTCRtpSendParameters) -> None:
        if not self.is_idle:
            await super().send(parameters)

    async def _retransmit(self, sequence_number: int) -> None:
        if self._history.recall(sequence_number):
            self.retransmitted += 1
            await super()._retransmit(sequence_number)

    def _send_keyframe(self) -> None:
        super()._send_keyframe()
        if self.on_key_frame_request is not None:
            self.on_key_frame_request()
