"""Takes the place of a network for tracks whose packets come from this machine."""

from collections.abc import Callable

from ..rtp.rtcp_requests import KeyFrameRequest, parse_requests


class LocalTransport:
    """A ``SourceTransport`` without a peer.

    Args:
        on_key_frame_request: called with the SSRC of which a key frame is needed.

    Attributes:
        rtp_routes: see ``SourceTransport``.
    """

    round_trip = None

    def __init__(self, on_key_frame_request: Callable[[int], None]) -> None:
        self.rtp_routes: dict[int, Callable[[bytes], None]] = {}
        self._on_key_frame_request = on_key_frame_request

    def send_rtcp(self, data: bytes) -> None:
        """Take what the receiving side asks for; its reports are for nobody."""
        for request in parse_requests(data):
            if isinstance(request, KeyFrameRequest):
                self._on_key_frame_request(request.ssrc)
