"""RTP out (RFC 3550): aiortc's, for media that is encoded elsewhere."""

from collections.abc import Callable

from aiortc import RTCRtpSender


class Sender(RTCRtpSender):
    """Sends the packets of one m-section.

    aiortc lets its own encoder make the key frames that the other side asks for (PLI,
    FIR). Here whoever encodes is asked.

    Attributes:
        on_key_frame_request: is called for each such request.
    """

    on_key_frame_request: Callable[[], None] | None = None

    # Overrides of aiortc

    def _send_keyframe(self) -> None:
        super()._send_keyframe()
        if self.on_key_frame_request is not None:
            self.on_key_frame_request()
